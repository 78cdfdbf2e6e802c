//! The doorbell, for the one thing the module cannot say: that the guest cannot go on.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::panic;
use std::thread;

use relaybed_abi::RB_BELL_LINE_MAX;

/// The second serial port, as the kernel's driver offers it.
const PORT: &str = "/dev/ttyS1";

/// One line: `X`, the reason without control characters, cut to what the host accepts.
fn line(reason: &str) -> String {
    let mut line = String::from("X");
    for c in reason.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if line.len() + c.len_utf8() >= RB_BELL_LINE_MAX {
            break;
        }
        line.push(c);
    }
    line.push('\n');
    line
}

/// Says that the guest cannot go on. There is nobody left to tell when this fails.
fn ring(reason: &str) {
    if let Ok(mut port) = OpenOptions::new().write(true).open(PORT) {
        let _ = port.write_all(line(reason).as_bytes());
    }
}

/// Sleeps for good: PID 1 must not end, or the kernel's panic hides the reason.
fn stay() -> ! {
    loop {
        thread::park();
    }
}

/// Rings with the error and everything that caused it, then stays.
pub(crate) fn give_up(error: &dyn Error) -> ! {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason.push_str(": ");
        reason.push_str(&cause.to_string());
        source = cause.source();
    }
    ring(&reason);
    stay()
}

/// From now on a panic of any thread rings and stops that thread for good.
pub(crate) fn ring_on_panic() {
    panic::set_hook(Box::new(|info| {
        ring(&format!("the agent panicked: {info}"));
        stay()
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_fits() {
        assert_eq!(line("no\nmodule\t"), "Xno module \n");
        let long = line(&"ä".repeat(500));
        assert!(long.len() <= RB_BELL_LINE_MAX);
        assert_eq!(long.matches('\n').count(), 1);
    }
}
