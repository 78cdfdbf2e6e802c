//! The kernel's symbol table, for a host that wants to stop vCPUs at functions.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::sync::{Mutex, PoisonError};

use relaybed_abi::Op;
use rustix::io::Errno;

use crate::actor::UserActor;
use crate::ops::Outcome;

/// Where the kernel lists its symbols and those of its modules.
const SYMBOLS: &str = "/proc/kallsyms";

/// The answer, for the requests that ask for its later parts: the kernel takes seconds to make it.
static TEXT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Lines "address name" of the functions among the lines "address type name \[module\]".
fn functions(lines: impl BufRead) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for line in lines.split(b'\n') {
        let line = line?;
        let mut words = line.split(u8::is_ascii_whitespace);
        let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        // Some kernels list the padding before a function as a symbol of its own.
        if matches!(kind, b"t" | b"T" | b"w" | b"W") && !name.starts_with(b"__pfx_") {
            text.extend_from_slice(address);
            text.push(b' ');
            text.extend_from_slice(name);
            text.push(b'\n');
        }
    }
    Ok(text)
}

impl UserActor {
    /// Up to `arg1` bytes of the table from byte `arg0` on.
    pub(crate) fn symbols(&self, op: &Op) -> Result<Outcome, Errno> {
        let mut text = TEXT.lock().unwrap_or_else(PoisonError::into_inner);
        if text.is_empty() {
            let read = File::open(SYMBOLS).and_then(|file| functions(BufReader::new(file)));
            *text = read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        }
        let from = text.len().min(op.arg0 as usize);
        let to = text.len().min(from.saturating_add(op.arg1 as usize));
        Ok(self.give(text.len() as u64, &text[from..to]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_taken_and_nothing_else() {
        let table = "ffffffff81000000 T _stext\nffffffff81000010 t __pfx_f\nffffffff82000000 D data\n\
                     ffffffffc0001000 t bed_step\t[relaybed]\nbroken\n";
        let text = functions(table.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "ffffffff81000000 _stext\nffffffffc0001000 bed_step\n"
        );
    }
}
