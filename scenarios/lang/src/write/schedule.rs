//! Turns of a schedule.

use super::{line, quoted};
use relaybed_case::{Case, Turn, Until};

/// Writes one turn.
pub(super) fn turn(text: &mut String, case: &Case, turn: &Turn, name: &str) {
    let until = match &turn.until {
        Until::Before { op } => format!("{{ before = {op} }}"),
        Until::Code {
            symbol,
            offset,
            instructions,
        } => {
            let mut place = format!("{{ symbol = {}", quoted(symbol));
            if *offset != 0 {
                place.push_str(&format!(", offset = {offset}"));
            }
            if *instructions != 0 {
                place.push_str(&format!(", instruction = {instructions}"));
            }
            place + " }"
        }
        Until::Access {
            channel,
            cpu,
            field,
            write,
        } => {
            let verb = if *write { "writes" } else { "reads" };
            let channel = case.channels.get(*channel).map_or("", |c| c.name.as_str());
            format!(
                "{{ {verb} = {}, channel = {}, cpu = {cpu} }}",
                quoted(field.word()),
                quoted(channel)
            )
        }
    };
    text.push('\n');
    line(text, format_args!("[[schedule]]"));
    line(text, format_args!("run = {name}"));
    line(text, format_args!("until = {until}"));
    if turn.hit != 1 {
        line(text, format_args!("hit = {}", turn.hit));
    }
}
