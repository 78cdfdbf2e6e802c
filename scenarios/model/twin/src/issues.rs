//! The list of known issues, from its data file.

use std::sync::OnceLock;

use relaybed_case::select::matches;
use serde::Deserialize;

use super::defects::{Defect, Defects};
use super::releases::{Affected, Release};

const TEXT: &str = include_str!("../known-issues.toml");

/// One known defect of relay.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Its id, such as `K1`.
    pub id: String,
    /// What it is, in a line.
    pub title: String,
    /// What happens, and why.
    pub text: String,
    /// Where in the kernel, and what was said of it.
    pub reference: String,
    /// The kernels that have it.
    pub kernels: Affected,
    /// Scenarios that show it surely.
    pub shown_by: Vec<String>,
    /// Its switch in the twin; `None` where the documentation, and so the contract, says the same.
    pub defect: Option<Defect>,
}

impl Issue {
    /// Whether this case shows the issue surely on a kernel that has it.
    #[must_use]
    pub fn is_shown_by(&self, case: &str) -> bool {
        self.shown_by.iter().any(|name| matches(name, case))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    issue: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    title: String,
    text: String,
    reference: String,
    since: Option<Release>,
    #[serde(default)]
    fixed_in: Vec<Release>,
    shown_by: Vec<String>,
    #[serde(default)]
    documented: bool,
}

/// What is wrong with a list of issues.
#[derive(Debug, thiserror::Error)]
enum DataError {
    #[error("the list of known issues does not parse")]
    Toml(#[from] toml::de::Error),
    #[error("known issue {id} has no switch in the twin; if relay documents it, say so")]
    NoSwitch { id: String },
    #[error("known issue {id} is there twice")]
    Twice { id: String },
}

fn parse(text: &str) -> Result<Vec<Issue>, DataError> {
    let file: File = toml::from_str(text)?;
    let mut issues: Vec<Issue> = Vec::new();
    for row in file.issue {
        if issues.iter().any(|issue| issue.id == row.id) {
            return Err(DataError::Twice { id: row.id });
        }
        let defect = row.id.parse::<Defect>().ok();
        if defect.is_some() == row.documented {
            return Err(DataError::NoSwitch { id: row.id });
        }
        issues.push(Issue {
            id: row.id,
            title: row.title,
            text: row.text.trim().replace('\n', " "),
            reference: row.reference,
            kernels: Affected {
                since: row.since,
                fixed_in: row.fixed_in,
            },
            shown_by: row.shown_by,
            defect,
        });
    }
    Ok(issues)
}

/// The known issues, in the order of the data file.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "the file is part of the program, and a unit test parses it"
)]
pub fn issues() -> &'static [Issue] {
    static ISSUES: OnceLock<Vec<Issue>> = OnceLock::new();
    ISSUES.get_or_init(|| parse(TEXT).expect("the embedded list of known issues is well formed"))
}

/// The defects that a kernel of this `LINUX_VERSION_CODE` should have.
#[must_use]
pub fn defects_of(linux_version: u32) -> Defects {
    issues()
        .iter()
        .filter(|issue| issue.kernels.includes(linux_version))
        .filter_map(|issue| issue.defect)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_well_formed_and_names_scenarios_that_exist() {
        let issues = parse(TEXT).unwrap_or_else(|error| panic!("{error:?}"));
        let cases: Vec<String> = relaybed_lang::embedded()
            .flat_map(|(path, text)| relaybed_lang::load(path, text).expect(path))
            .map(|case| case.name)
            .collect();
        for issue in &issues {
            for shown in &issue.shown_by {
                let some = cases.iter().any(|case| matches(shown, case));
                assert!(some, "{}: no scenario is named by {shown}", issue.id);
            }
        }
        for defect in Defect::ALL {
            let listed = issues.iter().any(|issue| issue.defect == Some(defect));
            assert!(listed, "{defect} is in no list");
        }
    }

    #[test]
    fn a_bad_list_is_refused() {
        let row = |id: &str, more: &str| {
            format!(
                "[[issue]]\nid = '{id}'\ntitle = 't'\ntext = 't'\nreference = 'r'\nshown_by = []\n{more}\n"
            )
        };
        assert_eq!(parse(&row("K1", "")).unwrap().len(), 1);
        let bad = [
            row("K1", "documented = true"),
            row("K99", ""),
            row("K1", "") + &row("K1", ""),
            row("K1", "since = 'six'"),
            row("K1", "colour = 'red'"),
            "[[issue]]\nid = 'K1'".to_owned(),
        ];
        for text in bad {
            assert!(parse(&text).is_err(), "{text}");
        }
    }
}
