//! The kinds of change.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! operators {
    ($($(#[doc = $doc:literal])+ $operator:ident = $name:literal,)+) => {
        /// A kind of change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Operator {
            $($(#[doc = $doc])+ $operator,)+
        }

        impl Operator {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$operator,)+];

            /// Its name, as in JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$operator => $name,)+
                }
            }
        }
    };
}

operators! {
    /// A comparison is replaced: `<` by `<=`, `==` by `!=`.
    Comparison = "comparison",
    /// Operands of `-`, `%` and the like change places, or the operation is another one.
    Arithmetic = "arithmetic",
    /// `&&` and `||` change places, or one side is left out.
    Logic = "logic",
    /// A number is another one.
    Constant = "constant",
    /// A computed value is one too large.
    OffByOne = "off-by-one",
    /// `+=` becomes `=`, `++` becomes `--`.
    Assign = "assign",
    /// A condition is negated.
    Negate = "negate",
    /// A condition always holds, or never.
    Condition = "condition",
    /// Another value is returned.
    Return = "return",
    /// A statement is left out.
    Drop = "drop",
    /// A statement is executed twice.
    Double = "double",
    /// A lock is not taken, or not given back, or neither.
    Lock = "lock",
    /// A memory barrier is left out.
    Barrier = "barrier",
    /// A reference is not taken, or not given back.
    Reference = "reference",
    /// Nobody is woken, or nobody waits.
    Wake = "wake",
    /// Memory is not given back.
    Free = "free",
    /// Two statements change places.
    Order = "order",
    /// The buffer of another CPU, or other CPUs.
    Cpu = "cpu",
    /// Another member of a structure.
    Member = "member",
    /// A loop ends too early.
    Loop = "loop",
    /// A jump is left out.
    Jump = "jump",
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no operator `{word}`; there are: {}", names())]
pub struct UnknownOperator {
    word: String,
}

fn names() -> String {
    let names: Vec<&str> = Operator::ALL.iter().map(|o| o.name()).collect();
    names.join(", ")
}

impl FromStr for Operator {
    type Err = UnknownOperator;

    fn from_str(word: &str) -> Result<Self, UnknownOperator> {
        let found = Self::ALL.iter().find(|operator| operator.name() == word);
        found.copied().ok_or_else(|| UnknownOperator {
            word: word.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_found_by_its_name() {
        for operator in Operator::ALL {
            assert_eq!(operator.name().parse(), Ok(*operator));
        }
        let error = "compare".parse::<Operator>().unwrap_err().to_string();
        assert!(error.contains("comparison"), "{error}");
    }
}
