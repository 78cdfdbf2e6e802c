//! One vCPU and the thread that runs it.
//!
//! The thread holds the vCPU's lock for as long as it may be in `KVM_RUN`, and gives it up to stand
//! still. So whoever has the lock has proof that this vCPU is outside the guest.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use kvm_bindings::{
    KVM_MP_STATE_HALTED, KVM_MP_STATE_INIT_RECEIVED, KVM_MP_STATE_UNINITIALIZED, kvm_guest_debug,
};
use kvm_ioctls::{VcpuExit, VcpuFd};
use rustix::thread::Pid;
use vmm_sys_util::signal::{Killable, SIGRTMIN};

use super::KvmError;
use super::counts::{Counts, Reason};
use super::filter;
use super::gate::{Gate, Order};
use super::lapic;
use super::ports::{EMPTY, Ports};
use super::registers;
use super::vcpu_state::VcpuState;
use super::vm::Vm;
use super::wake::Wake;
use crate::deadline::CpuTime;
use crate::debugger::{Interrupts, Registers};

/// RFLAGS: maskable interrupts are on.
const INTERRUPTS_ON: u64 = 1 << 9;
/// Stack of a vCPU's thread, in bytes, which needs a few KiB. By default it is as large as a large page, and
/// hosts that give those to everybody give one to every vCPU.
const STACK_SIZE: usize = 256 << 10;

/// How a machine ended by itself, as a vCPU saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was reset through a register.
    Reset,
    /// A vCPU faulted while delivering a double fault.
    TripleFault,
    /// KVM or we cannot continue; says why.
    Failed(String),
}

/// What all vCPUs of a machine share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Run, stop, leave.
    pub(super) gate: Gate,
    /// The devices.
    pub(super) ports: Ports,
    /// Where the registers of a vCPU go that cannot run any further.
    pub(super) log: File,
    /// Exits so far.
    pub(super) counts: Counts,
    /// How the machine ended; set once.
    pub(super) end: OnceLock<End>,
    /// DR6 of the vCPU that is under control and has halted itself.
    pub(super) trap: Mutex<Option<u64>>,
    /// Written to when there is something for the host to see.
    pub(super) wake: Arc<Wake>,
    /// The machine and its memory, kept for as long as any vCPU's thread lives.
    pub(super) vm: Vm,
}

impl Shared {
    /// A vCPU saw the end: all of them leave, and the host is notified.
    fn finish(&self, end: End) {
        // The first one counts; what the others see may follow from it.
        let _ = self.end.set(end);
        self.gate.give(Order::Leave);
        self.wake.ring();
    }
}

impl Shared {
    /// The one vCPU that ran met a debug register or made its step: it is stopped, and the host is notified.
    fn halt(&self, dr6: u64) {
        *self.trap() = Some(dr6);
        self.gate.give(Order::Park);
        self.wake.ring();
    }

    /// Whether it has.
    pub(super) fn trapped(&self) -> bool {
        self.trap().is_some()
    }

    /// What it met, which is forgotten then.
    pub(super) fn take_trap(&self) -> Option<u64> {
        self.trap().take()
    }

    fn trap(&self) -> MutexGuard<'_, Option<u64>> {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A vCPU with its thread.
#[derive(Debug)]
pub(super) struct Vcpu {
    fd: Arc<Mutex<VcpuFd>>,
    thread: Option<JoinHandle<()>>,
    tid: Arc<OnceLock<Pid>>,
}

impl Vcpu {
    /// Starts the thread of vCPU `id`. It does what the gate says.
    pub(super) fn start(id: u32, fd: VcpuFd, shared: Arc<Shared>) -> Result<Self, KvmError> {
        install_kick()?;
        let fd = Arc::new(Mutex::new(fd));
        let tid = Arc::new(OnceLock::new());
        let (their_fd, their_tid) = (Arc::clone(&fd), Arc::clone(&tid));
        let thread = std::thread::Builder::new()
            .name(format!("vcpu{id}"))
            .stack_size(STACK_SIZE)
            .spawn(move || {
                let _gone = Gone(&shared.gate);
                their_tid.get_or_init(rustix::thread::gettid);
                // Before the guest's first instruction, or it has none.
                match filter::apply() {
                    Ok(()) => live(id, &shared, &their_fd),
                    Err(error) => shared.finish(End::Failed(error.to_string())),
                }
            })
            .map_err(KvmError::io("start a vCPU's thread"))?;
        Ok(Self {
            fd,
            thread: Some(thread),
            tid,
        })
    }

    /// Makes the thread leave the guest if it is inside, so that it looks at its orders.
    pub(super) fn kick(&self) {
        if let Some(thread) = &self.thread
            && let Err(error) = thread.kill(SIGRTMIN())
        {
            tracing::debug!("a vCPU's thread cannot be kicked: {error}");
        }
    }

