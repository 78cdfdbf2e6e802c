//! Is this file a kernel that can be booted by PVH?
//!
//! QEMU says little about a file it cannot boot, and a guest that never starts looks like a hang.
//! So the file is checked first: an x86-64 ELF executable, whole, with the note that names its
//! 32-bit PVH entry point.

use std::fs::File;
use std::path::Path;

use object::Endianness;
use object::elf::{EM_X86_64, ET_EXEC, FileHeader64, NoteType, PT_LOAD, PT_NOTE};
use object::read::ReadCache;
use object::read::ReadRef;
use object::read::elf::{FileHeader, ProgramHeader};

/// Note type of the PVH entry point, owned by "Xen" (`XEN_ELFNOTE_PHYS32_ENTRY`).
const PHYS32_ENTRY: NoteType = NoteType(18);

/// A file that is not a bootable kernel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelFileError {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Read(#[source] std::io::Error),
    /// It is a compressed kernel image.
    #[error("it is a compressed image (bzImage): extract the ELF vmlinux from it first")]
    Compressed,
    /// It is something else than an ELF file.
    #[error("it is not an ELF file: give an uncompressed vmlinux")]
    NotElf,
    /// It is an ELF file of another kind.
    #[error("it is not an x86-64 executable: give a vmlinux built for x86-64")]
    WrongKind,
    /// Headers or segments point outside the file.
    #[error("it is cut short or damaged ({what}): fetch or build it again")]
    Damaged {
        /// What does not fit.
        what: &'static str,
    },
    /// There is no PVH entry.
    #[error("it has no PVH entry point: build the kernel with CONFIG_PVH=y")]
    NoPvh,
}

/// A kernel file that can be booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootableKernel {
    /// Guest-physical address behind the last byte that the kernel occupies when loaded.
    pub load_end: u64,
}

/// Checks that the file at `path` can be booted.
///
/// # Errors
/// Says what is wrong with the file.
pub fn check(path: &Path) -> Result<BootableKernel, KernelFileError> {
    let file = File::open(path).map_err(KernelFileError::Read)?;
    let cache = ReadCache::new(file);
    check_data(&cache)
}

fn check_data<'data, R: ReadRef<'data>>(data: R) -> Result<BootableKernel, KernelFileError> {
    let damaged = |what| KernelFileError::Damaged { what };
    let len = data.len().map_err(|()| damaged("its length"))?;
    if data.read_bytes_at(0, 4) != Ok(b"\x7fELF") {
        let boot_magic = data.read_bytes_at(0x202, 4) == Ok(b"HdrS");
        return Err(if boot_magic {
            KernelFileError::Compressed
        } else {
            KernelFileError::NotElf
        });
    }
    let header = FileHeader64::<Endianness>::parse(data).map_err(|_| KernelFileError::WrongKind)?;
    let endian = header.endian().map_err(|_| KernelFileError::WrongKind)?;
    if header.e_machine(endian) != EM_X86_64 || header.e_type(endian) != ET_EXEC {
        return Err(KernelFileError::WrongKind);
    }
    let segments = header
        .program_headers(endian, data)
        .map_err(|_| damaged("its program headers"))?;
    let mut load_end = 0;
    let mut pvh = false;
    for segment in segments {
        let (offset, size) = segment.file_range(endian);
        if segment.p_type(endian) == PT_LOAD {
            let end = segment.p_paddr(endian).checked_add(segment.p_memsz(endian));
            load_end = load_end.max(end.ok_or(damaged("a segment ends beyond all memory"))?);
            if offset.checked_add(size).is_none_or(|end| end > len) {
                return Err(damaged("a segment ends beyond the end of the file"));
            }
        }
        if segment.p_type(endian) == PT_NOTE {
            pvh |= has_pvh_note(segment, endian, data)?;
        }
    }
    match (load_end, pvh) {
        (0, _) => Err(damaged("it has nothing to load")),
        (_, false) => Err(KernelFileError::NoPvh),
        (_, true) => Ok(BootableKernel { load_end }),
    }
}

