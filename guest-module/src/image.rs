//! From a kernel image to the uncompressed ELF that boots by PVH.
//!
//! A bzImage carries the compressed `vmlinux` as payload; its place is in the setup header
//! (the kernel's Documentation/arch/x86/boot.rst). Images are hostile until checked.

use std::io::Read;

use object::Endianness;
use object::elf::{EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, NoteType, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::interrupt;

/// Larger than any kernel, smaller than what would hurt: bounds what decompression may yield.
const MAX_VMLINUX_BYTES: u64 = 1 << 30;

/// Larger than any compressed kernel.
pub(crate) const MAX_IMAGE_BYTES: u64 = 1 << 30;

/// Type of the ELF note that gives the PVH entry point (`XEN_ELFNOTE_PHYS32_ENTRY`).
const NOTE_PVH_ENTRY: NoteType = NoteType(18);

/// An image that cannot be booted.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Neither a bzImage nor an ELF.
    #[error(
        "this is neither a bzImage nor an ELF vmlinux; give the kernel's arch/x86/boot/bzImage or vmlinux"
    )]
    Unknown,
    /// The setup header is too old or inconsistent.
    #[error("the bzImage's setup header is wrong: {problem}; is the file complete?")]
    Setup {
        /// What is wrong.
        problem: &'static str,
    },
    /// A compression that is not read here.
    #[error(
        "the kernel is compressed by {method}, which is not supported (xz, zstd and gzip are); give its vmlinux instead"
    )]
    Compression {
        /// Its name.
        method: &'static str,
    },
    /// The payload is damaged.
    #[error("the bzImage's payload cannot be decompressed: {0}; is the file complete?")]
    Payload(std::io::Error),
    /// The payload is larger than any kernel.
    #[error(
        "the kernel is larger than {MAX_VMLINUX_BYTES} bytes when decompressed; is the file genuine?"
    )]
    TooLarge,
    /// The ELF is damaged or of another machine.
    #[error("the kernel is not an executable ELF for x86-64: {problem}")]
    Elf {
        /// What is wrong.
        problem: String,
    },
    /// It cannot be booted directly.
    #[error(
        "the kernel has no PVH entry point, which is needed to boot it; build it with CONFIG_PVH=y"
    )]
    NoPvh,
}

/// The bootable `vmlinux` in an image: itself, or a bzImage's payload.
///
/// # Errors
/// The image is damaged, of another kind, or not bootable by PVH.
pub(crate) fn vmlinux(image: Vec<u8>) -> Result<Vec<u8>, ImageError> {
    let vmlinux = if image.starts_with(b"\x7fELF") {
        image
    } else {
        decompress(payload(&image)?)?
    };
    check(&vmlinux)?;
    Ok(vmlinux)
}

/// Little-endian bytes at an offset, if the image is that long.
fn bytes<const N: usize>(image: &[u8], offset: usize) -> Option<[u8; N]> {
    image.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

/// The compressed kernel in a bzImage.
fn payload(image: &[u8]) -> Result<&[u8], ImageError> {
    let word = |offset| bytes(image, offset).map(u16::from_le_bytes);
    let long = |offset| {
        let value = bytes(image, offset).map(u32::from_le_bytes);
        value.and_then(|value| usize::try_from(value).ok())
    };
    if word(0x1fe) != Some(0xaa55) || bytes(image, 0x202) != Some(*b"HdrS") {
        return Err(ImageError::Unknown);
    }
    if word(0x206).is_none_or(|version| version < 0x208) {
        return Err(ImageError::Setup {
            problem: "the boot protocol is older than 2.08",
        });
    }
    let sectors = match image.get(0x1f1) {
        Some(0) => 4,
        Some(sectors) => usize::from(*sectors),
        None => return Err(ImageError::Unknown),
    };
    let protected_mode = (sectors + 1) * 512;
    let range = || {
        let start = protected_mode.checked_add(long(0x248)?)?;
        image.get(start..start.checked_add(long(0x24c)?)?)
    };
    range().ok_or(ImageError::Setup {
        problem: "the payload is outside the file",
    })
}

/// Decompresses a payload by whichever method it names. What follows its end (a length) is ignored.
fn decompress(payload: &[u8]) -> Result<Vec<u8>, ImageError> {
    let unsupported = |method| Err(ImageError::Compression { method });
    match payload {
        [0x1f, 0x8b, ..] => bounded(flate2::read::GzDecoder::new(payload)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => bounded(liblzma::read::XzDecoder::new(payload)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = zstd::stream::read::Decoder::with_buffer(payload);
            bounded(decoder.map_err(ImageError::Payload)?.single_frame())
        }
        [0x02, 0x21, 0x4c, 0x18, ..] => unsupported("lz4"),
        [b'B', b'Z', b'h', ..] => unsupported("bzip2"),
        [0x89, b'L', b'Z', b'O', ..] => unsupported("lzo"),
        [0x5d, 0, 0, ..] => unsupported("lzma"),
        [0x7f, b'E', b'L', b'F', ..] => Ok(payload.to_vec()),
        _ => unsupported("an unknown method"),
    }
}

/// Reads to the end, but no further than a kernel may reach.
fn bounded(decoder: impl Read) -> Result<Vec<u8>, ImageError> {
    let mut content = Vec::new();
    let mut decoder = interrupt::Reader(decoder).take(MAX_VMLINUX_BYTES + 1);
    decoder
        .read_to_end(&mut content)
        .map_err(ImageError::Payload)?;
    if content.len() as u64 > MAX_VMLINUX_BYTES {
        return Err(ImageError::TooLarge);
    }
    Ok(content)
}

/// An executable ELF for x86-64 with loadable segments within the file and a PVH entry.
fn check(vmlinux: &[u8]) -> Result<(), ImageError> {
    let broken = |error: object::Error| ImageError::Elf {
        problem: error.to_string(),
    };
    let wrong = |problem: &str| {
        Err(ImageError::Elf {
            problem: problem.to_owned(),
        })
    };
    let header = FileHeader64::<Endianness>::parse(vmlinux).map_err(broken)?;
    let endian = header.endian().map_err(broken)?;
    if endian != Endianness::Little || header.e_machine(endian) != EM_X86_64 {
        return wrong("it is for another machine");
    }
    if ![ET_EXEC, ET_DYN].contains(&header.e_type(endian)) {
        return wrong("it is not executable");
    }
    let (mut loadable, mut pvh) = (false, false);
    for segment in header.program_headers(endian, vmlinux).map_err(broken)? {
        if segment.p_type(endian) == PT_LOAD {
            loadable = true;
            if segment.data(endian, vmlinux).is_err() {
                return wrong("a segment is outside the file; is it complete?");
            }
        }
        let Some(mut notes) = segment.notes(endian, vmlinux).map_err(broken)? else {
            continue;
        };
        while let Some(note) = notes.next().map_err(broken)? {
            pvh |= note.name() == b"Xen" && note.n_type(endian) == NOTE_PVH_ENTRY;
        }
    }
    if !loadable {
        return wrong("it has nothing to load");
    }
    if pvh { Ok(()) } else { Err(ImageError::NoPvh) }
}

#[cfg(test)]
mod tests;
