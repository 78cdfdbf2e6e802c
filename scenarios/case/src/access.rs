//! Accesses to the members of a channel buffer that several vCPUs use.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::field::Field;

/// One access of one instruction to one member of one channel buffer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The channel's slot in the case.
    pub channel: u32,
    /// Whose channel buffer it is.
    pub cpu: u32,
    /// The member.
    pub field: Field,
    /// Which entry, of [`Field::Padding`] only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// What the instruction did to it.
    pub kind: AccessKind,
    /// What was there before it. [`Field::Data`] counts from the begin of the channel buffer, in bytes.
    pub before: u64,
    /// What was there after it.
    pub after: u64,
    /// The instruction.
    pub by: Code,
}

/// What an instruction did to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessKind {
    /// It loaded it.
    Load,
    /// It stored to it, perhaps the value that was there.
    Store,
    /// Both, in this order.
    LoadAndStore,
}

impl AccessKind {
    /// Whether it stored.
    #[must_use]
    pub const fn stores(self) -> bool {
        matches!(self, Self::Store | Self::LoadAndStore)
    }

    /// Whether it loaded.
    #[must_use]
    pub const fn loads(self) -> bool {
        matches!(self, Self::Load | Self::LoadAndStore)
    }
}

/// An instruction of the kernel or of a module, by the function it is in.
///
/// A helper that knows nothing of what it is given, such as `memset`, is not named: its caller is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The function, by its name in the kernel's symbol table; empty where the table has none.
    pub symbol: String,
    /// Bytes from the function's begin to the instruction; of a caller, to where it is returned to.
    pub offset: u64,
}

/// Functions of `kernel/relay.c` whose names do not begin with `relay_`.
const STATIC: [&str; 7] = [
    "__relay_reset",
    "__relay_set_buf_dentry",
    "buf_mapped_default_callback",
    "buf_unmapped_default_callback",
    "subbuf_splice_actor",
    "subbuf_start_default_callback",
    "wakeup_readers",
];
/// Functions of our module that hold what `include/linux/relay.h` inlines, and nothing else.
const INLINED: [&str; 3] = [
    "bed_relay_raw_write",
    "bed_relay_reserve",
    "bed_relay_write",
];

impl Code {
    /// Whether it is relay's own code: `kernel/relay.c`, or what a client inlines of its header. Everything else
    /// that touches a channel buffer is our module, which logs what it sees, or memory that was given back.
    #[must_use]
    pub fn is_relay(&self) -> bool {
        // The compiler makes clones: `relay_open.part.0`.
        let name = self.symbol.split('.').next().unwrap_or_default();
        name.starts_with("relay_") || STATIC.contains(&name) || INLINED.contains(&name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.symbol.as_str() {
            "" => write!(f, "{:#x}", self.offset),
            name => write!(f, "{name}+{:#x}", self.offset),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            channel,
            cpu,
            field,
            before,
            after,
            by,
            ..
        } = self;
        let slot = self.slot.map_or(String::new(), |slot| format!("[{slot}]"));
        let member = format!("{}{slot} of channel {channel} CPU {cpu}", field.word());
        match self.kind {
            AccessKind::Load => write!(f, "{by} loads {before} from {member}"),
            AccessKind::Store => write!(f, "{by} stores {after} to {member}, which was {before}"),
            AccessKind::LoadAndStore => write!(f, "{by} makes {after} of {before} in {member}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(symbol: &str) -> Code {
        Code {
            symbol: symbol.to_owned(),
            offset: 0x1c,
        }
    }

    #[test]
    fn relays_own_code_is_told_apart() {
        for name in [
            "relay_switch_subbuf",
            "relay_file_read",
            "relay_file_read_consume.isra.0",
            "__relay_reset",
            "bed_relay_write",
        ] {
            assert!(code(name).is_relay(), "{name}");
        }
        for name in [
            "",
            "bed_event_subbuf_start",
            "bed_record_put",
            "kfree",
            "relayed",
            "bed_relay_writer_start",
        ] {
            assert!(!code(name).is_relay(), "{name}");
        }
    }

    #[test]
    fn accesses_read_well() {
        let access = |kind, slot| {
            Access {
                channel: 0,
                cpu: 1,
                field: Field::Padding,
                slot,
                kind,
                before: 3,
                after: 4,
                by: code("relay_switch_subbuf"),
            }
            .to_string()
        };
        assert_eq!(
            access(AccessKind::Load, Some(2)),
            "relay_switch_subbuf+0x1c loads 3 from padding[2] of channel 0 CPU 1"
        );
        assert_eq!(
            access(AccessKind::Store, None),
            "relay_switch_subbuf+0x1c stores 4 to padding of channel 0 CPU 1, which was 3"
        );
        assert_eq!(
            access(AccessKind::LoadAndStore, Some(0)),
            "relay_switch_subbuf+0x1c makes 4 of 3 in padding[0] of channel 0 CPU 1"
        );
    }
}
