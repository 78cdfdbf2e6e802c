//! Operations, results, events and places in words.

use relaybed_abi::{Event, EventKind, OpResult, RB_NONE32};

use relaybed_case::access::{Access, AccessKind};
use relaybed_case::errno::Errno;
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::Outcome;
use relaybed_case::place::Place;
use relaybed_case::pollbits::PollBits;
use relaybed_case::trace::{Accessed, Trace};
use relaybed_case::{Case, Op};
use relaybed_lang as lang;

/// Longest text of an operation.
const TEXT_MAX: usize = 96;

/// An operation in the words of the scenario language; `files` are the author's names of descriptors.
pub(super) fn operation(case: &Case, files: &[String], op: &Op) -> String {
    let text = lang::operation_text(case, op, files).unwrap_or_else(|| "an operation".to_owned());
    cut(&text, TEXT_MAX)
}

/// What an operation is called.
pub(super) fn verb(operation: &str) -> &str {
    operation.split(" = ").next().unwrap_or(operation)
}

/// A text of at most so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What an operation gave.
pub(super) fn result(op: &Op, result: &OpResult) -> String {
    let error = match result.error {
        0 => String::new(),
        error => Errno::from(error).to_string(),
    };
    let value = result.value;
    let gave = match op {
        Op::Write { count, .. } | Op::Klog { count, .. } => {
            let tried = match value == u64::from(*count) {
                true => String::new(),
                false => format!("{value} of {count} records"),
            };
            match result.refused {
                0 => tried,
                refused if tried.is_empty() => format!("{refused} refused"),
                refused => format!("{tried}, {refused} refused"),
            }
        }
        Op::FileRead { .. } | Op::FileCopy { .. } => format!("{value} bytes"),
        Op::FilePoll { .. } => PollBits(value).to_string(),
        Op::Open { .. } if value == 0 && error.is_empty() => "refused".to_owned(),
        Op::BufFull { .. } => match value {
            0 => "not full".to_owned(),
            _ => "full".to_owned(),
        },
        Op::Switch { .. } | Op::File { .. } | Op::Stat { .. } | Op::List { .. } => {
            value.to_string()
        }
        _ => String::new(),
    };
    match (error.is_empty(), gave.is_empty() || result.value == 0) {
        (true, _) => gave,
        (false, true) => error,
        (false, false) => format!("{gave}, then {error}"),
    }
}

/// What an event tells: what happened, and what it gave.
pub(super) fn event(
    case: &Case,
    evidence: &Evidence,
    kind: EventKind,
    event: &Event,
) -> (String, String) {
    let buffer = || {
        let name = case
            .channels
            .get(usize::from(event.channel))
            .map_or("?", |channel| channel.name.as_str());
        format!("{name}{}", event.buf_cpu)
    };
    let yes = |yes: &str, no: &str| match event.verdict {
        0 => no.to_owned(),
        _ => yes.to_owned(),
    };
    match kind {
        EventKind::SubbufStart => {
            let from = match event.old_offset {
                RB_NONE32 => "none".to_owned(),
                old => slot(case, event, old),
            };
            let to = slot(case, event, event.new_offset);
            let what = format!("subbuf_start {}: {from} → {to}", buffer());
            (what, yes("accepted", "refused"))
        }
        EventKind::ReserveNull => (format!("relay_reserve {}", buffer()), "NULL".to_owned()),
        EventKind::Read => read(evidence, event),
        EventKind::CreateFile => (
            format!("create_buf_file {}", buffer()),
            yes("made", "failed"),
        ),
        EventKind::RemoveFile => (format!("remove_buf_file {}", buffer()), String::new()),
        EventKind::OpenFailed => ("relay_open".to_owned(), "NULL".to_owned()),
        EventKind::Stall => (
            format!("{} {} waits at a gate", waiting(case, event), buffer()),
            yes("resumes", "gave up"),
        ),
        EventKind::Mapped => (format!("buf_mapped {}", buffer()), String::new()),
        EventKind::Unmapped => (format!("buf_unmapped {}", buffer()), String::new()),
        EventKind::None | EventKind::Transfer => (String::new(), String::new()),
    }
}

/// What waits at a gate in the middle of an operation.
fn waiting(case: &Case, event: &Event) -> &'static str {
    let actor = case.actors.get(usize::from(event.actor));
    match actor.and_then(|actor| actor.ops.get(event.op as usize)) {
        Some(Op::Write { via, .. }) if via.hold().is_some() => "the reserved slot",
        Some(Op::Write { .. } | Op::Switch { .. } | Op::Flush { .. }) => "subbuf_start",
        _ => "create_buf_file",
    }
}

/// The sub-buffer that begins at an offset.
fn slot(case: &Case, event: &Event, offset: u32) -> String {
    let size = case
        .channels
        .get(usize::from(event.channel))
        .map_or(0, |channel| channel.subbuf_size);
    let offset = u64::from(offset);
    match size {
        0 => format!("offset {offset}"),
        size if offset % size == 0 => format!("[{}]", offset / size),
        _ => format!("offset {offset}"),
    }
}

