//! What a search of the model of relay came to.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// All orders of accesses to one buffer, as the model has them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ModelSearch {
    /// The scenario.
    pub scenario: String,
    /// Who uses the buffer.
    pub actors: Vec<String>,
    /// The channel.
    pub channel: String,
    /// Whose buffer.
    pub cpu: u32,
    /// Bytes of the scenario that are one in the model.
    pub unit: u64,
    /// Different states of the model.
    pub states: u64,
    /// Interleavings, those that differ in steps that do not matter counted once; rounded beyond 2^53.
    pub interleavings: f64,
    /// How many of them break what relay promises.
    pub broken: f64,
    /// They are all there are; otherwise the limit of states was reached.
    pub is_all: bool,
    /// With every known defect of this kernel fixed: in how many ways some still do, of those tried then.
    pub left: usize,
    /// Those were all there are.
    pub is_all_of_fixed: bool,
    /// Ways in which they do, and what the kernel did.
    pub orders: Vec<OrderFound>,
}

/// One order that breaks what relay promises, by the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OrderFound {
    /// What it breaks.
    pub broken: String,
    /// Smallest sets of known defects without which it does not; none: no known defect is the cause.
    pub causes: Vec<String>,
    /// What the kernel did in it.
    pub kernel: Answer,
}

/// What the kernel did in an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It broke the promise, for a cause that the model names: this is what the judge says.
    Confirmed(String),
    /// It did something else, which the judge calls this.
    Otherwise(String),
    /// It did not break it, or the order could not be had: why.
    NotShown(String),
}

impl ModelSearch {
    /// As lines to read.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let orders = self.orders.iter().zip(1..);
        let orders = orders.map(|(order, number)| format!("order {number}: {order}"));
        [self.tried(), self.fixed()]
            .into_iter()
            .chain(orders)
            .collect()
    }

    fn tried(&self) -> String {
        let all = if self.is_all {
            let share = 100.0 * self.broken / self.interleavings.max(1.0);
            let all = count(self.interleavings);
            format!("all {all} interleavings tried, {share:.3} % break what relay promises")
        } else {
            "not all interleavings tried: --states was reached".to_owned()
        };
        format!(
            "in the model: {} on channel {}, CPU {}, in units of {} bytes: {all} ({} states)",
            self.actors.join(" beside "),
            self.channel,
            self.cpu,
            self.unit,
            self.states,
        )
    }

    fn fixed(&self) -> String {
        let tried = if self.is_all_of_fixed {
            ""
        } else {
            " of those tried"
        };
        match self.left {
            0 => format!("with every known defect of this kernel fixed, none{tried} does"),
            kinds => format!(
                "with every known defect of this kernel fixed, some still do, in {kinds} ways: something is not \
                 known yet"
            ),
        }
    }
}

impl fmt::Display for OrderFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes = match self.causes.as_slice() {
            [] => "no known cause".to_owned(),
            causes => causes.join(" or "),
        };
        write!(f, "{} ({causes}): ", self.broken)?;
        match &self.kernel {
            Answer::Confirmed(what) => write!(f, "confirmed, {what}"),
            Answer::Otherwise(what) => write!(f, "not shown, but {what}"),
            Answer::NotShown(why) => write!(f, "not shown: {why}"),
        }
    }
}

/// A number of any size.
fn count(number: f64) -> String {
    if number < 1e9 {
        number.to_string()
    } else {
        format!("{number:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_nobody_counts_are_rounded() {
        assert_eq!(
            (count(12.0), count(2.5e30)),
            ("12".to_owned(), "2.50e30".to_owned())
        );
    }

    #[test]
    fn a_search_says_what_it_tried_and_what_the_kernel_did() {
        let order = |kernel| OrderFound {
            broken: "a read gave bytes again".to_owned(),
            causes: vec!["K1".to_owned(), "K31 K38".to_owned()],
            kernel,
        };
        let mut search = ModelSearch {
            scenario: "my/race".to_owned(),
            actors: vec!["writer".to_owned(), "reader".to_owned()],
            channel: "cpu".to_owned(),
            cpu: 1,
            unit: 16,
            states: 1200,
            interleavings: 87_292.0,
            broken: 872.92,
            is_all: true,
            left: 0,
            is_all_of_fixed: true,
            orders: vec![
                order(Answer::Confirmed("K31".to_owned())),
                order(Answer::NotShown("it was Monday".to_owned())),
            ],
        };
        let expected = [
            "in the model: writer beside reader on channel cpu, CPU 1, in units of 16 bytes: all 87292 interleavings \
             tried, 1.000 % break what relay promises (1200 states)",
            "with every known defect of this kernel fixed, none does",
            "order 1: a read gave bytes again (K1 or K31 K38): confirmed, K31",
            "order 2: a read gave bytes again (K1 or K31 K38): not shown: it was Monday",
        ];
        assert_eq!(search.lines(), expected);
        (search.is_all, search.is_all_of_fixed, search.left) = (false, false, 2);
        search.orders = vec![OrderFound {
            causes: Vec::new(),
            ..order(Answer::Otherwise("K2".to_owned()))
        }];
        let expected = [
            "in the model: writer beside reader on channel cpu, CPU 1, in units of 16 bytes: not all interleavings \
             tried: --states was reached (1200 states)",
            "with every known defect of this kernel fixed, some still do, in 2 ways: something is not known yet",
            "order 1: a read gave bytes again (no known cause): not shown, but K2",
        ];
        assert_eq!(search.lines(), expected);
    }
}
