//! Hex excerpts: the bytes around a place, for people.
//!
//! ```text
//!   00000fe0  48 65 6c 6c 6f 20 77 6f  72 6c 64 0a 48 65 6c 6c  |Hello world.Hell|
//! > 00000ff0  6f 20 77 6f[72]6c 64 0a  00 00 00 00 00 00 00 00  |o world.........|
//! ```

use std::fmt::Write;

/// Bytes in a row.
const ROW: usize = 16;

/// The row of `bytes` that holds index `mark`, with up to `around` rows before and after it.
///
/// `address` is that of `bytes[0]`; rows begin at multiples of 16 of it, as in every hex dump, so
/// the first and last may be short of bytes. The marked byte stands in brackets and its row behind
/// a `>`. A mark behind the end marks nothing and shows the last rows.
#[must_use]
pub fn excerpt(bytes: &[u8], address: u64, mark: usize, around: usize) -> String {
    let rows = Rows::of(address, bytes.len());
    if bytes.is_empty() {
        return String::from("  (no bytes)\n");
    }
    let mut text = String::new();
    for row in rows.around(mark, around) {
        let is_marked = |index: usize| index == mark;
        let sign = if rows.cells(row).contains(&Some(mark)) {
            '>'
        } else {
            ' '
        };
        let byte = |index: usize| bytes.get(index).copied();
        rows.write(&mut text, sign, row, byte, is_marked);
    }
    text
}

/// The bytes around index `mark` as they are expected and as they were seen: a row in which they differ is there
/// twice, expected behind a `-`, seen behind a `+` with each byte that differs in brackets. What is not known of
/// the expected bytes is `None`, and shown as `..`.
#[must_use]
pub fn difference(
    expected: &[Option<u8>],
    seen: &[u8],
    address: u64,
    mark: usize,
    around: usize,
) -> String {
    let len = expected.len().max(seen.len());
    let rows = Rows::of(address, len);
    if len == 0 {
        return String::from("  (no bytes)\n");
    }
    let due = |index: usize| expected.get(index).copied().flatten();
    let is = |index: usize| seen.get(index).copied();
    let differs = |index: usize| match (due(index), is(index)) {
        (Some(due), Some(is)) => due != is,
        (Some(_), None) => true,
        // More came than there was to come.
        (None, is) => is.is_some() && index >= expected.len() && !expected.is_empty(),
    };
    let mut text = String::new();
    for row in rows.around(mark, around) {
        let cells = rows.cells(row);
        if cells.iter().flatten().any(|index| differs(*index)) {
            rows.write(&mut text, '-', row, due, |_| false);
            rows.write(&mut text, '+', row, is, differs);
        } else {
            let sign = if cells.contains(&Some(mark)) {
                '>'
            } else {
                ' '
            };
            rows.write(&mut text, sign, row, is, |index| index == mark);
        }
    }
    text
}

/// Rows of a dump.
struct Rows {
    /// Address of the first row.
    address: u64,
    /// Places in it before the first byte.
    lead: usize,
    /// Number of bytes.
    len: usize,
}

impl Rows {
    /// Rows begin at multiples of 16 of the address.
    fn of(address: u64, len: usize) -> Self {
        let lead = usize::try_from(address % ROW as u64).unwrap_or(0);
        let address = address - lead as u64;
        Self { address, lead, len }
    }

    fn around(&self, mark: usize, around: usize) -> std::ops::RangeInclusive<usize> {
        let last = self.len.saturating_sub(1);
        let row_of = |index: usize| (self.lead + index.min(last)) / ROW;
        let middle = row_of(mark);
        middle.saturating_sub(around)..=middle.saturating_add(around).min(row_of(last))
    }

    /// The indices in a row.
    fn cells(&self, row: usize) -> [Option<usize>; ROW] {
        std::array::from_fn(|column| {
            let index = (row * ROW + column).checked_sub(self.lead);
            index.filter(|index| *index < self.len)
        })
    }

