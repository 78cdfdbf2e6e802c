//! The QEMU process: started so that it cannot outlive us, and always reaped.
//!
//! Linux sends the parent-death signal when the *thread* that forked ends, not when the process
//! does. Machines are made in short-lived threads (every `cargo test` has its own), so all children
//! are forked by one thread that lives as long as the process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child as StdChild, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};

use rustix::process::{Pid, PidfdFlags, Signal};

use super::confine::Cell;

type Job = Box<dyn FnOnce() + Send>;

/// A child process that dies with this value, and with this process.
#[derive(Debug)]
pub(super) struct Child {
    child: StdChild,
    pid: Pid,
    pidfd: OwnedFd,
    ended: Option<ExitStatus>,
}

impl Child {
    /// Starts `command`, confined to `cell`, with `inherited` descriptors left open in the child.
    pub(super) fn spawn(
        mut command: Command,
        inherited: Vec<RawFd>,
        cell: Cell,
    ) -> io::Result<Self> {
        let parent = rustix::process::getpid();
        // A group of its own keeps the terminal's ctrl-C from it: we end it, in our own order.
        command.process_group(0);
        // SAFETY: this code must run between fork and exec, where only async-signal-safe calls are
        // sound; `prepare` makes system calls only, and allocates and locks nothing.
        unsafe {
            command.pre_exec(move || prepare(parent, &inherited, &cell));
        }
        let mut child = on_spawner_thread(move || command.spawn())??;
        let opened = Pid::from_child(&child);
        match rustix::process::pidfd_open(opened, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self {
                child,
                pid: opened,
                pidfd,
                ended: None,
            }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error.into())
            }
        }
    }

    /// Readable once the process has ended.
    pub(super) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The status if the process has ended.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Kills the process if it lives, and reaps it.
    pub(super) fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.try_wait()? {
            return Ok(status);
        }
        self.child.kill()?;
        let status = self.child.wait()?;
        self.ended = Some(status);
        Ok(status)
    }

    /// The process id; after the end it may be someone else's.
    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; the parent-death signal still stands.
        let _ = self.end();
    }
}

/// Runs in the child between fork and exec.
fn prepare(parent: Pid, inherited: &[RawFd], cell: &Cell) -> io::Result<()> {
    // Before the signal below, which a change of namespaces clears.
    cell.enter()?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // Had the parent died before the line above, the signal would never come.
    if rustix::process::getppid() != Some(parent) {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    for &fd in inherited {
        // SAFETY: the flag is changed by number since owned descriptors do not cross a fork; the
        // caller of `Child::spawn` keeps these open until it returns, and this process' copy of
        // the descriptor table has them too.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        // Cleared only here: other children that this process starts must not inherit them.
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?;
    }
    Ok(())
}

/// Runs `job` on the thread that forks all children and never ends.
fn on_spawner_thread<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    static SPAWNER: OnceLock<Option<Sender<Job>>> = OnceLock::new();
    let sender = SPAWNER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        let serve = move || jobs.into_iter().for_each(|job| job());
        let started = std::thread::Builder::new()
            .name("relaybed-spawner".into())
            .spawn(serve);
        started.ok().map(|_| sender)
    });
    let gone = || io::Error::other("the thread that starts child processes is gone");
    let (answer, result) = mpsc::channel();
    let job = Box::new(move || drop(answer.send(job())));
    sender
        .as_ref()
        .ok_or_else(gone)?
        .send(job)
        .map_err(|_| gone())?;
    result.recv().map_err(|_| gone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Confinement;
    use crate::process::{cpu_time, resident};
    use std::fs::File;
    use std::time::Duration;

    fn sleeper() -> Child {
        let mut command = Command::new("sleep");
        command.arg("1000");
        let null = File::open("/dev/null").unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&null);
        let spec = crate::MachineSpec::new(
            "/none".into(),
            "/none".into(),
            crate::QemuProgram::from_path(),
            "/none".into(),
        );
        let cell = Confinement::here().of(&spec).unwrap();
        Child::spawn(command, vec![fd; 3], cell).unwrap()
    }

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it_but_not_its_value() {
        let mut child = std::thread::spawn(sleeper).join().unwrap();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(child.try_wait().unwrap(), None, "died with the thread");
        let proc = format!("/proc/{}", child.pid());
        assert!(std::path::Path::new(&proc).exists());
        drop(child);
        assert!(!std::path::Path::new(&proc).exists(), "left behind");
    }

    #[test]
    fn a_child_gains_no_privileges_and_writes_no_core() {
        let child = sleeper();
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", child.pid()));
        let status = read("status").unwrap();
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        let limits = read("limits").unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core"))
            .unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    }

    const VICTIM: &str = "RELAYBED_TEST_VICTIM";

    /// Not a test by itself: the process that the next test kills.
    #[test]
    fn victim() {
        if std::env::var_os(VICTIM).is_none() {
            return;
        }
        let child = std::thread::spawn(sleeper).join().unwrap();
        println!("\nchild {}", child.pid());
        std::thread::sleep(Duration::from_secs(1000));
    }

    #[test]
    fn a_child_dies_with_a_parent_that_is_killed_by_force() {
        use std::io::{BufRead, BufReader};
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "qemu::child::tests::victim", "--nocapture"])
            .env(VICTIM, "1")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let pid = lines
            .filter_map(|l| Some(l.strip_prefix("child ")?.to_owned()))
            .next()
            .unwrap();
        // `zombie` counts as dead: whoever adopted it may not reap it at once.
        let lives = || {
            std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| !stat.contains(") Z "))
        };
        assert!(lives(), "the child never lived");
        victim.kill().unwrap();
        victim.wait().unwrap();
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while lives() {
            assert!(
                std::time::Instant::now() < until,
                "the child outlived its killed parent"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_child_of_an_idle_process_uses_no_cpu() {
        let child = sleeper();
        std::thread::sleep(Duration::from_millis(50));
        let before = cpu_time(child.pid());
        std::thread::sleep(Duration::from_millis(200));
        let after = cpu_time(child.pid());
        assert!(after.run - before.run < Duration::from_millis(50));
        assert!(resident(child.pid(), &[]).unwrap().all > 0);
    }
}
