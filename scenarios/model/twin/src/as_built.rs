//! Relay as the kernels have it, where operations follow one another: the contract's trait with the
//! kernels' defects in it, each behind its switch.

use relaybed_case::{Channel, Files};
use relaybed_contract::relay::{NAME_MAX, Relay, Spliced, Splicing};
use relaybed_contract::{Behaviour, Buffer, Documented, OpPrediction, ReadPrediction, Simulation};

use crate::defects::{Defect, Defects};
use crate::{opening, splicing};

const EINVAL: u32 = 22;
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

    fn reads_as_found(&self) -> bool {
        self.has(Defect::K1) || self.has(Defect::K7)
    }
}

impl Relay for AsBuilt {
    /// K1, K7. `relay_file_read()` also moves the open file's own position, which only splice goes by.
    fn read(&self, buffer: &mut Buffer, position: &mut u64, size: u32) -> ReadPrediction {
        if !self.reads_as_found() {
            return Documented.read(buffer, position, size);
        }
        crate::reading::read(self.defects, buffer, position, size)
    }

    /// An algorithm starts somewhere.
    fn knows_position(&self, buffer: &Buffer) -> bool {
        self.reads_as_found() || buffer.position_known
    }

    /// K20: `relay_file_read()` leaves its loop when `copy_to_user()` fails, and returns what was copied.
    fn read_nowhere(&self, buffer: &mut Buffer, size: u32) -> OpPrediction {
        if !self.reads_as_found() {
            return match Documented.read_nowhere(buffer, size).error {
                Some(0) => OpPrediction::ok(Some(0)),
                _ if self.has(Defect::K20) => OpPrediction::ok(Some(0)),
                _ => OpPrediction::failed(relaybed_contract::relay::EFAULT),
            };
        }
        let gives = size > 0 && crate::reading::look(self.defects, buffer, size);
        if gives && !self.has(Defect::K20) {
            OpPrediction::failed(relaybed_contract::relay::EFAULT)
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
            return opening::EEXIST;
        }
        opening::late_setup(self.defects, run, channel)
    }

    fn prepare_cpu(&self, run: &mut Simulation<'_>, cpu: usize) -> u32 {
        opening::prepare_cpu(self.defects, run, cpu)
    }

    /// K36: `relay_file_mmap_close()` is called for every part in which a mapping goes.
    fn unmaps_parts(&self) -> bool {
        self.has(Defect::K36)
    }
}