    fn write(
        &self,
        text: &mut String,
        sign: char,
        row: usize,
        byte: impl Fn(usize) -> Option<u8>,
        is_marked: impl Fn(usize) -> bool,
    ) {
        let cells = self.cells(row);
        let marked = |column: usize| cells.get(column).copied().flatten().is_some_and(&is_marked);
        let at = self.address.wrapping_add((row * ROW) as u64);
        // Writing to a String cannot fail.
        let _ = write!(text, "{sign} {at:08x} ");
        for (column, cell) in cells.iter().enumerate() {
            // Brackets take the places of the blanks around bytes.
            let before = column > 0 && marked(column - 1);
            let closes = if before && !marked(column) { ']' } else { ' ' };
            let opens = if marked(column) && !before { '[' } else { ' ' };
            if column == ROW / 2 {
                text.extend([closes, opens]);
            } else {
                text.push(if closes == ' ' { opens } else { closes });
            }
            let _ = match cell.map(&byte) {
                Some(Some(value)) => write!(text, "{value:02x}"),
                Some(None) => write!(text, ".."),
                None => write!(text, "  "),
            };
        }
        text.push_str(if marked(ROW - 1) { "] |" } else { "  |" });
        text.extend(cells.iter().map(|cell| match cell.map(&byte) {
            Some(Some(value)) if value.is_ascii_graphic() || value == b' ' => char::from(value),
            Some(Some(_)) => '.',
            _ => ' ',
        }));
        text.push_str("|\n");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{difference, excerpt};

    fn hello() -> Vec<u8> {
        b"Hello world\n".repeat(4)
    }

    #[test]
    fn the_marked_byte_stands_in_brackets() {
        let expected = "
  00000fe0  48 65 6c 6c 6f 20 77 6f  72 6c 64 0a 48 65 6c 6c  |Hello world.Hell|
> 00000ff0  6f 20 77 6f[72]6c 64 0a  48 65 6c 6c 6f 20 77 6f  |o world.Hello wo|
  00001000  72 6c 64 0a 48 65 6c 6c  6f 20 77 6f 72 6c 64 0a  |rld.Hello world.|
";
        assert_eq!(excerpt(&hello(), 0xfe0, 20, 1), &expected[1..]);
    }

    #[test]
    fn every_column_can_be_marked_and_none_moves() {
        let plain = excerpt(&[0xab; 16], 0, 99, 0);
        assert!(plain.starts_with("  00000000  ab ab"), "{plain}");
        for mark in 0..16 {
            let marked = excerpt(&[0xab; 16], 0, mark, 0);
            assert_eq!(marked.matches("[ab]").count(), 1, "{marked}");
            assert_eq!(marked.replace(['[', ']'], " ").replacen('>', " ", 1), plain);
        }
    }

    #[test]
    fn each_byte_that_differs_is_marked() {
        let seen = hello();
        let mut expected: Vec<Option<u8>> = seen.iter().copied().map(Some).collect();
        expected[20] = Some(0);
        expected[21] = Some(1);
        expected[30] = Some(2);
        expected[31] = None;
        let text = "
  00000fe0  48 65 6c 6c 6f 20 77 6f  72 6c 64 0a 48 65 6c 6c  |Hello world.Hell|
- 00000ff0  6f 20 77 6f 00 01 64 0a  48 65 6c 6c 6f 20 02 ..  |o wo..d.Hello . |
+ 00000ff0  6f 20 77 6f[72 6c]64 0a  48 65 6c 6c 6f 20[77]6f  |o world.Hello wo|
  00001000  72 6c 64 0a 48 65 6c 6c  6f 20 77 6f 72 6c 64 0a  |rld.Hello world.|
";
        assert_eq!(difference(&expected, &seen, 0xfe0, 20, 1), &text[1..]);
        // Nothing is known: the marked byte is shown as in an excerpt.
        let plain = difference(&[], &seen, 0xfe0, 20, 1);
        assert_eq!(plain, excerpt(&seen, 0xfe0, 20, 1));
    }

    #[test]
    fn too_few_and_too_many_bytes_differ() {
        let all = |bytes: &[u8]| bytes.iter().copied().map(Some).collect::<Vec<_>>();
        let few = difference(&all(b"abc"), b"ab", 0, 2, 0);
        assert!(few.contains("+ 00000000  61 62[..]"), "{few}");
        let many = difference(&all(b"ab"), b"abc", 0, 2, 0);
        assert!(many.contains("- 00000000  61 62 .. "), "{many}");
        assert!(many.contains("+ 00000000  61 62[63]"), "{many}");
    }

    #[test]
    fn short_rows_keep_their_columns() {
        let text = excerpt(b"xyz", 0x1c, 2, 3);
        let expected =
            "> 00000010                                       78 79[7a]    |            xyz |\n";
        assert_eq!(text, expected);
        assert_eq!(excerpt(b"", 5, 0, 1), "  (no bytes)\n");
    }

    proptest! {
        #[test]
        fn any_place_can_be_shown(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            address in any::<u64>(),
            mark in 0usize..250,
            around in prop_oneof![0usize..5, Just(usize::MAX)],
        ) {
            let text = excerpt(&bytes, address, mark, around);
            let marked = bytes.get(mark).map(|byte| format!("[{byte:02x}]"));
            prop_assert!(marked.is_none_or(|marked| text.contains(&marked)));
            prop_assert!(text.lines().count() <= around.saturating_mul(2).saturating_add(1));
        }
    }
}
