//! QEMU's gdb stub: breakpoints, one vCPU at a time, registers.
//!
//! The remote protocol of gdb (manual, appendix "Remote Serial Protocol"), as far as one client that never
//! lets more than one vCPU run needs it. vCPU n is the stub's thread n + 1.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::SendFlags;

use super::QemuError;
use super::control::wait_readable;
use crate::debugger::{Access, Halt, Point, Registers};

/// How long the stub may take for an answer that needs nothing of the guest.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// Longest packet that is accepted: a register dump has some 2 KiB.
const PACKET_MAX: usize = 1 << 16;
/// What gdb sends to interrupt, outside any packet.
const INTERRUPT: u8 = 0x03;

/// Our end of the stub's socket.
#[derive(Debug)]
pub(crate) struct Gdb {
    socket: UnixStream,
    received: Vec<u8>,
    /// The vCPU whose registers and memory the stub reports now.
    selected: Option<u32>,
}

impl Gdb {
    /// Takes our end of the socket pair, at whose other end a machine is stopped. Packets are not
    /// acknowledged: the stub takes the next command for it.
    pub(super) fn new(socket: UnixStream) -> Result<Self, QemuError> {
        socket
            .set_nonblocking(true)
            .map_err(|source| QemuError::Io {
                action: "prepare the debugger's socket",
                source,
            })?;
        let mut gdb = Self {
            socket,
            received: Vec::new(),
            selected: None,
        };
        let answer = gdb.ask("?")?;
        match halt(&answer) {
            Some(_) => Ok(gdb),
            None => Err(garbled(&answer)),
        }
    }

    /// Sets or clears a breakpoint or watchpoint at virtual addresses of whatever address space runs.
    pub(crate) fn point(&mut self, point: Point, set: bool) -> Result<(), QemuError> {
        let kind = if set { 'Z' } else { 'z' };
        self.expect_ok(&match point {
            Point::Code(address) => format!("{kind}0,{address:x},1"),
            Point::Data {
                address,
                len,
                access,
            } => {
                let accesses = match access {
                    Access::Write => 2,
                    Access::Any => 4,
                };
                format!("{kind}{accesses},{address:x},{len:x}")
            }
        })
    }

    /// Lets one vCPU run, or make one step, while the others are stopped.
    pub(super) fn go(&mut self, vcpu: u32, step: bool) -> Result<(), QemuError> {
        self.selected = None;
        let action = if step { 's' } else { 'c' };
        self.command(&format!("vCont;{action}:{:x}", vcpu + 1))
    }

    /// Whether a vCPU that makes one step takes an interrupt that waits; at first it does not.
    pub(super) fn steps_take_interrupts(&mut self, take: bool) -> Result<(), QemuError> {
        // Bits of the stub's own: 1 steps, 2 keeps interrupts out, 4 stops the timers.
        let flags = if take { 1 } else { 7 };
        self.expect_ok(&format!("Qqemu.sstep={flags:x}"))
    }

    /// Asks the running vCPU to stop; [`Self::halted`] reports when it has.
    pub(super) fn interrupt(&mut self) -> Result<(), QemuError> {
        self.send(&[INTERRUPT])
    }

    /// Why the vCPU is stopped, once it does; `None` when it still runs after `limit`.
    pub(super) fn halted(&mut self, limit: Duration) -> Result<Option<Halt>, QemuError> {
        let Some(packet) = self.packet(limit)? else {
            return Ok(None);
        };
        let halt = halt(&packet).ok_or_else(|| garbled(&packet))?;
        if let Halt::Trap { vcpu } | Halt::Watch { vcpu, .. } = halt {
            // The stub keeps talking about the vCPU that has just halted.
            self.selected = Some(vcpu);
        }
        Ok(Some(halt))
    }

    /// A standing vCPU's registers.
    pub(crate) fn registers(&mut self, vcpu: u32) -> Result<Registers, QemuError> {
        let answer = self.dump(vcpu)?;
        parse_registers(&answer).ok_or_else(|| garbled(&answer))
    }

    /// All registers of a standing vCPU that the stub knows, in its own form.
    pub(crate) fn dump(&mut self, vcpu: u32) -> Result<Vec<u8>, QemuError> {
        self.select(vcpu)?;
        self.ask("g")
    }

    /// Address of a standing vCPU's next instruction: one register instead of all.
    pub(crate) fn position(&mut self, vcpu: u32) -> Result<u64, QemuError> {
        self.select(vcpu)?;
        // The stub's number of rip.
        let answer = self.ask("p10")?;
        word(&answer, 0, 8).ok_or_else(|| garbled(&answer))
    }

    /// Memory at virtual addresses of a standing vCPU; empty where nothing is mapped.
    pub(crate) fn read(
        &mut self,
        vcpu: u32,
        address: u64,
        len: usize,
    ) -> Result<Vec<u8>, QemuError> {
        self.select(vcpu)?;
        let answer = self.ask(&format!("m{address:x},{len:x}"))?;
        if answer.first() == Some(&b'E') {
            return Ok(Vec::new());
        }
        unhex(&answer).ok_or_else(|| garbled(&answer))
    }

