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
    // Rows are counted from the multiple of 16 at or before the first byte.
    let lead = usize::try_from(address % ROW as u64).unwrap_or(0);
    let Some(last) = bytes.len().checked_sub(1) else {
        return String::from("  (no bytes)\n");
    };
    let row_of = |index: usize| (lead + index.min(last)) / ROW;
    let middle = row_of(mark);
    let rows = middle.saturating_sub(around)..=middle.saturating_add(around).min(row_of(last));
    let mut text = String::new();
    for row in rows {
        let cells: [Option<usize>; ROW] = std::array::from_fn(|column| {
            (row * ROW + column)
                .checked_sub(lead)
                .filter(|index| *index <= last)
        });
        let marked = cells.iter().position(|cell| *cell == Some(mark));
        let at = (address - lead as u64).wrapping_add((row * ROW) as u64);
        let sign = if marked.is_some() { '>' } else { ' ' };
        // Writing to a String cannot fail.
        let _ = write!(text, "{sign} {at:08x} ");
        write_cells(&mut text, &cells, bytes, marked);
        text.push('\n');
    }
    text
}

fn write_cells(
    text: &mut String,
    cells: &[Option<usize>; ROW],
    bytes: &[u8],
    marked: Option<usize>,
) {
    let byte = |cell: &Option<usize>| cell.and_then(|index| bytes.get(index)).copied();
    for (column, cell) in cells.iter().enumerate() {
        // A byte's brackets take the places of the blanks around it.
        let opens = if marked == Some(column) { '[' } else { ' ' };
        let closes = if column > 0 && marked == Some(column - 1) {
            ']'
        } else {
            ' '
        };
        if column == ROW / 2 {
            text.extend([closes, opens]);
        } else {
            text.push(if closes == ' ' { opens } else { closes });
        }
        let _ = match byte(cell) {
            Some(value) => write!(text, "{value:02x}"),
            None => write!(text, "  "),
        };
    }
    text.push_str(if marked == Some(ROW - 1) {
        "] |"
    } else {
        "  |"
    });
    text.extend(cells.iter().map(|cell| match byte(cell) {
        Some(value) if value.is_ascii_graphic() || value == b' ' => char::from(value),
        Some(_) => '.',
        None => ' ',
    }));
    text.push('|');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::excerpt;

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
