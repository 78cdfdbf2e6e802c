//! What an x86-64 instruction does to the memory that its operand names, and how long it is.
//!
//! Enough of the instruction set for kernel code that is compiled without vector registers. What else there is has
//! no answer here, rather than a guessed one. Pure.

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Its bytes.
    pub len: usize,
    /// What it does to its memory operand, if it has one.
    pub memory: Option<Memory>,
    /// It repeats itself: if interrupted, the vCPU is at it, not after it.
    pub repeats: bool,
}

/// What an instruction does to its memory operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It loads it.
    Load,
    /// It stores to it.
    Store,
    /// Both, in this order.
    LoadAndStore,
}

/// Longest instruction.
pub const LEN_MAX: usize = 15;

/// What follows an opcode.
#[derive(Clone, Copy, Default)]
struct Shape {
    modrm: bool,
    /// Bytes of the constant at the end.
    constant: usize,
    memory: Option<Memory>,
}

/// Prefixes, as far as they matter.
#[derive(Clone, Copy, Default)]
struct Prefixes {
    narrow: bool,
    repeat: bool,
    wide: bool,
    short_address: bool,
}

/// The instruction that these bytes begin with; `None` for one that is not known, or that they cut off.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<Instruction> {
    let mut at = 0;
    let mut prefixes = Prefixes::default();
    let mut opcode = *bytes.first()?;
    loop {
        match opcode {
            0x66 => prefixes.narrow = true,
            0x67 => prefixes.short_address = true,
            0xf2 | 0xf3 => prefixes.repeat = true,
            0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 | 0xf0 => {}
            0x40..=0x4f => {
                prefixes.wide = opcode & 8 != 0;
                at += 1;
                opcode = *bytes.get(at)?;
                break;
            }
            _ => break,
        }
        at += 1;
        opcode = *bytes.get(at)?;
    }
    at += 1;
    let shape = if opcode == 0x0f {
        let second = *bytes.get(at)?;
        at += 1;
        match second {
            // Three bytes of opcode.
            0x38 | 0x3a => {
                at += 1;
                Shape {
                    modrm: true,
                    constant: usize::from(second == 0x3a),
                    memory: Some(Memory::Load),
                }
            }
            _ => two_bytes(second, *bytes.get(at).unwrap_or(&0))?,
        }
    } else {
        one_byte(opcode, *bytes.get(at).unwrap_or(&0), prefixes)?
    };
    let mut memory = shape.memory;
    if shape.modrm {
        let (len, in_memory) = operand(bytes.get(at..)?)?;
        at += len;
        memory = memory.filter(|_| in_memory);
    }
    let len = at + shape.constant;
    (len <= LEN_MAX && len <= bytes.len()).then_some(Instruction {
        len,
        memory,
        repeats: prefixes.repeat && matches!(opcode, 0x6c..=0x6f | 0xa4..=0xa7 | 0xaa..=0xaf),
    })
}

/// Length of the operand that these bytes begin with, and whether it is in memory.
fn operand(bytes: &[u8]) -> Option<(usize, bool)> {
    let modrm = *bytes.first()?;
    let (mode, register) = (modrm >> 6, modrm & 7);
    if mode == 3 {
        return Some((1, false));
    }
    let has_index = register == 4;
    let base = if has_index {
        *bytes.get(1)? & 7
    } else {
        register
    };
    let distance = match mode {
        1 => 1,
        2 => 4,
        // Without a base.
        _ if base == 5 => 4,
        _ => 0,
    };
    Some((1 + usize::from(has_index) + distance, true))
}

