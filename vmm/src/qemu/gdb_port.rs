//! A port for gdb that is opened while the machine lives: QEMU's own server, on the loopback interface.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use super::QemuError;
use super::backend::Qemu;

/// QEMU's name for the server's connection.
const LABEL: &str = "gdb";

impl Qemu {
    /// Opens the port, one that is free.
    pub(crate) fn open_gdb(&mut self) -> Result<SocketAddr, QemuError> {
        const COMMAND: &str = "human-monitor-command";
        let line = json!({"command-line": "gdbserver tcp:127.0.0.1:0"});
        let said = self.control.execute_with(COMMAND, &line)?;
        let listening = self.gdb_connection()?;
        let port = listening.as_deref().and_then(port);
        let port = port.ok_or_else(|| QemuError::Refused {
            command: COMMAND,
            reason: format!("no port for gdb: {said} {listening:?}"),
        })?;
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// Whether somebody is connected to it.
    pub(crate) fn is_gdb_attached(&mut self) -> Result<bool, QemuError> {
        let connection = self.gdb_connection()?;
        Ok(connection.is_some_and(|text| is_connected(&text)))
    }

    /// How QEMU describes the server's connection.
    fn gdb_connection(&mut self) -> Result<Option<String>, QemuError> {
        let all = self.control.execute("query-chardev")?;
        let ours = |entry: &&Value| entry["label"] == LABEL;
        let entry = all.as_array().and_then(|all| all.iter().find(ours));
        Ok(entry.and_then(|entry| Some(entry["filename"].as_str()?.to_owned())))
    }
}

/// The port in a text such as `disconnected:tcp:127.0.0.1:41234,server=on`.
fn port(text: &str) -> Option<u16> {
    let behind = text.split("127.0.0.1:").nth(1)?;
    let end = behind
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(behind.len());
    behind.get(..end)?.parse().ok().filter(|port| *port != 0)
}

fn is_connected(text: &str) -> bool {
    text.starts_with("tcp:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qemus_description_tells_port_and_connection() {
        let waits = "disconnected:tcp:127.0.0.1:41234,server=on";
        assert_eq!((port(waits), is_connected(waits)), (Some(41234), false));
        let connected = "tcp:127.0.0.1:41234,server=on <-> 127.0.0.1:5000";
        assert_eq!(
            (port(connected), is_connected(connected)),
            (Some(41234), true)
        );
        for odd in ["", "vc", "disconnected:tcp:127.0.0.1:0,server=on"] {
            assert_eq!((port(odd), is_connected(odd)), (None, false), "{odd}");
        }
    }
}
