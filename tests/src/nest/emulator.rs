//! QEMU for the nest: a copy with one instruction less, which is a bug of QEMU's.
//!
//! **The bug.** QEMU's `helper_vmrun` (`target/i386/tcg/system/svm_helper.c`, 10.0.2 and all
//! before and after that were looked at) delivers an interrupt that the hypervisor injects into its guest
//! (`SVM_EVTINJ_TYPE_INTR`) at once, and nevertheless leaves its vector in `cs->exception_index`,
//! as if it were still to be delivered. Mostly the guest's next exception or exit wipes it out.
//! But when something makes the emulated CPU leave its loop before that (`cpu->exit_request`)
//! and no interrupt is seen along with it, the loop finds the vector and delivers it **a second
//! time**, as an exception, with the guest's interrupts off or on. A second timer interrupt in the
//! first instructions of the first one is a triple fault of the guest, one under a spinlock is a hang.
//!
//! The request and the interrupt that belongs to it are two words that another thread writes and
//! the loop reads, so it takes a thread that is preempted in between: never seen on an idle host,
//! now and then on a busy one. Where requests without interrupts are common it is certain. Stopped and
//! continued a hundred times a second, or with one thread for all CPUs (`thread=single`), which take
//! turns by such requests, no stock kernel came up inside in seven nests of seven; without the
//! instruction all of seven such nests passed all suites.
//!
//! **Why not configured away.** KVM injects every interrupt that way, and every kick of a
//! CPU by another thread (a timer, another CPU) is such a request: fewer CPUs outside, one thread for
//! all, or an instruction clock change how often it happens, not that it does.
//!
//! **What is done.** The store of the vector has no other use, so it is overwritten by a no-op of
//! the same length, in a copy that only the nest runs. It is found by what it is: in `helper_vmrun`,
//! before the only call of `do_interrupt_x86_hardirq`, the only store of that call's second
//! argument. A QEMU in which it is not found is refused: it may be mended, and then
//! this file is to go, or compiled differently.
//!
//! **A second one, not understood.** Where the nest's CPUs had a thread each, about one round in ten of the comparison
//! with other monitors ended the nest's own kernel: a triple fault, a `#PF` without end, a `preempt_count` with
//! an NMI too many. QEMU's log of interrupts has one that the nest's CPU took at the instruction behind
//! `VMRUN`, with the guest's `GS` still loaded, where `#VMEXIT` has cleared the global interrupt flag and no
//! interrupt may come. How that flag came to be set was not found. With one thread for all CPUs, which
//! costs a third more time, 28 rounds passed without it; chance alone would give that one time in 25 or so.
//! See `IN_TURN` in `outside.rs`.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use object::read::elf::ElfFile64;
use object::{LittleEndian, Object, ObjectSegment, ObjectSymbol};

/// The function with the bug, and the one that delivers.
const FUNCTION: &str = "helper_vmrun";
const DELIVERS: &str = "do_interrupt_x86_hardirq";
/// How far before the call the store is looked for.
const BEFORE_CALL: usize = 64;
/// `nopw 0(%rax,%rax,1)`: as long as the store.
const NO_OP: [u8; 6] = [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00];

/// Writes a copy of the QEMU `program` without the instruction into `dir`; returns its path.
pub(super) fn mended(program: &Path, dir: &Path) -> io::Result<PathBuf> {
    let refuse = |what: &str| {
        let path = program.display();
        io::Error::other(format!(
            "{path}: {what}; see tests/src/nest/emulator.rs for what this QEMU must be looked at"
        ))
    };
    let mut bytes = fs::read(program)?;
    let (start, code_at, code_len, target) =
        place(&bytes).ok_or_else(|| refuse("it has no function that emulates VMRUN"))?;
    let code = bytes
        .get_mut(code_at..code_at + code_len)
        .ok_or_else(|| refuse("it is cut"))?;
    take_out(code, target.wrapping_sub(start)).map_err(refuse)?;
    let copy = dir.join("qemu");
    fs::write(&copy, bytes)?;
    fs::set_permissions(&copy, Permissions::from_mode(0o755))?;
    Ok(copy)
}

