//! What became of the mutants of a relay.c: rows that are kept, a table of operators and functions, survivors.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

/// One mutant and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MutantRow {
    /// Its name.
    pub id: String,
    /// SHA-256 of the relay.c that it was made of.
    pub relay: String,
    /// The function.
    pub function: String,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// The kind of change.
    pub operator: String,
    /// What was there, shortened.
    pub before: String,
    /// What is there instead, shortened.
    pub after: String,
    /// The changed lines, as a diff has them.
    pub diff: Vec<String>,
    /// SHA-256 of its module, if it was built.
    pub module: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: MutantOutcome,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum MutantOutcome {
    /// A scenario failed that passes with the unchanged relay.
    Killed {
        /// The scenario.
        by: String,
        /// What happened: a finding, or the guest crashed or hung.
        how: Killed,
        /// The code of the first finding.
        code: Option<String>,
        /// What noticed it.
        #[serde(default)]
        stage: Stage,
    },
    /// Every scenario said what it says of the unchanged relay, or nothing worse than known.
    Survived {
        /// Scenarios whose verdict is another one without being a failure.
        changed: Vec<String>,
    },
    /// It took longer than it may, and nothing had failed.
    TimedOut {
        /// The bound, in seconds.
        after_s: u64,
    },
    /// The compiler refuses it.
    NotBuilt {
        /// What it said.
        why: String,
    },
    /// It does what the unchanged relay does.
    Equivalent {
        /// Why that is so.
        why: String,
    },
    /// It could not be tried for reasons that have nothing to do with it.
    Trouble {
        /// Which.
        why: String,
    },
}

/// What mutants are run against, one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The scenarios that were asked for.
    #[default]
    Suites,
    /// Drawn scenarios.
    Fuzz,
    /// Schedules of scenarios that race.
    Explore,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 3] = [Self::Suites, Self::Fuzz, Self::Explore];

    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suites => "suites",
            Self::Fuzz => "fuzz",
            Self::Explore => "explore",
        }
    }
}

/// How a mutant was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Killed {
    /// The judge found something.
    Finding,
    /// The guest died.
    Crash,
    /// The guest made no progress.
    Hang,
}

impl Killed {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Crash => "crash",
            Self::Hang => "hang",
        }
    }
}

impl MutantOutcome {
    /// All of the words.
    pub const NAMES: [&str; 6] = [
        "killed",
        "survived",
        "timed-out",
        "not-built",
        "equivalent",
        "trouble",
    ];

    /// In a word, as in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Killed { .. } => "killed",
            Self::Survived { .. } => "survived",
            Self::TimedOut { .. } => "timed-out",
            Self::NotBuilt { .. } => "not-built",
            Self::Equivalent { .. } => "equivalent",
            Self::Trouble { .. } => "trouble",
        }
    }

    /// For people: the word with what is known beside it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Killed {
                by,
                how,
                code,
                stage,
            } => {
                let code = code.as_ref().map_or_else(String::new, |c| format!(" {c}"));
                format!("killed by {by} ({}: {}{code})", stage.name(), how.name())
            }
            Self::Survived { .. } => "survived".to_owned(),
            Self::TimedOut { after_s } => format!("timed out after {after_s} s"),
            Self::NotBuilt { .. } => "does not build".to_owned(),
            Self::Equivalent { why } => format!("equivalent: {why}"),
            Self::Trouble { why } => format!("could not be tried: {why}"),
        }
    }
}

/// Mutants counted by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub all: usize,
    /// Those that were noticed.
    pub killed: usize,
    /// Of these, those that the suites noticed.
    pub by_suites: usize,
    /// Those that were not.
    pub survived: usize,
    /// Those that took too long.
    pub timed_out: usize,
    /// Those that do not compile.
    pub not_built: usize,
    /// Those that do what the unchanged relay does.
    pub equivalent: usize,
    /// Those that could not be tried.
    pub trouble: usize,
}

