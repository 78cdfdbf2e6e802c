//! A command under way: what it says, signals to it, how it ends, and what it leaves behind.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

/// Twice what is promised: hosts of tests are busy.
pub const PROMPTLY: Duration = Duration::from_secs(4);

/// The variable by which processes of a place are known: all of them inherit it.
const PLACE: &str = "RELAYBED_TEST_PLACE";

/// A folder for commands to work in, and one for their temporary files.
#[derive(Debug)]
pub struct Place {
    dir: TempDir,
    cache: Option<PathBuf>,
}

impl Place {
    /// Commands use the usual cache.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new() -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        for name in ["work", "tmp"] {
            fs::create_dir(dir.path().join(name))?;
        }
        Ok(Self { dir, cache: None })
    }

    /// The same, with a cache of their own.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn with_cache(cache: &Path) -> io::Result<Self> {
        let cache = Some(cache.to_owned());
        Ok(Self {
            cache,
            ..Self::new()?
        })
    }

    /// Where commands work.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// The cache that commands use, if it is not the usual one.
    #[must_use]
    pub fn cache(&self) -> Option<PathBuf> {
        self.cache.clone()
    }

    /// A command that works here, and leads a process group as a shell's jobs do.
    #[must_use]
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, program: &str, arguments: &[S]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.work())
            .env(PLACE, self.dir.path())
            .env("TMPDIR", self.dir.path().join("tmp"))
            .stdin(Stdio::null())
            .process_group(0);
        if let Some(cache) = &self.cache {
            command.env("RELAYBED_CACHE", cache);
        }
        command
    }

    /// The same, started.
    ///
    /// # Errors
    /// It does not start.
    pub fn start<S: AsRef<std::ffi::OsStr>>(
        &self,
        program: &str,
        arguments: &[S],
    ) -> io::Result<Started> {
        Started::start(self.command(program, arguments))
    }

    /// Command lines of processes that were started here and still live.
    ///
    /// # Errors
    /// There is no list of processes.
    pub fn processes(&self) -> io::Result<Vec<String>> {
        Ok(self.numbered()?.into_iter().map(|(_, line)| line).collect())
    }

    /// The same, each with its number.
    ///
    /// # Errors
    /// There is no list of processes.
    pub fn numbered(&self) -> io::Result<Vec<(Pid, String)>> {
        let tag = format!("{PLACE}={}", self.dir.path().display());
        let all = fs::read_dir("/proc")?.flatten();
        let lines = all.filter_map(|process| {
            let number = process.file_name().to_str()?.parse().ok()?;
            let process = process.path();
            let line = fs::read(process.join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let environment = fs::read(process.join("environ")).ok()?;
            let mut variables = environment.split(|byte| *byte == 0);
            // A compiler in a root of its own has another environment.
            let root = fs::read_link(process.join("root")).unwrap_or_default();
            let jailed = self.cache.as_deref().is_some_and(|c| root.starts_with(c));
            let ours = jailed || variables.any(|one| one == tag.as_bytes());
            Pid::from_raw(number)
                .filter(|_| ours)
                .map(|pid| (pid, line))
        });
        Ok(lines.collect())
    }

    /// Waits until no process is left, for as long as is promised; those that are left then.
    ///
    /// # Errors
    /// There is no list of processes.
    pub fn outlived_by(&self) -> io::Result<Vec<String>> {
        let since = Instant::now();
        loop {
            let left = self.processes()?;
            if left.is_empty() || since.elapsed() > PROMPTLY {
                return Ok(left);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Files and folders that only a command under way may have: temporary ones, and what is half made.
    #[must_use]
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let mut left = Vec::new();
        children(&self.dir.path().join("tmp"), &mut left);
        hidden(&self.work(), &mut left);
        if let Some(cache) = &self.cache {
            children(&cache.join("tmp"), &mut left);
            hidden(cache, &mut left);
        }
        left
    }
}

fn children(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    found.extend(entries.map(|entry| entry.path()));
}

/// Everything below a folder that is named as something half made.
fn hidden(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(".relaybed-")
        {
            found.push(entry.path());
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            hidden(&entry.path(), found);
        }
    }
}

/// A command under way.
#[derive(Debug)]
pub struct Started {
    child: Child,
    said: BufReader<ChildStderr>,
    stderr: String,
    stdout: File,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code, or the signal.
    pub status: ExitStatus,
    /// From the moment that was waited from.
    pub took: Duration,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Started {
    /// Starts a command of a [`Place`].
    ///
    /// # Errors
    /// It does not start.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let stdout = tempfile::tempfile()?;
        command.stdout(stdout.try_clone()?).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let said = child.stderr.take().map(BufReader::new);
        Ok(Self {
            said: said.ok_or_else(|| io::Error::other("no pipe"))?,
            child,
            stderr: String::new(),
            stdout,
        })
    }

    /// Reads on until a line of standard error holds `words`; `false` if the command ends before.
    pub fn says(&mut self, words: &str) -> bool {
        loop {
            let mut line = String::new();
            match self.said.read_line(&mut line) {
                Ok(0) | Err(_) => return false,
                Ok(_) => self.stderr.push_str(&line),
            }
            if line.contains(words) {
                return true;
            }
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the command, or to its whole group as a terminal does.
    ///
    /// # Errors
    /// There is nobody to receive it.
    pub fn signal(&self, signal: Signal, whole_group: bool) -> io::Result<()> {
        let pid = Pid::from_child(&self.child);
        match whole_group {
            true => kill_process_group(pid, signal)?,
            false => kill_process(pid, signal)?,
        }
        Ok(())
    }

    /// Waits for at most `limit`; whether it has ended.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn has_ended_within(&mut self, limit: Duration) -> io::Result<bool> {
        let until = Instant::now() + limit;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(true)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It cannot be waited for, or its output not be read.
    pub fn end(mut self) -> io::Result<Ended> {
        let since = Instant::now();
        // A process that outlives it may hold the pipe open, so its end is not waited for by the pipe's.
        let status = self.child.wait()?;
        let took = since.elapsed();
        let mut rest = Vec::new();
        rustix::io::ioctl_fionbio(self.said.get_ref(), true)?;
        match self.said.read_to_end(&mut rest) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        self.stderr.push_str(&String::from_utf8_lossy(&rest));
        let mut stdout = String::new();
        self.stdout.rewind()?;
        self.stdout.read_to_string(&mut stdout)?;
        Ok(Ended {
            status,
            took,
            stdout,
            stderr: self.stderr,
        })
    }
}

impl Ended {
    /// What is wrong with this as the end of an interrupted command, if anything is.
    ///
    /// Commands that only compute leave signals as they are and are ended by them.
    #[must_use]
    pub fn misheard(&self, signal: Signal) -> Option<String> {
        let said = &self.stderr;
        let code = self.status.code();
        let wrong = if self.took > PROMPTLY {
            format!("it took {:?}", self.took)
        } else if code.is_none() && self.status.signal() == Some(signal.as_raw()) {
            return None;
        } else if code != Some(130) {
            format!("it ended with {:?}", self.status)
        } else if said.lines().last() != Some("relaybed: interrupted") {
            "its last line is not 'relaybed: interrupted'".to_owned()
        } else if let Some(word) = ["because:", "panicked", "damaged", "NO:"]
            .iter()
            .find(|word| said.contains(**word) || self.stdout.contains(**word))
        {
            format!("it says '{word}'")
        } else {
            return None;
        };
        Some(format!(
            "{wrong}:\n-- standard output\n{}\n-- standard error\n{said}",
            self.stdout
        ))
    }
}
