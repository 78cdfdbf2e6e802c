//! System calls on descriptors as the inside of their tables.

use super::{Unwritable, number, quoted, unwritable};
use crate::words::{ACCESS, WHENCE, word_of};
use relaybed_case::{FileCall, FileSlot, Map, Whence};

/// A call; `alias` says a descriptor's name, `channel` a channel's.
pub(super) fn call(
    file: FileSlot,
    call: &FileCall,
    alias: &dyn Fn(&FileSlot) -> String,
    channel: impl Fn(usize) -> String,
) -> Result<String, Unwritable> {
    let f = alias(&file);
    Ok(match call {
        FileCall::Open {
            channel: c,
            cpu,
            access,
        } => format!(
            "open_file = {}, cpu = {cpu}, as = {f}, access = \"{}\"",
            channel(*c),
            word_of(&ACCESS, access)
        ),
        FileCall::Dup { to } => format!("dup = {f}, as = {}", alias(to)),
        FileCall::ReadNowhere { size } => format!("read = {f}, size = {size}, into = \"nowhere\""),
        FileCall::Pread { size, offset } => {
            format!("pread = {f}, size = {size}, offset = {}", number(*offset)?)
        }
        FileCall::Readv { size, parts } => format!("readv = {f}, size = {size}, parts = {parts}"),
        FileCall::Write { size } => format!("write_file = {f}, size = {size}"),
        FileCall::Truncate { len } => format!("truncate = {f}, len = {}", number(*len)?),
        FileCall::Seek { whence, offset } => {
            format!("lseek = {f}{}", seek(*whence, *offset))
        }
        FileCall::Map(map) => format!("mmap = {f}{}", mapping(*map)?),
        FileCall::Keep { len } => format!("munmap = {f}, keep = {}", number(*len)?),
        FileCall::Mremap { len } => format!("mremap = {f}, len = {}", number(*len)?),
        FileCall::Store { at, bytes } => match std::str::from_utf8(bytes) {
            Ok(text) => format!(
                "store = {f}, at = {}, text = {}",
                number(*at)?,
                quoted(text)
            ),
            Err(_) => return unwritable("a store of bytes that are no text"),
        },
        FileCall::Stat => format!("fstat = {f}"),
        FileCall::Splice {
            size,
            times,
            nonblock,
            late,
        } => {
            let often = super::often(*times);
            let block = if *nonblock { ", block = \"no\"" } else { "" };
            let drain = if *late { ", drain = \"late\"" } else { "" };
            format!("splice = {f}, size = {size}{often}{block}{drain}")
        }
        FileCall::Sendfile { size } => format!("sendfile = {f}, size = {size}"),
    })
}

fn seek(whence: Whence, offset: i64) -> String {
    let whence = match whence {
        Whence::Set => String::new(),
        whence => format!(", whence = \"{}\"", word_of(&WHENCE, &whence)),
    };
    match offset {
        0 => whence,
        offset => format!("{whence}, offset = {offset}"),
    }
}

fn mapping(map: Map) -> Result<String, Unwritable> {
    let mut text = format!(", len = {}", number(map.len)?);
    if map.offset != 0 {
        text += &format!(", offset = {}", number(map.offset)?);
    }
    if map.writable {
        text += ", access = \"read-write\"";
    }
    if map.hidden {
        text += ", access = \"none\"";
    }
    if map.private {
        text += ", sharing = \"private\"";
    }
    Ok(text)
}
