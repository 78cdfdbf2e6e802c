//! One QEMU process under control: launch, events, stop and continue, end.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::argv::{self, InheritedFds};
use super::child::Child;
use super::confine::Confinement;
use super::control::{Control, wait_readable};
use super::gdb::Gdb;
use super::lapic;
use super::message::{GuestEnd, Message};
use super::{QemuError, Version};
use crate::address::{REBOOT_MODE, WARM_BOOT};
use crate::deadline::CpuTime;
use crate::debugger::{Halt, Interrupts};
use crate::event::Exit;
use crate::process;
use crate::ram::GuestRam;
use crate::ram_store::RamStore;
use crate::spec::MachineSpec;
use crate::text;

/// How much of QEMU's messages goes into an error.
const TAIL_LINES: usize = 8;
/// How long a process whose control socket is closed may take to end.
const DEATH_LIMIT: Duration = Duration::from_secs(10);

/// A running QEMU.
#[derive(Debug)]
pub(crate) struct Qemu {
    child: Child,
    pub(super) control: Control,
    gdb: Option<Gdb>,
    bell: UnixStream,
    bells: VecDeque<u8>,
    /// We asked for the vCPUs to be stopped.
    stopped: bool,
    pub(super) log_path: PathBuf,
}

impl Qemu {
    /// Starts QEMU and waits until it can be talked to. The guest is running then.
    pub(crate) fn launch(spec: &MachineSpec, ram: &RamStore) -> Result<Self, QemuError> {
        Self::start(spec, ram, None)
    }

    /// Starts QEMU on RAM that an image has filled and loads the rest from `state`. The guest is
    /// stopped then.
    pub(crate) fn restore(
        spec: &MachineSpec,
        ram: &RamStore,
        state: &File,
    ) -> Result<Self, QemuError> {
        let mut qemu = Self::start(spec, ram, Some(state.as_raw_fd()))?;
        qemu.stopped = true;
        let inherited = format!("/proc/self/fd/{}", state.as_raw_fd());
        qemu.migrate("migrate-incoming", &inherited)?;
        Ok(qemu)
    }

    /// Writes everything but RAM of the stopped machine into the file `state`.
    pub(crate) fn save(&mut self, state: &Path) -> Result<(), QemuError> {
        // It may write nowhere else.
        let written = self.log_path.with_file_name("state");
        let io = |action| move |source| QemuError::Io { action, source };
        let written = std::path::absolute(written).map_err(io("find the current folder"))?;
        let file = written.to_str().ok_or_else(|| QemuError::StatePath {
            path: written.clone(),
        })?;
        self.migrate("migrate", file)?;
        // Not renamed: the image may be on another file system.
        std::fs::copy(&written, state).map_err(io("copy the machine's state"))?;
        std::fs::remove_file(written).map_err(io("remove the machine's state"))
    }

    fn migrate(&mut self, command: &'static str, file: &str) -> Result<(), QemuError> {
        // RAM is in the memory file, which the image keeps by itself; events say when it is done.
        let capabilities = serde_json::json!({"capabilities": [
            {"capability": "x-ignore-shared", "state": true},
            {"capability": "events", "state": true},
        ]});
        self.control
            .execute_with("migrate-set-capabilities", &capabilities)?;
        let channel = serde_json::json!({"channels": [{
            "channel-type": "main",
            "addr": {"transport": "file", "filename": file, "offset": 0},
        }]});
        self.control.execute_with(command, &channel)?;
        self.control.await_migration()
    }

