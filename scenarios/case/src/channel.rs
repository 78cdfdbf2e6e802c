//! Channels of a case.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Client, Cpu};

/// What a client's `subbuf_start` callback answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// "Not full", by a callback.
    NoOverwrite,
    /// Always yes.
    Overwrite,
    /// No callback at all: relay's own default, which is no-overwrite.
    Default,
}

/// How the channel's files are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Files {
    /// `debugfs_create_file_unsafe()`: relay's file operations as they are.
    Direct,
    /// `debugfs_create_file()`: through debugfs's proxy, which passes read and poll only.
    Proxy,
    /// No base filename: buffering only.
    None,
}

/// One channel, as it will be given to `relay_open()`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its name, and its base filename unless the client wants a longer one: per-CPU files are named that
    /// plus the CPU id.
    pub name: String,
    /// `subbuf_size` in bytes, possibly one that relay refuses.
    pub subbuf_size: u64,
    /// `n_subbufs`, possibly one that relay refuses.
    pub n_subbufs: u64,
    /// What the callback answers.
    pub mode: Mode,
    /// Bytes the callback reserves at the start of each sub-buffer; 0: none.
    pub header_bytes: u32,
    /// How files are made.
    pub files: Files,
    /// Opened before any actor starts; otherwise an actor opens it.
    pub open_at_start: bool,
    /// What its client does beyond that.
    #[serde(default, skip_serializing_if = "Client::is_plain")]
    pub client: Client,
}

impl Channel {
    /// The base filename.
    #[must_use]
    pub fn base(&self) -> Cow<'_, str> {
        match self.client.base_bytes {
            Some(bytes) if bytes as usize > self.name.len() => {
                let more = "x".repeat(bytes as usize - self.name.len());
                Cow::Owned(format!("{}{more}", self.name))
            }
            _ => Cow::Borrowed(&self.name),
        }
    }

    /// Length in bytes of the name of a CPU's file.
    #[must_use]
    pub fn file_name_len(&self, cpu: Cpu) -> usize {
        self.base().len() + cpu.to_string().len()
    }

    /// CPU of the buffer that a write on `cpu` goes to.
    #[must_use]
    pub fn buffer_cpu(&self, cpu: Cpu) -> Cpu {
        if self.client.global { 0 } else { cpu }
    }

    /// How many buffers it has on a machine of so many CPUs.
    #[must_use]
    pub fn buffers(&self, online_cpus: u32) -> u32 {
        if self.client.global {
            online_cpus.min(1)
        } else {
            online_cpus
        }
    }
}