    /// Waits for the thread's end, which the gate has ordered.
    pub(super) fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a vCPU's thread panicked");
        }
    }

    /// The thread's number, once it has started.
    #[cfg(test)]
    pub(super) fn tid(&self) -> Option<Pid> {
        self.tid.get().copied()
    }

    /// Scheduler time of the thread; zero if the host does not account for it.
    pub(super) fn cpu_time(&self) -> CpuTime {
        let Some(tid) = self.tid.get() else {
            return CpuTime::default();
        };
        let path = format!("/proc/self/task/{}", tid.as_raw_nonzero());
        crate::process::thread_time(Path::new(&path))
    }

    /// All of the vCPU, which must be stopped.
    pub(super) fn save(&self, vm: &Vm) -> Result<VcpuState, KvmError> {
        VcpuState::save(&lock(&self.fd), vm.msrs())
    }

    /// Interrupts the vCPU by an NMI when it runs again. It must be stopped.
    pub(super) fn inject_nmi(&self) -> Result<(), KvmError> {
        lock(&self.fd).nmi().map_err(KvmError::io("inject an NMI"))
    }

    /// Sets what the vCPU, which must be stopped, is to halt itself at.
    pub(super) fn debug(&self, debug: &kvm_guest_debug) -> Result<(), KvmError> {
        lock(&self.fd)
            .set_guest_debug(debug)
            .map_err(KvmError::io("take control of a vCPU"))
    }

    /// Registers of the vCPU, which must be stopped.
    pub(super) fn registers(&self) -> Result<Registers, KvmError> {
        let regs = lock(&self.fd)
            .get_regs()
            .map_err(KvmError::io("read a vCPU's registers"))?;
        Ok(registers::common(&regs))
    }

    /// General and special registers of the vCPU, which must be stopped, as bytes to be compared.
    pub(super) fn dump(&self) -> Result<Vec<u8>, KvmError> {
        let fd = lock(&self.fd);
        let all = fd.get_regs().and_then(|regs| Ok((regs, fd.get_sregs()?)));
        let all = all.map_err(KvmError::io("read a vCPU's registers"))?;
        serde_json::to_vec(&all).map_err(|error| KvmError::Io {
            action: "write a vCPU's registers down",
            source: error.into(),
        })
    }

    /// What the local APIC of the vCPU, which must be stopped, has in store for it.
    pub(super) fn interrupts(&self) -> Result<Interrupts, KvmError> {
        lapic::interrupts(&lock(&self.fd))
    }

    /// Whether the vCPU, which must be stopped, waits for an interrupt.
    pub(super) fn has_halted(&self) -> Result<bool, KvmError> {
        let state = lock(&self.fd)
            .get_mp_state()
            .map_err(KvmError::io("ask for a vCPU's state"))?;
        Ok(state.mp_state == KVM_MP_STATE_HALTED)
    }

    /// Whether this vCPU, which must be stopped, can never run again by itself: it was never
    /// started, or it halted with interrupts off and no NMI is under way.
    pub(super) fn stands_for_good(&self) -> Result<bool, KvmError> {
        let fd = lock(&self.fd);
        let state = fd
            .get_mp_state()
            .map_err(KvmError::io("ask for a vCPU's state"))?
            .mp_state;
        if matches!(
            state,
            KVM_MP_STATE_UNINITIALIZED | KVM_MP_STATE_INIT_RECEIVED
        ) {
            return Ok(true);
        }
        if state != KVM_MP_STATE_HALTED {
            return Ok(false);
        }
        let flags = fd
            .get_regs()
            .map_err(KvmError::io("read a vCPU's registers"))?
            .rflags;
        let events = fd
            .get_vcpu_events()
            .map_err(KvmError::io("ask for a vCPU's events"))?;
        let nmi = events.nmi.pending != 0 || events.nmi.injected != 0;
        Ok(flags & INTERRUPTS_ON == 0 && !nmi)
    }
}

/// Reports to the gate that the thread has left, however it left.
struct Gone<'a>(&'a Gate);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.gone();
    }
}

/// The thread's life.
fn live(id: u32, shared: &Shared, vcpu: &Mutex<VcpuFd>) {
    loop {
        match shared.gate.order(id) {
            Order::Run => run(id, shared, &mut lock(vcpu)),
            Order::Park | Order::RunOne(_) => drop(shared.gate.park(id)),
            Order::Leave => return,
        }
    }
}

