//! What one run under control showed, judged; whether it came to its end or not.

use relaybed_vmm::signals;

use super::drive::{Controlled, Driven, Undriven};
use super::error::SessionError;
use super::explore::is_interrupt;
use super::stops::Stops;
use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_case::trace::Trace;
use relaybed_case::verdict::{Amount, Verdict};
use relaybed_judge as judge;
use relaybed_report::exit::Exit;
use relaybed_search::schedule::Strategy;

/// One run and what is said of it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) verdict: Verdict,
    pub(super) amount: Amount,
    pub(super) trace: Trace,
    /// None where nothing could be read any more.
    pub(super) evidence: Option<Box<Evidence>>,
    /// The console's last lines, of a run that did not finish.
    pub(super) console: Vec<String>,
    /// The exit code that belongs to it.
    pub(super) exit: Exit,
}

impl Shown {
    /// Runs a case on a fork of its own and judges it. `None` when interrupted.
    pub(super) fn of(
        guest: &Controlled<'_>,
        case: &Case,
        strategy: &mut dyn Strategy,
    ) -> Result<Option<Self>, SessionError> {
        Self::stopping(guest, case, &Stops::accesses(), strategy)
    }

    /// The same, with stops at these places.
    pub(super) fn stopping(
        guest: &Controlled<'_>,
        case: &Case,
        stops: &Stops,
        strategy: &mut dyn Strategy,
    ) -> Result<Option<Self>, SessionError> {
        let ran = match guest.run(case, None, (stops, false), strategy) {
            Err(_) if signals::interrupted().is_some() => return Ok(None),
            ran => ran?,
        };
        match ran {
            Ok(driven) => Ok(Some(Self::judged(case, driven))),
            Err(undriven) if is_interrupt(&undriven.ended.cause) => Ok(None),
            Err(undriven) => Ok(Some(Self::ended(undriven))),
        }
    }

    /// A run that came to its end.
    pub(super) fn judged(case: &Case, driven: Driven) -> Self {
        let (verdict, amount) = judge::judge(case, &driven.evidence);
        let exit = match verdict {
            Verdict::Failed { .. } => Exit::Failed,
            _ => Exit::Passed,
        };
        Self {
            verdict,
            amount,
            trace: driven.trace,
            evidence: Some(Box::new(driven.evidence)),
            console: Vec::new(),
            exit,
        }
    }

    /// One that did not.
    pub(super) fn ended(undriven: Undriven) -> Self {
        let Undriven {
            ended,
            trace,
            console,
        } = undriven;
        Self {
            verdict: Verdict::Failed {
                findings: ended.findings(),
            },
            amount: Amount::default(),
            trace,
            exit: ended.cause.exit(),
            evidence: ended.evidence,
            console,
        }
    }

    /// `LINUX_VERSION_CODE` of its kernel, as far as the evidence has it.
    pub(super) fn linux_version(&self) -> Option<u32> {
        let evidence = self.evidence.as_deref()?;
        Some(evidence.setting.linux_version)
    }
}
