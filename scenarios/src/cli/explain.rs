//! `relaybed explain`: what the codes of findings mean.

use std::io::Write as _;

use super::Stop;
use relaybed_case::finding::{Code, Explanation, explain as explained, explanations};
use relaybed_report::exit::Exit;

/// A code that no finding has.
#[derive(Debug, thiserror::Error)]
#[error("no finding has the code '{code}'{near}; `relaybed explain` lists all codes")]
struct NoSuchCode {
    code: String,
    near: String,
}

pub(super) fn explain(code: Option<&str>) -> Result<Exit, Stop> {
    let mut out = anstream::stdout().lock();
    let Some(code) = code else {
        for entry in explanations() {
            let first = entry.means.lines().next().unwrap_or_default();
            writeln!(
                out,
                "{}  {:<12}  {}",
                entry.code,
                entry.property,
                first.trim()
            )?;
        }
        return Ok(Exit::Passed);
    };
    let Some(entry) = code.parse().ok().and_then(explained) else {
        let code = code.to_owned();
        let near: Vec<String> = Code::near(&code).iter().map(Code::to_string).collect();
        let near = match near.is_empty() {
            true => String::new(),
            false => format!("; similar: {}", near.join(", ")),
        };
        return Err(Stop::new(Exit::Usage, NoSuchCode { code, near }));
    };
    write(&mut out, entry)?;
    Ok(Exit::Passed)
}

fn write(out: &mut impl std::io::Write, entry: &Explanation) -> std::io::Result<()> {
    writeln!(
        out,
        "{}  {}: {}\n",
        entry.code, entry.property, entry.sentence
    )?;
    let means: Vec<&str> = entry.means.lines().map(str::trim).collect();
    writeln!(out, "meaning          {}", means.join(" ").trim())?;
    writeln!(out, "correct kernel   {}", entry.correct)?;
    writeln!(out, "usual cause      {}", entry.cause)?;
    if !entry.source.is_empty() {
        writeln!(out, "kernel source    {}", entry.source)?;
    }
    Ok(())
}
