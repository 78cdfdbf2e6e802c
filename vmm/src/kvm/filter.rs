//! Which system calls a vCPU's thread may make: those that running a guest takes. Any other ends the process.
//!
//! The thread is the only one that acts on what a guest does, so a guest that finds a hole in our devices has no
//! more than this: it can open no file, start no program, reach no network and map no code.

use std::sync::OnceLock;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use vmm_sys_util::signal::{self, block_signal};

use super::KvmError;

/// `_IOC` types of KVM: the only device controls.
const KVM_IO: u64 = 0xae00;
const TYPE_MASK: u64 = 0xff00;

/// `PROT_EXEC`: memory that is mapped or changed must not be code.
const PROT_EXEC: u64 = libc::PROT_EXEC as u64;

/// What needs no look at arguments: orders and waits, the console, memory, and the thread's own end.
const FREE: [libc::c_long; 24] = [
    libc::SYS_futex,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_read,
    libc::SYS_close,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Of the allocator and of the library's own threads.
    libc::SYS_rseq,
];

/// Signals that end the process in order. Their handlers do what no vCPU's thread may, so other threads get them.
const LEFT_TO_OTHERS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// Lays the filter on the calling thread. It can never be taken off.
///
/// # Errors
/// The kernel takes none.
pub(super) fn apply() -> Result<(), KvmError> {
    for signal in LEFT_TO_OTHERS {
        match block_signal(signal) {
            Ok(()) | Err(signal::Error::SignalAlreadyBlocked(_)) => {}
            Err(error) => {
                return Err(KvmError::Io {
                    action: "keep signals from a vCPU's thread",
                    source: std::io::Error::other(error.to_string()),
                });
            }
        }
    }
    static PROGRAM: OnceLock<Result<BpfProgram, String>> = OnceLock::new();
    let failed = |why: String| KvmError::Io {
        action: "limit what a vCPU's thread may do",
        source: std::io::Error::other(why),
    };
    let program = PROGRAM.get_or_init(|| program().map_err(|error| error.to_string()));
    let program = program.as_ref().map_err(|why| failed(why.clone()))?;
    seccompiler::apply_filter(program).map_err(|error| failed(error.to_string()))
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    let all_bits = |argument, mask, value| {
        let compared = SeccompCmpOp::MaskedEq(mask);
        SeccompCondition::new(argument, SeccompCmpArgLen::Qword, compared, value)
    };
    let kvm_only = SeccompRule::new(vec![all_bits(1, TYPE_MASK, KVM_IO)?])?;
    let no_code = SeccompRule::new(vec![all_bits(2, PROT_EXEC, 0)?])?;
    let limited = [
        (libc::SYS_ioctl, vec![kvm_only]),
        (libc::SYS_mmap, vec![no_code.clone()]),
        (libc::SYS_mprotect, vec![no_code]),
    ];
    let rules = FREE.iter().map(|call| (*call, Vec::new())).chain(limited);
    let arch = TargetArch::x86_64;
    SeccompFilter::new(
        rules.collect(),
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        arch,
    )?
    .try_into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus};
    use std::sync::Mutex;

    use super::*;

    /// Names the process that lays the filter on, and says what it does then.
    const FILTERED: &str = "RELAYBED_TEST_FILTERED";

    /// Not a test by itself: what the next test starts.
    #[test]
    fn filtered() {
        let Ok(what) = std::env::var(FILTERED) else {
            return;
        };
        let shared = Mutex::new(Vec::new());
        // As relaybed hears an interruption.
        let (_heard, bell) = UnixStream::pair().unwrap();
        signal_hook::low_level::pipe::register(libc::SIGINT, bell).unwrap();
        let work = || {
            apply().unwrap();
            match what.as_str() {
                "file" => drop(std::fs::File::open("/etc/passwd")),
                "program" => drop(Command::new("/bin/true").status()),
                "network" => drop(std::net::UdpSocket::bind("127.0.0.1:0")),
                "code" => {
                    let code = libc::PROT_READ | libc::PROT_EXEC;
                    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                    // SAFETY: new memory that is not in use; the call is to be forbidden.
                    unsafe { libc::mmap(std::ptr::null_mut(), 4096, code, flags, -1, 0) };
                }
                "control" => {
                    let mut size = [0_u8; 64];
                    // SAFETY: the buffer is larger than what is asked for, which is to be forbidden.
                    unsafe { libc::ioctl(1, libc::TIOCGWINSZ, size.as_mut_ptr()) };
                }
                // SAFETY: a signal to the calling thread, whose handler is the one above.
                "signal" => assert_eq!(unsafe { libc::raise(libc::SIGINT) }, 0),
                // What a vCPU's thread does besides: allocate, lock, wait, print.
                _ => {
                    for size in [10, 100_000, 10_000_000] {
                        shared.lock().unwrap().push(vec![1_u8; size]);
                    }
                    std::thread::sleep(std::time::Duration::from_millis(1));
                    eprintln!("{} allocations", shared.lock().unwrap().len());
                }
            }
        };
        std::thread::scope(|scope| scope.spawn(work).join().unwrap());
    }

    fn does(what: &str) -> ExitStatus {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kvm::filter::tests::filtered"])
            .env(FILTERED, what)
            .status()
            .unwrap()
    }

    #[test]
    fn a_forbidden_call_ends_the_process_and_what_is_needed_does_not() {
        assert!(does("work").success());
        assert!(does("signal").success());
        for what in ["file", "program", "network", "code", "control"] {
            assert_eq!(does(what).signal(), Some(libc::SIGSYS), "{what}");
        }
    }
}
