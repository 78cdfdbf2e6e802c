//! What earlier mutants came to: which scenarios kill soonest, and modules that were tried already.

use std::collections::BTreeMap;

use relaybed_report::mutation::{MutantOutcome, MutantRow};

/// What is known of mutants that were tried.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// By function: scenarios and how many of its mutants each killed.
    kills: BTreeMap<String, BTreeMap<String, usize>>,
    /// What came of modules, by their hash, with the name of the mutant.
    modules: BTreeMap<String, (String, MutantOutcome)>,
}

impl History {
    /// Takes a result in.
    pub fn add(&mut self, row: &MutantRow) {
        if let MutantOutcome::Killed { by, .. } = &row.outcome {
            let of_function = self.kills.entry(row.function.clone()).or_default();
            *of_function.entry(by.clone()).or_default() += 1;
        }
        if let Some(module) = &row.module
            && !matches!(row.outcome, MutantOutcome::Trouble { .. })
        {
            let known = (row.id.clone(), row.outcome.clone());
            self.modules.entry(module.clone()).or_insert(known);
        }
    }

    /// How often a scenario killed mutants of a function, and of all.
    pub(super) fn kills(&self, function: &str, scenario: &str) -> (usize, usize) {
        let of = |kills: &BTreeMap<String, usize>| kills.get(scenario).copied().unwrap_or(0);
        let here = self.kills.get(function).map_or(0, of);
        (here, self.kills.values().map(of).sum())
    }

    /// What came of a mutant with the same module, which is therefore the same.
    pub(super) fn same(&self, module: &str) -> Option<&(String, MutantOutcome)> {
        self.modules.get(module)
    }
}

#[cfg(test)]
mod tests {
    use relaybed_report::mutation::{Killed, Stage};

    use super::*;

    #[test]
    fn kills_are_counted_by_function_and_in_all() {
        let mut history = History::default();
        for (id, function) in [
            ("a", "relay_open"),
            ("b", "relay_open"),
            ("c", "relay_close"),
        ] {
            history.add(&MutantRow {
                id: id.to_owned(),
                relay: String::new(),
                function: function.to_owned(),
                line: 1,
                column: 1,
                operator: "drop".to_owned(),
                before: String::new(),
                after: String::new(),
                diff: Vec::new(),
                module: Some("hash".to_owned()),
                outcome: MutantOutcome::Killed {
                    by: "hello/hello".to_owned(),
                    how: Killed::Hang,
                    code: None,
                    stage: Stage::Suites,
                },
                seconds: 0.0,
            });
        }
        assert_eq!(history.kills("relay_open", "hello/hello"), (2, 3));
        assert_eq!(history.kills("relay_flush", "hello/hello"), (0, 3));
        assert_eq!(history.kills("relay_open", "a/b"), (0, 0));
        let (first, _) = history.same("hash").unwrap();
        assert_eq!(first, "a");
    }
}
