//! Signals change a whole process, so they are tested in processes of their own: this binary starts
//! itself again as the process that gets the signal.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test that calls them"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROLE: &str = "RELAYBED_TEST_SIGNAL_ROLE";

/// Not a test by itself: what the other tests start and signal.
#[test]
fn victim() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    relaybed_vmm::signals::install().unwrap();
    relaybed_vmm::signals::install().unwrap();
    assert_eq!(relaybed_vmm::signals::interrupted(), None);
    println!("\nready");
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
        if let Some(signal) = relaybed_vmm::signals::interrupted()
            && role == "obeys"
        {
            std::process::exit(signal);
        }
    }
}

fn start(role: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(
        lines.any(|line| line == "ready"),
        "the process never got ready"
    );
    child
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn each_signal_is_reported_and_does_not_kill() {
    for (name, number) in [("HUP", 1), ("INT", 2), ("TERM", 15)] {
        let mut child = start("obeys");
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(number), "{name}");
    }
}

#[test]
fn a_second_signal_ends_a_process_that_does_not_obey() {
    let mut child = start("ignores");
    signal(&child, "TERM");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(
        child.try_wait().unwrap(),
        None,
        "the first signal killed it"
    );
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(128 + 2));
}