impl Counts {
    fn add(&mut self, outcome: &MutantOutcome) {
        self.all += 1;
        self.by_suites += usize::from(matches!(
            outcome,
            MutantOutcome::Killed {
                stage: Stage::Suites,
                ..
            }
        ));
        *match outcome {
            MutantOutcome::Killed { .. } => &mut self.killed,
            MutantOutcome::Survived { .. } => &mut self.survived,
            MutantOutcome::TimedOut { .. } => &mut self.timed_out,
            MutantOutcome::NotBuilt { .. } => &mut self.not_built,
            MutantOutcome::Equivalent { .. } => &mut self.equivalent,
            MutantOutcome::Trouble { .. } => &mut self.trouble,
        } += 1;
    }

    /// The share of mutants that were noticed, of those that can be; in percent.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        let all = self.killed + self.survived + self.timed_out;
        (all > 0).then(|| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "counts of mutants are far below 2^52"
            )]
            let share = self.killed as f64 / all as f64;
            100.0 * share
        })
    }
}

/// All mutants of one call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mutation {
    /// Where the relay.c comes from.
    pub origin: String,
    /// The kernel it ran on.
    pub kernel: String,
    /// How many mutants the relay.c has, chosen or not.
    pub made: usize,
    /// How many were chosen.
    pub chosen: usize,
    /// Those that have a result, in the order of the source.
    pub rows: Vec<MutantRow>,
}

impl Mutation {
    /// The counts of all rows.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for row in &self.rows {
            counts.add(&row.outcome);
        }
        counts
    }

    fn by(&self, key: impl Fn(&MutantRow) -> &str) -> BTreeMap<&str, Counts> {
        let mut all: BTreeMap<&str, Counts> = BTreeMap::new();
        for row in &self.rows {
            all.entry(key(row)).or_default().add(&row.outcome);
        }
        all
    }

    /// For programs: one object.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let object = serde_json::json!({
            "mutation": self,
            "counts": self.counts(),
            "score": self.counts().score(),
            "operators": self.by(|row| &row.operator),
            "functions": self.by(|row| &row.function),
        });
        writeln!(out, "{object}")
    }

    /// For people: tables by operator and by function, then whatever was not killed.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn human(&self, out: &mut impl Write) -> io::Result<()> {
        for (title, counts) in [
            ("operator", self.by(|row| &row.operator)),
            ("function", self.by(|row| &row.function)),
        ] {
            table(out, title, &counts)?;
        }
        for row in &self.rows {
            match &row.outcome {
                MutantOutcome::Survived { .. }
                | MutantOutcome::TimedOut { .. }
                | MutantOutcome::Trouble { .. } => survivor(out, row)?,
                _ => {}
            }
        }
        let counts = self.counts();
        let score = score(&counts);
        writeln!(
            out,
            "relay     {}\nkernel    {}\nmutants   {} of {} chosen, of {} in all\nkilled    {} ({score}), {} of them \
             by the suites, survived {}, timed out {}, not built {}, equivalent {}, trouble {}",
            self.origin,
            self.kernel,
            counts.all,
            self.chosen,
            self.made,
            counts.killed,
            counts.by_suites,
            counts.survived,
            counts.timed_out,
            counts.not_built,
            counts.equivalent,
            counts.trouble
        )
    }
}

fn table(out: &mut impl Write, title: &str, all: &BTreeMap<&str, Counts>) -> io::Result<()> {
    let width = all.keys().map(|name| name.len()).max().unwrap_or(0);
    let width = width.max(title.len());
    writeln!(
        out,
        "{title:width$}   all  killed  survived  timed out  not built  equivalent    score"
    )?;
    for (name, counts) in all {
        writeln!(
            out,
            "{name:width$}  {:>4}  {:>6}  {:>8}  {:>9}  {:>9}  {:>10}  {:>7}",
            counts.all,
            counts.killed,
            counts.survived,
            counts.timed_out,
            counts.not_built,
            counts.equivalent,
            score(counts)
        )?;
    }
    writeln!(out)
}

