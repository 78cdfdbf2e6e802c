//! Ctrl-C, SIGTERM and SIGKILL while nothing runs yet: lists, locks, fetching, unpacking, building. An interrupted
//! command ends with 130, within two seconds, and leaves neither a process nor half a thing behind.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

/// Twice what is promised: hosts of tests are busy.
const PROMPTLY: Duration = Duration::from_secs(4);

/// A run that begins with `cache`, and what it says.
struct Run {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Run {
    fn start(cache: &Path, mirror: Option<&str>) -> Self {
        let mut command = Command::new(RELAYBED);
        command.args(["run", "hello/hello"]);
        command.env("RELAYBED_CACHE", cache);
        // QEMU is one of the things to be fetched.
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        if let Some(mirror) = mirror {
            command.env("RELAYBED_MIRROR", mirror);
            command.env("RELAYBED_SECURITY_MIRROR", mirror);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// Reads on until a line holds `words`; `false` if the command ends before.
    fn says(&mut self, words: &str) -> bool {
        let mut lines = self.said.by_ref().lines().map_while(Result::ok);
        lines.any(|line| line.contains(words))
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for the end after a signal that was just sent.
    fn ends_with_130(mut self, cache: &Path) {
        let since = Instant::now();
        assert_eq!(self.child.wait().unwrap().code(), Some(130));
        let took = since.elapsed();
        assert!(took < PROMPTLY, "{took:?}");
        nothing_works_in(cache);
        let tmp = fs::read_dir(cache.join("tmp")).into_iter().flatten();
        assert_eq!(tmp.count(), 0, "half-made things are left");
    }
}

/// Waits until no process that the command has started is left: they all inherit the name of its cache.
fn nothing_works_in(cache: &Path) {
    let since = Instant::now();
    loop {
        let left = processes(cache);
        if left.is_empty() {
            return;
        }
        assert!(since.elapsed() < PROMPTLY, "{left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn processes(cache: &Path) -> Vec<String> {
    let path = cache.to_str().unwrap();
    let all = fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|process| {
        let process = process.path();
        let line = fs::read(process.join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let environment = fs::read(process.join("environ")).ok()?;
        let environment = String::from_utf8_lossy(&environment);
        environment.contains(path).then_some(line)
    });
    lines.collect()
}

/// A mirror that takes connections and says nothing, and its address.
fn silent_mirror() -> (TcpListener, String) {
    let mirror = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/debian", mirror.local_addr().unwrap());
    (mirror, address)
}

#[test]
fn a_run_that_waits_for_a_mirror_is_interrupted() {
    let (mirror, address) = silent_mirror();
    for (signal, whole_group) in [
        (Signal::INT, false),
        (Signal::INT, true),
        (Signal::TERM, false),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let run = Run::start(cache.path(), Some(&address));
        let _connection = mirror.accept().unwrap();
        match whole_group {
            true => kill_process_group(run.pid(), signal).unwrap(),
            false => kill_process(run.pid(), signal).unwrap(),
        }
        run.ends_with_130(cache.path());
    }
}

#[test]
fn a_run_that_waits_for_another_is_interrupted() {
    let (mirror, address) = silent_mirror();
    let cache = tempfile::tempdir().unwrap();
    let first = Run::start(cache.path(), Some(&address));
    let _connection = mirror.accept().unwrap();
    let mut second = Run::start(cache.path(), Some(&address));
    assert!(second.says("waiting for another process"));
    kill_process(second.pid(), Signal::INT).unwrap();
    let since = Instant::now();
    assert_eq!(second.child.wait().unwrap().code(), Some(130));
    assert!(since.elapsed() < PROMPTLY);
    kill_process(first.pid(), Signal::INT).unwrap();
    first.ends_with_130(cache.path());
}

#[test]
fn a_run_that_is_killed_by_force_leaves_no_process() {
    let (mirror, address) = silent_mirror();
    let cache = tempfile::tempdir().unwrap();
    let mut run = Run::start(cache.path(), Some(&address));
    let _connection = mirror.accept().unwrap();
    assert!(!processes(cache.path()).is_empty());
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    nothing_works_in(cache.path());
}

#[test]
#[ignore = "fetches and builds everything once more"]
fn every_phase_of_a_first_run_is_interrupted() {
    let cache = tempfile::tempdir().unwrap();
    for words in [
        "package lists of",
        "fetching QEMU",
        "unpacking QEMU",
        "fetching headers",
        "extracting",
        "unpacking 5",
        "building the module",
        "scenarios on",
    ] {
        let mut run = Run::start(cache.path(), None);
        if run.says(words) {
            std::thread::sleep(Duration::from_millis(300));
            kill_process(run.pid(), Signal::INT).unwrap();
            run.ends_with_130(cache.path());
        } else {
            // An earlier run was so far ahead of its interruption.
            assert!(run.child.wait().unwrap().success(), "before '{words}'");
        }
    }
}
