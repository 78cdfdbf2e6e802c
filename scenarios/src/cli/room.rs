//! Whether the guest that is asked for has the memory for what scenarios open.

use relaybed_case::bounds::buffer_bytes;
use relaybed_case::select::Loaded;
use relaybed_report::exit::Exit;

use super::{MachineArgs, Stop};

/// The least that a guest needs beside channel buffers. A distribution's kernel needs more, which shows when it refuses.
const KERNEL_MIB: u64 = 32;

const MIB: u64 = 1 << 20;

/// A guest that is too small.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name} opens channel buffers of {buffers} MiB on {cpus} CPUs, and a guest needs {KERNEL_MIB} MiB and more \
     for itself: {memory} MiB are too few, use --memory {}", buffers + 4 * KERNEL_MIB
)]
struct TooSmall {
    name: String,
    buffers: u64,
    cpus: u32,
    memory: u32,
}

impl MachineArgs {
    /// Makes sure that each of these scenarios has room on its machine.
    ///
    /// # Errors
    /// [`Exit::SetUp`].
    pub(super) fn check_room(&self, cases: &[Loaded]) -> Result<(), Stop> {
        let of = |loaded: &Loaded| {
            let cpus = self.vcpus.unwrap_or(loaded.case.vcpus);
            (buffer_bytes(&loaded.case, cpus).div_ceil(MIB), cpus)
        };
        // What wants more CPUs is skipped.
        let runs = |loaded: &&Loaded| of(loaded).1 >= loaded.case.vcpus;
        let largest = cases.iter().filter(runs).max_by_key(|loaded| of(loaded).0);
        let Some(loaded) = largest else { return Ok(()) };
        let (buffers, cpus) = of(loaded);
        if buffers + KERNEL_MIB <= u64::from(self.memory) {
            return Ok(());
        }
        let too_small = TooSmall {
            name: loaded.case.name.clone(),
            buffers,
            cpus,
            memory: self.memory,
        };
        Err(Stop::new(Exit::SetUp, too_small))
    }
}