/// Opcodes of one byte; `next` is the byte behind it.
fn one_byte(opcode: u8, next: u8, prefixes: Prefixes) -> Option<Shape> {
    use Memory::{Load, LoadAndStore, Store};
    let constant_len = if prefixes.narrow { 2 } else { 4 };
    let which = next >> 3 & 7;
    let plain = |constant| Shape {
        constant,
        ..Shape::default()
    };
    let operand = |memory, constant| Shape {
        modrm: true,
        constant,
        memory: Some(memory),
    };
    let string = |memory| Shape {
        memory: Some(memory),
        ..Shape::default()
    };
    Some(match opcode {
        // Sums and the like: the first operand, of cmp only loaded, in memory or in a register.
        0x00..=0x3f => match opcode & 7 {
            0 | 1 if opcode >= 0x38 => operand(Load, 0),
            0 | 1 => operand(LoadAndStore, 0),
            2 | 3 => operand(Load, 0),
            4 => plain(1),
            5 => plain(constant_len),
            _ => return None,
        },
        0x50..=0x5f | 0x90..=0x99 | 0x9b..=0x9f | 0xc3 | 0xc9 | 0xcb | 0xcc | 0xcf => plain(0),
        0x6c..=0x6f | 0xec..=0xef | 0xf1 | 0xf4 | 0xf5 | 0xf8..=0xfd => plain(0),
        0x63 => operand(Load, 0),
        0x68 | 0xa9 => plain(constant_len),
        0x6a | 0xa8 | 0x70..=0x7f | 0xb0..=0xb7 | 0xcd | 0xe0..=0xe7 | 0xeb => plain(1),
        0x69 => operand(Load, constant_len),
        0x6b => operand(Load, 1),
        0x80 | 0x83 if which == 7 => operand(Load, 1),
        0x80 | 0x83 | 0xc0 | 0xc1 => operand(LoadAndStore, 1),
        0x81 if which == 7 => operand(Load, constant_len),
        0x81 => operand(LoadAndStore, constant_len),
        0x84 | 0x85 | 0x8a | 0x8b | 0x8e => operand(Load, 0),
        0x86 | 0x87 | 0xd0..=0xd3 => operand(LoadAndStore, 0),
        0x88 | 0x89 | 0x8c | 0x8f => operand(Store, 0),
        // An address, which nothing is done with.
        0x8d => Shape {
            modrm: true,
            ..Shape::default()
        },
        0xa0..=0xa3 => {
            let memory = if opcode & 2 == 0 { Load } else { Store };
            Shape {
                constant: if prefixes.short_address { 4 } else { 8 },
                ..string(memory)
            }
        }
        0xa6 | 0xa7 | 0xac..=0xaf => string(Load),
        0xaa | 0xab => string(Store),
        // One operand is loaded and the other stored to.
        0xa4 | 0xa5 => plain(0),
        0xb8..=0xbf if prefixes.wide => plain(8),
        0xb8..=0xbf => plain(constant_len),
        0xc2 | 0xca => plain(2),
        0xc6 => operand(Store, 1),
        0xc7 => operand(Store, constant_len),
        0xc8 => plain(3),
        0xd8..=0xdf => operand(Load, 0),
        0xe8 | 0xe9 => plain(4),
        0xf6..=0xff => return group(opcode, which, constant_len),
        _ => return None,
    })
}

/// Opcodes of which the operand's byte says what they do.
fn group(opcode: u8, which: u8, constant_len: usize) -> Option<Shape> {
    use Memory::{Load, LoadAndStore};
    let (memory, constant) = match opcode {
        0xf6 if which < 2 => (Load, 1),
        0xf7 if which < 2 => (Load, constant_len),
        0xf6 | 0xf7 if which < 4 => (LoadAndStore, 0),
        0xfe | 0xff if which < 2 => (LoadAndStore, 0),
        0xf6 | 0xf7 | 0xff => (Load, 0),
        _ => return None,
    };
    Some(Shape {
        modrm: true,
        constant,
        memory: Some(memory),
    })
}

