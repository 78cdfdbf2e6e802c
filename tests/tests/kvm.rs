//! Our own backend with a real kernel: images, forks, control of single vCPUs. Where KVM cannot run one, these are
//! skipped and say so; `nest.rs` runs them in the nest, where it can.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::fs;
use std::mem::offset_of;
use std::path::PathBuf;
use std::time::Duration;

use relaybed::run::{BackendWish, Plan, PlanError, ReadyImage, Wish};
use relaybed_abi::Header;
use relaybed_guest::{Cache, Terminal};
use relaybed_vmm::probe::AccelRequest;
use relaybed_vmm::{Access, Debugger, GuestAddress, Halted, Image, ImageError};

/// Long enough for anything that is sure to come, on a host that has other things to do.
const LONG: Duration = Duration::from_secs(60);
/// Start of the kernel's own map of all RAM, without address randomisation.
const DIRECT_MAP: u64 = 0xffff_8880_0000_0000;
/// RAM of the machines, which tells their image from other tests'.
const MEMORY_MIB: u32 = 250;

/// The plan of these tests, or `None` to skip.
#[expect(clippy::print_stdout, reason = "what is skipped shall be seen")]
fn plan() -> Option<Plan> {
    let wish = Wish {
        memory_mib: MEMORY_MIB,
        backend: BackendWish::Kvm,
        accel: AccelRequest::Kvm,
        deadline: Duration::from_secs(120),
        patience: relaybed::run::PATIENCE,
        debug: true,
        ..relaybed_tests::wish()
    };
    match Plan::make(wish, &Cache::open(None).unwrap(), &Terminal::new()) {
        Err(PlanError::NoKvm(reason)) => {
            println!("skipped: {reason}");
            None
        }
        plan => Some(plan.unwrap()),
    }
}

/// The folder of the plan's image, found by the size of its RAM.
fn folder(plan: &Plan) -> PathBuf {
    let images = fs::read_dir(plan.cache().root().join("image")).unwrap();
    let mut folders = images.map(|entry| entry.unwrap().path());
    let size = u64::from(MEMORY_MIB) << 20;
    let of_size =
        |path: &PathBuf| fs::metadata(path.join("ram")).is_ok_and(|ram| ram.len() == size);
    folders.find(of_size).unwrap()
}

#[test]
fn forks_do_not_meet_and_an_image_of_another_host_is_refused() {
    let Some(plan) = plan() else { return };
    let image = ReadyImage::obtain(&plan, 2, &Terminal::new()).unwrap();
    let logs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let mut one = image.fork(&plan, logs[0].path()).unwrap();
    let mut other = image.fork(&plan, logs[1].path()).unwrap();
    let at = GuestAddress(image.mailbox());
    let before: u64 = other.ram().read_obj(at).unwrap();
    let mut paused = one.pause().unwrap();
    paused.write_all_at(at, &(!before).to_le_bytes()).unwrap();
    drop(paused);
    assert_eq!(one.ram().read_obj::<u64>(at).unwrap(), !before);
    one.kill().unwrap();
    assert_eq!(other.ram().read_obj::<u64>(at).unwrap(), before);
    // What ran is not what was saved, but it can be saved too, and forked again.
    other.pause().unwrap().resume().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let again = tempfile::tempdir().unwrap();
    let (identity, spec) = (plan.identity(), plan.spec(logs[2].path(), 2));
    let mut paused = other.pause().unwrap();
    paused.snapshot(again.path(), &identity, "later").unwrap();
    paused.resume().unwrap();
    let later = Image::open(again.path(), &spec, &identity).unwrap();
    let mut fork = later.fork(spec.clone()).unwrap();
    fork.pause().unwrap().resume().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    fork.pause().unwrap().resume().unwrap();
    assert_eq!((later.note(), fork.exit()), ("later", None));

    let manifest = again.path().join("image.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let (start, rest) = text.split_once("\"host\": \"").unwrap();
    fs::write(
        &manifest,
        format!("{start}\"host\": \"{}", rest.replacen(|c| c != 'x', "x", 1)),
    )
    .unwrap();
    let error = Image::open(again.path(), &spec, &identity).unwrap_err();
    assert!(
        matches!(error, ImageError::Other { what, .. } if what.starts_with("its host")),
        "{error}"
    );
    assert!(folder(&plan).join("image.json").exists());
}

/// Runs `vcpu` to where a breakpoint is; the other one must not have moved.
fn run_alone(debugger: &mut Debugger<'_>, vcpu: u32) -> Halted {
    let stood = debugger.registers(1 - vcpu).unwrap();
    let halted = debugger.run(vcpu, LONG).unwrap();
    assert_eq!(debugger.registers(1 - vcpu).unwrap(), stood, "both ran");
    halted
}

#[test]
fn one_vcpu_runs_to_a_function_while_the_other_stands() {
    let Some(plan) = plan() else { return };
    let image = ReadyImage::obtain(&plan, 2, &Terminal::new()).unwrap();
    let symbols = plan.symbols(&image, &Terminal::new()).unwrap();
    let named = |name: &str| *symbols.named(name).first().unwrap();
    let logs = tempfile::tempdir().unwrap();
    let mut machine = image.fork(&plan, logs.path()).unwrap();
    let mut debugger = machine.pause().unwrap().debug().unwrap();

    // A guest that waits for requests wakes up by a timer to look for one.
    let tick = named("hrtimer_interrupt");
    debugger.set_breakpoint(tick).unwrap();
    let halted = Halted::Breakpoint { address: tick };
    let ticks = first_to(&mut debugger, halted);
    for _ in 0..3 {
        assert_eq!(run_alone(&mut debugger, ticks), halted);
        assert_eq!(debugger.registers(ticks).unwrap().rip, tick);
    }
    debugger.step(ticks).unwrap();
    let after = debugger.registers(ticks).unwrap().rip;
    assert!(
        after > tick && after < symbols.end(tick),
        "{after:#x} after {tick:#x}"
    );
    debugger.clear_breakpoint(tick).unwrap();

    // Its looks at the request are reads of a word that the host knows the place of.
    let address = DIRECT_MAP + image.mailbox() + offset_of!(Header, request_seq) as u64;
    debugger.set_watchpoint(address, 4, Access::Any).unwrap();
    let halted = Halted::Watchpoint { address };
    for _ in 0..2 {
        // Whoever wakes up may be sent to the vCPU that stands, if that one idles.
        let looks = first_to(&mut debugger, halted);
        let at = debugger.registers(looks).unwrap().rip;
        let (place, _) = symbols.at(at).unwrap();
        assert!(place.starts_with("bed_"), "{place} reads the request");
    }
    debugger.clear_watchpoint(address, 4, Access::Any).unwrap();

    for point in 0..4 {
        debugger.set_breakpoint(tick + point).unwrap();
    }
    let error = debugger.set_breakpoint(tick + 4).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("clear one first"), "{source}");

    // Without points both go on as if nothing had been.
    debugger.release().unwrap().resume().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    machine.pause().unwrap().resume().unwrap();
    assert_eq!(machine.exit(), None);
}

/// The vCPU that halts so when it is let go: the other one may sleep for long.
fn first_to(debugger: &mut Debugger<'_>, halted: Halted) -> u32 {
    let turns = [0, 1].repeat(10);
    let mut turns = turns.into_iter();
    let budget = Duration::from_secs(2);
    let first = turns.find(|vcpu| debugger.run(*vcpu, budget).unwrap() == halted);
    first.unwrap()
}
