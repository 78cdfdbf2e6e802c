//! From a case back to a scenario file that means it.

mod calls;
mod schedule;

use std::fmt::Write as _;

use super::client::write_client;
use super::words::{CONTEXTS, FAILURES, FILES, MODES, NEST_AT, OPEN, SOURCES, word_of};
use relaybed_case::errno::Errno;
use relaybed_case::{
    Actor, Case, Channel, DEFAULT_VCPUS, Expect, FileSlot, Hold, Need, NullCall, Op, Payload,
    Place, Via,
};

/// Why no file says a case.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no scenario file can say {what}")]
pub struct Unwritable {
    /// What cannot be said.
    what: String,
}

fn unwritable<T>(what: impl Into<String>) -> Result<T, Unwritable> {
    Err(Unwritable { what: what.into() })
}

/// The text of a file from which [`super::load`] makes this case, name aside.
///
/// # Errors
/// [`Unwritable`] for what the language has no words for: numbers beyond 63 bits, and records of literal
/// bytes that are no text. An actor that `cpu = "each"` made, `NAME@CPU`, is named `NAME-CPU`.
pub fn write(case: &Case) -> Result<String, Unwritable> {
    let mut text = String::new();
    line(
        &mut text,
        format_args!("summary = {}", quoted(&case.summary)),
    );
    if case.vcpus != DEFAULT_VCPUS {
        line(&mut text, format_args!("vcpus = {}", case.vcpus));
    }
    if case.seed != 1 {
        line(&mut text, format_args!("seed = {}", number(case.seed)?));
    }
    if !case.needs.is_empty() {
        let named = |need: &Need| quoted(word_of(&Need::ALL, need));
        let names: Vec<String> = case.needs.iter().map(named).collect();
        line(&mut text, format_args!("needs = [{}]", names.join(", ")));
    }
    word(&mut text, "failures", &FAILURES, &case.may_fail);
    for spec in &case.channels {
        channel(&mut text, case, spec)?;
    }
    for (index, _) in case.actors.iter().enumerate() {
        actor(&mut text, case, index)?;
    }
    for claim in &case.expect {
        expect(&mut text, case, claim)?;
    }
    for turn in &case.schedule {
        let name = case
            .actors
            .get(turn.actor)
            .map_or(String::new(), |a| actor_name(&a.name));
        schedule::turn(&mut text, case, turn, &name);
    }
    Ok(text)
}

/// One operation of a case as a scenario file says it, without braces; `None`: no file can. `files` are the author's
/// names of descriptors, by slot.
#[must_use]
pub fn operation_text(case: &Case, op: &Op, files: &[String]) -> Option<String> {
    step(case, op, files).ok()
}

pub(super) fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    text.write_fmt(what).unwrap_or_default();
    text.push('\n');
}

/// A TOML basic string, on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Name of an actor: those that `cpu = "each"` made have a sign in theirs that no file can say.
fn actor_name(name: &str) -> String {
    quoted(&name.replace('@', "-"))
}

