//! The symbol table of a guest's kernel: functions by name and by address.
//!
//! In comes the text that the guest's agent made of the kernel's own list, hostile until checked. Pure.

pub mod elf;

use std::collections::{BTreeMap, BTreeSet};

/// Longest function that an address is taken to be inside of, where no later symbol ends it.
const FUNCTION_MAX: u64 = 1 << 20;

/// Modules are above this address, on x86-64 and without KASLR.
const MODULES: u64 = 0xffff_ffff_a000_0000;

/// What the module puts before the names of a relay.c of its own (own_names.h).
const OWN: &str = "own_";

/// The text is not a symbol table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed symbol table from the guest, line {line}: {problem}")]
pub struct SymbolError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: &'static str,
}

/// Functions of a kernel and its modules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbols {
    /// Ascending by address.
    by_address: Vec<(u64, String)>,
    by_name: BTreeMap<String, Vec<u64>>,
}

impl Symbols {
    /// Takes lines of "address name", the address in hexadecimal digits.
    ///
    /// # Errors
    /// [`SymbolError`] for the first malformed line.
    pub fn parse(text: &str) -> Result<Self, SymbolError> {
        let mut table = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let bad = |problem| SymbolError {
                line: number,
                problem,
            };
            let (address, name) = line
                .split_once(' ')
                .ok_or(bad("not an address and a name"))?;
            let address = u64::from_str_radix(address, 16).map_err(|_| bad("not an address"))?;
            let is_name = |c: char| c.is_ascii_graphic();
            if name.is_empty() || !name.chars().all(is_name) {
                return Err(bad("a name with strange characters"));
            }
            table.by_address.push((address, name.to_owned()));
            table
                .by_name
                .entry(name.to_owned())
                .or_default()
                .push(address);
        }
        table.by_address.sort();
        Ok(table)
    }

    /// Where the module has a relay.c of its own: its functions go by the names that relay.c gives them, and the
    /// kernel's of the same names are left out.
    pub fn prefer_own_relay(&mut self) {
        let all = std::mem::take(&mut self.by_address);
        let in_module = |at: u64| at >= MODULES;
        let name_of = |(at, name): (u64, String)| match name.strip_prefix(OWN) {
            Some(rest) if in_module(at) => (at, rest.to_owned()),
            _ => (at, name),
        };
        let all: Vec<_> = all.into_iter().map(name_of).collect();
        let in_module = |(at, name): &&(u64, String)| in_module(*at).then_some(name.clone());
        let module: BTreeSet<String> = all.iter().filter_map(|s| in_module(&s)).collect();
        let keep = |(at, name): &(u64, String)| *at >= MODULES || !module.contains(name);
        self.by_address = all.into_iter().filter(keep).collect();
        self.by_name = BTreeMap::new();
        for (at, name) in &self.by_address {
            self.by_name.entry(name.clone()).or_default().push(*at);
        }
    }

    /// Addresses of the functions of this name: several static functions may share one.
    #[must_use]
    pub fn named(&self, name: &str) -> &[u64] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The function that an address is in, and the bytes from its start to there.
    #[must_use]
    pub fn at(&self, address: u64) -> Option<(&str, u64)> {
        let after = self
            .by_address
            .partition_point(|(start, _)| *start <= address);
        let (start, _) = self.by_address.get(after.checked_sub(1)?)?;
        // Of aliases the first by name.
        let first = self.by_address.partition_point(|(at, _)| at < start);
        let (start, name) = self.by_address.get(first)?;
        let offset = address - start;
        (offset < FUNCTION_MAX).then_some((name, offset))
    }

    /// The first address after the function that starts at `address`, as far as the table shows.
    #[must_use]
    pub fn end(&self, address: u64) -> u64 {
        let after = self
            .by_address
            .partition_point(|(start, _)| *start <= address);
        let limit = address.saturating_add(FUNCTION_MAX);
        self.by_address
            .get(after)
            .map_or(limit, |(next, _)| limit.min(*next))
    }

    /// All functions, ascending by address.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &str)> {
        self.by_address
            .iter()
            .map(|(address, name)| (*address, name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TABLE: &str = "ffffffff81000100 b\nffffffff81000000 a\nffffffff81000100 also_b\n\
                         ffffffff81000200 a\n";

    #[test]
    fn names_and_addresses() {
        let table = Symbols::parse(TABLE).unwrap();
        assert_eq!(
            table.named("a"),
            [0xffff_ffff_8100_0000, 0xffff_ffff_8100_0200]
        );
        assert_eq!(table.named("c"), [0; 0]);
        assert_eq!(table.at(0xffff_ffff_8100_00ff), Some(("a", 0xff)));
        assert_eq!(table.at(0xffff_ffff_8100_0100), Some(("also_b", 0)));
        assert_eq!(table.at(0xffff_ffff_80ff_ffff), None);
        assert_eq!(table.at(0xffff_ffff_8200_0000), None);
        assert_eq!(table.end(0xffff_ffff_8100_0000), 0xffff_ffff_8100_0100);
    }

    #[test]
    fn an_own_relay_takes_the_place_of_the_kernels() {
        let text = "ffffffff81000000 relay_open\nffffffff81000100 relay_file_read\n\
                    ffffffff81000200 vfs_read\nffffffffc0000000 own_relay_open\n\
                    ffffffffc0000100 relay_file_read\n";
        let mut table = Symbols::parse(text).unwrap();
        table.prefer_own_relay();
        assert_eq!(table.named("relay_open"), [0xffff_ffff_c000_0000]);
        assert_eq!(table.named("relay_file_read"), [0xffff_ffff_c000_0100]);
        assert_eq!(table.named("vfs_read"), [0xffff_ffff_8100_0200]);
        assert_eq!(table.at(0xffff_ffff_c000_0004), Some(("relay_open", 4)));
    }

    #[test]
    fn nonsense_is_refused_by_its_line() {
        for text in ["x", "zz a", "10 ", "10 a b", "10 \u{7}"] {
            let error = Symbols::parse(&format!("10 fine\n{text}\n")).unwrap_err();
            assert_eq!(error.line, 2, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}", address: u64) {
            if let Ok(table) = Symbols::parse(&text) {
                let _ = (table.at(address), table.end(address));
            }
        }
    }
}
