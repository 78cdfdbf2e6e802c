//! Relay as the kernels have it, where operations follow one another: the contract's trait with the
//! kernels' defects in it, each behind its switch.

use relaybed_case::errno::{EEXIST, EFAULT, EINVAL};
use relaybed_case::{Channel, Files, Via};
use relaybed_contract::relay::{NAME_MAX, Relay, Spliced, Splicing};
use relaybed_contract::world::Descriptor;
use relaybed_contract::{
    Behaviour, Buffer, Fate, OpPrediction, ReadPrediction, Simulation, Source, SwitchCall,
};

use crate::counting;
use crate::reading::end_of;
use crate::{
    Around, Defect, Defects, Effect, Frame, Log, Op, Outcome, Setting, Site, Sites, Step, open,
    opening, run_alone, splicing,
};

/// What relay keeps of a base filename, and until 6.14 of a whole name: both are copied into an array of
/// `NAME_MAX` bytes, end included.
const NAME_KEPT: usize = NAME_MAX - 1;

/// Relay of one release with some of its defects.
#[derive(Clone, Copy, Debug)]
pub struct AsBuilt {
    /// The release.
    pub behaviour: Behaviour,
    /// Those that it has; others are fixed.
    pub defects: Defects,
}

impl AsBuilt {
    fn has(&self, defect: Defect) -> bool {
        self.defects.has(defect)
    }

    /// What frames on a buffer of the channel run under.
    #[must_use]
    pub fn setting(&self, spec: &Channel) -> Setting {
        Setting {
            // Among operations that follow one another it does not matter what a compiler leaves out.
            merged: Sites::ALL.without(Site::CallbackEvent),
            ..Setting::of(spec, &self.behaviour, self.defects)
        }
    }

    /// Runs an operation on a buffer with nobody beside it.
    fn run(&self, spec: &Channel, buffer: &mut Buffer, op: Op) -> (Outcome, Log) {
        let mut log = Log::default();
        let outcome = run_alone(op, buffer, &self.setting(spec), &mut log);
        (outcome, log)
    }
}

impl Relay for AsBuilt {
    fn new_buffer(&self, spec: &Channel, log: &mut Vec<SwitchCall>) -> Buffer {
        let mut own = Log::default();
        let buffer = open(&self.setting(spec), &mut own);
        log.extend(own.calls);
        buffer
    }

    fn write(
        &self,
        spec: &Channel,
        buffer: &mut Buffer,
        (source, len, via): (Source, u32, Via),
        log: &mut Vec<SwitchCall>,
    ) -> Fate {
        let op = match via {
            via if via.is_reserve() => Op::Reserve {
                source,
                len,
                in_halves: false,
            },
            _ => Op::Write { source, len },
        };
        let (outcome, own) = self.run(spec, buffer, op);
        log.extend(own.calls);
        match outcome {
            Outcome::Written { fate } => fate,
            _ => Fate::Refused,
        }
    }

    fn switch(
        &self,
        spec: &Channel,
        buffer: &mut Buffer,
        len: u64,
        log: &mut Vec<SwitchCall>,
    ) -> (u64, Fate) {
        let (outcome, own) = self.run(spec, buffer, Op::Switch { len });
        log.extend(own.calls);
        match outcome {
            Outcome::Switched { value, fate } => (value, fate),
            _ => (0, Fate::Refused),
        }
    }

    fn flush(&self, spec: &Channel, buffer: &mut Buffer, log: &mut Vec<SwitchCall>) {
        log.extend(self.run(spec, buffer, Op::Flush).1.calls);
    }

    fn reset(&self, spec: &Channel, buffer: &mut Buffer, log: &mut Vec<SwitchCall>) {
        log.extend(self.run(spec, buffer, Op::Reset).1.calls);
    }

    fn consumed(&self, spec: &Channel, buffer: &mut Buffer, n: u64) {
        self.run(spec, buffer, Op::Consumed { n });
    }

