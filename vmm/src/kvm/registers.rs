//! The first vCPU's state at the kernel's 64-bit entry, and the tables behind it.
//!
//! As the kernel's boot protocol asks: long mode, flat segments with selectors 0x10 and 0x18, the
//! low memory mapped one to one, interrupts off, the zero page's address in RSI.

use kvm_bindings::{Msrs, kvm_msr_entry, kvm_regs, kvm_segment, kvm_sregs};
use kvm_ioctls::VcpuFd;

use super::KvmError;
use super::layout::{GDT, GDT_ENTRIES, IDENTITY_MAPPED, PD, PDPT, PML4, STACK_TOP, ZERO_PAGE};
use crate::address::MIB;
use crate::debugger::Registers;

/// Selectors of the boot protocol (`__BOOT_CS`, `__BOOT_DS`).
const CODE_SELECTOR: u16 = 0x10;
const DATA_SELECTOR: u16 = 0x18;
/// Flat descriptors: 64-bit code, data.
const CODE_DESCRIPTOR: u64 = 0x00af_9b00_0000_ffff;
const DATA_DESCRIPTOR: u64 = 0x00cf_9300_0000_ffff;

/// CR0: protected mode, extension type, paging.
const CR0: u64 = 0x8000_0011;
/// CR4: physical address extension.
const CR4: u64 = 0x20;
/// EFER: long mode enabled and active.
const EFER: u64 = 0x500;
/// RFLAGS with nothing set but the bit that always is.
const RFLAGS: u64 = 2;

/// Page table bits: present and writable, and a large page.
const TABLE: u64 = 0b11;
const LARGE_PAGE: u64 = 0b1000_0011;

/// MSRs that firmware would have set: fast string operations; memory is write-back by default.
const IA32_MISC_ENABLE: u32 = 0x1a0;
const FAST_STRINGS: u64 = 1;
const MTRR_DEF_TYPE: u32 = 0x2ff;
const MTRRS_ON_WRITE_BACK: u64 = (1 << 11) | 6;

/// What goes into memory: address and little-endian words.
pub(super) fn tables() -> Vec<(u64, Vec<u64>)> {
    let directory = (0..IDENTITY_MAPPED / (2 * MIB)).map(|n| (n * 2 * MIB) | LARGE_PAGE);
    vec![
        (GDT, vec![0, 0, CODE_DESCRIPTOR, DATA_DESCRIPTOR]),
        (PML4, vec![PDPT | TABLE]),
        (PDPT, vec![PD | TABLE]),
        (PD, directory.collect()),
    ]
}

/// Puts a vCPU before the kernel's first instruction, `entry`.
pub(super) fn enter(vcpu: &VcpuFd, entry: u64) -> Result<(), KvmError> {
    let mut sregs = vcpu
        .get_sregs()
        .map_err(KvmError::io("read a vCPU's registers"))?;
    special(&mut sregs);
    vcpu.set_sregs(&sregs)
        .and_then(|()| vcpu.set_regs(&general(entry)))
        .map_err(KvmError::io("set a vCPU's registers"))
}

/// General registers for a kernel entered at `entry`.
fn general(entry: u64) -> kvm_regs {
    kvm_regs {
        rip: entry,
        rsi: ZERO_PAGE,
        rsp: STACK_TOP,
        rbp: STACK_TOP,
        rflags: RFLAGS,
        ..Default::default()
    }
}

/// Changes the special registers from those after reset to those of the entry.
fn special(sregs: &mut kvm_sregs) {
    let code = kvm_segment {
        base: 0,
        limit: u32::MAX,
        selector: CODE_SELECTOR,
        type_: 0xb,
        present: 1,
        s: 1,
        l: 1,
        g: 1,
        ..Default::default()
    };
    let data = kvm_segment {
        selector: DATA_SELECTOR,
        type_: 3,
        l: 0,
        db: 1,
        ..code
    };
    sregs.cs = code;
    (sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss) = (data, data, data, data, data);
    sregs.gdt.base = GDT;
    sregs.gdt.limit = GDT_LIMIT;
    sregs.idt.base = 0;
    sregs.idt.limit = 0;
    sregs.cr0 = CR0;
    sregs.cr3 = PML4;
    sregs.cr4 = CR4;
    sregs.efer = EFER;
}