    fn start(spec: &MachineSpec, ram: &RamStore, state: Option<RawFd>) -> Result<Self, QemuError> {
        let io = |action| move |source| QemuError::Io { action, source };
        let no_file = || io("hand over RAM that is not in a file")(ErrorKind::InvalidInput.into());
        let file = ram.file().ok_or_else(no_file)?;
        let (qmp, their_qmp) = UnixStream::pair().map_err(io("make the control socket"))?;
        let (bell, their_bell) = UnixStream::pair().map_err(io("make the doorbell socket"))?;
        bell.set_nonblocking(true)
            .map_err(io("prepare the doorbell socket"))?;
        let debugger = spec
            .debug
            .then(UnixStream::pair)
            .transpose()
            .map_err(io("make the debugger's socket"))?;
        let (gdb, their_gdb) = debugger.unzip();
        let fds = InheritedFds {
            ram: file.as_raw_fd(),
            qmp: their_qmp.as_raw_fd(),
            bell: their_bell.as_raw_fd(),
            gdb: their_gdb.as_ref().map(AsRawFd::as_raw_fd),
            state,
        };
        let log_path = spec.machine_log_path();
        let log = File::create(&log_path).map_err(io("create qemu.log"))?;
        let spec = &argv::absolute(spec).map_err(io("find the current folder"))?;
        let (program, leading) = spec.qemu.argv0.split_first().ok_or(QemuError::NoProgram)?;
        let mut command = Command::new(program);
        command
            .args(leading)
            .args(argv::arguments(spec, fds))
            // QEMU looks for firmware in its current folder first, and that is anybody's.
            .current_dir("/")
            .stdin(Stdio::null());
        command
            .stdout(log.try_clone().map_err(io("open qemu.log"))?)
            .stderr(log);
        let cell = Confinement::here().of(spec);
        let cell = cell.map_err(io("confine QEMU to its own files"))?;
        let child = Child::spawn(command, fds.all(), cell).map_err(|source| QemuError::Spawn {
            program: program.clone(),
            source,
        })?;
        // From here on only QEMU holds their ends, so its death closes ours.
        drop((their_qmp, their_bell, their_gdb));

        let control = Control::new(qmp)?;
        let bells = VecDeque::new();
        let mut qemu = Self {
            child,
            control,
            gdb: None,
            bell,
            bells,
            stopped: false,
            log_path,
        };
        match qemu.control.negotiate() {
            Ok(version) => version_is_enough(version)?,
            Err(QemuError::Closed) => return Err(qemu.died_at_start()),
            Err(error) => return Err(error),
        }
        if let Some(socket) = gdb {
            qemu.gdb = Some(Gdb::new(socket)?);
            // With a debugger the machine begins standing still.
            if state.is_none() {
                qemu.control.execute("cont")?;
            }
        }
        Ok(qemu)
    }

    /// Waits up to `limit` for anything to happen, `also` included, and takes it in.
    /// Returns how the machine ended, if it did; doorbell bytes sent before are all taken in then.
    pub(crate) fn wait(
        &mut self,
        limit: Duration,
        also: Option<BorrowedFd<'_>>,
        ram: &GuestRam,
    ) -> Result<Option<Exit>, QemuError> {
        let mut fds = vec![self.bell.as_fd(), self.control.as_fd(), self.child.pidfd()];
        fds.extend(also);
        wait_readable(&fds, limit)?;
        self.poll_exit(ram)
    }

    /// Takes in what has happened, without waiting.
    pub(crate) fn poll_exit(&mut self, ram: &GuestRam) -> Result<Option<Exit>, QemuError> {
        self.control.receive()?;
        let mut exit = None;
        while let Some(event) = self.control.take_event() {
            if exit.is_none() {
                exit = self.exit_of(&event, ram)?;
            }
        }
        if exit.is_none() && self.control.is_closed() {
            wait_readable(&[self.child.pidfd()], DEATH_LIMIT)?;
            let status = self.end()?;
            exit = Some(self.death(status));
        }
        self.receive_bells()?;
        Ok(exit)
    }

    /// The oldest doorbell byte not yet taken.
    pub(crate) fn take_bell(&mut self) -> Option<u8> {
        self.bells.pop_front()
    }

    /// Stops all vCPUs. On return they provably do not run, or the machine has ended by itself.
    pub(crate) fn stop(&mut self, ram: &GuestRam) -> Result<Option<Exit>, QemuError> {
        if self.stopped {
            return Ok(None);
        }
        self.stopped = true;
        // QEMU answers when every vCPU has left the guest, and its state is asked for once more.
        let answered = self.control.execute("stop").and_then(|_| self.run_state());
        match answered {
            Ok(state) => match self.poll_exit(ram)? {
                None if state != "paused" => Ok(Some(Exit::Stopped { state })),
                exit => Ok(exit),
            },
            Err(QemuError::Closed) => self.poll_exit(ram),
            Err(error) => Err(error),
        }
    }

    /// Lets the vCPUs run again.
    pub(crate) fn resume(&mut self) -> Result<(), QemuError> {
        if let Err(error) = self.control.execute("cont") {
            // A machine that ended while its vCPUs were let go one at a time: the next event says how.
            let ended =
                matches!(error, QemuError::Refused { .. }) && self.run_state()? == "shutdown";
            if !ended {
                return Err(error);
            }
        }
        self.stopped = false;
        Ok(())
    }

    /// Pulls the line by which NMIs come.
    pub(crate) fn inject_nmi(&mut self) -> Result<(), QemuError> {
        self.control.execute("inject-nmi").map(drop)
    }

