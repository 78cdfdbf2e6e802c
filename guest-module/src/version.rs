//! Debian's order of package versions (`deb-version(7)`).

use std::cmp::Ordering;

/// Compares two package versions as dpkg does.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let (epoch_a, upstream_a, revision_a) = split(a);
    let (epoch_b, upstream_b, revision_b) = split(b);
    compare_digits(epoch_a, epoch_b)
        .then_with(|| compare_part(upstream_a, upstream_b))
        .then_with(|| compare_part(revision_a, revision_b))
}

/// Epoch, upstream version and revision. A missing epoch or revision counts as zero.
fn split(version: &str) -> (&str, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    (epoch, upstream, revision)
}

/// Alternates between runs of non-digits and runs of digits.
fn compare_part(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, rest_a) = take(a, |c| !c.is_ascii_digit());
        let (text_b, rest_b) = take(b, |c| !c.is_ascii_digit());
        let (digits_a, after_a) = take(rest_a, |c| c.is_ascii_digit());
        let (digits_b, after_b) = take(rest_b, |c| c.is_ascii_digit());
        let order = compare_text(text_a, text_b).then_with(|| compare_digits(digits_a, digits_b));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (after_a, after_b);
    }
    Ordering::Equal
}

/// The longest prefix whose characters all match, and the rest.
fn take(text: &str, matches: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !matches(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// Tilde sorts before the end, the end before letters, letters before all else.
fn compare_text(a: &str, b: &str) -> Ordering {
    let weight = |c: Option<char>| match c {
        Some('~') => (0, 0),
        None => (1, 0),
        Some(c) if c.is_ascii_alphabetic() => (2, u32::from(c)),
        Some(c) => (3, u32::from(c)),
    };
    let (mut a, mut b) = (a.chars(), b.chars());
    loop {
        let (next_a, next_b) = (a.next(), b.next());
        let order = weight(next_a).cmp(&weight(next_b));
        if order != Ordering::Equal || next_a.is_none() {
            return order;
        }
    }
}

/// Compares runs of digits of any length by value.
fn compare_digits(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn known_orders() {
        for (older, newer) in [
            ("6.1.190-1", "6.1.192-1"),
            ("6.1.192-1", "6.1.192-2"),
            ("6.9.1-1", "6.10.1-1"),
            ("6.12.95-1~bpo12+1", "6.12.95-1"),
            ("6.12.100-1~deb12u1", "6.12.117-1~deb12u1"),
            ("7.3~rc4-1~exp1", "7.3.1-1~exp1"),
            ("9.9", "1:0.1"),
            ("1.0", "1.0+b1"),
            ("1.0a", "1.0+"),
        ] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} < {newer}");
            assert_eq!(
                compare(newer, older),
                Ordering::Greater,
                "{newer} > {older}"
            );
        }
        assert_eq!(compare("0:1.00-0", "1.0"), Ordering::Equal);
    }

    fn version() -> impl Strategy<Value = String> {
        "([0-2]:)?[0-9][0-9a-b.+~]{0,6}(-[0-9a-b.+~]{1,3})?"
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_dpkg(a in version(), b in version()) {
            let dpkg = |relation: &str| {
                let args = ["--compare-versions", &a, relation, &b];
                Command::new("dpkg").args(args).status().unwrap().success()
            };
            let expected = if dpkg("lt") {
                Ordering::Less
            } else if dpkg("gt") {
                Ordering::Greater
            } else {
                Ordering::Equal
            };
            prop_assert_eq!(compare(&a, &b), expected);
        }
    }
}
