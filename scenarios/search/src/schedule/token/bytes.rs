//! Numbers and texts as bytes, and back with every step checked.

use super::TokenError;

/// Seven bits a byte, the low ones first; the high bit says that more follow.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Its length, then its bytes.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend(text.as_bytes());
}

/// What is left to read.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], TokenError> {
        let (array, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(TokenError::Content(what))?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn number(&mut self, what: &'static str) -> Result<u64, TokenError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.array(what)?;
            let bits = u64::from(byte & 0x7f);
            // Nine bytes hold 63 bits; the tenth has room for one. A zero at the end is another spelling.
            if (bits << shift) >> shift != bits || (byte == 0 && shift > 0) {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(TokenError::Content(what))
    }

    pub(super) fn text(&mut self, what: &'static str, most: usize) -> Result<String, TokenError> {
        let length = self.number(what)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= most);
        let split = length.and_then(|length| self.rest.split_at_checked(length));
        let (bytes, rest) = split.ok_or(TokenError::Content(what))?;
        let text = std::str::from_utf8(bytes).map_err(|_| TokenError::Content(what))?;
        // It is shown to people.
        if text.chars().any(char::is_control) {
            return Err(TokenError::Content(what));
        }
        self.rest = rest;
        Ok(text.to_owned())
    }

    pub(super) fn end(self) -> Result<(), TokenError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(TokenError::Content("end")),
        }
    }
}
