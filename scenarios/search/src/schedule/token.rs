//! A schedule written as one word, with what is needed to run it again and to notice that it is another run.
//!
//! A token is `rbs1` and digits of base 32, all lower case: safe to paste, to say on the phone and in a shell. It
//! may come from anywhere, so nothing in it is believed before it was checked.

mod base32;
mod bytes;

use super::decisions::{Decision, Schedule};
use super::replay::Marks;
use bytes::{Reader, put_number, put_text};
use relaybed_case::Case;
use relaybed_case::fnv::Fnv;

/// What a token begins with: relaybed's schedules, version 1.
const PREFIX: &str = "rbs1";
/// What tokens of every version begin with.
const FAMILY: &str = "rbs";
/// Longest token that is looked at.
const CHARACTERS_MAX: usize = 1 << 20;
/// Longest name of a scenario or a kernel.
const TEXT_MAX: usize = 1024;
/// Most stops that a run can have.
const STOPS_MAX: u64 = 1 << 32;
/// Flags of what a token has besides the rest.
const HAS_SEED: u64 = 1;
/// A relay.c of its own; a relaybed that knows of none refuses the flag.
const HAS_RELAY: u64 = 2;
/// Most vCPUs of a machine.
const VCPUS_MAX: u64 = 1024;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Name of the case.
    pub scenario: String,
    /// Digest of what the case does, by [`case_digest`]: a file may have changed since.
    pub scenario_digest: u64,
    /// The kernel, as `--kernel` takes it.
    pub kernel: String,
    /// What `uname -r` said: the same wish may mean another kernel later.
    pub release: String,
    /// The relay.c that was tested in place of the kernel's: as `--relay` takes it, and its SHA-256.
    pub relay: Option<(String, String)>,
    /// vCPUs of the machine.
    pub vcpus: u32,
    /// The seed that draws record lengths, where it is not the scenario's own.
    pub seed: Option<u64>,
    /// Which vCPU goes on.
    pub schedule: Schedule,
    /// What tells that a run is the same.
    pub marks: Marks,
}

/// Why a word is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Something else altogether.
    #[error("a schedule's token begins with {PREFIX:?}; this is none")]
    NoToken,
    /// Of another release.
    #[error(
        "the token is of version {0:?}; this relaybed knows version 1: use the relaybed that printed it"
    )]
    Version(String),
    /// Longer than any token that is printed.
    #[error("the token has {0} characters; at most {CHARACTERS_MAX} are looked at")]
    Long(usize),
    /// A character that no token has.
    #[error("character {at} of the token, {found:?}, is no digit of base 32; copy the token again")]
    Character {
        /// Its place in the word, counted from 1.
        at: usize,
        /// The character.
        found: char,
    },
    /// Bits are left over or missing at the end.
    #[error("the token is cut off; copy all of it")]
    Cut,
    /// Some character is not what was printed.
    #[error("the token's checksum does not match: it was altered or cut off; copy it again")]
    Checksum,
    /// The checksum matches but the content makes no sense.
    #[error("the token's {0} is not possible; it was not printed by relaybed")]
    Content(&'static str),
}

/// Digest of a text that a token refers to.
#[must_use]
pub fn digest(text: &str) -> u64 {
    let mut hash = Fnv::default();
    hash.write(text.as_bytes());
    hash.0
}

/// Digest of what a case does: its name and what its author says of it are no part of that.
#[must_use]
pub fn case_digest(case: &Case) -> u64 {
    let bare = Case {
        name: String::new(),
        summary: String::new(),
        expect: Vec::new(),
        ..case.clone()
    };
    // A case of strings and numbers always has its text.
    digest(&serde_json::to_string(&bare).unwrap_or_default())
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut bytes = content(self);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        f.write_str(&word(&bytes))
    }
}

impl std::str::FromStr for Token {
    type Err = TokenError;

    fn from_str(word: &str) -> Result<Self, TokenError> {
        let word = word.trim();
        let Some(digits) = word.strip_prefix(PREFIX) else {
            return Err(match word.strip_prefix(FAMILY) {
                Some(rest) => TokenError::Version(rest.chars().take(1).collect()),
                None => TokenError::NoToken,
            });
        };
        if word.len() > CHARACTERS_MAX {
            return Err(TokenError::Long(word.len()));
        }
        let bytes = base32::decode(digits, PREFIX.len())?;
        let (content, sum) = bytes.split_last_chunk::<4>().ok_or(TokenError::Cut)?;
        if crc32fast::hash(content).to_le_bytes() != *sum {
            return Err(TokenError::Checksum);
        }
        Self::read(Reader::new(content))
    }
}

