//! The control connection: sends commands, takes answers and events apart.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;
use serde_json::Value;

use super::message::{self, Message};
use super::{QemuError, Version};
use crate::signals;

/// How long QEMU may take for one answer. Generous: answers take milliseconds, except on a host
/// that gives QEMU no CPU, and a healthy guest must not fail on that.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// Longest message that is accepted.
const LINE_MAX_BYTES: usize = 1 << 20;

/// Our end of QEMU's control socket.
#[derive(Debug)]
pub(super) struct Control {
    socket: UnixStream,
    received: Vec<u8>,
    events: VecDeque<Message>,
    answers: VecDeque<Message>,
    closed: bool,
}

impl Control {
    /// Takes our end of the socket pair.
    pub(super) fn new(socket: UnixStream) -> Result<Self, QemuError> {
        socket
            .set_nonblocking(true)
            .map_err(|source| QemuError::Io {
                action: "prepare the control socket",
                source,
            })?;
        Ok(Self {
            socket,
            received: Vec::new(),
            events: VecDeque::new(),
            answers: VecDeque::new(),
            closed: false,
        })
    }

    /// Waits for the greeting and enters command mode.
    pub(super) fn negotiate(&mut self) -> Result<Version, QemuError> {
        let Message::Greeting(version) = self.next_answer("greeting")? else {
            return Err(QemuError::Garbled {
                line: "an answer before the greeting".into(),
            });
        };
        self.execute("qmp_capabilities")?;
        Ok(version)
    }

    /// Executes a command and waits for its answer. Events that come meanwhile are kept.
    pub(super) fn execute(&mut self, command: &'static str) -> Result<Value, QemuError> {
        self.execute_with(command, &Value::Null)
    }

    /// As [`Self::execute`], with arguments.
    pub(super) fn execute_with(
        &mut self,
        command: &'static str,
        arguments: &Value,
    ) -> Result<Value, QemuError> {
        // No SIGPIPE, whatever the program that we are in does with it. A command is far smaller
        // than the socket's buffer, so it is taken whole.
        rustix::net::send(
            &self.socket,
            &message::command(command, arguments),
            SendFlags::NOSIGNAL,
        )
        .map_err(|error| match error {
            Errno::PIPE | Errno::CONNRESET => QemuError::Closed,
            _ => QemuError::Io {
                action: "write to the control socket",
                source: error.into(),
            },
        })?;
        match self.next_answer(command)? {
            Message::Return(value) => Ok(value),
            Message::Failed(reason) => Err(QemuError::Refused { command, reason }),
            other => Err(QemuError::Garbled {
                line: format!("{other:?}"),
            }),
        }
    }

    /// The next event that has been received.
    pub(super) fn take_event(&mut self) -> Option<Message> {
        self.events.pop_front()
    }

    /// Whether QEMU's end is closed and every message has been taken in.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes in what has been received, without waiting.
    pub(super) fn receive(&mut self) -> Result<(), QemuError> {
        let mut chunk = [0; 4096];
        while !self.closed {
            match self.socket.read(&mut chunk) {
                Ok(0) => self.closed = true,
                Ok(n) => self.take_in(chunk.get(..n).unwrap_or_default())?,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::ConnectionReset => self.closed = true,
                Err(source) => {
                    return Err(QemuError::Io {
                        action: "read the control socket",
                        source,
                    });
                }
            }
        }
        Ok(())
    }

