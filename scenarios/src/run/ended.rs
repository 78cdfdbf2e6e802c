//! Cases that did not come to their end: what is said of the guest then, and kept.

use std::time::Instant;

use relaybed_guest::Terminal;

use super::error::ENOMEM;
use super::suite::{CONSOLE_LINES, Suite, millis};
use super::{Cause, Ended, Session, SessionError};
use relaybed_case::bounds::buffer_bytes;
use relaybed_case::select::Loaded;
use relaybed_case::verdict::{Amount, Verdict};
use relaybed_report::CaseReport;

/// The kernel's half of the address space begins here.
const KERNEL: u64 = 1 << 63;

impl Suite<'_> {
    /// A case in which the guest died, hung or talked nonsense; keeps the evidence so far.
    pub(super) fn ended(
        &mut self,
        loaded: &Loaded,
        mut session: Session,
        ended: Ended,
        begun: Instant,
    ) -> Result<CaseReport, SessionError> {
        self.lost = true;
        let stands = match ended.cause {
            Cause::Stalled(_) => self.stands(&mut session),
            _ => Vec::new(),
        };
        let console = session.console_excerpt(CONSOLE_LINES);
        let stalled = matches!(ended.cause, Cause::Stalled(_));
        let mut report = self.ended_without(loaded, ended, console, begun);
        report.detail.notes.extend(stands);
        if let Some(folder) = report.detail.evidence.clone() {
            self.saved(session.keep_logs(&folder), &mut report.detail);
        }
        if self.options.hold && stalled {
            self.keep_standing(session);
        }
        // Else the machine is of no more use; dropping the session ends it.
        Ok(report)
    }

    /// Where each vCPU of a guest that hangs is, as far as that can be had.
    fn stands(&self, session: &mut Session) -> Vec<String> {
        let positions = session.positions().unwrap_or_default();
        let image = self.plan.image(session.vcpus(), &Terminal::new());
        let image = image.ok().flatten();
        let symbols = image.and_then(|image| self.plan.symbols(&image, &Terminal::new()).ok());
        let place = |address: u64| match symbols.as_ref().and_then(|symbols| symbols.at(address)) {
            Some((name, offset)) => format!("{name}+{offset:#x}"),
            None if address < KERNEL => "a program".to_owned(),
            None => format!("{address:#x}"),
        };
        let vcpus = positions.into_iter().enumerate();
        vcpus
            .map(|(vcpu, address)| format!("vCPU {vcpu} is in {}", place(address)))
            .collect()
    }

    /// The same of a machine that is gone already; `console` is the end of what it printed.
    pub(super) fn ended_without(
        &mut self,
        loaded: &Loaded,
        ended: Ended,
        console: Vec<String>,
        begun: Instant,
    ) -> CaseReport {
        if matches!(ended.cause, Cause::Interrupted) {
            return self.interrupted(loaded);
        }
        let exit = ended.cause.exit();
        self.exit = self.exit.worse(exit);
        let verdict = Verdict::Failed {
            findings: ended.findings(),
        };
        let mut report = self.report(loaded, verdict, Amount::default(), millis(begun));
        if matches!(ended.cause, Cause::Refused { errno: ENOMEM, .. }) {
            report.detail.notes.push(self.no_room(loaded));
        }
        report.detail.console_tail = console;
        self.keep(loaded, ended.evidence.as_deref(), true, &mut report);
        report
    }

    /// What a guest without memory is to be given.
    fn no_room(&self, loaded: &Loaded) -> String {
        let bytes = buffer_bytes(&loaded.case, self.plan.vcpus_for(&loaded.case));
        let (buffers, memory) = (bytes.div_ceil(1 << 20), self.plan.memory_mib());
        format!(
            "the guest has no memory left: the channel buffers take {buffers} MiB together, and the machine has \
             {memory} MiB; give it more (--memory)"
        )
    }
}
