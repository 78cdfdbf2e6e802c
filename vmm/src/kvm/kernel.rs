//! Loads a kernel and an initramfs into guest RAM.
//!
//! Both kinds of kernel files are entered in 64-bit mode: the ELF `vmlinux` at its own entry, the
//! bzImage at the 64-bit entry of its decompressor. `linux-loader` copies; everything it does not
//! check is checked here first, since the file may be anything.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use linux_loader::loader::bootparam::setup_header;
use linux_loader::loader::{BzImage, Elf, KernelLoader};
use object::Endianness;
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadRef};
use vm_memory::{Bytes, GuestAddress};

use super::KvmError;
use super::layout::{IDENTITY_MAPPED, INITRAMFS_LIMIT, KERNEL_MIN, PAGE};
use super::vm::Memory;
use crate::kernel_file::{self, BootableKernel, KernelFileError};

/// Where the 64-bit entry of a bzImage is, from the start of its protected-mode part.
const BZIMAGE_ENTRY_64: u64 = 0x200;
/// `xloadflags`: there is a 64-bit entry.
const XLF_KERNEL_64: u16 = 1;
/// The first boot protocol with `xloadflags`.
const PROTOCOL_2_12: u16 = 0x20c;

/// A kernel in memory.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Where to enter it in 64-bit mode.
    pub(super) entry: u64,
    /// The end of what it takes up before it knows of the initramfs.
    pub(super) end: u64,
    /// The header of a bzImage, which goes into the zero page.
    pub(super) header: Option<setup_header>,
}

/// Checks that the file is a kernel that this backend can boot.
///
/// # Errors
/// Says what is wrong with the file.
pub(crate) fn check(path: &Path) -> Result<BootableKernel, KernelFileError> {
    let data = || {
        File::open(path)
            .map(ReadCache::new)
            .map_err(KernelFileError::Read)
    };
    let (_, load_end) = match kernel_file::check(path) {
        Err(KernelFileError::Compressed) => bzimage_range(&check_bzimage(&data()?)?),
        // This backend enters the kernel in 64-bit mode, not through PVH.
        Err(KernelFileError::NoPvh) => elf_range(&data()?).unwrap_or_default(),
        result => return result,
    };
    Ok(BootableKernel { load_end })
}

/// Loads the kernel at `path` into RAM that ends at `ram_end`.
pub(super) fn load_kernel(memory: &Memory, path: &Path, ram_end: u64) -> Result<Loaded, KvmError> {
    let unbootable = |source| KvmError::Kernel {
        path: path.to_owned(),
        source,
    };
    let no_load = |why: String| KvmError::Load {
        path: path.to_owned(),
        why,
    };
    check(path).map_err(unbootable)?;
    let mut file = open(path)?;
    let data = ReadCache::new(open(path)?);
    let compressed = data.read_bytes_at(0, 4) != Ok(b"\x7fELF");
    let (entry, end) = if compressed {
        bzimage_range(&check_bzimage(&data).map_err(unbootable)?)
    } else {
        elf_range(&data).map_err(no_load)?
    };
    if end > ram_end {
        return Err(no_load(format!(
            "it needs memory up to {end:#x}, RAM ends at {ram_end:#x}; give the machine more memory"
        )));
    }
    if entry >= IDENTITY_MAPPED {
        return Err(no_load(format!(
            "its entry {entry:#x} is beyond the first page tables"
        )));
    }
    let highmem = Some(GuestAddress(KERNEL_MIN));
    let loaded = if compressed {
        BzImage::load(memory, highmem, &mut file, highmem)
    } else {
        Elf::load(memory, None, &mut file, highmem)
    }
    .map_err(|error| no_load(error.to_string()))?;
    Ok(Loaded {
        entry,
        end,
        header: loaded.setup_header,
    })
}

