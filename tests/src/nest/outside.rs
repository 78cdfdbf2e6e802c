//! The nest from outside: makes it, boots it, hears what it says.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use relaybed_guest::{Cache, KernelRequest, Terminal};
use relaybed_vmm::{Deadline, Event, Machine, MachineSpec, QemuProgram};

use super::{END, emulator, initramfs};

/// RAM of the nest: initramfs twice while it is unpacked, the guest inside, and the rest.
const MEMORY_MIB: u32 = 1024;
/// Kernels clear and copy pages by string instructions where the CPU says that these are fast. The translator
/// makes a loop over bytes of them.
const CMDLINE: &str = "clearcpuid=erms,fsrm";
/// All CPUs of the nest take turns in one thread: see `emulator.rs` for what happens where they do not. Of several
/// accelerators QEMU takes the first that it can have.
const IN_TURN: [&str; 2] = ["-accel", "tcg,thread=single"];
/// Longest time without a word from the nest.
const PATIENCE: Duration = Duration::from_secs(240);

/// What a command in the nest came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// Its standard output, then one line for each channel buffer in its evidence, see
    /// [`super::parity`].
    pub lines: Vec<String>,
    /// By line: CPU time that the nest had used when the line was out, its own boot included, to the
    /// hundredth of a second.
    pub cpu: Vec<Duration>,
    /// Its exit code.
    pub code: i32,
    /// The end of the nest's own console.
    pub console: Vec<String>,
}

/// The nest could not be made, or said nothing useful.
#[derive(Debug, thiserror::Error)]
pub enum NestError {
    /// Kernel, modules or QEMU.
    #[error("the nest's parts could not be had")]
    Guest(#[from] relaybed_guest::Error),
    /// Files.
    #[error("the nest's initramfs or its QEMU could not be made")]
    Io(#[from] std::io::Error),
    /// The machine.
    #[error("the nest's machine failed")]
    Machine(#[from] relaybed_vmm::Error),
    /// It ended, or fell silent, before it had said all.
    #[error("the nest did not say all ({event:?}), but:\n{said}\nits console ends:\n{console}")]
    Silent {
        /// What happened instead.
        event: Event,
        /// What it did say.
        said: String,
        /// The last lines.
        console: String,
    },
}

/// What is to be done in a nest.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// PID 1: a program that calls [`super::init::main`] then.
    pub init: &'a Path,
    /// What is run; `None`: the same program again, which is no PID 1 then.
    pub program: Option<&'a Path>,
    /// Its arguments.
    pub arguments: &'a [&'a str],
    /// Whether QEMU is to be there too.
    pub with_qemu: bool,
}

/// Nests are the heaviest thing there is here: tests that run side by side take turns.
static TURN: Mutex<()> = Mutex::new(());

/// Does a job in a nest of the default kernel. Logs go to `dir`.
///
/// # Errors
/// [`NestError`].
pub fn run(job: &Job<'_>, dir: &Path) -> Result<Inside, NestError> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let cache = Cache::open(None).map_err(relaybed_guest::Error::from)?;
    let (progress, request) = (Terminal::new(), KernelRequest::default());
    let modules = relaybed_guest::kvm_modules(&request, &cache, &progress)?;
    let guest = relaybed_guest::prepare(&request, &cache, &progress)?;
    let qemu = relaybed_guest::qemu(&cache, &progress).map_err(relaybed_guest::Error::from)?;
    let archive: PathBuf = dir.join("nest.cpio");
    std::fs::write(
        &archive,
        initramfs::build(job, &modules, &guest, &cache, &qemu)?,
    )?;
    let mut argv0 = qemu.argv0;
    if let Some(program) = argv0.last_mut() {
        *program = emulator::mended(Path::new(&program), dir)?.into();
    }
    argv0.extend(IN_TURN.map(Into::into));
    let program = QemuProgram {
        argv0,
        data_dir: qemu.data_dir,
        sandbox: qemu.sandbox,
    };
    let mut spec = MachineSpec::new(guest.vmlinux, archive, program, dir.to_owned());
    spec.memory_mib = MEMORY_MIB;
    spec.cmdline_extra = CMDLINE.to_owned();
    listen(Machine::boot(spec)?)
}

/// Takes down what the nest says until it has said all.
fn listen(mut machine: Machine) -> Result<Inside, NestError> {
    let (mut said, mut cpu) = (Vec::new(), Vec::new());
    loop {
        match machine.next_event(Deadline::stall(PATIENCE))? {
            Event::Doorbell(b'\n') if said.contains(&END) => break,
            Event::Doorbell(byte) => {
                said.push(byte);
                if byte == b'\n' {
                    // One that has ended may be heard to the end, but uses no more.
                    let before = cpu.last().copied().unwrap_or_default();
                    cpu.push(cpu_time(machine.stats().pid).unwrap_or(before));
                }
            }
            event => {
                let console = machine.console_tail(60)?.join("\n");
                let said = String::from_utf8_lossy(&said).into_owned();
                return Err(NestError::Silent {
                    event,
                    said,
                    console,
                });
            }
        }
    }
    let text = String::from_utf8_lossy(&said).into_owned();
    let (lines, code) = text.rsplit_once(char::from(END)).unwrap_or((&text, ""));
    Ok(Inside {
        lines: lines.lines().map(str::to_owned).collect(),
        cpu,
        code: code.trim().parse().unwrap_or(-1),
        console: machine.console_tail(60)?,
    })
}

/// CPU time of a process while it is there, threads that ended included.
fn cpu_time(pid: u32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may have spaces in it.
    let (_, fields) = text.rsplit_once(')')?;
    // Fields 14 and 15 of proc(5): user and system time.
    let ticks = fields.split_ascii_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map_while(|ticks| ticks.parse::<u64>().ok()).sum();
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_millis(ticks * 1000 / per_second))
}
