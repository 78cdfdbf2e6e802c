//! Tiny real-mode guests on whatever KVM there is. Where `/dev/kvm` does not open they are skipped,
//! and say so.

use std::io::Read;

use vm_memory::{Bytes, GuestAddress};

use super::*;
use crate::address::MIB;
use crate::debugger::{Halt, Point};
use crate::ram_store::RamBase;

/// Where guests' code is, and a word that they count in or store to.
const CODE: u64 = 0x8000;
const WORD: GuestAddress = GuestAddress(0x5000);
const LIMIT: Duration = Duration::from_secs(60);

pub(super) struct Guest {
    pub(super) kvm: Kvm,
    pub(super) ram: GuestRam,
    file: RamStore,
    pub(super) console: File,
    log: File,
}

/// A stopped guest with `vcpus` vCPUs, the first of them before `code`; `None` to skip.
pub(super) fn guest(vcpus: u32, code: &[u8]) -> Option<Guest> {
    let file = RamStore::in_process(64 * MIB, layout::slots(64 * MIB)).unwrap();
    let vm = match Vm::create(&file, vcpus) {
        Err(error @ (KvmError::Absent | KvmError::Permission | KvmError::Open(_))) => {
            eprintln!("skipped: {error}");
            return None;
        }
        result => result.unwrap(),
    };
    vm.memory().write_slice(code, GuestAddress(CODE)).unwrap();
    let console = tempfile::tempfile().unwrap();
    let log = tempfile::tempfile().unwrap();
    let files = [console.try_clone().unwrap(), log.try_clone().unwrap()];
    let fds = vm.create_vcpus(vcpus).unwrap();
    {
        let first = &fds[0];
        let mut sregs = first.get_sregs().unwrap();
        (sregs.cs.base, sregs.cs.selector) = (0, 0);
        // All of memory within reach of 32-bit addresses.
        (sregs.ds.limit, sregs.ds.g) = (u32::MAX, 1);
        first.set_sregs(&sregs).unwrap();
        let mut regs = first.get_regs().unwrap();
        (regs.rip, regs.rsp, regs.rflags) = (CODE, 0x7000, 2);
        first.set_regs(&regs).unwrap();
    }
    let kvm = Kvm::assemble(vm, fds, files, &PortsState::default());
    Some(Guest {
        kvm: kvm.unwrap(),
        ram: file.map().unwrap(),
        file,
        console,
        log,
    })
}

impl Guest {
    fn word(&self) -> u32 {
        self.ram.read_obj(WORD).unwrap()
    }