/// A key with its word, unless that is the first, which is the default.
pub(super) fn word<T: PartialEq>(
    text: &mut String,
    key: &str,
    known: &[(&'static str, T)],
    value: &T,
) {
    if known.first().is_some_and(|(_, first)| first != value) {
        let word = word_of(known, value);
        line(text, format_args!("{key} = \"{word}\""));
    }
}

/// A TOML integer.
fn number(value: u64) -> Result<i64, Unwritable> {
    i64::try_from(value).or_else(|_| unwritable(format!("the number {value}")))
}

fn channel(text: &mut String, case: &Case, spec: &Channel) -> Result<(), Unwritable> {
    let Channel {
        name,
        subbuf_size,
        n_subbufs,
        mode,
        header_bytes,
        files,
        open_at_start,
        client,
    } = spec;
    line(text, format_args!("\n[channel.{name}]"));
    line(
        text,
        format_args!("subbuf_size = {}", number(*subbuf_size)?),
    );
    line(text, format_args!("n_subbufs = {}", number(*n_subbufs)?));
    word(text, "mode", &MODES, mode);
    if *header_bytes != 0 {
        line(text, format_args!("header_bytes = {header_bytes}"));
    }
    word(text, "files", &FILES, files);
    word(text, "open", &OPEN, open_at_start);
    write_client(text, &case.gates, client);
    Ok(())
}

fn actor(text: &mut String, case: &Case, index: usize) -> Result<(), Unwritable> {
    let Actor {
        name,
        place,
        source,
        ops,
    } = &case.actors[index];
    line(
        text,
        format_args!("\n[[actor]]\nname = {}", actor_name(name)),
    );
    match place {
        Place::Kernel { cpu, context } | Place::Nested { cpu, context, .. } => {
            line(text, format_args!("cpu = {cpu}"));
            word(text, "context", &CONTEXTS, &Some(*context));
            if source.is_some() {
                let by = word_of(&SOURCES, &(*context, *source));
                line(text, format_args!("by = \"{by}\""));
            }
        }
        Place::User { cpu } => {
            line(text, format_args!("context = \"user\""));
            if let Some(cpu) = cpu {
                line(text, format_args!("cpu = {cpu}"));
            }
        }
    }
    line(text, format_args!("script = ["));
    for (at, op) in ops.iter().enumerate() {
        let claims = claims(case, index, at)?;
        let step = step(case, op, &[])?;
        let nest = nest(case, index, at);
        line(text, format_args!("    {{ {step}{nest}{claims} }},"));
    }
    line(text, format_args!("]"));
    Ok(())
}

/// The actor that is nested on an operation.
fn nest(case: &Case, of_actor: usize, of_op: usize) -> String {
    let Some((guest, at)) = case.guest(of_actor, of_op) else {
        return String::new();
    };
    let point = word_of(&NEST_AT, &at);
    let name = actor_name(&case.actors[guest].name);
    format!(", nest = {{ actor = {name}, at = \"{point}\" }}")
}

/// What is claimed of an operation's result.
fn claims(case: &Case, of_actor: usize, of_op: usize) -> Result<String, Unwritable> {
    let mut text = String::new();
    for claim in &case.expect {
        let Expect::Result {
            actor,
            op,
            value,
            error,
        } = claim
        else {
            continue;
        };
        if (*actor, *op) != (of_actor, of_op) {
            continue;
        }
        if let Some(value) = value {
            let _ = write!(text, ", gives = {}", number(*value)?);
        }
        if let Some(error) = error {
            let known = u32::try_from(*error).ok();
            let Some(name) = known.and_then(|known| Errno(known).name()) else {
                return unwritable(format!("the error {error}"));
            };
            let _ = write!(text, ", fails = \"{name}\"");
        }
    }
    Ok(text)
}

/// An operation as the inside of its table.
fn step(case: &Case, op: &Op, files: &[String]) -> Result<String, Unwritable> {
    let alias = |file: &FileSlot| alias(files, *file);
    let channel = |index: &usize| quoted(&case.channels[*index].name);
    let gate = |index: &usize| quoted(&case.gates[*index]);
    Ok(match op {
        Op::Open { channel: c } => format!("open = {}", channel(c)),
        Op::Close { channel: c } => format!("close = {}", channel(c)),
        Op::Flush { channel: c } => format!("flush = {}", channel(c)),
        Op::Reset { channel: c } => format!("reset = {}", channel(c)),
        Op::Write {
            channel: c,
            via,
            payload,
            count,
        } => written(&channel(c), *via, payload, *count)? + &held(case, via.hold()),
        Op::Consumed { channel: c, cpu, n } => {
            format!("consumed = {}, cpu = {cpu}, n = {n}", channel(c))
        }
        Op::Switch { channel: c, len } => {
            format!("switch = {}, len = {}", channel(c), number(*len)?)
        }
        Op::Null { call } => {
            format!("null = {}", quoted(word_of(NullCall::ALL, call)))
        }
        Op::LateSetup { channel: c } => format!("late_setup = {}", channel(c)),
        Op::BufFull { channel: c, cpu } => format!("buf_full = {}, cpu = {cpu}", channel(c)),
        Op::Signal { gate: g } => format!("signal = {}", gate(g)),
        Op::Wait { gate: g, count: 1 } => format!("wait = {}", gate(g)),
        Op::Wait { gate: g, count } => format!("wait = {}, count = {count}", gate(g)),
        Op::Checkpoint { label } => format!("checkpoint = {}", quoted(label)),
        Op::Delay { microseconds } => format!("delay_us = {microseconds}"),
        Op::FileOpen {
            file,
            channel: c,
            cpu,
        } => format!(
            "open_file = {}, cpu = {cpu}, as = {}",
            channel(c),
            alias(file)
        ),
        Op::FileClose { file } => format!("close_file = {}", alias(file)),
        Op::FileRead { file, size, times } => {
            format!("read = {}, size = {size}{}", alias(file), often(*times))
        }
        Op::FilePoll { file, timeout_ms } => match timeout_ms {
            Some(limit) => format!("poll = {}, timeout_ms = {limit}", alias(file)),
            None => format!("poll = {}", alias(file)),
        },
        Op::FileMunmap { file } => format!("munmap = {}", alias(file)),
        Op::FileCopy { file } => format!("copy = {}", alias(file)),
        Op::File { file, call } => calls::call(*file, call, &alias, |index| channel(&index))?,
        Op::Stat { channel: c, cpu } => format!("stat = {}, cpu = {cpu}", channel(c)),
        Op::List { channel: c } => format!("list = {}", channel(c)),
        Op::KlogRegister { channel: c } => format!("klog_register = {}", channel(c)),
        Op::KlogUnregister { channel: c } => format!("klog_unregister = {}", channel(c)),
        Op::Klog { payload, count } => logged(payload, *count)?,
        Op::CpuOff { cpu } => format!("cpu_off = {cpu}"),
        Op::CpuOn { cpu, hold } => format!("cpu_on = {cpu}{}", held(case, *hold)),
        Op::Sysrq { key } => format!("sysrq = \"{key}\""),
    })
}

/// How often a call is made: until it gives nothing, or so many times.
fn often(times: u32) -> String {
    match times {
        0 => ", until = \"empty\"".to_owned(),
        1 => String::new(),
        times => format!(", times = {times}"),
    }
}

/// A record of klog's.
fn logged(payload: &Payload, count: u32) -> Result<String, Unwritable> {
    let what = match payload {
        Payload::Formatted(text) => format!("klog = {}", quoted(text)),
        Payload::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("klog_raw = {}", quoted(text)),
            Err(_) => return unwritable("a record of bytes that are no text"),
        },
        Payload::Record { .. } => return unwritable("klog of a self-describing record"),
    };
    Ok(match count {
        1 => what,
        count => format!("{what}, count = {count}"),
    })
}

/// Name of a slot in every script: the author's, where it is known.
fn alias(files: &[String], file: FileSlot) -> String {
    match files.get(file) {
        Some(name) => quoted(name),
        None => format!("\"f{file}\""),
    }
}

/// Where an operation stands half way.
fn held(case: &Case, hold: Option<Hold>) -> String {
    let gate = |index: usize| quoted(&case.gates[index]);
    hold.map_or_else(String::new, |Hold { reached, until }| {
        format!(", reached = {}, until = {}", gate(reached), gate(until))
    })
}

fn written(channel: &str, via: Via, payload: &Payload, count: u32) -> Result<String, Unwritable> {
    let name = match via {
        Via::Write => "write",
        Via::RawWrite | Via::RawWriteIrqsOn => "raw_write",
        Via::Reserve | Via::ReserveHeld(_) => "reserve",
    };
    let what = match payload {
        Payload::Record { len_min, len_max } if len_min == len_max => format!("len = {len_max}"),
        Payload::Record { len_min, len_max } => {
            format!("len = {{ min = {len_min}, max = {len_max} }}")
        }
        Payload::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("text = {}", quoted(text)),
            Err(_) => return unwritable("a record of bytes that are no text"),
        },
        Payload::Formatted(_) => return unwritable("formatted text that is not klog's"),
    };
    let often = if count == 1 {
        String::new()
    } else {
        format!(", count = {count}")
    };
    let irqs = match via {
        Via::RawWriteIrqsOn => ", irqs = \"on\"",
        _ => "",
    };
    Ok(format!("{name} = {channel}, {what}{often}{irqs}"))
}

