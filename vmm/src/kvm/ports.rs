//! What there is at I/O ports: two UARTs and the registers that reset. Elsewhere the bus is empty.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use vm_superio::serial::{NoEvents, SerialState};
use vm_superio::{Serial, Trigger};
use vmm_sys_util::eventfd::EventFd;

use super::KvmError;
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
/// The reset control register: Linux uses it with `reboot=pci`.
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
    /// The console goes to `console`, doorbell bytes to [`Self::take_bell`], which rings `wake`; `lines` are
    /// the interrupts of the two.
    pub(super) fn new(
        console: File,
        wake: Arc<Wake>,
        lines: [IrqLine; 2],
        state: &PortsState,
    ) -> Result<Self, KvmError> {
        let [console_line, doorbell_line] = lines;
        let bells = Bells {
            queue: VecDeque::new(),
            wake,
        };
        Ok(Self {
            console: uart(&state.console, console_line, console)?,
            doorbell: uart(&state.doorbell, doorbell_line, bells)?,
        })
    }

    /// Doorbell bytes not yet taken.
    pub(super) fn bells(&self) -> usize {
        lock(&self.doorbell).writer().queue.len()
    }

    /// The registers of both UARTs. Doorbell bytes that were not taken belong to this machine alone.
    pub(super) fn state(&self) -> PortsState {
        PortsState {
            console: UartState::of(&lock(&self.console).state()),
            doorbell: UartState::of(&lock(&self.doorbell).state()),
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

/// The registers of all ports that have any.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortsState {
    console: UartState,
    doorbell: UartState,
}

/// A UART's registers, as `vm-superio` has them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UartState {
    baud_divisor: [u8; 2],
    interrupt_enable: u8,
    interrupt_identification: u8,
    line_control: u8,
    line_status: u8,
    modem_control: u8,
    modem_status: u8,
    scratch: u8,
    in_buffer: Vec<u8>,
}

impl UartState {
    fn of(state: &SerialState) -> Self {
        Self {
            baud_divisor: [state.baud_divisor_low, state.baud_divisor_high],
            interrupt_enable: state.interrupt_enable,
            interrupt_identification: state.interrupt_identification,
            line_control: state.line_control,
            line_status: state.line_status,
            modem_control: state.modem_control,
            modem_status: state.modem_status,
            scratch: state.scratch,
            in_buffer: state.in_buffer.clone(),
        }
    }

    fn serial(&self) -> SerialState {
        let [baud_divisor_low, baud_divisor_high] = self.baud_divisor;
        SerialState {
            baud_divisor_low,
            baud_divisor_high,
            interrupt_enable: self.interrupt_enable,
            interrupt_identification: self.interrupt_identification,
            line_control: self.line_control,
            line_status: self.line_status,
            modem_control: self.modem_control,
            modem_status: self.modem_status,
            scratch: self.scratch,
            in_buffer: self.in_buffer.clone(),
        }
    }
}

impl Default for UartState {
    fn default() -> Self {
        Self::of(&SerialState::default())
    }
}

/// A UART in a state. An interrupt that was due is raised again, which its driver takes for a false alarm.
fn uart<W: Write>(state: &UartState, line: IrqLine, writer: W) -> Result<Uart<W>, KvmError> {
    let serial = Serial::from_state(&state.serial(), line, NoEvents, writer);
    serial.map(Mutex::new).map_err(|error| KvmError::Io {
        action: "make a UART",
        source: match error {
            vm_superio::serial::Error::IOError(error)
            | vm_superio::serial::Error::Trigger(error) => error,
            vm_superio::serial::Error::FullFifo => {
                io::Error::other("its state has more bytes than its buffer")
            }
        },
    })
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

/// The machine cannot continue if what the guest says is lost. A full receive buffer loses nothing of
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
