//! `relaybed known`: the list of known issues.

use std::io::Write as _;

use super::Stop;
use relaybed_report::exit::Exit;
use relaybed_twin::issues;

pub(super) fn known() -> Result<Exit, Stop> {
    let mut out = anstream::stdout().lock();
    for issue in issues() {
        writeln!(out, "{}  {}", issue.id, issue.title)?;
        writeln!(out, "    kernels    {}", issue.kernels)?;
        let shown = match issue.shown_by.as_slice() {
            [] => "no scenario reliably".to_owned(),
            names => names.join(", "),
        };
        writeln!(out, "    shown by   {shown}")?;
        let reported = if issue.defect.is_some() {
            "known, if nothing else is wrong"
        } else {
            "passed: relay documents it"
        };
        writeln!(out, "    reported   {reported}")?;
        writeln!(out, "    reference  {}", issue.reference)?;
        writeln!(out, "    {}\n", issue.text)?;
    }
    let unfixed = issues()
        .iter()
        .filter(|issue| issue.kernels.fixed_in.is_empty());
    writeln!(
        out,
        "{} known issues, {} of them in every release to date",
        issues().len(),
        unfixed.count()
    )?;
    Ok(Exit::Passed)
}