/// Address, offset in the file and length of the function, and the address of the one it calls.
fn place(elf: &[u8]) -> Option<(u64, usize, usize, u64)> {
    let file = ElfFile64::<LittleEndian>::parse(elf).ok()?;
    let symbol = |name| {
        let mut symbols = file.dynamic_symbols();
        symbols.find(|symbol| symbol.name() == Ok(name))
    };
    let (function, target) = (symbol(FUNCTION)?, symbol(DELIVERS)?.address());
    let start = function.address();
    let segment = file
        .segments()
        .find(|s| (s.address()..s.address() + s.size()).contains(&start))?;
    let at = segment.file_range().0 + (start - segment.address());
    let (at, len) = (at.try_into().ok()?, function.size().try_into().ok()?);
    Some((start, at, len, target))
}

/// Overwrites the store in the function's `code`; `target` is the called function's distance from
/// its start.
fn take_out(code: &mut [u8], target: u64) -> Result<(), &'static str> {
    let calls = |at: &usize| {
        let Some(&[0xe8, a, b, c, d]) = code.get(*at..*at + 5) else {
            return false;
        };
        let distance = i64::from(i32::from_le_bytes([a, b, c, d]));
        let next = *at as u64 + 5;
        next.wrapping_add_signed(distance) == target
    };
    let call = only((0..code.len()).filter(calls)).ok_or("VMRUN delivers not once")?;
    // mov %esi, displacement(register); 4 would be a register and more.
    let stores = |at: &usize| matches!(code.get(*at..*at + 2), Some(&[0x89, to]) if to & 0xf8 == 0xb0 && to != 0xb4);
    let before = call.saturating_sub(BEFORE_CALL)..call;
    let store = only(before.filter(stores)).ok_or("VMRUN does not store the vector once")?;
    code.get_mut(store..store + NO_OP.len())
        .ok_or("VMRUN is cut")?
        .copy_from_slice(&NO_OP);
    Ok(())
}

/// The only item there is.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    items.next().filter(|_| items.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What compilers made of it: `movzbl %r12b,%esi; mov %esi,-0x28f0(%rbx); movl $0,0x33e4(%rbx);
    /// mov $1,%edx; mov %rbx,%rdi; call`, here to the distance 0x100.
    fn code() -> Vec<u8> {
        let mut code = b"\x41\x0f\xb6\xf4\x89\xb3\x10\xd7\xff\xff\xc7\x83\xe4\x33\0\0\0\0\0\0\
            \xba\x01\0\0\0\x48\x89\xdf\xe8"
            .to_vec();
        let next = i32::try_from(code.len() + 4).unwrap();
        code.extend((0x100 - next).to_le_bytes());
        code.push(0xc3);
        code
    }

    #[test]
    fn the_store_goes_and_nothing_else() {
        let mut mended = code();
        take_out(&mut mended, 0x100).unwrap();
        let expected = [&code()[..4], &NO_OP, &code()[10..]].concat();
        assert_eq!(mended, expected);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let untouched = |mut code: Vec<u8>, target| {
            let before = code.clone();
            take_out(&mut code, target).unwrap_err();
            assert_eq!(code, before);
        };
        untouched(code(), 0x101);
        let mut mended = code();
        take_out(&mut mended, 0x100).unwrap();
        untouched(mended, 0x100);
        untouched([&code()[4..10], &code()].concat(), 0x106);
        untouched(Vec::new(), 0);
    }

    #[test]
    fn no_program_is_a_refusal() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("none");
        fs::write(&program, b"\x7fELF").unwrap();
        let error = mended(&program, dir.path()).unwrap_err();
        assert!(error.to_string().contains("VMRUN"), "{error}");
    }
}