/// Loads the initramfs at the end of the RAM that ends at `ram_end`, above the kernel.
/// Returns its address and size.
pub(super) fn load_initramfs(
    memory: &Memory,
    path: &Path,
    kernel_end: u64,
    ram_end: u64,
) -> Result<(u64, u64), KvmError> {
    let unreadable = |source| KvmError::File {
        path: path.to_owned(),
        source,
    };
    let mut file = open(path)?;
    let size = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    let end = ram_end.min(INITRAMFS_LIMIT);
    let floor = kernel_end.next_multiple_of(PAGE);
    let start = end.checked_sub(size).map(|start| start / PAGE * PAGE);
    let Some(start) = start.filter(|start| *start >= floor) else {
        let room = end.saturating_sub(floor);
        return Err(KvmError::InitramfsTooLarge {
            path: path.to_owned(),
            size,
            room,
        });
    };
    let len = usize::try_from(size).unwrap_or(usize::MAX);
    memory
        .read_exact_volatile_from(GuestAddress(start), &mut file, len)
        .map_err(|error| unreadable(std::io::Error::other(error)))?;
    Ok((start, size))
}

fn open(path: &Path) -> Result<File, KvmError> {
    File::open(path).map_err(|source| KvmError::File {
        path: path.to_owned(),
        source,
    })
}

/// Entry and end of an ELF kernel, whose load segments are where the kernel may be.
fn elf_range<'data, R: ReadRef<'data>>(data: R) -> Result<(u64, u64), String> {
    let broken = |_| "its headers cannot be read".to_owned();
    let header = FileHeader64::<Endianness>::parse(data).map_err(broken)?;
    let endian = header.endian().map_err(broken)?;
    let entry = header.e_entry.get(endian);
    let mut end = 0;
    let mut entry_is_loaded = false;
    for segment in header.program_headers(endian, data).map_err(broken)? {
        if segment.p_type(endian) != PT_LOAD {
            continue;
        }
        let start = segment.p_paddr(endian);
        let size = segment.p_memsz(endian).max(segment.p_filesz(endian));
        let segment_end = start
            .checked_add(size)
            .ok_or_else(|| format!("a segment at {start:#x} has {size:#x} bytes"))?;
        if start < KERNEL_MIN {
            return Err(format!(
                "a segment starts at {start:#x}, below {KERNEL_MIN:#x}"
            ));
        }
        entry_is_loaded |= (start..segment_end).contains(&entry);
        end = end.max(segment_end);
    }
    if entry_is_loaded {
        Ok((entry, end))
    } else {
        Err(format!("its entry {entry:#x} is not in what it loads"))
    }
}

/// Entry and end of a bzImage: it is loaded low and decompresses itself to where it prefers.
fn bzimage_range(header: &Header) -> (u64, u64) {
    let loaded_end = KERNEL_MIN + header.image_size;
    let runs_at = header.pref_address.max(KERNEL_MIN);
    let end = runs_at
        .saturating_add(u64::from(header.init_size))
        .max(loaded_end);
    (KERNEL_MIN + BZIMAGE_ENTRY_64, end)
}

/// What is needed of a bzImage's header.
#[derive(Debug)]
struct Header {
    image_size: u64,
    pref_address: u64,
    init_size: u32,
}

fn check_bzimage<'data, R: ReadRef<'data>>(data: R) -> Result<Header, KernelFileError> {
    let damaged = |what| KernelFileError::Damaged { what };
    let len = data.len().map_err(|()| damaged("its length"))?;
    let bytes = |at, size| {
        data.read_bytes_at(at, size)
            .map_err(|()| damaged("its header is cut"))
    };
    let number = |at, size| -> Result<u64, KernelFileError> {
        Ok(bytes(at, size)?
            .iter()
            .rev()
            .fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
    };
    if bytes(0x202, 4)? != b"HdrS" {
        return Err(KernelFileError::NotElf);
    }
    let entries = number(0x236, 2)?;
    if number(0x206, 2)? < u64::from(PROTOCOL_2_12) || entries & u64::from(XLF_KERNEL_64) == 0 {
        return Err(KernelFileError::WrongKind);
    }
    let setup_sectors = match number(0x1f1, 1)? {
        0 => 4,
        sectors => sectors,
    };
    let setup_size = (setup_sectors + 1) * 512;
    let image_size = number(0x1f4, 4)? * 16;
    if image_size <= BZIMAGE_ENTRY_64 || setup_size + image_size > len {
        return Err(damaged("it is shorter than its header says"));
    }
    let init_size = u32::try_from(number(0x260, 4)?).unwrap_or(u32::MAX);
    Ok(Header {
        image_size: len - setup_size,
        pref_address: number(0x258, 8)?,
        init_size,
    })
}

#[cfg(test)]
#[path = "kernel_tests.rs"]
mod tests;
