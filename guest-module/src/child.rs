//! Running the tools of others: their output is kept, they die when we do, and every wait for them can be interrupted.
//!
//! Each runs in a process group of its own, so that Ctrl-C at the terminal reaches us only and is answered in our
//! order: the whole group is killed and the work given up.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, getppid, kill_process_group, pidfd_open,
    set_parent_process_death_signal,
};

use crate::guardian::Guardian;
use crate::interrupt::{self, Interrupted};

/// A tool could not be run, or failed.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The tool did not start.
    #[error("cannot run {tool}: {source}; is it installed and in PATH?")]
    Spawn {
        /// The program's name.
        tool: String,
        /// What the system said.
        source: io::Error,
    },
    /// Its output could not be kept or read.
    #[error(
        "cannot keep the output of {tool}: {source}; is the temporary directory writable and not full?"
    )]
    Output {
        /// The program's name.
        tool: String,
        /// What the system said.
        source: io::Error,
    },
    /// It made no progress.
    #[error("{tool} received nothing for {} s and was stopped: does the mirror (RELAYBED_MIRROR) or the network hang?", limit.as_secs())]
    Stalled {
        /// The program's name.
        tool: String,
        /// For how long.
        limit: Duration,
    },
    /// The wait for it was interrupted.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// It ended with a failure.
    #[error("{tool} failed ({status}):\n{tail}")]
    Failed {
        /// The program's name.
        tool: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines it wrote.
        tail: String,
    },
}

/// What a tool that ended well wrote.
#[derive(Debug)]
pub(crate) struct Output {
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

/// How often a command's progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Lines of a failed tool's output that go into an error.
const TAIL_LINES: usize = 20;

/// The last lines of a log, for an error.
pub(crate) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Makes `command` receive SIGTERM when the thread that started it dies, however that happens.
///
/// Call it after any other `pre_exec`: a change of user namespace clears the setting.
pub(crate) fn die_with_us(command: &mut Command) -> &mut Command {
    let us = getpid();
    let set = move || {
        set_parent_process_death_signal(Some(Signal::TERM))?;
        // We may have died before the line above took effect.
        if getppid() != Some(us) {
            return Err(io::Error::from(rustix::io::Errno::SRCH));
        }
        Ok(())
    };
    // SAFETY: why at all: the death signal is a property of the child and must be set between fork and
    // exec. Why sound: the closure makes two system calls and neither allocates nor takes a lock.
    unsafe { command.pre_exec(set) }
}

/// A child that leads a process group; killed with it and reaped unless it was waited for: an error on our side
/// leaves no process behind.
struct Reaped {
    child: Child,
    pid: Pid,
    ended: Option<ExitStatus>,
    /// Dismissed after `drop` below: until then the group's number is the tool's.
    _guardian: Guardian,
}

impl Reaped {
    /// Waits up to `limit` for the end; `None`: it still runs.
    fn wait(&mut self, limit: Option<Duration>) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            let pidfd = pidfd_open(self.pid, PidfdFlags::empty())?;
            if interrupt::wait(pidfd.as_fd(), limit)? {
                self.ended = Some(self.child.wait()?);
            }
        }
        Ok(self.ended)
    }

    /// Kills whatever its tool has started and not ended itself.
    fn kill_group(&self) {
        // An error means that the group is empty already.
        let _ = kill_process_group(self.pid, Signal::KILL);
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.kill_group();
            let _ = self.child.wait();
        }
    }
}

/// Runs `command` to its end and returns what it wrote.
///
/// # Errors
/// The command does not start, its output cannot be kept, it fails, or the process was asked to end.
pub(crate) fn run(command: &mut Command) -> Result<Output, ChildError> {
    let tool = tool(command);
    succeeded(tool, run_to_end(command)?)
}