fn expect(text: &mut String, case: &Case, claim: &Expect) -> Result<(), Unwritable> {
    match claim {
        // Stands with its operation.
        Expect::Result { .. } => return Ok(()),
        Expect::Buffer { .. } => return expect_buffer(text, case, claim),
        Expect::Refused { actor, records } => {
            let name = actor_name(&case.actors[*actor].name);
            let records = number(*records)?;
            line(text, format_args!("\n[[expect]]\nactor = {name}"));
            line(text, format_args!("refused = {records}"));
        }
        Expect::Text { actor, text: said } => {
            let name = actor_name(&case.actors[*actor].name);
            line(text, format_args!("\n[[expect]]\nactor = {name}"));
            line(text, format_args!("text = {}", quoted(said)));
        }
        Expect::Flow {
            channel,
            cpu,
            parts,
        } => {
            let name = quoted(&case.channels[*channel].name);
            line(
                text,
                format_args!("\n[[expect]]\nflow = {name}\ncpu = {cpu}"),
            );
            for (part, records) in parts {
                let records = number(*records)?;
                line(text, format_args!("{} = {records}", part.word()));
            }
        }
        Expect::OpenRefused { channel } => {
            let name = quoted(&case.channels[*channel].name);
            line(text, format_args!("\n[[expect]]\nopen_refused = {name}"));
        }
    }
    Ok(())
}