    /// `relay_file_read()` also moves the open file's own position, which only splice goes by.
    fn read(
        &self,
        spec: &Channel,
        buffer: &mut Buffer,
        position: &mut u64,
        size: u32,
    ) -> ReadPrediction {
        let op = Op::Read {
            size,
            is_nowhere: false,
        };
        let mut log = Log::default();
        let mut around = Around::default();
        let set = self.setting(spec);
        let mut frame = Frame::new(op);
        loop {
            let step = frame.step(buffer, &mut around, &set);
            log.note(&step, buffer);
            match step {
                Step::Effect(Effect::CopiedOut { at, len, .. }) => {
                    *position = end_of(buffer, at, len);
                }
                Step::Done(Outcome::Read { bytes }) => {
                    return ReadPrediction {
                        pieces: log.pieces,
                        bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
                    };
                }
                Step::Done(_) | Step::Blocked(_) => return ReadPrediction::nothing(),
                _ => {}
            }
        }
    }

    /// An algorithm starts somewhere.
    fn knows_position(&self, _: &Buffer) -> bool {
        true
    }

    /// K20: `relay_file_read()` leaves its loop when `copy_to_user()` fails, and returns what was copied.
    fn read_nowhere(&self, spec: &Channel, buffer: &mut Buffer, size: u32) -> OpPrediction {
        let op = Op::Read {
            size,
            is_nowhere: true,
        };
        let mut around = Around::default();
        let set = self.setting(spec);
        let mut frame = Frame::new(op);
        let mut touched = false;
        loop {
            match frame.step(buffer, &mut around, &set) {
                Step::Effect(Effect::NotCopied) => touched = true,
                Step::Done(_) | Step::Blocked(_) => break,
                _ => {}
            }
        }
        if touched && !self.has(Defect::K20) {
            OpPrediction::failed(EFAULT)
        } else {
            OpPrediction::ok(Some(0))
        }
    }

    /// K21: `relay_mmap_buf()`, later `relay_mmap_prepare_buf()`, looks at the length alone.
    fn maps_from(&self, offset: u64) -> bool {
        offset == 0 || self.has(Defect::K21)
    }

    fn splice(&self, buffer: &mut Buffer, position: &mut u64, how: Splicing) -> Spliced {
        splicing::splice(self.defects, buffer, position, how)
    }

    /// K25: since 6.0 `splice_direct_to_actor()` demands a file that can seek.
    fn sendfile(&self, buffer: &mut Buffer, position: &mut u64, size: u32) -> Spliced {
        if self.has(Defect::K25) {
            return Spliced {
                error: EINVAL,
                value: 0,
                reads: Vec::new(),
            };
        }
        splicing::sendfile(self.defects, buffer, position, size)
    }

    /// K6: `relay_open()` copies what fits of a base filename. K10: `relay_create_buf_file()` printed the
    /// name into `NAME_MAX` bytes, its end included, until 6.14.
    fn file_name(&self, spec: &Channel, cpu: u32) -> Option<String> {
        let mut name = spec.base().into_owned();
        if spec.file_name_len(cpu) > NAME_MAX {
            if !self.has(Defect::K6) {
                return None;
            }
            name.truncate(NAME_KEPT);
        }
        name.push_str(&cpu.to_string());
        if self.has(Defect::K10) {
            name.truncate(NAME_KEPT);
        }
        Some(name)
    }

    fn open(&self, run: &mut Simulation<'_>, channel: usize) -> bool {
        opening::open(self.defects, run, channel)
    }

    fn late_setup(&self, run: &mut Simulation<'_>, channel: usize) -> u32 {
        if run.is_named(channel) || run.case.channels[channel].files != Files::None {
            return EEXIST;
        }
        opening::late_setup(self.defects, run, channel)
    }

    fn prepare_cpu(&self, run: &mut Simulation<'_>, cpu: usize) -> u32 {
        opening::prepare_cpu(self.defects, run, cpu)
    }

    /// K45: `__relay_reset()` sets the count behind the making of the file.
    fn opened(&self, run: &mut Simulation<'_>, file: Descriptor) {
        if self.has(Defect::K45) {
            counting::opened(run, file);
        }
    }

    fn released(&self, run: &mut Simulation<'_>, file: Descriptor) {
        if self.has(Defect::K45) {
            counting::released(run, file);
        }
    }

    fn closes(&self, run: &mut Simulation<'_>, channel: usize) {
        if self.has(Defect::K45) {
            counting::closes(run, channel);
        }
    }

    /// K36: `relay_file_mmap_close()` is called for every part in which a mapping goes.
    fn unmaps_parts(&self) -> bool {
        self.has(Defect::K36)
    }
}
