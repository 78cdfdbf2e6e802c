//! Running the tools of others: their output is kept, and they die when we do.

use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// A tool could not be run, or failed.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The tool did not start.
    #[error("cannot run {tool}: {source}; is it installed and in PATH?")]
    Spawn {
        /// The program's name.
        tool: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its output could not be kept or read.
    #[error(
        "cannot keep the output of {tool}: {source}; is the temporary directory writable and not full?"
    )]
    Output {
        /// The program's name.
        tool: String,
        /// What the system said.
        source: std::io::Error,
    },
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
            return Err(std::io::Error::from(rustix::io::Errno::SRCH));
        }
        Ok(())
    };
    // SAFETY: why at all: the death signal is a property of the child and must be set between fork and
    // exec. Why sound: the closure makes two system calls and neither allocates nor takes a lock.
    unsafe { command.pre_exec(set) }
}

/// Kills and reaps the child unless it was waited for: an error on our side leaves no process behind.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Runs `command` to its end and returns what it wrote.
///
/// # Errors
/// The command does not start, its output cannot be kept, or it fails.
pub(crate) fn run(command: &mut Command) -> Result<Output, ChildError> {
    watch(command, None)
}

/// As [`run`], calling `look` several times a second while the command runs.
///
/// # Errors
/// As [`run`].
pub(crate) fn watch(
    command: &mut Command,
    look: Option<&mut dyn FnMut()>,
) -> Result<Output, ChildError> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let (status, output) = run_to_end(command, look)?;
    if status.success() {
        return Ok(output);
    }
    let tail = tail(&format!("{}\n{}", output.stdout, output.stderr));
    Err(ChildError::Failed { tool, status, tail })
}

/// Runs `command` to its end, whatever that is.
///
/// # Errors
/// The command does not start or its output cannot be kept.
pub(crate) fn run_to_end(
    command: &mut Command,
    mut look: Option<&mut dyn FnMut()>,
) -> Result<(ExitStatus, Output), ChildError> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = |source| ChildError::Output {
        tool: tool.clone(),
        source,
    };
    // Files, not pipes: nobody has to drain them, and a killed parent leaves nothing.
    let mut stdout = tempfile::tempfile().map_err(output)?;
    let mut stderr = tempfile::tempfile().map_err(output)?;
    command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone().map_err(output)?)
        .stderr(stderr.try_clone().map_err(output)?)
        .env("LC_ALL", "C.UTF-8");
    tracing::debug!(?command, "run");
    let child = die_with_us(command)
        .spawn()
        .map_err(|source| ChildError::Spawn {
            tool: tool.clone(),
            source,
        })?;
    let mut child = Reaped(child);
    let status = loop {
        let Some(look) = look.as_mut() else {
            break child.0.wait().map_err(output)?;
        };
        if let Some(status) = child.0.try_wait().map_err(output)? {
            break status;
        }
        look();
        std::thread::sleep(Duration::from_millis(50));
    };
    let text = |file: &mut std::fs::File| {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).map_err(output)?;
        file.read_to_end(&mut bytes).map_err(output)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok((
        status,
        Output {
            stdout: text(&mut stdout)?,
            stderr: text(&mut stderr)?,
        },
    ))
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
