//! Which mutants of a relay.c are meant, and which of them do nothing wrong.

use std::collections::BTreeMap;

use relaybed_mutants::{Changed, Mutant, sample};
use relaybed_report::exit::Exit;
use serde::Deserialize;

use super::super::input;
use super::{MutateArgs, Stop};

/// Mutants that do what the unchanged relay does, each with the reason.
const EQUIVALENT: &str = include_str!("../../../../fixtures/mutants/equivalent.toml");

/// The files that a diff may be of.
const RELAY_C: &str = "relay.c";
const RELAY_H: &str = "relay.h";

#[derive(Deserialize)]
struct Reasons {
    #[serde(default)]
    equivalent: Vec<Reason>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// The mutant's name.
    id: String,
    /// For the reader: function, operator and change.
    #[serde(rename = "is")]
    _is: String,
    /// Why it does nothing wrong.
    why: String,
}

/// The reasons by the name of the mutant.
#[expect(
    clippy::expect_used,
    reason = "the file is part of the program, and a unit test parses it"
)]
pub(super) fn reasons() -> BTreeMap<String, String> {
    let reasons: Reasons =
        toml::from_str(EQUIVALENT).expect("the embedded list of equivalent mutants is well formed");
    let reasons = reasons.equivalent.into_iter();
    reasons.map(|reason| (reason.id, reason.why)).collect()
}

/// Nothing is left to be tried.
#[derive(Debug, thiserror::Error)]
#[error("none of {made} mutants matches --operator, --function, --id and --in-diff")]
struct NothingLeft {
    made: usize,
}

/// A diff that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the diff {path}: {source}")]
struct Unreadable {
    path: String,
    source: std::io::Error,
}

/// The lines that the diff changes, if there is one.
///
/// # Errors
/// [`Exit::Usage`] if it cannot be read, or is not a diff.
pub(super) fn changed(args: &MutateArgs) -> Result<Option<Changed>, Stop> {
    let Some(path) = &args.in_diff else {
        return Ok(None);
    };
    let diff = input::text(path).map_err(|source| {
        let path = path.display().to_string();
        Stop::new(Exit::Usage, Unreadable { path, source })
    })?;
    let file = if args.inlined { RELAY_H } else { RELAY_C };
    let changed = Changed::read(&diff, file);
    Ok(Some(
        changed.map_err(|error| Stop::new(Exit::Usage, error))?,
    ))
}

/// Those that the options name.
///
/// # Errors
/// [`Exit::Usage`] if they name none.
pub(super) fn of(
    args: &MutateArgs,
    changed: Option<&Changed>,
    all: Vec<Mutant>,
) -> Result<Vec<Mutant>, Stop> {
    let made = all.len();
    let meant = |mutant: &Mutant| {
        (args.operator.is_empty() || args.operator.contains(&mutant.operator))
            && (args.function.is_empty() || args.function.contains(&mutant.function))
            && (args.id.is_empty() || args.id.contains(&mutant.id))
            && changed.is_none_or(|changed| changed.has(mutant))
    };
    let mut left: Vec<Mutant> = all.into_iter().filter(meant).collect();
    if left.is_empty() && changed.is_none() {
        return Err(Stop::new(Exit::Usage, NothingLeft { made }));
    }
    if let Some(limit) = args.limit {
        left = sample(left, limit, args.seed);
    }
    Ok(match args.shard {
        Some(shard) => shard.of(left),
        None => left,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_equivalent_mutants_is_well_formed() {
        let list: Reasons = toml::from_str(EQUIVALENT).unwrap();
        assert_eq!(reasons().len(), list.equivalent.len(), "a name comes twice");
        for reason in list.equivalent {
            assert!(!reason.why.is_empty() && reason.id.len() == 10);
        }
    }
}