    /// Waits for the word to change.
    fn progress(&self) {
        let (start, until) = (self.word(), Instant::now() + LIMIT);
        while self.word() == start {
            assert!(Instant::now() < until, "the guest does nothing");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Runs to the end; returns it with all doorbell bytes.
    fn finish(&mut self) -> (Exit, Vec<u8>) {
        self.kvm.resume();
        let until = Instant::now() + LIMIT;
        let exit = loop {
            if let Some(exit) = self.kvm.wait(LIMIT, None, &self.ram).unwrap() {
                break exit;
            }
            assert!(Instant::now() < until, "no end, {}", self.kvm.exit_counts());
        };
        self.kvm.end().unwrap();
        (exit, std::iter::from_fn(|| self.kvm.take_bell()).collect())
    }
}

/// All that is in a file.
fn text(file: &mut File) -> String {
    let mut text = String::new();
    std::io::Seek::rewind(file).unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

/// Whether the CPU helps KVM to run guests; says so where it does not, and that KVM `lacks` something then.
fn cpu_helps(lacks: &str) -> bool {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let mut flags = cpu.split_ascii_whitespace();
    let helps = flags.any(|flag| matches!(flag, "vmx" | "svm"));
    if !helps {
        eprintln!("skipped: KVM without the CPU's help {lacks}");
    }
    helps
}

/// Counts in the word for ever.
const COUNT: &[u8] = &[0x66, 0xff, 0x06, 0x00, 0x50, 0xeb, 0xf9];

#[test]
fn doorbell_and_console_bytes_arrive_and_a_final_halt_is_power_off() {
    // mov dx, 0x2f8; "hi" -> dx; mov dx, 0x3f8; "c" -> dx; hlt
    let code = b"\xba\xf8\x02\xb0h\xee\xb0i\xee\xba\xf8\x03\xb0c\xee\xf4";
    let Some(mut guest) = guest(2, code) else {
        return;
    };
    assert_eq!(guest.finish(), (Exit::PowerOff, b"hi".to_vec()));
    assert_eq!(text(&mut guest.console), "c");
    let counts = guest.kvm.exit_counts();
    assert_eq!((counts.get("doorbell"), counts.get("console")), (2, 1));
}

#[test]
fn a_halt_with_interrupts_on_is_not_the_end() {
    // sti; hlt
    let Some(mut guest) = guest(1, b"\xfb\xf4\xeb\xfd") else {
        return;
    };
    guest.kvm.resume();
    let exit = guest
        .kvm
        .wait(Duration::from_millis(300), None, &guest.ram)
        .unwrap();
    assert_eq!(exit, None);
}

#[test]
fn a_busy_guest_is_not_stopped_to_be_asked_whether_it_halted() {
    let Some(mut guest) = guest(1, COUNT) else {
        return;
    };
    guest.kvm.resume();
    guest.progress();
    let limit = Duration::from_millis(600);
    assert_eq!(guest.kvm.wait(limit, None, &guest.ram).unwrap(), None);
    if guest.kvm.cpu_time().run < limit * 3 / 4 {
        eprintln!("skipped: the host had other things to do than to run the guest");
        return;
    }
    // Seven times without regard to what it does; the first times come too soon to know.
    let kicks = guest.kvm.exit_counts().get("kicked by the host");
    assert!(kicks <= 4, "{kicks} kicks");
}

#[test]
fn resets_and_a_panic_are_told_apart() {
    let mark_panic: &[u8] = b"\xc7\x06\x72\x04\x34\x12";
    let reset_control: &[u8] = b"\xba\xf9\x0c\xb0\x06\xee\xeb\xfe";
    let keyboard: &[u8] = b"\xb0\xfe\xe6\x64\xeb\xfe";
    for (code, expected) in [
        (reset_control.to_vec(), Exit::Reset),
        (keyboard.to_vec(), Exit::Reset),
        ([mark_panic, reset_control].concat(), Exit::Panic),
    ] {
        let Some(mut guest) = guest(2, &code) else {
            return;
        };
        assert_eq!(guest.finish().0, expected);
    }
}

#[test]
fn a_triple_fault_is_the_end() {
    if !cpu_helps("does not see triple faults in real mode") {
        return;
    }
    // lidt [0x6000], which is empty; int3
    let Some(mut guest) = guest(2, b"\x0f\x01\x1e\x00\x60\xcc") else {
        return;
    };
    assert_eq!(guest.finish().0, Exit::TripleFault);
    let log = text(&mut guest.log);
    assert!(log.starts_with("a vCPU had a triple fault\nrip "), "{log}");
}

#[test]
fn nothing_moves_while_the_machine_stands_still() {
    let Some(mut guest) = guest(2, COUNT) else {
        return;
    };
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(guest.word(), 0, "it runs too early");
    for _ in 0..50 {
        guest.kvm.resume();
        guest.progress();
        assert_eq!(guest.kvm.stop(&guest.ram).unwrap(), None);
        let before = guest.word();
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(guest.word(), before);
    }
    assert!(guest.kvm.cpu_time().run > Duration::ZERO);
}

#[test]
fn what_is_not_there_reads_as_ones_and_is_counted() {
    // in al, 0x99; mov [0x5000], al; out 0x99, al; mov al, [0xd0000000]; mov [0x5001], al;
    // mov [0xd0000000], al; hlt
    let code = b"\xe4\x99\xa2\x00\x50\xe6\x99\x67\xa0\x00\x00\x00\xd0\xa2\x01\x50\
        \x67\xa2\x00\x00\x00\xd0\xf4";
    let Some(mut guest) = guest(1, code) else {
        return;
    };
    assert_eq!(guest.finish().0, Exit::PowerOff);
    assert_eq!(guest.word(), 0xffff);
    let counts = guest.kvm.exit_counts();
    assert_eq!(
        (counts.get("other empty port"), counts.get("empty memory")),
        (2, 2)
    );
}

#[test]
fn a_storm_of_exits_can_be_stopped_and_ended() {
    // again: in al, 0x99; inc dword [0x5000]; jmp again
    let code = b"\xe4\x99\x66\xff\x06\x00\x50\xeb\xf7";
    let Some(mut guest) = guest(1, code) else {
        return;
    };
    guest.kvm.resume();
    guest.progress();
    guest.kvm.stop(&guest.ram).unwrap();
    // The access that was under way is finished: each exit has been followed by its count.
    assert!(guest.kvm.exit_counts().get("other empty port") - u64::from(guest.word()) <= 1);
    guest.kvm.resume();
    guest.kvm.end().unwrap();
    assert!(guest.kvm.exit_counts().total() > 0);
}

#[test]
fn exits_do_not_grow_with_what_the_guest_writes_to_memory() {
    let exits = |writes: u16| {
        let [low, high] = writes.to_le_bytes();
        // mov cx, writes; again: inc dword [0x5000]; loop again; mov dx, 0x2f8; out dx, al; hlt
        let count = [0xb9, low, high, 0x66, 0xff, 0x06, 0x00, 0x50, 0xe2, 0xf9];
        let mut guest = guest(1, &[&count[..], b"\xba\xf8\x02\xee\xf4"].concat())?;
        assert_eq!(guest.finish().0, Exit::PowerOff);
        assert_eq!(guest.word(), u32::from(writes));
        let counts = guest.kvm.exit_counts();
        Some(counts.total() - counts.get("kicked by the host"))
    };
    let Some(few) = exits(10) else { return };
    assert_eq!(exits(10_000), Some(few));
}

#[test]
fn a_guest_that_rings_without_end_is_ended() {
    // mov dx, 0x2f8; again: out dx, al; jmp again
    let Some(mut guest) = guest(1, b"\xba\xf8\x02\xee\xeb\xfd") else {
        return;
    };
    let (exit, bells) = guest.finish();
    assert!(matches!(exit, Exit::Stopped { state } if state.contains("unheard")));
    assert_eq!(bells.len(), 1 << 16);
}

#[test]
fn an_nmi_reaches_the_vcpu() {
    let Some(mut guest) = guest(1, COUNT) else {
        return;
    };
    let write = |at, bytes: &[u8]| {
        guest
            .file
            .write_all_at(&guest.ram, GuestAddress(at), bytes)
            .unwrap();
    };
    // Vector 2 leads to: mov dx, 0x2f8; mov al, 'N'; out dx, al; hlt
    write(8, &[0x00, 0x90, 0, 0]);
    write(0x9000, b"\xba\xf8\x02\xb0N\xee\xf4");
    guest.kvm.resume();
    guest.progress();
    guest.kvm.stop(&guest.ram).unwrap();
    guest.kvm.inject_nmi(0).unwrap();
    assert_eq!(guest.finish(), (Exit::PowerOff, b"N".to_vec()));
}

/// Two vCPUs, of which the first counts in a loop: `inc dword [0x5000]` at [`CODE`], then the jump back.
const JUMP: u64 = CODE + 5;

#[test]
fn one_vcpu_runs_to_a_breakpoint_again_and_again() {
    let Some(mut guest) = guest(2, COUNT) else {
        return;
    };
    guest.kvm.set_point(Point::Code(JUMP)).unwrap();
    for round in 1..5 {
        let halt = guest.kvm.run_one(0, LIMIT, false).unwrap();
        assert_eq!(halt, Some(Halt::Trap { vcpu: 0 }));
        assert_eq!(
            (guest.kvm.registers(0).unwrap().rip, guest.word()),
            (JUMP, round)
        );
        // The breakpoint would be met again at once.
        guest.kvm.step_one(0).unwrap();
        assert_eq!(guest.kvm.registers(0).unwrap().rip, CODE);
    }
    guest.kvm.clear_point(Point::Code(JUMP));
    let halt = guest
        .kvm
        .run_one(0, Duration::from_millis(50), false)
        .unwrap();
    assert_eq!(halt, None, "its time is over");
    let stands = guest.word();
    assert!(stands > 10);
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(guest.word(), stands);
    guest.kvm.resume();
    guest.progress();
}

#[test]
fn a_watchpoint_halts_behind_the_write() {
    if !cpu_helps("does not heed watchpoints in real mode") {
        return;
    }
    let Some(mut guest) = guest(1, COUNT) else {
        return;
    };
    let point = Point::Data {
        address: WORD.0,
        len: 4,
        access: crate::debugger::Access::Write,
    };
    guest.kvm.set_point(point).unwrap();
    for round in 1..4 {
        let halt = guest.kvm.run_one(0, LIMIT, false).unwrap();
        assert_eq!(
            halt,
            Some(Halt::Watch {
                vcpu: 0,
                address: WORD.0
            })
        );
        assert_eq!(
            (guest.kvm.registers(0).unwrap().rip, guest.word()),
            (JUMP, round)
        );
    }
}

#[test]
fn a_ring_halts_the_one_vcpu_unless_it_is_to_be_ignored() {
    // mov dx, 0x2f8; out dx, al; and again: out dx, al; jmp to itself
    let Some(mut guest) = guest(1, b"\xba\xf8\x02\xee\xee\xeb\xfe") else {
        return;
    };
    let halt = guest.kvm.run_one(0, LIMIT, false).unwrap();
    assert_eq!(halt, Some(Halt::Interrupted));
    let halt = guest
        .kvm
        .run_one(0, Duration::from_millis(50), true)
        .unwrap();
    assert_eq!((halt, guest.kvm.shared.ports.bells()), (None, 2));
}

#[test]
fn the_machine_s_end_and_a_step_that_cannot_be_made_are_told() {
    let Some(mut guest) = guest(1, b"\xf4") else {
        return;
    };
    guest.kvm.step_one(0).unwrap();
    if cpu_helps("wakes a vCPU that is to make a step") {
        let error = guest.kvm.step_one(0).unwrap_err();
        assert!(matches!(error, KvmError::NoStep { vcpu: 0 }), "{error}");
    }
    let error = guest.kvm.registers(1).unwrap_err();
    assert!(matches!(error, KvmError::NoVcpu { vcpu: 1 }), "{error}");
    let Some(mut guest) = self::guest(1, b"\xb0\xfe\xe6\x64\xeb\xfe") else {
        return;
    };
    assert_eq!(
        guest.kvm.run_one(0, LIMIT, false).unwrap(),
        Some(Halt::Gone)
    );
}

#[test]
fn a_fork_goes_on_where_the_image_was_taken() {
    let Some(mut first) = guest(2, COUNT) else {
        return;
    };
    first.kvm.resume();
    first.progress();
    first.kvm.stop(&first.ram).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    first.kvm.save(&path).unwrap();
    let state = State::parse(&std::fs::read(&path).unwrap(), 2).unwrap();
    let base = RamBase::create(64 * MIB, |into| {
        use std::os::unix::fs::FileExt;
        first
            .file
            .each_page_run(|at, run| into.write_all_at(run, at))
    })
    .unwrap();
    let counted = first.word();
    first.kvm.resume();
    first.progress();

    let mut spec = MachineSpec::on_kvm("k".into(), "i".into(), dir.path().to_owned());
    spec.vcpus = 2;
    for _ in 0..3 {
        let file = RamStore::fork(&base, layout::slots(64 * MIB)).unwrap();
        let console = tempfile::tempfile().unwrap();
        let kvm = Kvm::restore(&spec, &file, console.try_clone().unwrap(), &state).unwrap();
        let ram = file.map().unwrap();
        let log = tempfile::tempfile().unwrap();
        let mut fork = Guest {
            kvm,
            ram,
            file,
            console,
            log,
        };
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(
            fork.word(),
            counted,
            "it runs too early, or meets another fork"
        );
        fork.kvm.resume();
        fork.progress();
        assert_eq!(fork.kvm.stop(&fork.ram).unwrap(), None);
        assert!(fork.word() > counted);
    }
}

#[test]
fn a_state_that_kvm_does_not_take_is_an_error() {
    let Some(first) = guest(1, COUNT) else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    first.kvm.save(&path).unwrap();
    let text = std::fs::read(&path).unwrap();
    let mut state = State::parse(&text, 1).unwrap();
    // The upper half must be zero.
    state.vcpus[0].sregs.cr0 |= 1 << 63;
    let mut spec = MachineSpec::on_kvm("k".into(), "i".into(), dir.path().to_owned());
    spec.vcpus = 1;
    let console = tempfile::tempfile().unwrap();
    let error = Kvm::restore(&spec, &first.file, console, &state).unwrap_err();
    assert!(
        matches!(&error, KvmError::Io { action, .. } if action.contains("special")),
        "{error}"
    );
}

#[test]
fn ram_that_the_host_has_not_got_is_refused() {
    let error = check_available(1 << 60).unwrap_err();
    assert!(
        matches!(error, KvmError::NoMemory { asked_mib, .. } if asked_mib == 1 << 40),
        "{error:?}"
    );
    assert!(error.to_string().ends_with("ask for less"), "{error}");
    check_available(MIB).unwrap();
}

#[test]
fn nothing_is_left_of_a_machine() {
    let Some(guest) = guest(4, COUNT) else { return };
    let Guest {
        mut kvm, file, ram, ..
    } = guest;
    let region = vm_memory::GuestMemoryBackend::iter(file.for_guest().unwrap()).next();
    let mapping = Arc::downgrade(&region.unwrap().get_mmap());
    kvm.stop(&ram).unwrap();
    let tasks: Vec<_> = kvm.vcpus.iter().map(|v| v.tid().unwrap()).collect();
    kvm.resume();
    drop((ram, file));
    assert!(mapping.upgrade().is_some(), "the vCPUs still need it");
    drop(kvm);
    assert!(mapping.upgrade().is_none(), "guest RAM is left");
    for tid in tasks {
        let path = format!("/proc/self/task/{}", tid.as_raw_nonzero());
        assert!(!Path::new(&path).exists(), "{path} is left");
    }
}
