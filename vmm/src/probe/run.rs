//! Runs the probe's guest on the real `/dev/kvm`, within a bounded time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
use vm_memory::mmap::MmapRegion;
use vm_memory::{Bytes, VolatileMemory};
use vmm_sys_util::signal::{Killable, SIGRTMIN};

use super::guest::{self, LOOPS, MEMORY_SIZE, PORT, Stage};
use super::judgement::{Defect, Measured, judge};

/// How long the guest may run on a host of ordinary speed. Real hardware takes under 50 ms.
const RUN_LIMIT: Duration = Duration::from_millis(600);
/// How long a kicked vCPU may take to come out of the guest, on such a host.
const KICK_LIMIT: Duration = Duration::from_millis(300);
/// What a slow host, an emulated one say, is given beyond that, in times that it takes for the
/// guest's loop: both vCPUs run it once, and the rest is less.
const RUN_LIMIT_LOOPS: u32 = 20;
const KICK_LIMIT_LOOPS: u32 = 5;
/// How often a guest that did everything, but too slowly, is tried: a busy host makes a guest slower
/// than itself only by chance, KVM does so each time. It is over in a moment, or it is not such a guest.
const ATTEMPTS: u32 = 3;
/// vCPUs that are tried.
const VCPUS: u64 = 2;

/// What is known about this host's KVM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvmProbe {
    /// A stock kernel can be expected to run.
    pub usable: bool,
    /// The figures, or why not.
    pub reason: String,
    /// How long the probe took.
    pub elapsed: Duration,
}

/// Probes `/dev/kvm`. Takes less than a second, also when KVM hangs; longer only on a host so slow
/// that the guest's loop takes it more than some 10 ms.
pub fn kvm() -> KvmProbe {
    let start = Instant::now();
    let result = probe();
    KvmProbe {
        usable: result.is_ok(),
        reason: result.unwrap_or_else(|reason| reason),
        elapsed: start.elapsed(),
    }
}

fn probe() -> Result<String, String> {
    let kvm = Arc::new(
        Kvm::new().map_err(|e| match std::io::Error::from(e).kind() {
            std::io::ErrorKind::NotFound => "there is no /dev/kvm".to_owned(),
            std::io::ErrorKind::PermissionDenied => {
                "no permission to open /dev/kvm (usually: join the group kvm)".to_owned()
            }
            _ => format!("cannot open /dev/kvm: {e}"),
        })?,
    );
    handle_kicks()?;
    for _ in 1..ATTEMPTS {
        match attempt(&kvm)? {
            Err(Defect::Slow(_)) => {}
            result => return result.map_err(text),
        }
    }
    attempt(&kvm)?.map_err(text)
}

fn text(defect: Defect) -> String {
    let (Defect::Broken(text) | Defect::Slow(text)) = defect;
    text
}

/// Runs the guest once and judges it; the outer error is that of a KVM that cannot run it at all.
fn attempt(kvm: &Arc<Kvm>) -> Result<Result<String, Defect>, String> {
    let kvm = Arc::clone(kvm);
    let host_loop = time_host_loop();
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, results) = mpsc::channel();
    let stopped = Arc::clone(&stop);
    let runner = std::thread::Builder::new()
        .name("relaybed-kvm-probe".into())
        .spawn(move || drop(sender.send(run_all(&kvm, host_loop, &stopped))))
        .map_err(|e| format!("cannot start a thread for the probe: {e}"))?;
    let run_limit = RUN_LIMIT + host_loop.saturating_mul(RUN_LIMIT_LOOPS);
    let kick_limit = KICK_LIMIT + host_loop.saturating_mul(KICK_LIMIT_LOOPS);
    let result = match results.recv_timeout(run_limit) {
        Err(RecvTimeoutError::Timeout) => {
            stop.store(true, Ordering::SeqCst);
            kick(&runner, &results, kick_limit)
        }
        result => result.ok(),
    };
    // A runner that ignores the kick is left to itself: waiting for it would be the hang that the
    // probe is here to prevent.
    let measured =
        result.ok_or_else(|| "a vCPU does not leave the guest when asked to".to_owned())??;
    let figures: Result<Vec<String>, Defect> = measured
        .iter()
        .enumerate()
        .map(|(cpu, m)| judge(cpu, m))
        .collect();
    Ok(figures.map(|figures| figures.join("; ")))
}

type RunResult = Result<Vec<Measured>, String>;

/// Signals the runner until it answers. More than once, as a signal may come just before
/// the vCPU enters the guest.
fn kick(
    runner: &std::thread::JoinHandle<()>,
    results: &mpsc::Receiver<RunResult>,
    limit: Duration,
) -> Option<RunResult> {
    let until = Instant::now() + limit;
    while Instant::now() < until {
        if let Err(error) = runner.kill(SIGRTMIN()) {
            tracing::debug!("cannot signal the probe's thread: {error}");
        }
        if let Ok(result) = results.recv_timeout(Duration::from_millis(10)) {
            return Some(result);
        }
    }
    None
}