/// The word for bytes that end in their checksum.
pub(super) fn word(bytes: &[u8]) -> String {
    format!("{PREFIX}{}", base32::encode(bytes))
}

/// A token's bytes without their checksum.
pub(super) fn content(token: &Token) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, &token.scenario);
    out.extend(token.scenario_digest.to_le_bytes());
    put_text(&mut out, &token.kernel);
    put_text(&mut out, &token.release);
    put_number(&mut out, u64::from(token.vcpus));
    let has = |there: bool, flag| if there { flag } else { 0 };
    let seed = has(token.seed.is_some(), HAS_SEED);
    put_number(&mut out, seed | has(token.relay.is_some(), HAS_RELAY));
    put_number(&mut out, token.seed.unwrap_or(0));
    if let Some((asked, sha256)) = &token.relay {
        put_text(&mut out, asked);
        put_text(&mut out, sha256);
    }
    put_number(&mut out, token.schedule.decisions.len() as u64);
    let mut after = 0;
    for decision in &token.schedule.decisions {
        // One number says both: most are below 128 then, and take a byte.
        let gap = decision.index - after;
        put_number(
            &mut out,
            gap * u64::from(token.vcpus) + u64::from(decision.next),
        );
        after = decision.index + 1;
    }
    put_number(&mut out, token.marks.stops);
    for digest in &token.marks.digests {
        out.extend(digest.to_le_bytes());
    }
    out
}

impl Token {
    fn read(mut reader: Reader<'_>) -> Result<Self, TokenError> {
        let scenario = reader.text("scenario's name", TEXT_MAX)?;
        let scenario_digest = u64::from_le_bytes(reader.array("scenario's digest")?);
        let kernel = reader.text("kernel", TEXT_MAX)?;
        let release = reader.text("kernel's release", TEXT_MAX)?;
        let vcpus = reader.number("number of vCPUs")?;
        if !(1..=VCPUS_MAX).contains(&vcpus) {
            return Err(TokenError::Content("number of vCPUs"));
        }
        let has = reader.number("seed")?;
        let seed = reader.number("seed")?;
        if has & !(HAS_SEED | HAS_RELAY) != 0 || (has & HAS_SEED == 0 && seed != 0) {
            return Err(TokenError::Content("seed"));
        }
        let relay = match has & HAS_RELAY {
            0 => None,
            _ => Some((
                reader.text("relay.c", TEXT_MAX)?,
                reader.text("relay.c's hash", TEXT_MAX)?,
            )),
        };
        let decisions = decisions(&mut reader, vcpus)?;
        let stops = reader.number("number of stops")?;
        let last = decisions.last().map_or(0, |decision| decision.index + 1);
        if stops > STOPS_MAX || last > stops {
            return Err(TokenError::Content("number of stops"));
        }
        let digests = (0..Marks::count(stops))
            .map(|_| reader.array("digests").map(u16::from_le_bytes))
            .collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self {
            scenario,
            scenario_digest,
            kernel,
            release,
            vcpus: u32::try_from(vcpus).map_err(|_| TokenError::Content("number of vCPUs"))?,
            relay,
            seed: (has & HAS_SEED != 0).then_some(seed),
            schedule: Schedule { decisions },
            marks: Marks { stops, digests },
        })
    }
}

fn decisions(reader: &mut Reader<'_>, vcpus: u64) -> Result<Vec<Decision>, TokenError> {
    const WHAT: &str = "list of decisions";
    let count = reader.number(WHAT)?;
    // Each takes a byte at least, so nothing is allocated that the token does not hold.
    if count > reader.left() as u64 {
        return Err(TokenError::Content(WHAT));
    }
    let mut decisions = Vec::new();
    let mut after = 0_u64;
    for _ in 0..count {
        let number = reader.number(WHAT)?;
        let index = after.saturating_add(number / vcpus);
        if index >= STOPS_MAX {
            return Err(TokenError::Content(WHAT));
        }
        let next = u32::try_from(number % vcpus).map_err(|_| TokenError::Content(WHAT))?;
        decisions.push(Decision { index, next });
        after = index + 1;
    }
    Ok(decisions)
}
