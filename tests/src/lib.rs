//! What the test targets share: calling the command under test, reading its JSON, golden results.

pub mod golden;
pub mod hosts;
pub mod nest;
pub mod started;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use relaybed::run::{BackendWish, Wish};
use relaybed_vmm::Clock;
use relaybed_vmm::probe::AccelRequest;
use serde_json::Value;

/// The machine that tests fork unless they need another: two vCPUs on QEMU's translator.
#[must_use]
pub fn wish() -> Wish {
    Wish {
        kernel: relaybed_guest::KernelRequest::default(),
        relay: None,
        vcpus: Some(2),
        memory_mib: 256,
        backend: BackendWish::Qemu,
        accel: AccelRequest::Tcg,
        deadline: Duration::from_secs(60),
        patience: relaybed::run::PATIENCE,
        show_console: false,
        clock: Clock::Host,
        debug: false,
        images: true,
        cmdline: String::new(),
    }
}

/// What one call of the command came to.
#[derive(Debug)]
pub struct Call {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Call {
    /// The objects of `--format json`, the summary last.
    ///
    /// # Panics
    /// When a line is no JSON: then the interface is broken.
    #[must_use]
    pub fn rows(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| match serde_json::from_str(line) {
                Ok(row) => row,
                Err(error) => panic!("no JSON ({error}): {line}\n{}", self.stderr),
            })
            .collect()
    }

    /// The summary of a run.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn summary(&self) -> Value {
        match self.rows().pop() {
            Some(row) if row.get("summary").is_some() => row["summary"].clone(),
            row => panic!("no summary but {row:?}\n{}", self.stderr),
        }
    }

    /// Fails the test unless the exit code is `code`; shows what was said, the scenarios that failed
    /// first: a log that is cut keeps its beginning.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        let failed = |line: &&str| line.contains(r#""outcome":"failed""#);
        let failed: Vec<&str> = self.stdout.lines().filter(failed).collect();
        assert_eq!(
            self.code,
            Some(code),
            "\n-- failed\n{}\n-- standard error\n{}\n-- standard output\n{}",
            failed.join("\n"),
            self.stderr,
            self.stdout
        );
        self
    }
}

/// Calls `program` with `arguments`, passing its standard error on as it comes: fetching and booting
/// take a while, and a silent test looks hung.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn call<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Call {
    let mut command = Command::new(program);
    command.args(arguments);
    call_command(command)
}

/// As [`call`], for a command prepared by the caller.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn call_command(mut command: Command) -> Call {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("cannot start {command:?}: {error}"),
    };
    let errors = child.stderr.take().map(|pipe| {
        std::thread::spawn(move || {
            let mut text = String::new();
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                // Not print!: the harness would keep that back until the test has ended.
                let _ = writeln!(std::io::stderr(), "    {line}");
                text.push_str(&line);
                text.push('\n');
            }
            text
        })
    });
    let mut stdout = String::new();
    if let Some(mut pipe) = child.stdout.take() {
        // A test reads what there is; broken UTF-8 shows as a failed comparison.
        let _ = pipe.read_to_string(&mut stdout);
    }
    let stderr = errors
        .and_then(|reader| reader.join().ok())
        .unwrap_or_default();
    let code = child.wait().ok().and_then(|status| status.code());
    Call {
        code,
        stdout,
        stderr,
    }
}