/// Runs the guest until there is another order or it ends.
fn run(id: u32, shared: &Shared, vcpu: &mut VcpuFd) {
    while shared.gate.order(id) == Order::Run {
        match step(shared, vcpu) {
            Step::Go => {}
            Step::Kicked => shared.counts.add(Reason::Kick),
            Step::Trapped(dr6) => shared.halt(dr6),
            Step::End(end) => return shared.finish(end),
        }
    }
    // A port or memory access that came last is done only half: KVM finishes it on the next entry.
    // So enter once more with the flag that lets no guest instruction run. A wide access takes a few
    // such entries; a string instruction none for what it has not begun.
    vcpu.set_kvm_immediate_exit(1);
    let end = loop {
        match step(shared, vcpu) {
            Step::Go => {}
            // An access that is finished ends a step too.
            Step::Trapped(dr6) => shared.halt(dr6),
            Step::Kicked => break None,
            Step::End(end) => break Some(end),
        }
    };
    vcpu.set_kvm_immediate_exit(0);
    if let Some(end) = end {
        shared.finish(end);
    }
}

/// What one entry into the guest came to.
enum Step {
    Go,
    Kicked,
    Trapped(u64),
    End(End),
}

/// Enters the guest once and deals with why it left.
fn step(shared: &Shared, vcpu: &mut VcpuFd) -> Step {
    let (reason, end) = match vcpu.run() {
        Ok(VcpuExit::IoIn(port, data)) => (shared.ports.read(port, data), None),
        Ok(VcpuExit::IoOut(port, data)) => shared.ports.write(port, data),
        Ok(VcpuExit::MmioRead(_, data)) => {
            data.fill(EMPTY);
            (Reason::EmptyMemory, None)
        }
        Ok(VcpuExit::MmioWrite(..)) => (Reason::EmptyMemory, None),
        Ok(VcpuExit::Intr) => return Step::Kicked,
        Ok(VcpuExit::Debug(debug)) => {
            shared.counts.add(Reason::Debug);
            return Step::Trapped(debug.dr6);
        }
        Ok(VcpuExit::Shutdown) => {
            log(shared, vcpu, "a vCPU had a triple fault");
            (Reason::Other, Some(End::TripleFault))
        }
        Ok(VcpuExit::InternalError) => {
            let what = "KVM met an instruction or a state that it cannot emulate".to_owned();
            (Reason::Other, Some(what_failed(shared, vcpu, what)))
        }
        Ok(other) => {
            let what = format!("KVM left the guest unexpectedly: {other:?}");
            (Reason::Other, Some(what_failed(shared, vcpu, what)))
        }
        Err(error) => match io::Error::from_raw_os_error(error.errno()) {
            error if error.kind() == io::ErrorKind::Interrupted => return Step::Kicked,
            // A vCPU that waited to be started by another one has been.
            error if error.kind() == io::ErrorKind::WouldBlock => return Step::Go,
            error => (
                Reason::Other,
                Some(what_failed(
                    shared,
                    vcpu,
                    format!("KVM cannot run: {error}"),
                )),
            ),
        },
    };
    shared.counts.add(reason);
    end.map_or(Step::Go, Step::End)
}

/// Keeps the vCPU's registers with `what` happened to it. On AMD, KVM has reset a vCPU after a triple
/// fault before anyone can look.
fn log(shared: &Shared, vcpu: &VcpuFd, what: &str) {
    let text = format!("{what}\n{}", registers::text(vcpu));
    if let Err(error) = (&shared.log).write_all(text.as_bytes()) {
        tracing::warn!("the registers of a vCPU cannot be kept: {error}");
    }
}

/// Names the place in the guest too.
fn what_failed(shared: &Shared, vcpu: &VcpuFd, what: String) -> End {
    log(shared, vcpu, &what);
    let place = vcpu.get_regs().map_or_else(
        |error| format!("its registers cannot be read: {error}"),
        |regs| format!("at instruction {:#x}", regs.rip),
    );
    End::Failed(format!("{what}, {place}"))
}

/// Gives the signal that kicks a handler: only then does it make `KVM_RUN` return. The flag that
/// the handler raises is of no use to anyone.
fn install_kick() -> Result<(), KvmError> {
    static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
    let install = || {
        let flag = Arc::new(AtomicBool::new(false));
        let registered = signal_hook::flag::register(SIGRTMIN(), flag);
        registered
            .map(drop)
            .map_err(|error| error.raw_os_error().unwrap_or_default())
    };
    INSTALLED
        .get_or_init(install)
        .map_err(io::Error::from_raw_os_error)
        .map_err(KvmError::io("handle the signal that stops vCPUs"))
}

fn lock(vcpu: &Mutex<VcpuFd>) -> MutexGuard<'_, VcpuFd> {
    vcpu.lock().unwrap_or_else(PoisonError::into_inner)
}
