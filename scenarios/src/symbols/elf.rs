//! A symbol table as an ELF file, which debuggers understand.
//!
//! It has no code: debuggers read that from the machine.

use super::Symbols;

const HEADER: usize = 64;
const SECTION: usize = 64;
const SYMBOL: usize = 24;
const ET_EXEC: u16 = 2;
const EM_X86_64: u16 = 62;
const SHT_NOBITS: u32 = 8;
const SHT_SYMTAB: u32 = 2;
const SHT_STRTAB: u32 = 3;
const SHF_ALLOC_EXEC: u64 = 0x2 | 0x4;
/// A global function.
const FUNCTION: u8 = 1 << 4 | 2;
/// Names of the sections, in their order, each behind a zero byte.
const NAMES: &[u8] = b"\0.text\0.symtab\0.strtab\0.shstrtab\0";

/// One section's header.
#[derive(Default)]
struct Section {
    name: u32,
    kind: u32,
    flags: u64,
    address: u64,
    offset: u64,
    size: u64,
    link: u32,
    info: u32,
    entry: u64,
}

/// The file.
#[must_use]
pub fn of(symbols: &Symbols) -> Vec<u8> {
    let first = symbols.by_address.first().map_or(0, |(at, _)| *at);
    let last = symbols.by_address.last().map_or(0, |(at, _)| *at);
    let mut names = vec![0];
    let mut table = vec![0; SYMBOL];
    for (address, name) in &symbols.by_address {
        let size = symbols.end(*address).saturating_sub(*address);
        table.extend(u32::try_from(names.len()).unwrap_or(0).to_le_bytes());
        table.extend([FUNCTION, 0]);
        table.extend(1u16.to_le_bytes());
        table.extend(address.to_le_bytes());
        table.extend(size.to_le_bytes());
        names.extend(name.as_bytes());
        names.push(0);
    }
    let table_at = HEADER as u64;
    let names_at = table_at + table.len() as u64;
    let sections_names_at = names_at + names.len() as u64;
    let headers_at = (sections_names_at + NAMES.len() as u64).next_multiple_of(8);
    let sections = [
        Section::default(),
        Section {
            name: 1,
            kind: SHT_NOBITS,
            flags: SHF_ALLOC_EXEC,
            address: first,
            offset: table_at,
            size: last.saturating_sub(first).saturating_add(1),
            ..Section::default()
        },
        Section {
            name: 7,
            kind: SHT_SYMTAB,
            offset: table_at,
            size: table.len() as u64,
            link: 3,
            info: 1,
            entry: SYMBOL as u64,
            ..Section::default()
        },
        Section {
            name: 15,
            kind: SHT_STRTAB,
            offset: names_at,
            size: names.len() as u64,
            ..Section::default()
        },
        Section {
            name: 23,
            kind: SHT_STRTAB,
            offset: sections_names_at,
            size: NAMES.len() as u64,
            ..Section::default()
        },
    ];
    let mut file = header(headers_at);
    file.extend(table);
    file.extend(names);
    file.extend(NAMES);
    file.resize(usize::try_from(headers_at).unwrap_or(file.len()), 0);
    for section in &sections {
        section.write(&mut file);
    }
    file
}

fn header(sections_at: u64) -> Vec<u8> {
    let mut file = Vec::from(*b"\x7fELF\x02\x01\x01");
    file.resize(16, 0);
    file.extend(ET_EXEC.to_le_bytes());
    file.extend(EM_X86_64.to_le_bytes());
    file.extend(1u32.to_le_bytes());
    // No entry and no segments.
    file.extend([0; 16]);
    file.extend(sections_at.to_le_bytes());
    file.extend(0u32.to_le_bytes());
    for half in [HEADER, 0, 0, SECTION, 5, 4] {
        file.extend(u16::try_from(half).unwrap_or(0).to_le_bytes());
    }
    file
}

impl Section {
    fn write(&self, file: &mut Vec<u8>) {
        file.extend(self.name.to_le_bytes());
        file.extend(self.kind.to_le_bytes());
        for word in [self.flags, self.address, self.offset, self.size] {
            file.extend(word.to_le_bytes());
        }
        file.extend(self.link.to_le_bytes());
        file.extend(self.info.to_le_bytes());
        file.extend(8u64.to_le_bytes());
        file.extend(self.entry.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_symbols_where_elf_says() {
        let text = "ffffffff81000000 _text\nffffffff81000040 relay_open\n";
        let file = of(&Symbols::parse(text).unwrap());
        let word = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
        assert_eq!(&file[..4], b"\x7fELF");
        let headers = usize::try_from(word(40)).unwrap();
        assert_eq!(file.len(), headers + 5 * SECTION);
        let symtab = headers + 2 * SECTION;
        let (table, size) = (word(symtab + 24), word(symtab + 32));
        assert_eq!(size, 3 * SYMBOL as u64);
        let second = usize::try_from(table).unwrap() + 2 * SYMBOL;
        assert_eq!(word(second + 8), 0xffff_ffff_8100_0040);
        let strings = usize::try_from(word(headers + 3 * SECTION + 24)).unwrap();
        let name = u32::from_le_bytes(file[second..second + 4].try_into().unwrap());
        let name = &file[strings + name as usize..];
        assert!(name.starts_with(b"relay_open\0"));
    }
}
