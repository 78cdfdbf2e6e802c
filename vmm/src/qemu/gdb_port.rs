//! A socket for gdb that is opened while the machine lives: QEMU's own server, in the machine's folder, where no one
//! but its owner gets at it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::QemuError;
use super::backend::Qemu;

/// The socket, in the machine's folder.
const SOCKET: &str = "gdb";
/// QEMU's name for the server's connection.
const LABEL: &str = "gdb";

impl Qemu {
    /// Opens the socket.
    pub(crate) fn open_gdb(&mut self) -> Result<PathBuf, QemuError> {
        const COMMAND: &str = "human-monitor-command";
        let path = std::path::absolute(self.log_path.with_file_name(SOCKET));
        let path = path.map_err(|source| QemuError::Io {
            action: "find the current folder",
            source,
        })?;
        let line = server(&path).ok_or_else(|| QemuError::StatePath { path: path.clone() })?;
        let line = json!({ "command-line": line });
        let said = self.control.execute_with(COMMAND, &line)?;
        if self.gdb_connection()?.is_some() {
            return Ok(path);
        }
        // A path of more than a hundred bytes is none of a socket's.
        Err(QemuError::Refused {
            command: COMMAND,
            reason: format!("no socket for gdb at {}: {said}", path.display()),
        })
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

/// The line of QEMU's monitor that makes it listen at `path`.
fn server(path: &Path) -> Option<String> {
    let path = path.to_str()?.replace(',', ",,");
    let device = format!("unix:{path},server=on,wait=off");
    let quoted = device.replace('\\', "\\\\").replace('"', "\\\"");
    Some(format!("gdbserver \"{quoted}\""))
}

/// Whether a connection that QEMU describes so has another end.
fn is_connected(text: &str) -> bool {
    text.starts_with("unix:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_said_to_qemu_as_it_is() {
        for (path, line) in [
            (
                "/tmp/a/gdb",
                "gdbserver \"unix:/tmp/a/gdb,server=on,wait=off\"",
            ),
            (
                "/tmp/a,b \"c\"/gdb",
                "gdbserver \"unix:/tmp/a,,b \\\"c\\\"/gdb,server=on,wait=off\"",
            ),
        ] {
            assert_eq!(server(Path::new(path)).unwrap(), line);
        }
    }

    #[test]
    fn qemus_description_tells_a_connection() {
        assert!(!is_connected("disconnected:unix:/tmp/gdb,server=on"));
        assert!(is_connected("unix:/tmp/gdb,server=on"));
        assert!(!is_connected("vc"));
    }
}
