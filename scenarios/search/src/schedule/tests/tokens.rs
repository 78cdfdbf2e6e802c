//! Tokens come back as they were written, and what is none is told so.

use proptest::prelude::*;

use crate::schedule::token::digest;
use crate::schedule::{Decision, Marks, Schedule, Token, TokenError};

fn token() -> Token {
    Token {
        scenario: "schedules/plain-reader[mode=default]".to_owned(),
        scenario_digest: digest("a scenario"),
        kernel: "bookworm:6.1".to_owned(),
        release: "6.1.0-40-amd64".to_owned(),
        relay: None,
        vcpus: 2,
        seed: None,
        schedule: Schedule {
            decisions: vec![
                Decision { index: 3, next: 1 },
                Decision { index: 90, next: 0 },
            ],
        },
        marks: Marks {
            stops: 120,
            digests: vec![0xabcd; 15],
        },
    }
}

#[test]
fn a_token_is_one_short_word_and_means_the_same_for_ever() {
    let word = token().to_string();
    assert!(
        word.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    );
    insta::assert_snapshot!(word);
    assert_eq!(word.parse(), Ok(token()));
    assert_eq!(format!(" {word}\n").parse(), Ok(token()));
}

#[test]
fn what_is_no_token_is_told_so() {
    let word = token().to_string();
    let parse = |word: &str| word.parse::<Token>().unwrap_err();
    assert_eq!(parse("no-overwrite/exact-fit"), TokenError::NoToken);
    assert_eq!(parse(""), TokenError::NoToken);
    assert_eq!(parse("rbs2abc"), TokenError::Version("2".to_owned()));
    assert_eq!(parse("rbs"), TokenError::Version(String::new()));
    assert_eq!(parse("rbs1"), TokenError::Cut);
    let at = word.len() + 1;
    assert_eq!(
        parse(&format!("{word}!")),
        TokenError::Character { at, found: '!' }
    );
    let long = format!("rbs1{}", "0".repeat(1 << 20));
    assert_eq!(parse(&long), TokenError::Long(long.len()));
    for length in 4..word.len() {
        let error = parse(&word[..length]);
        assert!(
            matches!(error, TokenError::Cut | TokenError::Checksum),
            "{length}: {error}"
        );
    }
}

fn any_token() -> impl Strategy<Value = Token> {
    let decisions = prop::collection::btree_map(0_u64..5_000, any::<prop::sample::Index>(), 0..60);
    (
        "[a-z/=,\\[\\] ]{0,40}",
        any::<u64>(),
        "[ -~]{0,20}",
        "\\PC{0,20}",
        1_u32..=64,
        any::<Option<(String, u64)>>(),
        any::<Option<u64>>(),
        decisions,
        0_u64..3,
        prop::collection::vec(any::<u16>(), 16),
    )
        .prop_map(
            |(
                scenario,
                scenario_digest,
                kernel,
                release,
                vcpus,
                relay,
                seed,
                decided,
                more,
                digests,
            )| {
                let decision = |(index, next): (u64, prop::sample::Index)| Decision {
                    index,
                    next: u32::try_from(next.index(vcpus as usize)).unwrap(),
                };
                let decisions: Vec<Decision> = decided.into_iter().map(decision).collect();
                let stops = decisions.last().map_or(0, |last| last.index + 1) + more;
                let count = usize::try_from(Marks::count(stops)).unwrap();
                Token {
                    scenario,
                    scenario_digest,
                    kernel,
                    release,
                    relay: relay.map(|(asked, hash)| (asked, format!("{hash:064x}"))),
                    vcpus,
                    seed,
                    schedule: Schedule { decisions },
                    marks: Marks {
                        stops,
                        digests: digests[..count].to_vec(),
                    },
                }
            },
        )
}

/// A token of these bytes, with the right checksum: somebody may make one.
fn forged(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    crate::schedule::token::word(&bytes)
}

proptest! {
    #[test]
    fn tokens_come_back(token in any_token()) {
        let word = token.to_string();
        prop_assert_eq!(word.parse(), Ok(token.clone()));
        prop_assert_eq!(word.to_uppercase().replacen("RBS", "rbs", 1).parse(), Ok(token));
    }

    #[test]
    fn a_damaged_token_is_an_error(
        token in any_token(),
        at in any::<prop::sample::Index>(),
        to in "[0-9a-z]",
    ) {
        let word = token.to_string();
        let at = 4 + at.index(word.len() - 4);
        let mut damaged = word.clone();
        damaged.replace_range(at..=at, &to);
        if damaged != word {
            prop_assert!(damaged.parse::<Token>().is_err());
        }
    }

    #[test]
    fn no_text_is_a_panic(text in "(rbs1)?\\PC{0,60}") {
        let _ = text.parse::<Token>();
    }

    #[test]
    fn no_bytes_are_a_panic_and_what_is_read_is_written_alike(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        token in any_token(),
        at in any::<prop::sample::Index>(),
        flip in any::<u8>(),
    ) {
        let _ = forged(&bytes).parse::<Token>();
        // Almost right is the harder case.
        let mut almost = crate::schedule::token::content(&token);
        let at = at.index(almost.len());
        almost[at] ^= flip;
        let word = forged(&almost);
        if let Ok(read) = word.parse::<Token>() {
            prop_assert_eq!(read.to_string(), word);
        }
    }
}