const GDT_LIMIT: u16 = 8 * GDT_ENTRIES - 1;

/// Model-specific registers for every vCPU; `None` never happens for so few.
pub(super) fn msrs() -> Option<Msrs> {
    let entry = |index, data| kvm_msr_entry {
        index,
        data,
        ..Default::default()
    };
    Msrs::from_entries(&[
        entry(IA32_MISC_ENABLE, FAST_STRINGS),
        entry(MTRR_DEF_TYPE, MTRRS_ON_WRITE_BACK),
    ])
    .ok()
}

/// The registers that both backends know.
pub(super) fn common(regs: &kvm_regs) -> Registers {
    let kvm_regs {
        rax,
        rbx,
        rcx,
        rdx,
        rsi,
        rdi,
        rsp,
        rbp,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rip,
        rflags,
    } = *regs;
    Registers {
        general: [
            rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15,
        ],
        rip,
        eflags: u32::try_from(rflags & u64::from(u32::MAX)).unwrap_or_default(),
    }
}

/// The registers that show where a vCPU is and what it was doing, as lines for a log.
pub(super) fn text(vcpu: &VcpuFd) -> String {
    let all = vcpu
        .get_regs()
        .and_then(|regs| Ok((regs, vcpu.get_sregs()?, vcpu.get_vcpu_events()?)));
    let (regs, sregs, events) = match all {
        Ok(all) => all,
        Err(error) => return format!("its registers cannot be read: {error}\n"),
    };
    let kvm_regs {
        rax,
        rbx,
        rcx,
        rdx,
        rsi,
        rdi,
        rsp,
        rbp,
        rip,
        rflags,
        ..
    } = regs;
    let (cs, ss) = (sregs.cs.selector, sregs.ss.selector);
    let (fs, gs) = (sregs.fs.base, sregs.gs.base);
    let kvm_sregs {
        cr0,
        cr2,
        cr3,
        cr4,
        efer,
        ..
    } = sregs;
    let (exception, interrupt, nmi) = (events.exception, events.interrupt, events.nmi);
    format!(
        "rip {cs:#x}:{rip:#x} rsp {ss:#x}:{rsp:#x} rbp {rbp:#x} rflags {rflags:#x}\n\
         rax {rax:#x} rbx {rbx:#x} rcx {rcx:#x} rdx {rdx:#x} rsi {rsi:#x} rdi {rdi:#x}\n\
         cr0 {cr0:#x} cr2 {cr2:#x} cr3 {cr3:#x} cr4 {cr4:#x} efer {efer:#x} \
         fs base {fs:#x} gs base {gs:#x}\n\
         idt {:#x} limit {:#x} gdt {:#x} limit {:#x}\n\
         exception injected {} nr {} error code {:#x}; interrupt injected {} nr {}; \
         NMI injected {} pending {} masked {}\n",
        sregs.idt.base,
        sregs.idt.limit,
        sregs.gdt.base,
        sregs.gdt.limit,
        exception.injected,
        exception.nr,
        exception.error_code,
        interrupt.injected,
        interrupt.nr,
        nmi.injected,
        nmi.pending,
        nmi.masked
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_tables_map_low_memory_one_to_one() {
        let tables = tables();
        let find = |at: u64| &tables.iter().find(|t| t.0 == at).unwrap().1;
        for address in [0, 0x7000, 0x10_0000, 0x3fff_ffff] {
            let pdpt = find(CR3_TABLE)[(address >> 39) as usize] & !0xfff;
            let pd = find(pdpt)[(address >> 30) as usize] & !0xfff;
            let page = find(pd)[(address >> 21) as usize];
            assert_eq!(page & 0xff, LARGE_PAGE);
            assert_eq!((page & !0xfff) + (address & 0x1f_ffff), address);
        }
    }

    const CR3_TABLE: u64 = PML4;

    #[test]
    fn selectors_name_their_descriptors() {
        let tables = tables();
        assert_eq!(tables[0].1.len(), usize::from(GDT_ENTRIES));
        assert_eq!(tables[0].1[usize::from(CODE_SELECTOR / 8)], CODE_DESCRIPTOR);
        assert_eq!(tables[0].1[usize::from(DATA_SELECTOR / 8)], DATA_DESCRIPTOR);
    }
}