    fn take_in(&mut self, bytes: &[u8]) -> Result<(), QemuError> {
        self.received.extend_from_slice(bytes);
        while let Some(end) = self.received.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = self.received.drain(..=end).collect();
            match message::parse(&line).ok_or_else(|| garbled(&line))? {
                m @ (Message::Greeting(_) | Message::Return(_) | Message::Failed(_)) => {
                    self.answers.push_back(m);
                }
                event => self.events.push_back(event),
            }
        }
        if self.received.len() > LINE_MAX_BYTES {
            return Err(garbled(&self.received));
        }
        Ok(())
    }

    /// Waits until the machine's state is wholly saved or loaded, whichever was asked for.
    pub(super) fn await_migration(&mut self) -> Result<(), QemuError> {
        const COMMAND: &str = "migrate";
        let until = Instant::now() + ANSWER_LIMIT;
        loop {
            self.receive()?;
            let ended = self.events.iter().position(
                |event| matches!(event, Message::Migration(s) if s == "completed" || s == "failed"),
            );
            if let Some(Message::Migration(status)) = ended.and_then(|at| self.events.remove(at)) {
                if status == "completed" {
                    return Ok(());
                }
                let why = self.execute("query-migrate")?;
                let reason = why["error-desc"].as_str().unwrap_or("no reason given");
                return Err(QemuError::Refused {
                    command: COMMAND,
                    reason: reason.to_owned(),
                });
            }
            if self.closed {
                return Err(QemuError::Closed);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(QemuError::Silent {
                    command: COMMAND,
                    limit: ANSWER_LIMIT,
                });
            }
            wait_readable(&[self.socket.as_fd()], left)?;
        }
    }

    fn next_answer(&mut self, command: &'static str) -> Result<Message, QemuError> {
        let until = Instant::now() + ANSWER_LIMIT;
        loop {
            self.receive()?;
            if let Some(answer) = self.answers.pop_front() {
                return Ok(answer);
            }
            if self.closed {
                return Err(QemuError::Closed);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(QemuError::Silent {
                    command,
                    limit: ANSWER_LIMIT,
                });
            }
            wait_readable(&[self.socket.as_fd()], left)?;
        }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Waits until one of `fds` is readable or closed, or the time is over.
///
/// # Errors
/// [`QemuError::Interrupted`] if none is and a signal asked this process to end; [`QemuError::Io`].
pub(super) fn wait_readable(fds: &[BorrowedFd<'_>], limit: Duration) -> Result<(), QemuError> {
    let signal = signals::readable();
    let mut polled: Vec<PollFd<'_>> = fds
        .iter()
        .chain(&signal)
        .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
        .collect();
    let limit = rustix::event::Timespec::try_from(limit).ok();
    match rustix::event::poll(&mut polled, limit.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => {
            return Err(QemuError::Io {
                action: "wait for QEMU",
                source: error.into(),
            });
        }
    }
    let came = polled
        .iter()
        .take(fds.len())
        .any(|fd| !fd.revents().is_empty());
    match signals::interrupted() {
        Some(signal) if !came => Err(QemuError::Interrupted { signal }),
        _ => Ok(()),
    }
}

fn garbled(line: &[u8]) -> QemuError {
    let line = String::from_utf8_lossy(line.get(..200).unwrap_or(line)).into_owned();
    QemuError::Garbled { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A control connection whose other end has said `lines`.
    fn after(lines: &str) -> (Control, UnixStream) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(lines.as_bytes()).unwrap();
        (Control::new(ours).unwrap(), theirs)
    }

    #[test]
    fn events_before_an_answer_are_kept() {
        let (mut control, _theirs) = after("{\"event\":\"STOP\"}\n{\"return\":{}}\n");
        control.execute("stop").unwrap();
        assert_eq!(control.take_event(), Some(Message::Stop));
        assert_eq!(control.take_event(), None);
    }

    #[test]
    fn a_message_in_pieces_is_one_message() {
        let (mut control, mut theirs) = after("{\"ret");
        control.receive().unwrap();
        theirs.write_all(b"urn\":1}\n").unwrap();
        assert_eq!(control.execute("x").unwrap(), serde_json::json!(1));
    }

    #[test]
    fn refusal_close_and_garbage_are_told_apart() {
        let (mut control, theirs) = after("{\"error\":{\"desc\":\"no\"}}\n");
        assert!(
            matches!(control.execute("x"), Err(QemuError::Refused { reason, .. }) if reason == "no")
        );
        drop(theirs);
        assert!(matches!(control.execute("x"), Err(QemuError::Closed)));
        let (mut control, _theirs) = after("hello\n");
        assert!(matches!(control.receive(), Err(QemuError::Garbled { .. })));
        let (mut control, mut theirs) = after("");
        let flood = std::thread::spawn(move || theirs.write_all(&vec![b'x'; 2 * LINE_MAX_BYTES]));
        let error = loop {
            if let Err(error) = control.receive() {
                break error;
            }
        };
        assert!(matches!(error, QemuError::Garbled { .. }));
        drop(control);
        let _ = flood.join();
    }
}
