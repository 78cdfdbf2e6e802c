//! The probe's guest: a program in long mode and the memory it runs in.

use std::arch::global_asm;

use kvm_bindings::{kvm_dtable, kvm_regs, kvm_segment, kvm_sregs};

/// Size of the guest's memory: one large page, mapped one to one.
pub(super) const MEMORY_SIZE: usize = 2 << 20;
/// The guest reports each stage it has passed by writing its number to this port.
pub(super) const PORT: u16 = 0x3f8;
/// Rounds of the timed loop.
pub(super) const LOOPS: u64 = 8_000_000;
/// Changes of the address space.
pub(super) const SWITCHES: u64 = 200;

/// Stages that the guest reports, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The first instruction in long mode ran.
    LongMode = 1,
    /// The timed loop ran.
    Loop = 2,
    /// The address space was changed `SWITCHES` times.
    Switches = 3,
    /// An exception came through the guest's table and returned.
    Exception = 4,
}

impl Stage {
    /// All of them, in order.
    pub(super) const ALL: [Self; 4] = [Self::LongMode, Self::Loop, Self::Switches, Self::Exception];
}

const CODE: u64 = 0x1000;
const IDT: u64 = 0x5000;
const GDT: u64 = 0x6000;
const STACK_TOP: u64 = 0x9000;
const PML4: u64 = 0x1_0000;
const PDPT: u64 = 0x1_1000;
const PD: u64 = 0x1_2000;
const CODE_SELECTOR: u16 = 8;
const DATA_SELECTOR: u16 = 16;
const TASK_SELECTOR: u16 = 24;
/// Invalid opcode.
const UD_VECTOR: u64 = 6;

const CR0_PE: u64 = 1;
const CR0_ET: u64 = 1 << 4;
const CR0_NE: u64 = 1 << 5;
const CR0_WP: u64 = 1 << 16;
const CR0_PG: u64 = 1 << 31;
const CR4_PAE: u64 = 1 << 5;
const EFER_LME: u64 = 1 << 8;
const EFER_LMA: u64 = 1 << 10;
const PRESENT_WRITABLE: u64 = 0b11;
const LARGE_PAGE: u64 = 1 << 7;

// Never executed in this process: copied into the guest. Position-independent.
// rsi = rounds, rdi = switches, dx = port.
global_asm!(
    ".pushsection .rodata.relaybed_probe, \"a\"",
    ".globl relaybed_probe_start",
    ".globl relaybed_probe_handler",
    ".globl relaybed_probe_end",
    "relaybed_probe_start:",
    "mov al, 1",
    "out dx, al",
    "2: dec rsi",
    "jnz 2b",
    "mov al, 2",
    "out dx, al",
    "3: mov rax, cr3",
    "mov cr3, rax",
    "dec rdi",
    "jnz 3b",
    "mov al, 3",
    "out dx, al",
    "ud2",
    "mov al, 4",
    "out dx, al",
    "hlt",
    // The exception's frame is on the stack; its first word is the address of ud2's two bytes.
    "relaybed_probe_handler:",
    "add qword ptr [rsp], 2",
    "iretq",
    "relaybed_probe_end:",
    ".popsection",
);

unsafe extern "C" {
    static relaybed_probe_start: u8;
    static relaybed_probe_handler: u8;
    static relaybed_probe_end: u8;
}

/// The program's bytes and the offset of its exception handler.
fn program() -> (&'static [u8], u64) {
    let start = &raw const relaybed_probe_start;
    let end = &raw const relaybed_probe_end;
    let handler = &raw const relaybed_probe_handler;
    let len = end.addr() - start.addr();
    // SAFETY: the assembler's labels are the only way to the program's bytes; they are in one
    // section in this order, so `start..end` is initialised, constant and mapped for ever.
    let bytes = unsafe { std::slice::from_raw_parts(start, len) };
    (bytes, (handler.addr() - start.addr()) as u64)
}

/// What memory holds at the start: pairs of guest address and bytes.
pub(super) fn memory_image() -> Vec<(u64, Vec<u8>)> {
    let (program, handler_offset) = program();
    let words = |words: &[u64]| {
        words
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let handler = CODE + handler_offset;
    // A present 64-bit interrupt gate; the handler's address fits its lowest part.
    let gate = handler | u64::from(CODE_SELECTOR) << 16 | 0x8e00 << 32;
    vec![
        (CODE, program.to_vec()),
        (IDT + UD_VECTOR * 16, words(&[gate, 0])),
        // Null, 64-bit code, data.
        (
            GDT,
            words(&[0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff]),
        ),
        (PML4, words(&[PDPT | PRESENT_WRITABLE])),
        (PDPT, words(&[PD | PRESENT_WRITABLE])),
        (PD, words(&[PRESENT_WRITABLE | LARGE_PAGE])),
    ]
}

/// General registers at the start.
pub(super) fn registers() -> kvm_regs {
    kvm_regs {
        rip: CODE,
        rsp: STACK_TOP,
        rflags: 2,
        rsi: LOOPS,
        rdi: SWITCHES,
        rdx: u64::from(PORT),
        ..kvm_regs::default()
    }
}

/// Turns the reset state of the special registers into long mode with paging.
pub(super) fn enter_long_mode(sregs: &mut kvm_sregs) {
    let segment = |selector, type_, l, s| kvm_segment {
        limit: 0xf_ffff,
        selector,
        type_,
        present: 1,
        s,
        l,
        db: 1 - l,
        g: 1,
        ..kvm_segment::default()
    };
    sregs.cs = segment(CODE_SELECTOR, 11, 1, 1);
    let data = segment(DATA_SELECTOR, 3, 0, 1);
    (sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss) = (data, data, data, data, data);
    // Hardware wants a busy 64-bit task segment, used or not.
    sregs.tr = kvm_segment {
        db: 0,
        g: 0,
        limit: 0x67,
        ..segment(TASK_SELECTOR, 11, 0, 0)
    };
    sregs.gdt = kvm_dtable {
        base: GDT,
        limit: 23,
        ..kvm_dtable::default()
    };
    sregs.idt = kvm_dtable {
        base: IDT,
        limit: 0xfff,
        ..kvm_dtable::default()
    };
    sregs.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    sregs.cr3 = PML4;
    sregs.cr4 = CR4_PAE;
    sregs.efer = EFER_LME | EFER_LMA;
}

/// The same loop on the host, to compare with.
pub(super) fn host_loop(rounds: u64) {
    // SAFETY: assembly so that the compiler cannot change the loop that is timed; it uses one
    // register, given to it as in-out, touches no memory and no stack, and `rounds` is not zero.
    unsafe {
        std::arch::asm!(
            "2: dec {n}",
            "jnz 2b",
            n = inout(reg) rounds.max(1) => _,
            options(nomem, nostack)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_fits_and_does_not_overlap() {
        let mut image = memory_image();
        image.sort_by_key(|(at, _)| *at);
        for pair in image.windows(2) {
            assert!(pair[0].0 + pair[0].1.len() as u64 <= pair[1].0);
        }
        let (at, bytes) = image.last().unwrap();
        assert!(usize::try_from(*at).unwrap() + bytes.len() <= MEMORY_SIZE);
    }

    #[test]
    fn the_program_is_the_one_written_above() {
        let (program, handler) = program();
        assert_eq!(program[..3], [0xb0, 1, 0xee]);
        assert_eq!(
            program[usize::try_from(handler).unwrap() - 1],
            0xf4,
            "hlt before the handler"
        );
        assert_eq!(
            program[program.len() - 2..],
            [0x48, 0xcf],
            "iretq at the end"
        );
    }
}