/// One `read()` and the first of its bytes.
fn read(evidence: &Evidence, event: &Event) -> (String, String) {
    let what = "read()".to_owned();
    let got = event.produced.cast_signed();
    if got < 0 {
        return (what, Outcome::of_read(got).to_string());
    }
    let start = usize::try_from(event.consumed).unwrap_or(usize::MAX);
    let end = start.saturating_add(usize::try_from(got).unwrap_or(usize::MAX));
    let bytes = evidence.data.get(start..end).unwrap_or_default();
    (what, format!("{got} bytes{}", glimpse(bytes)))
}

/// The first bytes, if they are text.
fn glimpse(bytes: &[u8]) -> String {
    const MOST: usize = 24;
    let first = &bytes[..bytes.len().min(MOST)];
    let plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ' || *byte == b'\n';
    if first.is_empty() || !first.iter().all(plain) {
        return String::new();
    }
    let text = String::from_utf8_lossy(first);
    let more = if bytes.len() > MOST { "…" } else { "" };
    format!(": {text:?}{more}")
}

/// A member of a channel buffer; the buffer is named where the run accessed several.
fn member(case: &Case, trace: &Trace, access: &Access) -> String {
    let slot = access
        .slot
        .map_or(String::new(), |slot| format!("[{slot}]"));
    let field = access.field.word();
    let first = trace.accesses.first().map(|one| &one.access);
    let is_other = |one: &Accessed| {
        first
            .is_some_and(|first| (one.access.channel, one.access.cpu) != (first.channel, first.cpu))
    };
    match trace.accesses.iter().any(is_other) {
        true => format!("{}.{field}{slot}", buffer(case, access.channel, access.cpu)),
        false => format!("{field}{slot}"),
    }
}

fn buffer(case: &Case, channel: u32, cpu: u32) -> String {
    let channel = case.channels.get(channel as usize);
    format!(
        "{}{cpu}",
        channel.map_or("?", |channel| channel.name.as_str())
    )
}

/// `produced 0→1`; of a load, and of a store that changes nothing, `produced 1` and `produced =1`.
fn change(case: &Case, trace: &Trace, access: &Access) -> String {
    let member = member(case, trace, access);
    match access.kind {
        AccessKind::Load => format!("{member} {}", access.before),
        _ if access.before == access.after => format!("{member} ={}", access.after),
        _ => format!("{member} {}→{}", access.before, access.after),
    }
}

/// `relay_switch_subbuf+0x52 produced 0→1`.
pub(super) fn access(case: &Case, trace: &Trace, access: &Access) -> String {
    let verb = match access.kind {
        AccessKind::Load => "reads ",
        _ => "",
    };
    format!("{} {verb}{}", access.by, change(case, trace, access))
}

/// Accesses of one vCPU: all of them in order, or, folded, each function's stores and the number of its loads.
pub(super) fn accesses(case: &Case, trace: &Trace, all: &[&Accessed], fold: bool) -> Vec<String> {
    if !fold {
        return all
            .iter()
            .map(|one| access(case, trace, &one.access))
            .collect();
    }
    let mut of_function: Vec<(&str, Vec<String>, usize)> = Vec::new();
    for Accessed { access, .. } in all {
        let name = access.by.symbol.as_str();
        let known = of_function.iter().position(|(of, ..)| *of == name);
        let at = known.unwrap_or(of_function.len());
        if known.is_none() {
            of_function.push((name, Vec::new(), 0));
        }
        let (_, stores, loads) = &mut of_function[at];
        match access.kind {
            AccessKind::Load => *loads += 1,
            _ => stores.push(format!(
                "+{:#x} {}",
                access.by.offset,
                change(case, trace, access)
            )),
        }
    }
    let said = of_function.into_iter().map(|(name, mut said, loads)| {
        match loads {
            0 => {}
            1 => said.push("1 load".to_owned()),
            loads => said.push(format!("{loads} loads")),
        }
        format!("{name} {}", said.join(", "))
    });
    said.collect()
}

/// Places in a row, those that read alike counted.
pub(super) fn places(case: &Case, files: &[String], all: &[&Place]) -> Vec<String> {
    let mut counted: Vec<(String, usize)> = Vec::new();
    for one in all {
        let text = place(case, files, one);
        match counted.iter_mut().find(|(of, _)| *of == text) {
            Some((_, times)) => *times += 1,
            None => counted.push((text, 1)),
        }
    }
    let said = counted.into_iter().map(|(text, times)| match times {
        1 => text,
        times => format!("{text} ×{times}"),
    });
    said.collect()
}

/// A place, with names instead of numbers where the case has them.
pub(super) fn place(case: &Case, files: &[String], place: &Place) -> String {
    match place {
        Place::Operation { actor, op } => {
            let Some(script) = case.actors.get(*actor as usize) else {
                return place.to_string();
            };
            match script.ops.get(*op as usize) {
                Some(next) => format!("{} before {}", script.name, operation(case, files, next)),
                None => format!("{} at its end", script.name),
            }
        }
        Place::Data {
            channel,
            cpu,
            field,
            write,
        } => {
            let verb = if *write { "wrote" } else { "read" };
            format!(
                "{verb} {} of {}",
                field.word(),
                buffer(case, *channel, *cpu)
            )
        }
        place => place.to_string(),
    }
}