/// As [`run`], for a command that must make progress: `look` says several times a second how far it has come, and a
/// command that neither comes further nor computes for `stall` is stopped.
///
/// # Errors
/// As [`run`], and [`ChildError::Stalled`].
pub(crate) fn watch(
    command: &mut Command,
    look: &mut dyn FnMut() -> u64,
    stall: Duration,
) -> Result<Output, ChildError> {
    let name = tool(command);
    let mut running = Running::start(command)?;
    let (mut idle, mut seen, mut cpu) = (Duration::ZERO, look(), Duration::ZERO);
    loop {
        if let Some(status) = running.wait(Some(LOOK_EVERY))? {
            look();
            return succeeded(name, (status, running.output()?));
        }
        let (now, cpu_now) = (look(), cpu_time(running.child.pid));
        idle = if now == seen {
            (idle + LOOK_EVERY).saturating_sub(cpu_now.saturating_sub(cpu))
        } else {
            Duration::ZERO
        };
        (seen, cpu) = (now, cpu_now);
        if idle >= stall {
            return Err(ChildError::Stalled {
                tool: name,
                limit: stall,
            });
        }
    }
}

/// Runs `command` to its end, whatever that is.
///
/// # Errors
/// The command does not start, its output cannot be kept, or the process was asked to end.
pub(crate) fn run_to_end(command: &mut Command) -> Result<(ExitStatus, Output), ChildError> {
    let mut running = Running::start(command)?;
    loop {
        if let Some(status) = running.wait(None)? {
            return Ok((status, running.output()?));
        }
    }
}

