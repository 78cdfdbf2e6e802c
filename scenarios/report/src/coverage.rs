//! What of relay's code was executed: a table of functions, and what was not.

use std::io::{self, Write};

use serde::Serialize;

/// One function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FunctionCovered {
    /// Its name.
    pub name: String,
    /// Its instructions, without what fills gaps between them.
    pub instructions: usize,
    /// Those that were executed.
    pub executed: usize,
    /// Its conditional jumps.
    pub jumps: usize,
    /// Those of which both successors were executed. A successor that can be reached another way too may have
    /// been: this is the most that the jumps themselves can have done.
    pub jumps_both_ways: usize,
    /// What was not executed.
    pub gaps: Vec<Gap>,
}

/// Instructions after one another that were not executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Bytes from the function's beginning.
    pub from: u64,
    /// How many.
    pub instructions: usize,
    /// The first of them, as assembly.
    pub first: String,
}

impl FunctionCovered {
    /// A function of which nothing is known yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

/// All functions of one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// `uname -r`.
    pub kernel: String,
    /// Package and version that the kernel came from, or its path.
    pub kernel_origin: String,
    /// By address.
    pub functions: Vec<FunctionCovered>,
}

impl Coverage {
    fn sum(&self, of: impl Fn(&FunctionCovered) -> usize) -> usize {
        self.functions.iter().map(of).sum()
    }

    /// For people: functions with gaps first to last, what is missing below each.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn human(&self, out: &mut impl Write) -> io::Result<()> {
        let width = self.functions.iter().map(|f| f.name.len()).max();
        let width = width.unwrap_or(0);
        writeln!(out, "{:width$}  instructions       jumps both ways", "")?;
        for function in &self.functions {
            let share = percent(function.executed, function.instructions);
            writeln!(
                out,
                "{:width$}  {:>4} of {:>4} {share:>5.1} %  {:>3} of {:>3}",
                function.name,
                function.executed,
                function.instructions,
                function.jumps_both_ways,
                function.jumps
            )?;
            for gap in &function.gaps {
                writeln!(
                    out,
                    "    not executed: +{:#x}, {} instructions from {}",
                    gap.from, gap.instructions, gap.first
                )?;
            }
        }
        let (done, all) = (self.sum(|f| f.executed), self.sum(|f| f.instructions));
        let (both, jumps) = (self.sum(|f| f.jumps_both_ways), self.sum(|f| f.jumps));
        writeln!(
            out,
            "\nkernel    {} ({})\ncovered   {done} of {all} instructions of relay ({:.1} %), {both} of {jumps} \
             conditional jumps both ways ({:.1} %)",
            self.kernel,
            self.kernel_origin,
            percent(done, all),
            percent(both, jumps)
        )
    }

    /// For programs: one object.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let object = serde_json::json!({
            "coverage": self,
            "instructions": self.sum(|f| f.instructions),
            "executed": self.sum(|f| f.executed),
            "jumps": self.sum(|f| f.jumps),
            "jumps_both_ways": self.sum(|f| f.jumps_both_ways),
        });
        writeln!(out, "{object}")
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of instructions are far below 2^52"
)]
fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 100.0;
    }
    100.0 * part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage() -> Coverage {
        let function = FunctionCovered {
            name: "relay_open".to_owned(),
            instructions: 4,
            executed: 3,
            jumps: 1,
            jumps_both_ways: 0,
            gaps: vec![Gap {
                from: 4,
                instructions: 1,
                first: "xor %eax,%eax".to_owned(),
            }],
        };
        Coverage {
            kernel: "6.1.0".to_owned(),
            kernel_origin: "linux-image 6.1.1-1".to_owned(),
            functions: vec![function, FunctionCovered::new("relay_flush")],
        }
    }

    #[test]
    fn gaps_and_sums_are_shown() {
        let mut text = Vec::new();
        coverage().human(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for part in [
            "relay_open      3 of    4  75.0 %    0 of   1",
            "not executed: +0x4, 1 instructions from xor %eax,%eax",
            "3 of 4 instructions of relay (75.0 %), 0 of 1 conditional jumps",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let mut text = Vec::new();
        coverage().json(&mut text).unwrap();
        let object: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(
            (&object["executed"], &object["instructions"]),
            (&3.into(), &4.into())
        );
        assert_eq!(object["coverage"]["functions"][0]["gaps"][0]["from"], 4);
    }
}
