//! QMP messages: one JSON object a line. Pure parsing; QEMU's words become ours here.

use serde::Deserialize;
use serde_json::Value;

/// A message from QEMU.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// The first message of a connection, with QEMU's version.
    Greeting(super::Version),
    /// A command succeeded.
    Return(Value),
    /// A command failed.
    Failed(String),
    /// The guest powered off or reset; `None` if it was not the guest's doing.
    Shutdown(Option<GuestEnd>),
    /// The guest reported its panic by a device.
    GuestPanicked,
    /// vCPUs stopped.
    Stop,
    /// Saving or loading the machine's state has come this far, in QEMU's word.
    Migration(String),
    /// Any other event.
    Other,
}

/// What the guest asked for at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GuestEnd {
    /// Power off.
    PowerOff,
    /// Reset, for whatever reason.
    Reset,
    /// A panic reported by a device.
    Panic,
}

/// The shape of every line; all members that are not there stay empty.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "QMP")]
    greeting: Option<Greeting>,
    #[serde(rename = "return")]
    returned: Option<Value>,
    error: Option<Failure>,
    event: Option<String>,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct Greeting {
    version: GreetingVersion,
}

#[derive(Deserialize)]
struct GreetingVersion {
    qemu: super::Version,
}

#[derive(Deserialize)]
struct Failure {
    desc: String,
}

/// Parses one line; `None` if it is not a QMP message.
pub(super) fn parse(line: &[u8]) -> Option<Message> {
    let line: Line = serde_json::from_slice(line).ok()?;
    if let Some(greeting) = line.greeting {
        return Some(Message::Greeting(greeting.version.qemu));
    }
    if let Some(failure) = line.error {
        return Some(Message::Failed(failure.desc));
    }
    if let Some(event) = line.event {
        return Some(event_message(&event, &line.data));
    }
    line.returned.map(Message::Return)
}

fn event_message(event: &str, data: &Value) -> Message {
    match event {
        "SHUTDOWN" if data["guest"] == Value::Bool(true) => {
            Message::Shutdown(Some(match data["reason"].as_str() {
                Some("guest-shutdown") => GuestEnd::PowerOff,
                Some("guest-panic") => GuestEnd::Panic,
                _ => GuestEnd::Reset,
            }))
        }
        "SHUTDOWN" => Message::Shutdown(None),
        "GUEST_PANICKED" => Message::GuestPanicked,
        "STOP" => Message::Stop,
        "MIGRATION" => Message::Migration(data["status"].as_str().unwrap_or_default().to_owned()),
        _ => Message::Other,
    }
}

/// The line that executes a command.
pub(super) fn command(name: &str, arguments: &Value) -> Vec<u8> {
    let mut command = serde_json::json!({ "execute": name });
    if !arguments.is_null() {
        command["arguments"] = arguments.clone();
    }
    format!("{command}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn real_lines() {
        let greeting = br#"{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10},
            "package": "Debian 1:10.0.2+ds-2+deb13u1~bpo12+1"}, "capabilities": ["oob"]}}"#;
        let version = super::super::Version {
            major: 10,
            minor: 0,
            micro: 2,
        };
        assert_eq!(parse(greeting), Some(Message::Greeting(version)));
        let shutdown = br#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN",
            "data": {"guest": true, "reason": "guest-reset"}}"#;
        assert_eq!(
            parse(shutdown),
            Some(Message::Shutdown(Some(GuestEnd::Reset)))
        );
        let stop = br#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}"#;
        assert_eq!(parse(stop), Some(Message::Stop));
        let error = br#"{"error": {"class": "GenericError", "desc": "no"}}"#;
        assert_eq!(parse(error), Some(Message::Failed("no".into())));
        assert_eq!(
            parse(br#"{"return": {}}"#),
            Some(Message::Return(serde_json::json!({})))
        );
    }

    #[test]
    fn commands_with_and_without_arguments() {
        assert_eq!(command("stop", &Value::Null), b"{\"execute\":\"stop\"}\n");
        assert_eq!(
            command("x", &serde_json::json!({"a": "b\"c"})),
            b"{\"arguments\":{\"a\":\"b\\\"c\"},\"execute\":\"x\"}\n"
        );
    }

    #[test]
    fn power_off_and_panic_are_told_apart() {
        let line = |guest: bool, reason: &str| {
            let data = serde_json::json!({"guest": guest, "reason": reason});
            let line = serde_json::json!({"event": "SHUTDOWN", "data": data});
            parse(line.to_string().as_bytes())
        };
        assert_eq!(
            line(true, "guest-shutdown"),
            Some(Message::Shutdown(Some(GuestEnd::PowerOff)))
        );
        assert_eq!(
            line(true, "guest-panic"),
            Some(Message::Shutdown(Some(GuestEnd::Panic)))
        );
        assert_eq!(line(false, "host-qmp-quit"), Some(Message::Shutdown(None)));
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&line);
        }
    }
}