    /// The debugger of a machine that is stopped.
    pub(crate) fn gdb(&mut self) -> Result<&mut Gdb, QemuError> {
        self.gdb.as_mut().ok_or(QemuError::NoDebugger)
    }

    /// Lets one vCPU run while the others are stopped, until it halts, the doorbell rings, the machine ends
    /// or `limit` is over; `None` says that the limit was reached. It is stopped again in any case.
    /// When a ring is heard is chance: a `deaf` call leaves them for later.
    pub(crate) fn run_one(
        &mut self,
        vcpu: u32,
        limit: Duration,
        deaf: bool,
    ) -> Result<Option<Halt>, QemuError> {
        self.gdb()?.go(vcpu, false)?;
        let until = Instant::now() + limit;
        loop {
            if let Some(halt) = self.gdb()?.halted(Duration::ZERO)? {
                return Ok(Some(halt));
            }
            let (rang, left) = (
                !deaf && self.rings()?,
                until.saturating_duration_since(Instant::now()),
            );
            if rang || left.is_zero() {
                let gdb = self.gdb()?;
                gdb.interrupt()?;
                let halt = gdb.halted(DEATH_LIMIT)?.ok_or(QemuError::Silent {
                    command: "the debugger's interrupt",
                    limit: DEATH_LIMIT,
                })?;
                // It may have met a breakpoint at the same moment, which must not be lost.
                let timed_out = halt == Halt::Interrupted && !rang;
                return Ok((!timed_out).then_some(halt));
            }
            let gdb = self.gdb.as_ref().ok_or(QemuError::NoDebugger)?;
            let mut fds = vec![gdb.as_fd(), self.child.pidfd()];
            fds.extend((!deaf).then(|| self.bell.as_fd()));
            wait_readable(&fds, left)?;
        }
    }

    /// What a standing vCPU's interrupt controller has in store for it.
    pub(crate) fn interrupts(&mut self, vcpu: u32) -> Result<Interrupts, QemuError> {
        let text = self.gdb()?.monitor(&format!("info lapic {vcpu}"))?;
        lapic::parse(&text).ok_or_else(|| QemuError::Garbled {
            line: text.chars().take(200).collect(),
        })
    }

    /// As [`Self::step_one`], but an interrupt that waits is taken: the vCPU is at its handler's first
    /// instruction then.
    pub(crate) fn step_into_interrupt(&mut self, vcpu: u32) -> Result<Halt, QemuError> {
        self.gdb()?.steps_take_interrupts(true)?;
        let halt = self.step_one(vcpu)?;
        self.gdb()?.steps_take_interrupts(false)?;
        Ok(halt)
    }

    /// Makes one step of one vCPU while the others are stopped.
    pub(crate) fn step_one(&mut self, vcpu: u32) -> Result<Halt, QemuError> {
        let gdb = self.gdb()?;
        gdb.go(vcpu, true)?;
        gdb.halted(DEATH_LIMIT)?.ok_or(QemuError::Silent {
            command: "the debugger's step",
            limit: DEATH_LIMIT,
        })
    }

    /// Whether doorbell bytes have come; takes them in.
    fn rings(&mut self) -> Result<bool, QemuError> {
        let before = self.bells.len();
        self.receive_bells()?;
        Ok(self.bells.len() > before)
    }

    /// Asks QEMU to leave, kills it if it does not, and reaps it.
    pub(crate) fn quit(&mut self) -> Result<(), QemuError> {
        match self.control.execute("quit") {
            Ok(_) => wait_readable(&[self.child.pidfd()], DEATH_LIMIT)?,
            Err(error) => tracing::debug!("QEMU does not take quit, it is killed: {error}"),
        }
        self.end().map(drop)
    }

    /// Kills and reaps the process.
    pub(crate) fn end(&mut self) -> Result<ExitStatus, QemuError> {
        self.child.end().map_err(|source| QemuError::Io {
            action: "kill QEMU",
            source,
        })
    }