fn has_pvh_note<'data, R: ReadRef<'data>>(
    segment: &object::elf::ProgramHeader64<Endianness>,
    endian: Endianness,
    data: R,
) -> Result<bool, KernelFileError> {
    let damaged = |_| KernelFileError::Damaged { what: "its notes" };
    let Some(mut notes) = segment.notes(endian, data).map_err(damaged)? else {
        return Ok(false);
    };
    while let Some(note) = notes.next().map_err(damaged)? {
        if note.name() == b"Xen" && note.n_type(endian) == PHYS32_ENTRY {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The ELF header of a kernel for x86-64 that is entered at 16 MiB, before so many program headers.
    fn elf_header(segments: u16) -> Vec<u8> {
        let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        elf.extend(ET_EXEC.0.to_le_bytes());
        elf.extend(EM_X86_64.0.to_le_bytes());
        elf.extend(1u32.to_le_bytes());
        for word in [0x100_0000u64, 64, 0] {
            elf.extend(word.to_le_bytes());
        }
        elf.extend(0u32.to_le_bytes());
        for half in [64, 56, segments, 64, 0, 0] {
            elf.extend(half.to_le_bytes());
        }
        elf
    }

    /// A program header: offset, virtual and physical address, size in the file and in memory, alignment.
    fn program_header(kind: u32, words: [u64; 6]) -> Vec<u8> {
        let mut header = [kind, 5].map(u32::to_le_bytes).concat();
        header.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        header
    }

    /// Header, a load segment of all of it, a note segment of one PVH note.
    pub(crate) fn tiny_kernel() -> Vec<u8> {
        let mut elf = elf_header(2);
        let notes_at = 64 + 2 * 56u64;
        for (kind, offset, size) in [(PT_LOAD, 0, notes_at + 20), (PT_NOTE, notes_at, 20)] {
            elf.extend(program_header(kind.0, [offset, 0, 0, size, size, 4]));
        }
        for word in [4u32, 4, PHYS32_ENTRY.0] {
            elf.extend(word.to_le_bytes());
        }
        elf.extend(b"Xen\0");
        elf.extend(0x100_0000u32.to_le_bytes());
        elf
    }

    /// A kernel for our own backend that is `code` and nothing else, entered at its start.
    pub(crate) fn flat_kernel(code: &[u8]) -> Vec<u8> {
        let (at, len) = (0x100_0000, code.len() as u64);
        let mut elf = elf_header(1);
        elf.extend(program_header(PT_LOAD.0, [64 + 56, at, at, len, len, 1]));
        elf.extend(code);
        elf
    }

    #[test]
    fn a_whole_kernel_passes_and_every_cut_is_refused() {
        let kernel = tiny_kernel();
        let end = kernel.len() as u64;
        assert_eq!(
            check_data(&kernel[..]).unwrap(),
            BootableKernel { load_end: end }
        );
        for len in 0..kernel.len() {
            assert!(check_data(&kernel[..len]).is_err(), "cut to {len} bytes");
        }
    }

    #[test]
    fn a_kernel_without_pvh_is_named() {
        let mut kernel = tiny_kernel();
        let at = kernel.len() - 12;
        kernel[at] ^= 1;
        assert!(matches!(
            check_data(&kernel[..]),
            Err(KernelFileError::NoPvh)
        ));
    }

    #[test]
    fn a_compressed_image_is_named() {
        let mut image = vec![0; 0x300];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        assert!(matches!(
            check_data(&image[..]),
            Err(KernelFileError::Compressed)
        ));
    }

    #[test]
    fn another_architecture_is_named() {
        let mut kernel = tiny_kernel();
        kernel[18] = 183;
        assert!(matches!(
            check_data(&kernel[..]),
            Err(KernelFileError::WrongKind)
        ));
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(at in 0usize..200, value: u8, len in 0usize..260) {
            let mut kernel = tiny_kernel();
            if let Some(byte) = kernel.get_mut(at) {
                *byte = value;
            }
            kernel.resize(len, 0);
            let _ = check_data(&kernel[..]);
        }
    }
}