fn survivor(out: &mut impl Write, row: &MutantRow) -> io::Result<()> {
    writeln!(
        out,
        "{}  {}:{} {} ({})",
        row.id,
        row.function,
        row.line,
        row.outcome.text(),
        row.operator
    )?;
    for line in &row.diff {
        writeln!(out, "    {line}")?;
    }
    if let MutantOutcome::Survived { changed } = &row.outcome {
        for scenario in changed {
            writeln!(out, "    another verdict: {scenario}")?;
        }
    }
    writeln!(out)
}

fn score(counts: &Counts) -> String {
    counts
        .score()
        .map_or_else(|| "-".to_owned(), |score| format!("{score:.1} %"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, outcome: MutantOutcome) -> MutantRow {
        MutantRow {
            id: id.to_owned(),
            relay: "abc".to_owned(),
            function: "relay_open".to_owned(),
            line: 7,
            column: 3,
            operator: "comparison".to_owned(),
            before: "a < b".to_owned(),
            after: "a <= b".to_owned(),
            diff: vec!["-if (a < b)".to_owned(), "+if (a <= b)".to_owned()],
            module: None,
            outcome,
            seconds: 1.5,
        }
    }

    fn mutation() -> Mutation {
        let killed = MutantOutcome::Killed {
            by: "hello/hello".to_owned(),
            how: Killed::Finding,
            code: Some("R0301".to_owned()),
            stage: Stage::Suites,
        };
        let why = || "why".to_owned();
        Mutation {
            origin: "relay.c".to_owned(),
            kernel: "6.1".to_owned(),
            made: 9,
            chosen: 5,
            rows: vec![
                row("a", killed),
                row(
                    "b",
                    MutantOutcome::Survived {
                        changed: vec!["a/b: passed, now known".to_owned()],
                    },
                ),
                row("c", MutantOutcome::NotBuilt { why: why() }),
                row("d", MutantOutcome::Equivalent { why: why() }),
            ],
        }
    }

    #[test]
    fn only_what_can_be_noticed_counts_for_the_score() {
        let counts = mutation().counts();
        assert_eq!((counts.all, counts.killed, counts.survived), (4, 1, 1));
        assert_eq!(counts.score(), Some(50.0));
        assert_eq!(Counts::default().score(), None);
    }

    #[test]
    fn rows_survive_being_saved() {
        for row in mutation().rows {
            let line = serde_json::to_string(&row).unwrap();
            assert_eq!(serde_json::from_str::<MutantRow>(&line).unwrap(), row);
        }
    }

    #[test]
    fn a_kill_names_its_stage_and_older_rows_are_of_the_suites() {
        let killed = MutantOutcome::Killed {
            by: "two-readers".to_owned(),
            how: Killed::Hang,
            code: None,
            stage: Stage::Explore,
        };
        assert_eq!(killed.text(), "killed by two-readers (explore: hang)");
        let mut row = serde_json::to_value(row("a", killed)).unwrap();
        assert_eq!(row["stage"], "explore");
        row.as_object_mut().unwrap().remove("stage");
        let older: MutantRow = serde_json::from_value(row).unwrap();
        let mut counts = Counts::default();
        counts.add(&older.outcome);
        assert_eq!((counts.killed, counts.by_suites), (1, 1));
    }

    #[test]
    fn survivors_are_shown_with_their_lines() {
        let mut out = Vec::new();
        mutation().human(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in [
            "b  relay_open:7 survived (comparison)\n    -if (a < b)\n    +if (a <= b)\n    another verdict: a/b",
            "killed    1 (50.0 %), 1 of them by the suites, survived 1",
            "mutants   4 of 5 chosen, of 9 in all",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("a  relay_open:7"), "{text}");
    }
}
