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
            [] => "no scenario surely".to_owned(),
            names => names.join(", "),
        };
        writeln!(out, "    shown by   {shown}")?;
        let told = if issue.defect.is_some() {
            "outcome \"known\" where nothing else is wrong"
        } else {
            "relay documents it, so scenarios pass"
        };
        writeln!(out, "    told as    {told}")?;
        writeln!(out, "    reference  {}", issue.reference)?;
        writeln!(out, "    {}\n", issue.text)?;
    }
    Ok(Exit::Passed)
}