fn expect_buffer(text: &mut String, case: &Case, claim: &Expect) -> Result<(), Unwritable> {
    let Expect::Buffer {
        at,
        channel,
        cpu,
        produced,
        consumed,
        offset,
        padding,
    } = claim
    else {
        return Ok(());
    };
    let name = quoted(&case.channels[*channel].name);
    line(
        text,
        format_args!("\n[[expect]]\nbuffer = {name}\ncpu = {cpu}"),
    );
    if let Some(label) = at {
        line(text, format_args!("at = {}", quoted(label)));
    }
    for (key, value) in [
        ("produced", produced),
        ("consumed", consumed),
        ("offset", offset),
    ] {
        if let Some(value) = value {
            line(text, format_args!("{key} = {}", number(*value)?));
        }
    }
    if let Some(padding) = padding {
        let all: Result<Vec<String>, Unwritable> = padding
            .iter()
            .map(|padding| number(*padding).map(|n| n.to_string()))
            .collect();
        line(text, format_args!("padding = [{}]", all?.join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{embedded, load};

    #[test]
    fn every_built_in_case_reads_back() {
        for (name, text) in embedded() {
            for mut case in load(name, text).unwrap() {
                for actor in &mut case.actors {
                    actor.name = actor.name.replace('@', "-");
                }
                let text = match write(&case) {
                    Ok(text) => text,
                    Err(error) => panic!("{}: {error}", case.name),
                };
                let mut again = load(name, &text).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
                assert_eq!(again.len(), 1);
                // The file's parameters were chosen; claims of results come in order of operations.
                again[0].name.clone_from(&case.name);
                let is_result = |claim: &Expect| matches!(claim, Expect::Result { .. });
                case.expect.sort_by_key(|claim| !is_result(claim));
                assert_eq!(again[0], case, "{text}");
            }
        }
    }

    #[test]
    fn what_cannot_be_said_is_named() {
        let (name, text) = embedded().next().unwrap();
        let mut case = load(name, text).unwrap().remove(0);
        case.seed = u64::MAX;
        let error = write(&case).unwrap_err().to_string();
        assert!(error.contains("18446744073709551615"), "{error}");
    }
}