    fn select(&mut self, vcpu: u32) -> Result<(), QemuError> {
        if self.selected != Some(vcpu) {
            self.expect_ok(&format!("Hg{:x}", vcpu + 1))?;
            self.selected = Some(vcpu);
        }
        Ok(())
    }

    /// What QEMU's monitor answers to a line, through the stub: the control socket is read a byte at a time
    /// there, each of them by a turn of QEMU's main loop.
    pub(super) fn monitor(&mut self, line: &str) -> Result<String, QemuError> {
        self.command(&format!("qRcmd,{}", hex(line.as_bytes())))?;
        let mut text = Vec::new();
        loop {
            let packet = self.packet(ANSWER_LIMIT)?.ok_or(QemuError::Silent {
                command: "the debugger's",
                limit: ANSWER_LIMIT,
            })?;
            if packet == b"OK" {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            let more = packet.strip_prefix(b"O").and_then(unhex);
            text.extend(more.ok_or_else(|| garbled(&packet))?);
            if text.len() > PACKET_MAX {
                return Err(garbled(&text));
            }
        }
    }

    fn expect_ok(&mut self, command: &str) -> Result<(), QemuError> {
        let answer = self.ask(command)?;
        if answer == b"OK" {
            return Ok(());
        }
        Err(QemuError::Refused {
            command: "the debugger's",
            reason: format!("{command}: {}", String::from_utf8_lossy(&answer)),
        })
    }

    fn ask(&mut self, command: &str) -> Result<Vec<u8>, QemuError> {
        self.command(command)?;
        self.packet(ANSWER_LIMIT)?.ok_or(QemuError::Silent {
            command: "the debugger's",
            limit: ANSWER_LIMIT,
        })
    }

    fn command(&mut self, command: &str) -> Result<(), QemuError> {
        let packet = frame(command);
        self.send(&packet)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), QemuError> {
        // Commands are far smaller than the socket's buffer, so they are taken whole.
        rustix::net::send(&self.socket, bytes, SendFlags::NOSIGNAL)
            .map(drop)
            .map_err(|error| QemuError::Io {
                action: "write to the debugger's socket",
                source: error.into(),
            })
    }

    fn packet(&mut self, limit: Duration) -> Result<Option<Vec<u8>>, QemuError> {
        let until = Instant::now() + limit;
        loop {
            self.receive()?;
            if let Some(packet) = take_packet(&mut self.received)? {
                return Ok(Some(packet));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            wait_readable(&[self.socket.as_fd()], left)?;
        }
    }

    fn receive(&mut self) -> Result<(), QemuError> {
        let mut chunk = [0; 4096];
        loop {
            match self.socket.read(&mut chunk) {
                Ok(0) => return Err(QemuError::Closed),
                Ok(n) => self
                    .received
                    .extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return Err(QemuError::Closed),
                Err(source) => {
                    return Err(QemuError::Io {
                        action: "read the debugger's socket",
                        source,
                    });
                }
            }
        }
    }
}

impl AsFd for Gdb {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A number of so many bytes, the low ones first, whose digits begin at `at`.
fn word(hex: &[u8], at: usize, len: usize) -> Option<u64> {
    (0..len).try_fold(0, |value, i| {
        let byte = hex.get(at + 2 * i..at + 2 * i + 2)?;
        let byte = u64::from_str_radix(std::str::from_utf8(byte).ok()?, 16).ok()?;
        Some(value | byte << (8 * i))
    })
}

/// The registers that the stub's `g` packet begins with on x86-64.
fn parse_registers(hex: &[u8]) -> Option<Registers> {
    let mut registers = Registers::default();
    for (n, register) in registers.general.iter_mut().enumerate() {
        *register = word(hex, 16 * n, 8)?;
    }
    registers.rip = word(hex, 256, 8)?;
    registers.eflags = u32::try_from(word(hex, 272, 4)?).ok()?;
    Some(registers)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text)
        .ok()
        .filter(|text| text.len().is_multiple_of(2))?;
    let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// `$`, the command, `#` and its checksum.
fn frame(command: &str) -> Vec<u8> {
    let sum = command.bytes().fold(0u8, u8::wrapping_add);
    format!("${command}#{sum:02x}").into_bytes()
}

/// The next whole packet's content. Acknowledgements before it are dropped.
fn take_packet(received: &mut Vec<u8>) -> Result<Option<Vec<u8>>, QemuError> {
    let Some(start) = received.iter().position(|&b| b == b'$') else {
        received.clear();
        return Ok(None);
    };
    let Some(len) = received[start..].iter().position(|&b| b == b'#') else {
        return if received.len() > PACKET_MAX {
            Err(garbled(received))
        } else {
            Ok(None)
        };
    };
    let end = start + len;
    let Some(sum) = received.get(end + 1..end + 3) else {
        return Ok(None);
    };
    let content = received[start + 1..end].to_vec();
    let expected = content.iter().copied().fold(0u8, u8::wrapping_add);
    let sent = std::str::from_utf8(sum)
        .ok()
        .and_then(|sum| u8::from_str_radix(sum, 16).ok());
    received.drain(..end + 3);
    if sent != Some(expected) {
        return Err(garbled(&content));
    }
    Ok(Some(content))
}

/// What a stop reply says.
fn halt(packet: &[u8]) -> Option<Halt> {
    match packet.first()? {
        b'W' | b'X' => return Some(Halt::Gone),
        b'T' | b'S' => {}
        _ => return None,
    }
    let text = std::str::from_utf8(packet).ok()?;
    let signal = u8::from_str_radix(text.get(1..3)?, 16).ok()?;
    // SIGQUIT: the guest has reset or powered off the machine, which QEMU holds as it was then.
    if signal == 3 {
        return Some(Halt::Gone);
    }
    // 5 is SIGTRAP; everything else comes from a stop that no breakpoint made.
    if signal != 5 {
        return Some(Halt::Interrupted);
    }
    let mut pairs = text.get(3..)?.split(';').map(|pair| pair.split_once(':'));
    let watched = pairs
        .clone()
        .flatten()
        .find_map(|(key, value)| matches!(key, "watch" | "awatch" | "rwatch").then_some(value));
    let thread = pairs
        .find_map(|pair| pair.filter(|(key, _)| *key == "thread"))?
        .1;
    // With the multiprocess extension it would be p<process>.<thread>.
    let thread = thread.rsplit('.').next()?;
    let vcpu = u32::from_str_radix(thread, 16).ok()?.checked_sub(1)?;
    Some(match watched {
        None => Halt::Trap { vcpu },
        Some(address) => Halt::Watch {
            vcpu,
            address: u64::from_str_radix(address, 16).ok()?,
        },
    })
}

fn garbled(bytes: &[u8]) -> QemuError {
    let line = String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes)).into_owned();
    QemuError::Garbled { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packets_are_framed_and_unframed() {
        // Two packets of every session there ever was.
        assert_eq!(frame("g"), b"$g#67");
        assert_eq!(frame("?"), b"$?#3f");
        let mut received = b"+$OK#9a$g#6".to_vec();
        assert_eq!(take_packet(&mut received).unwrap().unwrap(), b"OK");
        assert_eq!(take_packet(&mut received).unwrap(), None);
        received.push(b'7');
        assert_eq!(take_packet(&mut received).unwrap().unwrap(), b"g");
        assert!(take_packet(&mut b"$OK#00".to_vec()).is_err());
    }

    #[test]
    fn the_monitors_text_is_in_hexadecimal_digits() {
        assert_eq!(hex(b"info lapic 1"), "696e666f206c617069632031");
        assert_eq!(unhex(b"4952520a"), Some(b"IRR\n".to_vec()));
        for bad in [&b"495"[..], b"4x", b"\xff\xff", "é".as_bytes()] {
            assert_eq!(unhex(bad), None);
        }
    }

    #[test]
    fn stop_replies() {
        assert_eq!(halt(b"T05thread:02;"), Some(Halt::Trap { vcpu: 1 }));
        assert_eq!(
            halt(b"T05swbreak:;thread:p01.03;"),
            Some(Halt::Trap { vcpu: 2 })
        );
        let watch = b"T05thread:01;watch:ffffffff81000010;";
        let address = 0xffff_ffff_8100_0010;
        assert_eq!(halt(watch), Some(Halt::Watch { vcpu: 0, address }));
        assert_eq!(halt(b"T02thread:01;"), Some(Halt::Interrupted));
        assert_eq!(halt(b"W00"), Some(Halt::Gone));
        assert_eq!(halt(b"T03thread:02;"), Some(Halt::Gone));
        assert_eq!(halt(b"OK"), None);
        assert_eq!(halt(b"T05thread:00;"), None);
    }

    #[test]
    fn registers_in_the_order_of_the_stub() {
        let mut hex = String::new();
        for n in 0..17u64 {
            for byte in (0x1100 + n).to_le_bytes() {
                hex += &format!("{byte:02x}");
            }
        }
        hex += "46020000";
        let registers = parse_registers(hex.as_bytes()).unwrap();
        assert_eq!(
            (
                registers.general[0],
                registers.argument(),
                registers.stack()
            ),
            (0x1100, 0x1105, 0x1107)
        );
        assert_eq!((registers.rip, registers.eflags), (0x1110, 0x246));
        assert_eq!(parse_registers(b"00"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = halt(&bytes);
            let _ = parse_registers(&bytes);
            let mut received = bytes;
            let _ = take_packet(&mut received);
        }
    }
}