/// A signal makes `KVM_RUN` return, if it has a handler.
fn handle_kicks() -> Result<(), String> {
    // SAFETY: only a handler can make `KVM_RUN` return; this one does nothing at all, so it
    // is async-signal-safe.
    unsafe { signal_hook::low_level::register(SIGRTMIN(), || ()) }
        .map(drop)
        .map_err(|e| format!("cannot handle the signal that interrupts a vCPU: {e}"))
}

/// CPU time of this thread, the guest's included. Wall time would blame KVM for a busy host.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// The best of three.
fn time_host_loop() -> Duration {
    let time = |_| {
        let start = cpu_time();
        guest::host_loop(LOOPS);
        cpu_time() - start
    };
    (0..3).map(time).min().unwrap_or_default()
}

/// Runs the guest's program on one vCPU after the other of one machine.
fn run_all(kvm: &Kvm, host_loop: Duration, stop: &AtomicBool) -> RunResult {
    let fail = |what: &'static str| move |e: kvm_ioctls::Error| format!("cannot {what}: {e}");
    let memory = MmapRegion::<()>::new(MEMORY_SIZE)
        .map_err(|e| format!("cannot map memory for the guest: {e}"))?;
    let vm = kvm.create_vm().map_err(fail("create a machine"))?;
    vm.set_tss_address(0xfffb_d000)
        .map_err(fail("place KVM's own task segment"))?;
    for (address, bytes) in guest::memory_image() {
        let at = usize::try_from(address).map_err(|e| e.to_string())?;
        memory
            .as_volatile_slice()
            .write_slice(&bytes, at)
            .map_err(|e| format!("cannot fill the guest's memory: {e}"))?;
    }
    let region = kvm_userspace_memory_region {
        slot: 0,
        flags: 0,
        guest_phys_addr: 0,
        memory_size: MEMORY_SIZE as u64,
        userspace_addr: memory.as_ptr().addr() as u64,
    };
    // SAFETY: a guest needs memory of ours; the mapping is private to this function, exactly as
    // long as the region says, and outlives the machine, which is dropped before it.
    unsafe { vm.set_user_memory_region(region) }.map_err(fail("give the guest its memory"))?;
    let mut measured = Vec::new();
    for cpu in 0..VCPUS {
        let mut vcpu = make_vcpu(kvm, &vm, cpu)?;
        measured.push(run_one(&mut vcpu, host_loop, stop));
    }
    drop(vm);
    Ok(measured)
}

fn make_vcpu(kvm: &Kvm, vm: &VmFd, cpu: u64) -> Result<VcpuFd, String> {
    let fail = |what: &'static str| move |e: kvm_ioctls::Error| format!("cannot {what}: {e}");
    let vcpu = vm.create_vcpu(cpu).map_err(fail("create a vCPU"))?;
    let cpuid = kvm
        .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
        .map_err(fail("ask for CPU features"))?;
    vcpu.set_cpuid2(&cpuid)
        .map_err(fail("set a vCPU's features"))?;
    let mut sregs = vcpu.get_sregs().map_err(fail("read a vCPU's state"))?;
    guest::enter_long_mode(&mut sregs);
    vcpu.set_sregs(&sregs)
        .map_err(fail("put a vCPU into long mode"))?;
    vcpu.set_regs(&guest::registers())
        .map_err(fail("set a vCPU's registers"))?;
    Ok(vcpu)
}

fn run_one(vcpu: &mut VcpuFd, host_loop: Duration, stop: &AtomicBool) -> Measured {
    let mut measured = Measured {
        host_loop,
        ..Measured::default()
    };
    let start = cpu_time();
    while !stop.load(Ordering::SeqCst) {
        let unexpected = match vcpu.run() {
            Ok(VcpuExit::IoOut(PORT, &[byte])) if is_next_stage(byte, &measured) => {
                measured.stages.push(cpu_time() - start);
                continue;
            }
            Ok(VcpuExit::Hlt) => return measured,
            Err(e) if e.errno() == rustix::io::Errno::INTR.raw_os_error() => continue,
            Ok(exit) => format!("it left the guest with {exit:?}"),
            Err(e) => format!("it cannot be run: {e}"),
        };
        measured.stopped_by = Some(unexpected);
        return measured;
    }
    let left = vcpu.get_regs().map_or(LOOPS, |regs| regs.rsi.min(LOOPS));
    let done = LOOPS - left;
    measured.stopped_by = Some(format!(
        "{done} rounds in {:.1?} of CPU time, where the host takes {host_loop:.1?} for all of them",
        cpu_time() - start
    ));
    measured
}

fn is_next_stage(byte: u8, measured: &Measured) -> bool {
    Stage::ALL
        .get(measured.stages.len())
        .is_some_and(|&stage| stage as u8 == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_ends_in_under_a_second_with_a_reason() {
        let probe = kvm();
        assert!(probe.elapsed < Duration::from_millis(1500), "{probe:?}");
        assert!(!probe.reason.is_empty());
    }

    #[test]
    fn the_probe_can_be_repeated() {
        let (first, second) = (kvm(), kvm());
        assert_eq!(first.usable, second.usable, "{first:?} {second:?}");
    }
}
