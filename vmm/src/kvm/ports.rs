//! What there is at I/O ports: two UARTs and the registers that reset. Elsewhere the bus is empty.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vm_superio::serial::NoEvents;
use vm_superio::{Serial, Trigger};
use vmm_sys_util::eventfd::EventFd;

use super::counts::Reason;
use super::vcpu::End;
use super::wake::Wake;

/// What reads where nothing is.
pub(super) const EMPTY: u8 = 0xff;
/// The console's UART and its interrupt.
const CONSOLE: u16 = 0x3f8;
pub(super) const CONSOLE_IRQ: u32 = 4;
/// The doorbell's UART and its interrupt.
const DOORBELL: u16 = 0x2f8;
pub(super) const DOORBELL_IRQ: u32 = 3;
/// Last register of a UART.
const UART_LAST: u16 = 7;
/// The keyboard controller's command port, of which nothing is left but the reset.
const KEYBOARD: u16 = 0x64;
const KEYBOARD_RESET: u8 = 0xfe;
/// The reset control register: Linux uses it when told `reboot=pci`.
const RESET_CONTROL: u16 = 0xcf9;
const RESET_CPU: u8 = 1 << 2;
/// Where nothing is, but kernels look.
const CMOS: [u16; 2] = [0x70, 0x71];
const DELAY: u16 = 0x80;
const PCI: std::ops::RangeInclusive<u16> = 0xcf8..=0xcff;

/// Doorbell bytes that may wait to be taken. A guest that is ahead of the host by so many is out of
/// its mind, and memory must not grow without bound for it.
const BELLS_MAX: usize = 1 << 16;

/// A UART's interrupt line.
#[derive(Debug)]
pub(super) struct IrqLine(pub(super) EventFd);

impl Trigger for IrqLine {
    type E = io::Error;

    fn trigger(&self) -> io::Result<()> {
        self.0.write(1)
    }
}

/// Doorbell bytes on their way to the host.
#[derive(Debug)]
pub(super) struct Bells {
    queue: VecDeque<u8>,
    wake: Arc<Wake>,
}

impl Write for Bells {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.queue.len() + bytes.len() > BELLS_MAX {
            let unheard = format!("the guest rang it {BELLS_MAX} times unheard");
            return Err(io::Error::other(unheard));
        }
        self.queue.extend(bytes);
        self.wake.ring();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Uart<W> = Mutex<Serial<IrqLine, NoEvents, W>>;

/// All ports of a machine, used by all of its vCPUs.
#[derive(Debug)]
pub(super) struct Ports {
    console: Uart<File>,
    doorbell: Uart<Bells>,
}

impl Ports {
    /// The console goes to `console`, doorbell bytes to [`Self::take_bell`], which rings `wake`.
    pub(super) fn new(
        console: File,
        wake: Arc<Wake>,
        console_line: IrqLine,
        doorbell_line: IrqLine,
    ) -> Self {
        let bells = Bells {
            queue: VecDeque::new(),
            wake,
        };
        Self {
            console: Mutex::new(Serial::new(console_line, console)),
            doorbell: Mutex::new(Serial::new(doorbell_line, bells)),
        }
    }

    /// The oldest doorbell byte not yet taken.
    pub(super) fn take_bell(&self) -> Option<u8> {
        lock(&self.doorbell).writer_mut().queue.pop_front()
    }

    /// The guest reads from `port`. Several bytes are that many reads of the same port, as string
    /// instructions do; no kernel reads these registers by wider accesses.
    pub(super) fn read(&self, port: u16, data: &mut [u8]) -> Reason {
        for byte in &mut *data {
            *byte = match (uart_register(port, CONSOLE), uart_register(port, DOORBELL)) {
                (Some(register), _) => lock(&self.console).read(register),
                (_, Some(register)) => lock(&self.doorbell).read(register),
                _ => EMPTY,
            };
        }
        reason(port)
    }

    /// The guest writes to `port`. Also says how the machine ends if that ends it.
    pub(super) fn write(&self, port: u16, data: &[u8]) -> (Reason, Option<End>) {
        let mut end = None;
        for &byte in data {
            let ends = match (uart_register(port, CONSOLE), uart_register(port, DOORBELL)) {
                (Some(register), _) => {
                    let written = lock(&self.console).write(register, byte);
                    written
                        .err()
                        .and_then(|error| failure("the console", error))
                }
                (_, Some(register)) => {
                    let written = lock(&self.doorbell).write(register, byte);
                    written
                        .err()
                        .and_then(|error| failure("the doorbell", error))
                }
                _ => resets(port, byte).then_some(End::Reset),
            };
            end = end.or(ends);
        }
        (reason(port), end)
    }
}

/// The register of the UART at `base` that `port` is.
fn uart_register(port: u16, base: u16) -> Option<u8> {
    let register = port.checked_sub(base).filter(|r| *r <= UART_LAST)?;
    u8::try_from(register).ok()
}

fn resets(port: u16, byte: u8) -> bool {
    match port {
        KEYBOARD => byte == KEYBOARD_RESET,
        RESET_CONTROL => byte & RESET_CPU != 0,
        _ => false,
    }
}

fn reason(port: u16) -> Reason {
    match port {
        _ if uart_register(port, CONSOLE).is_some() => Reason::Console,
        _ if uart_register(port, DOORBELL).is_some() => Reason::Doorbell,
        KEYBOARD | RESET_CONTROL => Reason::ResetPort,
        DELAY => Reason::Delay,
        _ if CMOS.contains(&port) => Reason::Cmos,
        _ if PCI.contains(&port) => Reason::Pci,
        _ => Reason::EmptyPort,
    }
}

/// The machine cannot go on if what the guest says is lost. A full receive buffer loses nothing of
/// that: only the guest itself, by the loopback, fills it.
fn failure(uart: &str, error: vm_superio::serial::Error<io::Error>) -> Option<End> {
    use vm_superio::serial::Error;
    let (what, error) = match error {
        Error::FullFifo => return None,
        Error::IOError(error) => ("written", error),
        Error::Trigger(error) => ("made to interrupt", error),
    };
    Some(End::Failed(format!("{uart} cannot be {what}: {error}")))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A UART's registers are plain values: any state of them is a state of a UART.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "ports_tests.rs"]
mod tests;