    /// Scheduler time of all of QEMU's threads.
    pub(crate) fn cpu_time(&self) -> CpuTime {
        process::cpu_time(self.child.pid())
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// QEMU's word for whether vCPUs run.
    pub(crate) fn run_state(&mut self) -> Result<String, QemuError> {
        let status = self.control.execute("query-status")?;
        let state = status["status"].as_str().unwrap_or("unknown");
        Ok(state.to_owned())
    }

    /// How the machine ended, if `event` says that it did.
    fn exit_of(&mut self, event: &Message, ram: &GuestRam) -> Result<Option<Exit>, QemuError> {
        Ok(match event {
            Message::Shutdown(Some(GuestEnd::PowerOff)) => Some(Exit::PowerOff),
            Message::Shutdown(Some(GuestEnd::Reset)) => Some(self.reset_kind(ram)),
            Message::Shutdown(Some(GuestEnd::Panic)) | Message::GuestPanicked => Some(Exit::Panic),
            // Not the guest's doing: the process is about to end, which names it better.
            Message::Shutdown(None) => None,
            Message::Stop if !self.stopped => match self.run_state() {
                Ok(state) if state == "running" => None,
                // The event that says why may be behind this one.
                Ok(state) if state == "shutdown" => None,
                Ok(state) => Some(Exit::Stopped { state }),
                Err(QemuError::Closed) => None,
                Err(error) => return Err(error),
            },
            _ => None,
        })
    }

    /// Why a guest reset: the kernel leaves its mark in RAM when it panics, QEMU leaves one in its
    /// log when a triple fault forces the reset.
    fn reset_kind(&self, ram: &GuestRam) -> Exit {
        if ram
            .load::<u16>(REBOOT_MODE)
            .is_ok_and(|word| word == WARM_BOOT)
        {
            return Exit::Panic;
        }
        let triple = text::tail(&self.log_path, usize::MAX)
            .is_ok_and(|lines| lines.iter().any(|l| l.starts_with("Triple fault")));
        if triple {
            Exit::TripleFault
        } else {
            Exit::Reset
        }
    }

    fn receive_bells(&mut self) -> Result<(), QemuError> {
        let mut chunk = [0; 4096];
        loop {
            match self.bell.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(n) => self.bells.extend(chunk.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e)
                    if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionReset) =>
                {
                    return Ok(());
                }
                Err(source) => {
                    return Err(QemuError::Io {
                        action: "read the doorbell",
                        source,
                    });
                }
            }
        }
    }

    fn death(&self, status: ExitStatus) -> Exit {
        let stderr_tail = self.log_tail();
        Exit::QemuDied {
            status: status.code(),
            signal: status.signal(),
            stderr_tail,
        }
    }

    fn died_at_start(&mut self) -> QemuError {
        let waited = wait_readable(&[self.child.pidfd()], DEATH_LIMIT).and_then(|()| self.end());
        match waited {
            Ok(status) => QemuError::DiedAtStart {
                status: status.code(),
                signal: status.signal(),
                stderr_tail: self.log_tail(),
            },
            Err(error) => error,
        }
    }

    /// What QEMU said last, without the register dumps of its reset trace.
    fn log_tail(&self) -> String {
        let lines = text::tail(&self.log_path, usize::MAX).unwrap_or_default();
        let said: Vec<String> = lines.into_iter().filter(|l| !is_reset_trace(l)).collect();
        let start = said.len().saturating_sub(TAIL_LINES);
        said.get(start..).unwrap_or_default().join("\n")
    }
}

fn version_is_enough(version: Version) -> Result<(), QemuError> {
    if version.is_enough() {
        Ok(())
    } else {
        Err(QemuError::TooOld { version })
    }
}

/// Whether a line of qemu.log belongs to the trace of vCPU resets rather than to QEMU's messages:
/// its headings, and register dumps, where each line starts with a short name and `=`.
fn is_reset_trace(line: &str) -> bool {
    let register = |name: &str| {
        let name = name.trim_end();
        name.len() <= 6
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    line.is_empty()
        || line.starts_with("CPU Reset")
        || line.starts_with("Triple fault")
        || line.split_once('=').is_some_and(|(name, _)| register(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_from_the_reset_trace() {
        for trace in [
            "CPU Reset (CPU 0)",
            "EAX=00000000 EBX=00000000 ECX=00000000 EDX=00000000",
            "ES =0000 00000000 00000000 00000000",
            "FPR0=0000000000000000 0000 FPR1=0000000000000000 0000",
            "XMM00=0000000000000000 0000000000000000",
            "Triple fault",
        ] {
            assert!(is_reset_trace(trace), "{trace}");
        }
        for message in [
            "qemu: could not load PC BIOS 'bios-256k.bin'",
            "qemu-system-x86_64: -smp 0: Invalid CPU topology: cpus=0",
            "ERROR:../accel/tcg/cpu-exec.c:1: assertion failed: (x == y)",
        ] {
            assert!(!is_reset_trace(message), "{message}");
        }
    }
}
