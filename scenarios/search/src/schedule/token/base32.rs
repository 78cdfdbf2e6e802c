//! Bytes as digits of base 32: Crockford's alphabet, which leaves out the letters that look like others.

use super::TokenError;

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Five bits a digit, the last filled up with zeros.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(digit(bits >> count));
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        text.push(digit(bits << (5 - count)));
    }
    text
}

fn digit(bits: u32) -> char {
    char::from(DIGITS[(bits & 31) as usize])
}

/// The bytes of a text that [`encode`] made. `skipped` characters stand before it in the word.
pub(super) fn decode(text: &str, skipped: usize) -> Result<Vec<u8>, TokenError> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut count) = (0_u32, 0);
    for (index, found) in text.chars().enumerate() {
        let value = value(found).ok_or(TokenError::Character {
            at: skipped + index + 1,
            found,
        })?;
        bits = (bits << 5) | value;
        count += 5;
        if count >= 8 {
            count -= 8;
            // Masked to eight bits by the truncation to the lowest byte.
            bytes.push((bits >> count).to_le_bytes()[0]);
        }
        bits &= (1 << count) - 1;
    }
    // What fills the last digit is less than a digit, and zero.
    if count >= 5 || bits != 0 {
        return Err(TokenError::Cut);
    }
    Ok(bytes)
}

fn value(found: char) -> Option<u32> {
    let found = found.to_ascii_lowercase();
    let at = DIGITS.iter().position(|digit| char::from(*digit) == found);
    at.and_then(|at| u32::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_are_crockfords() {
        assert_eq!(encode(b""), "");
        assert_eq!(encode(b"\xff"), "zw");
        assert_eq!(encode(b"foobar"), "csqpyrk1e8");
        assert_eq!(decode("CSQPYRK1E8", 0).unwrap(), b"foobar");
        let bad = TokenError::Character { at: 7, found: 'u' };
        assert_eq!(decode("csu", 4), Err(bad));
        assert_eq!(decode("zz", 0), Err(TokenError::Cut));
        assert_eq!(decode("z", 0), Err(TokenError::Cut));
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(&encode(&bytes), 0).unwrap(), bytes);
        }
    }
}