fn tool(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn succeeded(tool: String, (status, output): (ExitStatus, Output)) -> Result<Output, ChildError> {
    if status.success() {
        return Ok(output);
    }
    let tail = tail(&format!("{}\n{}", output.stdout, output.stderr));
    Err(ChildError::Failed { tool, status, tail })
}

/// A command under way, and the files that its output goes to.
struct Running {
    tool: String,
    child: Reaped,
    stdout: File,
    stderr: File,
}

impl Running {
    fn start(command: &mut Command) -> Result<Self, ChildError> {
        interrupt::check()?;
        let tool = tool(command);
        let output = output_error(&tool);
        // Files, not pipes: they need no draining, and a killed parent leaves nothing.
        let stdout = tempfile::tempfile().map_err(&output)?;
        let stderr = tempfile::tempfile().map_err(&output)?;
        command
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().map_err(&output)?)
            .stderr(stderr.try_clone().map_err(&output)?)
            .env("LC_ALL", "C.UTF-8")
            .process_group(0);
        tracing::debug!(?command, "run");
        let guardian = Guardian::of(die_with_us(command)).map_err(&output)?;
        let spawned = command.spawn();
        let child = spawned.map_err(|source| ChildError::Spawn {
            tool: tool.clone(),
            source,
        })?;
        let child = Reaped {
            pid: Pid::from_child(&child),
            child,
            ended: None,
            _guardian: guardian,
        };
        Ok(Self {
            tool,
            child,
            stdout,
            stderr,
        })
    }

    fn wait(&mut self, limit: Option<Duration>) -> Result<Option<ExitStatus>, ChildError> {
        let tool = &self.tool;
        let failed = |source| match interrupt::is_interrupted(&source) {
            true => ChildError::Interrupted(Interrupted),
            false => output_error(tool)(source),
        };
        self.child.wait(limit).map_err(failed)
    }

    fn output(&mut self) -> Result<Output, ChildError> {
        let output = output_error(&self.tool);
        let text = |file: &mut File| {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(0)).map_err(&output)?;
            file.read_to_end(&mut bytes).map_err(&output)?;
            Ok::<_, ChildError>(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(Output {
            stdout: text(&mut self.stdout)?,
            stderr: text(&mut self.stderr)?,
        })
    }
}

fn output_error(tool: &str) -> impl Fn(io::Error) -> ChildError + use<> {
    let tool = tool.to_owned();
    move |source| ChildError::Output {
        tool: tool.clone(),
        source,
    }
}

/// CPU time of a process and of all that it has started, had or waited for, as far as the host reports it: on a busy host
/// a tool that waits for a CPU does not hang.
fn cpu_time(pid: Pid) -> Duration {
    let pid = pid.as_raw_nonzero();
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let stat = read("stat");
    // The second field is a name in brackets and may hold anything.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    // Its own user and system time, and that of ended children.
    let ticks = fields.split(' ').skip(11).take(4);
    let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let had = Duration::from_millis(ticks.saturating_mul(1000 / per_second));
    // Nanoseconds on a CPU, then nanoseconds in its queue.
    let accounts = read("schedstat");
    let waited = accounts.split(' ').nth(1).and_then(|ns| ns.parse().ok());
    let own = had + Duration::from_nanos(waited.unwrap_or(0));
    let children = read(&format!("task/{pid}/children"));
    let children = children.split_ascii_whitespace();
    let children = children.filter_map(|child| Pid::from_raw(child.parse().ok()?));
    children.fold(own, |sum, child| sum + cpu_time(child))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_kept_apart() {
        let output = run(Command::new("sh").args(["-c", "echo out; echo err >&2"])).unwrap();
        assert_eq!(
            (output.stdout.as_str(), output.stderr.as_str()),
            ("out\n", "err\n")
        );
    }

    #[test]
    fn failure_carries_the_tail() {
        let script = "for i in $(seq 100); do echo line $i; done; exit 3";
        let error = run(Command::new("sh").args(["-c", script]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("line 100") && !error.contains("line 50\n"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_tool_is_named() {
        let error = run(&mut Command::new("relaybed-no-such-tool"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("relaybed-no-such-tool"), "{error}");
    }

    #[test]
    fn a_tool_that_hangs_is_stopped_and_one_that_computes_is_not() {
        let stall = Duration::from_millis(500);
        let since = std::time::Instant::now();
        let error = watch(Command::new("sleep").arg("60"), &mut || 1, stall).unwrap_err();
        assert!(matches!(error, ChildError::Stalled { .. }), "{error}");
        assert!(since.elapsed() < Duration::from_secs(20));

        let mut sizes = 0..;
        let mut grows = || sizes.next().unwrap();
        watch(Command::new("sleep").arg("1"), &mut grows, stall).unwrap();
        // What it has started computes, and so does what that has started.
        let script = "sh -c 'i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done'; true";
        watch(Command::new("sh").args(["-c", script]), &mut || 1, stall).unwrap();
    }

    #[test]
    fn what_a_stopped_tool_has_started_ends_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let script = "sleep 60 & echo $! > \"$0\"; wait";
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(&path);
        watch(&mut command, &mut || 1, Duration::from_millis(700)).unwrap_err();
        let pid: i32 = fs::read_to_string(&path).unwrap().trim().parse().unwrap();
        // A killed process takes a moment to end, and init may have reaped it already.
        if let Ok(pidfd) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
            assert!(interrupt::wait(pidfd.as_fd(), Some(Duration::from_secs(20))).unwrap());
        }
    }

    const VICTIM: &str = "RELAYBED_TEST_TOOL_OWNER";

    /// Not a test by itself: the process that the next test kills.
    #[test]
    fn owner_of_a_tool() {
        if let Some(path) = std::env::var_os(VICTIM) {
            let script = "sleep 60 & echo $! > \"$0\"; wait";
            drop(run(Command::new("sh").args(["-c", script]).arg(path)));
        }
    }

    #[test]
    fn what_a_tool_has_started_ends_when_its_owner_is_killed_by_force() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let mut owner = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::tests::owner_of_a_tool"])
            .env(VICTIM, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = loop {
            let text = fs::read_to_string(&path).unwrap_or_default();
            if let Some(pid) = text.trim().parse().ok().filter(|_| text.ends_with('\n')) {
                break Pid::from_raw(pid).unwrap();
            }
            assert_eq!(owner.try_wait().unwrap(), None, "the owner ended");
            std::thread::sleep(Duration::from_millis(10));
        };
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        assert!(!interrupt::wait(pidfd.as_fd(), Some(Duration::from_millis(100))).unwrap());
        owner.kill().unwrap();
        owner.wait().unwrap();
        assert!(interrupt::wait(pidfd.as_fd(), Some(Duration::from_secs(20))).unwrap());
    }

    #[test]
    fn a_child_dies_with_the_thread_that_started_it() {
        let pid = std::thread::spawn(|| {
            let mut command = Command::new("sleep");
            die_with_us(command.arg("60")).spawn().unwrap()
        })
        .join();
        let mut child = pid.unwrap();
        let status = child.wait().unwrap();
        assert!(!status.success(), "{status}");
    }
}
