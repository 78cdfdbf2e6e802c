//! What operations gave: results, and the bytes and calls of readers.

use relaybed_abi::{EventKind, OpResult, RB_NONE16, RB_NONE32, Stat, State};
use relaybed_case::{Files, Op};
use relaybed_contract::ReadPrediction;
use relaybed_contract::order::At;
use zerocopy::IntoBytes;

use super::{ENODEV, Forger, render};
use crate::explain::Fired;

impl Forger<'_> {
    pub(super) fn results(&mut self) -> Vec<Vec<OpResult>> {
        let mut results: Vec<Vec<OpResult>> = self
            .case
            .actors
            .iter()
            .map(|actor| vec![result(); actor.ops.len()])
            .collect();
        let nested = |at: &At| self.case.actors[at.actor].is_nested();
        let guests = relaybed_contract::order::operations(self.case).filter(nested);
        let guests: Vec<Fired> = guests.map(Fired::Done).collect();
        for fired in self.fired.iter().chain(&guests) {
            let at = &fired.at();
            let result = &mut results[at.actor][at.op];
            if result.order_end != 0 {
                continue;
            }
            if result.order_start == 0 {
                self.order += 1;
                result.order_start = self.order;
            }
            if let Fired::Makes(at, cpu) = *fired {
                self.made(at, cpu);
            }
            if !fired.is_last() {
                continue;
            }
            let begun = *result;
            let mut result = self.answer(*at, begun);
            self.order += 1;
            result.order_end = self.order;
            results[at.actor][at.op] = result;
        }
        results
    }

    /// The event of a file behind whose making its client waits.
    fn made(&mut self, at: At, cpu: usize) {
        let Some(channel) = self.case.actors[at.actor].ops[at.op].channel() else {
            return;
        };
        let files = self.run.files[channel].as_ref();
        let name_bytes = files
            .and_then(|files| files.get(cpu))
            .map_or(0, |file| file.name_bytes);
        let event = self.event(EventKind::CreateFile, channel, cpu);
        event.new_offset = u32::try_from(name_bytes).unwrap_or(0);
        event.actor = u16::try_from(at.actor).unwrap_or(RB_NONE16);
        event.op = u32::try_from(at.op).unwrap_or(RB_NONE32);
    }

    /// What the operation gave, as its result has it.
    fn answer(&mut self, at: At, begun: OpResult) -> OpResult {
        let op = &self.case.actors[at.actor].ops[at.op];
        let predicted = &self.run.ops[at.actor][at.op];
        let mut result = OpResult {
            state: State::Done.code(),
            ..begun
        };
        let error = predicted.error.unwrap_or(ENODEV);
        result.error = error.cast_signed().wrapping_neg();
        result.value = predicted.value.unwrap_or(0);
        result.refused = predicted.refused.unwrap_or(0);
        if let Op::FilePoll { timeout_ms, .. } = op
            && predicted.value.is_none()
            && predicted.error.is_none_or(|error| error == 0)
        {
            (result.error, result.value) = (0, 0);
            if timeout_ms.is_none() {
                result.value = self.ends_endless_poll(at);
            }
        }
        if let Some(reads) = &predicted.reads {
            let start = self.data.len();
            result.data_offset = u32::try_from(start).unwrap_or(RB_NONE32);
            for read in reads {
                self.read(at, read);
            }
            let bytes = (self.data.len() - start) as u64;
            // splice() may say another number than came out.
            result.value = predicted.value.unwrap_or(bytes);
            result.data_bytes = u32::try_from(bytes).unwrap_or(RB_NONE32);
        }
        if let Some(stat) = predicted.stat {
            let told = Stat {
                size: stat.size.unwrap_or(0),
                mode: 0o100_400,
                nlink: u32::from(stat.is_named),
                uid: 0,
                gid: 0,
            };
            self.give(&mut result, told.as_bytes());
        }
        if let Some(names) = &predicted.names {
            let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
            self.give(&mut result, lines.as_bytes());
        }
        if let Some(copied) = &predicted.copied {
            let mut bytes = self.bytes(&copied.buffer);
            bytes.truncate(usize::try_from(copied.len).unwrap_or(usize::MAX));
            self.give(&mut result, &bytes);
        }
        result
    }

    /// What a poll without a timeout reports in the end: the end of its channel, if that comes, or data.
    fn ends_endless_poll(&self, at: At) -> u64 {
        let closed = relaybed_contract::predict::bound(self.case, at).filter(|(channel, _, _)| {
            let ops = self.case.actors.iter().flat_map(|actor| &actor.ops);
            let mut closes =
                ops.filter(|op| matches!(op, Op::Close { channel: c } if c == channel));
            closes.next().is_some()
        });
        match closed.map(|(channel, _, _)| self.case.channels[channel].files) {
            Some(Files::Proxy) => 0x10,
            Some(_) => 0x8,
            None => 0x41,
        }
    }

    /// Bytes of an operation that are no read.
    fn give(&mut self, result: &mut OpResult, bytes: &[u8]) {
        result.data_offset = u32::try_from(self.data.len()).unwrap_or(RB_NONE32);
        result.data_bytes = u32::try_from(bytes.len()).unwrap_or(RB_NONE32);
        self.data.extend(bytes);
    }

    fn read(&mut self, at: At, read: &ReadPrediction) {
        let start = self.data.len();
        self.data.resize(start + read.bytes as usize, 0);
        for piece in &read.pieces {
            render(self.case, piece, self.spoil, &mut self.data[start..]);
        }
        let event = self.event(EventKind::Read, usize::from(u8::MAX), 0);
        event.actor = u16::try_from(at.actor).unwrap_or(RB_NONE16);
        event.op = u32::try_from(at.op).unwrap_or(RB_NONE32);
        event.produced = u64::from(read.bytes);
        event.consumed = start as u64;
    }
}

fn result() -> OpResult {
    OpResult {
        state: State::Idle.code(),
        error: 0,
        value: 0,
        refused: 0,
        start_ns: 0,
        end_ns: 0,
        order_start: 0,
        order_end: 0,
        data_offset: 0,
        data_bytes: 0,
        reserved: 0,
    }
}