/// Opcodes of two bytes, by the second.
fn two_bytes(opcode: u8, next: u8) -> Option<Shape> {
    use Memory::{Load, LoadAndStore, Store};
    let plain = Some(Shape::default());
    let operand = |memory, constant| {
        Some(Shape {
            modrm: true,
            constant,
            memory: Some(memory),
        })
    };
    match opcode {
        0x05..=0x09 | 0x0b | 0x30..=0x37 | 0x77 | 0xa0..=0xa2 | 0xa8..=0xaa | 0xc8..=0xcf => plain,
        0x80..=0x8f => Some(Shape {
            constant: 4,
            ..Shape::default()
        }),
        // Hints and no operations, which touch nothing.
        0x0d | 0x18..=0x1f => Some(Shape {
            modrm: true,
            ..Shape::default()
        }),
        0x90..=0x9f | 0x11 | 0x13 | 0x17 | 0x29 | 0x2b | 0x7e | 0x7f | 0xc3 => operand(Store, 0),
        0xa4 | 0xac => operand(LoadAndStore, 1),
        0xba if next >> 3 & 7 == 4 => operand(Load, 1),
        0xba => operand(LoadAndStore, 1),
        0x70..=0x73 | 0xc2 | 0xc4..=0xc6 => operand(Load, 1),
        0xa5 | 0xab | 0xad | 0xb0 | 0xb1 | 0xb3 | 0xbb | 0xc0 | 0xc1 | 0xc7 => {
            operand(LoadAndStore, 0)
        }
        0x04 | 0x0a | 0x0c | 0x0e | 0x0f | 0x24..=0x27 | 0x39 | 0x3b..=0x3f => None,
        _ => operand(Load, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn memory(bytes: &[u8]) -> (usize, Option<Memory>) {
        let decoded = decode(bytes).unwrap_or_else(|| panic!("{bytes:x?}"));
        (decoded.len, decoded.memory)
    }

    #[test]
    fn instructions_that_relay_is_made_of() {
        use Memory::{Load, LoadAndStore, Store};
        // From Debian's 6.1 and 7.3.
        let all: [(&[u8], Option<Memory>); 22] = [
            (b"\x48\x8b\x43\x10", Some(Load)),  // mov 0x10(%rbx),%rax
            (b"\x48\x89\x43\x10", Some(Store)), // mov %rax,0x10(%rbx)
            (b"\x48\xc7\x47\x10\x00\x00\x00\x00", Some(Store)), // movq $0x0,0x10(%rdi)
            (b"\x48\x83\x43\x18\x01", Some(LoadAndStore)), // addq $0x1,0x18(%rbx)
            (b"\x48\x01\x93\xa8\x00\x00\x00", Some(LoadAndStore)), // add %rdx,0xa8(%rbx)
            (b"\x48\x03\x43\x08", Some(Load)),  // add 0x8(%rbx),%rax
            (b"\x48\x39\x47\x18", Some(Load)),  // cmp %rax,0x18(%rdi)
            (b"\x48\x3b\x47\x18", Some(Load)),  // cmp 0x18(%rdi),%rax
            (b"\x48\x83\x7f\x18\x00", Some(Load)), // cmpq $0x0,0x18(%rdi)
            (b"\x48\x29\xd8", None),            // sub %rbx,%rax
            (b"\x49\x89\x14\xc4", Some(Store)), // mov %rdx,(%r12,%rax,8)
            (b"\x4c\x8d\x64\x24\x08", None),    // lea 0x8(%rsp),%r12
            (b"\xf3\xaa", Some(Store)),         // rep stos %al,(%rdi)
            (b"\xe8\x12\x34\x56\x78", None),    // call
            (b"\x0f\x1f\x44\x00\x00", None),    // nopl 0x0(%rax,%rax,1)
            (b"\x66\x90", None),                // xchg %ax,%ax
            (b"\x0f\x84\x01\x00\x00\x00", None), // je
            (b"\xf0\x48\x0f\xba\x2f\x03", Some(LoadAndStore)), // lock btsq $0x3,(%rdi)
            (b"\x0f\xb6\x05\x00\x00\x00\x00", Some(Load)), // movzbl 0x0(%rip),%eax
            (b"\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", None), // movabs
            (b"\xf3\x0f\x1e\xfa", None),        // endbr64
            (b"\x41\x54", None),                // push %r12
        ];
        for (bytes, expected) in all {
            assert_eq!(memory(bytes), (bytes.len(), expected), "{bytes:x?}");
            assert_eq!(
                decode(&bytes[..bytes.len() - 1]),
                None,
                "{bytes:x?} cut off"
            );
        }
        assert!(decode(b"\xf3\xaa").is_some_and(|one| one.repeats));
        assert!(decode(b"\xf3\xc3").is_some_and(|one| !one.repeats));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Some(decoded) = decode(&bytes) {
                prop_assert!((1..=LEN_MAX).contains(&decoded.len));
            }
        }
    }
}
