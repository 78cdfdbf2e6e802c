//! Checks on a whole case: waits that can never end, channels never opened, limits of the ABI.

use relaybed_abi::{
    RB_DATA_SIZE, RB_MAX_ACTORS, RB_MAX_BLOB, RB_MAX_CHANNELS, RB_MAX_EVENTS, RB_MAX_FILES,
    RB_MAX_GATES, RB_MAX_OPS, RB_MAX_PFNS, RB_PAGE_SIZE,
};

use super::diagnostic::Problem;
use super::form::Span;
use super::resolve::{Resolver, refused_by_relay};
use relaybed_case::bounds::{self, Cost, RECORDS_MAX};
use relaybed_case::{Channel, ChannelIndex, Context, FileCall, Op, Payload, take_turns};

impl Resolver<'_> {
    pub(super) fn check(&mut self) {
        self.check_labels();
        self.check_opens();
        self.check_gates();
        self.check_stalls();
        self.check_senders();
        self.check_nmis();
        self.check_table_sizes();
        self.check_pages();
        self.check_evidence();
    }

    fn report(&mut self, message: String, place: Span, here: impl Into<String>, help: &str) {
        let problem = Problem::new(message, place, here);
        self.problems.push(problem.help(help));
    }

    /// First place in the file that has to do with the case as a whole.
    fn somewhere(&self) -> Span {
        self.file
            .channels
            .first()
            .map_or(0..0, |channel| channel.name.span.clone())
    }

    /// All operations with their places.
    fn all_ops(&self) -> impl Iterator<Item = (usize, &Op, &Span)> {
        self.case
            .actors
            .iter()
            .zip(&self.places)
            .enumerate()
            .flat_map(|(actor, (ops, places))| {
                ops.ops
                    .iter()
                    .zip(places)
                    .map(move |(op, place)| (actor, op, place))
            })
    }

    fn check_labels(&mut self) {
        let mut seen: Vec<&str> = Vec::new();
        let mut twice = Vec::new();
        for (_, op, place) in self.all_ops() {
            if let Op::Checkpoint { label } = op {
                if seen.contains(&label.as_str()) {
                    twice.push((label.clone(), place.clone()));
                }
                seen.push(label);
            }
        }
        for (label, place) in twice {
            self.report(
                format!("checkpoint `{label}` is reached twice"),
                place,
                "the second time",
                "each checkpoint needs a name of its own; one inside `repeat` or an actor on \"each\" CPU has the same name every time",
            );
        }
    }

    /// An operation on a channel that is never opened, and an open of one that is open.
    fn check_opens(&mut self) {
        let ops = |wanted: fn(&Op) -> Option<ChannelIndex>, index| {
            self.all_ops()
                .find(|(_, op, _)| wanted(op) == Some(index))
                .map(|(_, _, place)| place.clone())
        };
        let opens = |op: &Op| match op {
            Op::Open { channel } => Some(*channel),
            _ => None,
        };
        let closes = |op: &Op| match op {
            Op::Close { channel } => Some(*channel),
            _ => None,
        };
        let mut wrong = Vec::new();
        for (index, channel) in self.case.channels.iter().enumerate() {
            let opened = ops(opens, index);
            let used = ops(Op::channel, index);
            let name = &channel.name;
            match (channel.open_at_start, opened, used) {
                (false, None, used) => wrong.push((
                    format!("channel `{name}` is never opened"),
                    used.unwrap_or_else(|| self.file.channels[index].name.span.clone()),
                    "needs an open channel",
                    "let an actor do { open = CHANNEL }, or leave `open` of the channel at \"start\"",
                )),
                (true, Some(place), _) if ops(closes, index).is_none() => wrong.push((
                    format!("channel `{name}` is already open"),
                    place,
                    "a second open",
                    "set open = \"scripted\" in the channel, or close it first",
                )),
                _ => {}
            }
        }
        for (message, place, here, help) in wrong {
            self.report(message, place, here, help);
        }
    }

    /// Waits that never end.
    fn check_gates(&mut self) {
        let actors = &self.case.actors;
        let at = take_turns(&self.case, |_, _| {});
        let mut stuck = Vec::new();
        for (actor, (ops, at)) in actors.iter().zip(at).enumerate() {
            let awaited = ops.ops.get(at).and_then(|op| {
                let hold = self.case.hold(op).map(|hold| (hold.until, 1));
                hold.or(op.awaited_gate())
            });
            let Some((gate, count)) = awaited else {
                continue;
            };
            let signals = self
                .all_ops()
                .filter(|(_, op, _)| op.raised_gate() == Some(gate));
            let signals = signals.count() + self.case.raised_by_calls(gate, |_| true);
            let name = &self.case.gates[gate];
            let message = if signals < count as usize {
                format!("gate `{name}` is signalled {signals} times, not {count}")
            } else {
                format!("this wait for gate `{name}` never ends: actors wait for each other")
            };
            let here = format!("{} waits here for ever", ops.name);
            stuck.push((message, self.places[actor][at].clone(), here));
        }
        for (message, place, here) in stuck {
            self.report(
                message,
                place,
                here,
                "every wait needs as many signals before it, by actors that do not wait for it",
            );
        }
    }

    /// An NMI may find what it interrupts holding a lock: a global channel's, or that of the gates.
    fn check_nmis(&mut self) {
        let is_nmi = |actor: usize| {
            let actor = &self.case.actors[actor];
            actor
                .producer()
                .is_some_and(|(_, context)| context == Context::Nmi)
        };
        let locks = |channel: &Channel| channel.client.global || channel.client.stall.is_some();
        let locked = |op: &Op| match op {
            Op::Write { channel, via, .. } => {
                locks(&self.case.channels[*channel]) || via.hold().is_some()
            }
            _ => false,
        };
        let wrong: Vec<Span> = self
            .all_ops()
            .filter(|(actor, op, _)| is_nmi(*actor) && locked(op))
            .map(|(_, _, place)| place.clone())
            .collect();
        for place in wrong {
            self.report(
                "an NMI cannot write to this channel".to_owned(),
                place,
                "may find a lock held",
                "its client locks, since all CPUs share a buffer or a callback waits: write in another context",
            );
        }
    }

    /// A callback that waits for a gate that is never signalled.
    fn check_stalls(&mut self) {
        let signalled = |gate| {
            self.all_ops()
                .any(|(_, op, _)| matches!(op, Op::Signal { gate: other } if *other == gate))
        };
        let forms = self.file.channels.iter().zip(&self.case.channels);
        let lost: Vec<_> = forms
            .flat_map(|(form, channel)| {
                let (client, form) = (&channel.client, &form.client);
                let stall = client.stall.map(|stall| stall.wait);
                let created = client.created.map(|created| created.wait);
                let waits = [
                    stall.zip(form.stall.as_ref().map(|stall| &stall.wait)),
                    created.zip(form.created.as_ref().map(|created| &created.wait)),
                ];
                waits.into_iter().flatten()
            })
            .filter(|(gate, _)| !signalled(*gate))
            .map(|(_, place)| (place.value.clone(), place.span.clone()))
            .collect();
        for (name, place) in lost {
            self.report(
                format!("gate `{name}` is never signalled"),
                place,
                "a callback waits for it",
                "let an actor do { signal = GATE } while the callback waits",
            );
        }
        let forms = self.file.channels.iter().zip(&self.case.channels);
        let headless: Vec<_> = forms
            .filter(|(_, channel)| channel.client.stall.is_some_and(|stall| stall.late))
            .filter(|(_, channel)| channel.header_bytes == 0)
            .filter_map(|(form, _)| form.client.stall.as_ref()?.after.as_ref())
            .map(|after| after.span.clone())
            .collect();
        for place in headless {
            self.report(
                "a callback without a header cannot wait after it".to_owned(),
                place,
                "needs a header",
                "say how long it is: header_bytes = 8",
            );
        }
    }

    fn check_table_sizes(&mut self) {
        let (case, file) = (&self.case, self.file);
        let blob = case
            .actors
            .iter()
            .flat_map(|actor| &actor.ops)
            .map(|op| match op {
                Op::Write {
                    payload: Payload::Bytes(bytes),
                    ..
                }
                | Op::Klog {
                    payload: Payload::Bytes(bytes),
                    ..
                }
                | Op::File {
                    call: FileCall::Store { bytes, .. },
                    ..
                } => bytes.len(),
                Op::Klog {
                    payload: Payload::Formatted(text),
                    ..
                } => text.len(),
                _ => 0,
            });
        let actor = |i: usize| file.actors.get(i).map(|actor| actor.name.span.clone());
        let whole = self.somewhere();
        let last_channel = file
            .channels
            .last()
            .map(|channel| channel.name.span.clone());
        let found = [
            (
                "channels",
                case.channels.len(),
                RB_MAX_CHANNELS,
                last_channel,
            ),
            (
                "actors",
                case.actors.len(),
                RB_MAX_ACTORS,
                actor(file.actors.len().saturating_sub(1)),
            ),
            ("gates", case.gates.len(), RB_MAX_GATES, None),
            (
                "files opened by name",
                self.file_names.len(),
                RB_MAX_FILES,
                None,
            ),
            (
                "operations",
                self.places.iter().map(Vec::len).sum(),
                RB_MAX_OPS,
                actor(0),
            ),
            ("bytes of text", blob.sum(), RB_MAX_BLOB, actor(0)),
        ];
        for (what, count, most, place) in found {
            if count > most {
                self.report(
                    format!("{count} {what} are too many: the guest has room for {most}"),
                    place.unwrap_or_else(|| whole.clone()),
                    "too many",
                    "split the scenario, or make it smaller",
                );
            }
        }
    }

    /// Buffers that relay would try to allocate must fit in the page table of the mailbox.
    fn check_pages(&mut self) {
        let mut pages = 0;
        let cpus = u64::from(self.case.vcpus);
        for (i, channel) in self.case.channels.iter().enumerate() {
            if refused_by_relay(channel.subbuf_size, channel.n_subbufs) {
                continue;
            }
            let bytes = channel.subbuf_size.saturating_mul(channel.n_subbufs);
            let buffers = u64::from(channel.buffers(self.case.vcpus));
            pages += bytes.div_ceil(RB_PAGE_SIZE as u64) * buffers;
            if pages > RB_MAX_PFNS as u64 {
                let most = RB_MAX_PFNS / 256;
                self.report(
                    format!("the channel buffers take more than {most} MiB on {cpus} CPUs"),
                    self.file.channels[i].subbuf_size.span.clone(),
                    format!("{bytes} bytes for each CPU"),
                    "only sizes that relay itself refuses may be larger (0, or S * N of 2^32 and more)",
                );
                return;
            }
        }
    }

    /// What the case can leave behind must fit in the event log and the data area.
    fn check_evidence(&mut self) {
        let (mut total, room) = (Cost::default(), Cost::ROOM);
        let mut over = [None, None, None];
        for (actor, op, place) in self.all_ops() {
            total = total.and(bounds::cost(&self.case, actor, op));
            let of = [
                (total.events, room.events),
                (total.data, room.data),
                (total.records, room.records),
            ];
            for (over, (total, room)) in over.iter_mut().zip(of) {
                if total > room {
                    over.get_or_insert((total, place.clone()));
                }
            }
        }
        let [events, data, records] = over;
        if let Some((count, place)) = events {
            self.report(
                format!("this may log {count} events; the log has room for {RB_MAX_EVENTS}"),
                place,
                "too many from here on",
                "every switch of a sub-buffer, every refused record and every read is one event: write fewer or shorter records, or read in larger pieces",
            );
        }
        if let Some((bytes, place)) = data {
            self.report(
                format!("readers may get {bytes} bytes; the data area has {RB_DATA_SIZE}"),
                place,
                "too many from here on",
                "read less, or write less to the buffers that are read",
            );
        }
        if let Some((count, place)) = records {
            self.report(
                format!("this writes {count} records; a scenario writes at most {RECORDS_MAX}"),
                place,
                "too many from here on",
                "write fewer records, or split the scenario in two",
            );
        }
    }
}
