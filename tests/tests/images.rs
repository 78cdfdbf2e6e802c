//! Images and forks on a real kernel: forks do not meet, a damaged image is made again and never run.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use relaybed::run::{Plan, ReadyImage, Wish};
use relaybed_guest::{Cache, Terminal};
use relaybed_vmm::{Debugger, GuestAddress};

/// A wish whose image nobody else uses: no other test asks for so much memory.
fn wish(memory_mib: u32) -> Wish {
    Wish {
        memory_mib,
        ..relaybed_tests::wish()
    }
}

fn plan(memory_mib: u32) -> Plan {
    Plan::make(
        wish(memory_mib),
        &Cache::open(None).unwrap(),
        &Terminal::new(),
    )
    .unwrap()
}

/// The folders of the plan's image and of its forerunners, found by the size of their RAM.
fn folders(plan: &Plan, memory_mib: u64) -> Vec<PathBuf> {
    let images = fs::read_dir(plan.cache().root().join("image")).unwrap();
    images
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            fs::metadata(path.join("ram")).is_ok_and(|ram| ram.len() == memory_mib << 20)
        })
        .collect()
}

#[test]
fn forks_of_one_image_do_not_meet() {
    let plan = plan(258);
    let image = ReadyImage::obtain(&plan, 2, &Terminal::new()).unwrap();
    let logs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut one = image.fork(&plan, logs[0].path()).unwrap();
    let mut other = image.fork(&plan, logs[1].path()).unwrap();

    // The mailbox's first word, which every request depends on.
    let at = GuestAddress(image.mailbox());
    let before: u64 = other.ram().read_obj(at).unwrap();
    let mut paused = one.pause().unwrap();
    paused.write_all_at(at, &(!before).to_le_bytes()).unwrap();
    paused.resume().unwrap();
    assert_eq!(one.ram().read_obj::<u64>(at).unwrap(), !before);
    one.kill().unwrap();
    assert_eq!(other.ram().read_obj::<u64>(at).unwrap(), before);
    // The other one goes on as if nothing had been.
    other.pause().unwrap().resume().unwrap();
    assert_eq!(other.exit(), None);
    let logs = tempfile::tempdir().unwrap();
    let third = image.fork(&plan, logs.path()).unwrap();
    assert_eq!(third.ram().read_obj::<u64>(at).unwrap(), before);
}

#[test]
fn a_damaged_image_is_made_again() {
    let plan = plan(262);
    let progress = Terminal::new();
    let first = ReadyImage::obtain(&plan, 2, &progress).unwrap();
    for folder in folders(&plan, 262) {
        let ram = fs::File::options()
            .write(true)
            .open(folder.join("ram"))
            .unwrap();
        // Nothing but the bytes tells.
        let written = ram.metadata().unwrap().modified().unwrap();
        ram.write_all_at(b"a bit of rot", 0x0100_0000).unwrap();
        ram.set_modified(written).unwrap();
    }
    let second = ReadyImage::obtain(&plan, 2, &progress).unwrap();
    assert!(
        (first.boot_ms() - second.boot_ms()).abs() > f64::EPSILON,
        "the damaged image was used again"
    );
    let third = ReadyImage::obtain(&plan, 2, &progress).unwrap();
    assert!(
        (third.boot_ms() - second.boot_ms()).abs() < f64::EPSILON,
        "the whole image was not used"
    );
    let logs = tempfile::tempdir().unwrap();
    let mut machine = third.fork(&plan, logs.path()).unwrap();
    machine.pause().unwrap().resume().unwrap();
}

/// All of RAM below 1 MiB's legacy hole and above it, as one number.
fn sum(debugger: &mut Debugger<'_>, memory_mib: usize) -> u64 {
    let still = debugger.paused().unwrap().still();
    let mut hash = DefaultHasher::new();
    for (start, end) in [(0, 0xa_0000), (0x10_0000, memory_mib << 20)] {
        hash.write(
            still
                .slice(GuestAddress(start as u64), end - start)
                .unwrap(),
        );
    }
    hash.finish()
}

#[test]
fn one_vcpu_runs_while_the_other_stands() {
    let plan = Plan::make(
        Wish {
            debug: true,
            ..wish(266)
        },
        &Cache::open(None).unwrap(),
        &Terminal::new(),
    )
    .unwrap();
    let image = ReadyImage::obtain(&plan, 2, &Terminal::new()).unwrap();
    let logs = tempfile::tempdir().unwrap();
    let mut machine = image.fork(&plan, logs.path()).unwrap();
    let mut debugger = machine.pause().unwrap().debug().unwrap();
    let before = sum(&mut debugger, 266);
    assert_eq!(
        sum(&mut debugger, 266),
        before,
        "a guest that stands changed its memory"
    );

    // An idle guest waits for its timers: one of its vCPUs has one to serve soon, and it works alone.
    let mut worked = false;
    for vcpu in [0, 1] {
        let (other, memory) = (1 - vcpu, sum(&mut debugger, 266));
        let stood = debugger.registers(other).unwrap();
        debugger.run(vcpu, Duration::from_secs(1)).unwrap();
        assert_eq!(
            debugger.registers(other).unwrap(),
            stood,
            "vCPU {other} ran"
        );
        worked |= sum(&mut debugger, 266) != memory;
    }
    assert!(worked, "no vCPU ran alone");

    debugger.release().unwrap().resume().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    machine.pause().unwrap().resume().unwrap();
    assert_eq!(machine.exit(), None);
}
