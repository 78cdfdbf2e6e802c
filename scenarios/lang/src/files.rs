//! Operations of user actors on descriptors: opening, reading, mapping and the rest.

use relaybed_abi::{RB_DATA_SIZE, RB_MAX_RECORD, RB_PAGE_SIZE};

use super::actors::{MAX_RECORDS, Stage};
use super::diagnostic::{Problem, suggestion};
use super::form::{Num, Sp, Step};
use super::resolve::{Resolver, Scope, narrow};
use super::words::{ACCESS, BLOCK, DRAIN, INTO, MAP_ACCESS, SHARING, UNTIL, WHENCE};
use relaybed_case::{Access, ChannelIndex, FileCall, FileSlot, Map, Op};

/// Longest timeout of poll in milliseconds.
const MAX_POLL_MS: u64 = 60_000;

/// A descriptor's name within one actor.
pub(super) struct FileName {
    slot: FileSlot,
    pub(super) channel: ChannelIndex,
    open: bool,
    mapping: Mapping,
}

/// What mapping a name has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mapping {
    None,
    ReadOnly,
    Writable,
}

impl Resolver<'_> {
    pub(super) fn open_file(
        &mut self,
        stage: &mut Stage,
        step: &Step,
        name: &Sp<String>,
    ) -> Option<Op> {
        let channel = self.channel_index(name)?;
        let scope = self.scope(channel, stage.own);
        let cpu = self.cpu(step.num("cpu")?, scope)?;
        let access = self.word(step.text("access"), &ACCESS);
        let fails = step.text("fails").is_some();
        let file = self.name_file(stage, step.text("as")?, channel, !fails);
        Some(match access {
            Access::Read => Op::FileOpen { file, channel, cpu },
            access => Op::File {
                file,
                call: FileCall::Open {
                    channel,
                    cpu,
                    access,
                },
            },
        })
    }

    /// Gives a name to a descriptor that comes into being; the slot it is in.
    fn name_file(
        &mut self,
        stage: &mut Stage,
        alias: &Sp<String>,
        channel: ChannelIndex,
        open: bool,
    ) -> FileSlot {
        let file = stage.files.entry(alias.value.clone()).or_insert_with(|| {
            self.file_names.push(alias.value.clone());
            FileName {
                slot: self.file_names.len() - 1,
                channel,
                open: false,
                mapping: Mapping::None,
            }
        });
        if file.open {
            self.problems.push(Problem::new(
                format!("`{}` is already open", alias.value),
                alias.span.clone(),
                "close it first, or choose another name",
            ));
        }
        file.open = open;
        file.channel = channel;
        file.slot
    }

    pub(super) fn file_op(
        &mut self,
        stage: &mut Stage,
        step: &Step,
        name: &Sp<String>,
    ) -> Option<Op> {
        let Some(file) = stage.files.get_mut(&name.value) else {
            self.unknown_file(stage, name);
            return None;
        };
        let (slot, channel) = (file.slot, file.channel);
        let of_mapping = matches!(step.form.name, "munmap" | "mremap" | "copy" | "store");
        let wrong = match (of_mapping, file.open, file.mapping) {
            (true, _, Mapping::None) => Some("is not mapped here"),
            (true, _, Mapping::ReadOnly) if step.form.name == "store" => {
                Some("is not mapped for writing")
            }
            (false, false, _) => Some("is no longer open"),
            (false, true, mapping) if step.form.name == "mmap" && mapping != Mapping::None => {
                Some("is already mapped")
            }
            _ => None,
        };
        match step.form.name {
            "close_file" => file.open = false,
            "munmap" if step.num("keep").is_none() => file.mapping = Mapping::None,
            "mmap" if step.text("fails").is_none() => {
                let writable = step
                    .text("access")
                    .is_some_and(|access| !["read", "none"].contains(&access.value.as_str()));
                file.mapping = if writable {
                    Mapping::Writable
                } else {
                    Mapping::ReadOnly
                };
            }
            _ => {}
        }
        if let Some(wrong) = wrong {
            self.problems.push(Problem::new(
                format!("`{}` {wrong}", name.value),
                name.span.clone(),
                wrong,
            ));
        }
        let scope = self.scope(channel, stage.own);
        if step.form.name == "dup" {
            let fails = step.text("fails").is_some();
            let to = self.name_file(stage, step.text("as")?, channel, !fails);
            return Some(Op::File {
                file: slot,
                call: FileCall::Dup { to },
            });
        }
        self.simple_call(step, scope, slot).or_else(|| {
            self.call(step, scope)
                .map(|call| Op::File { file: slot, call })
        })
    }

    fn unknown_file(&mut self, stage: &Stage, name: &Sp<String>) {
        let known: Vec<&str> = stage.files.keys().map(String::as_str).collect();
        let problem = Problem::new(
            format!("this actor has not opened a file as `{}`", name.value),
            name.span.clone(),
            "not open",
        );
        let help = if known.is_empty() {
            "open it with { open_file = CHANNEL, cpu = CPU, as = NAME }".to_owned()
        } else {
            suggestion(&name.value, &known)
        };
        if !self.file.broken {
            self.problems.push(problem.help(help));
        }
    }

    /// The operations that have a variant of their own; `None`: another operation, or an error.
    fn simple_call(&mut self, step: &Step, scope: Scope, file: FileSlot) -> Option<Op> {
        Some(match step.form.name {
            "close_file" => Op::FileClose { file },
            "munmap" if step.num("keep").is_none() => Op::FileMunmap { file },
            "copy" => Op::FileCopy { file },
            "poll" => Op::FilePoll {
                file,
                timeout_ms: match step.num("timeout_ms") {
                    Some(num) => Some(self.narrowed(num, scope, "the timeout", MAX_POLL_MS)?),
                    None => None,
                },
            },
            "read" if step.text("into").is_none() => Op::FileRead {
                file,
                size: self.size(step, scope)?,
                times: self.times(step, scope)?,
            },
            _ => return None,
        })
    }

    fn call(&mut self, step: &Step, scope: Scope) -> Option<FileCall> {
        Some(match step.form.name {
            "munmap" => FileCall::Keep {
                len: self.number(step.num("keep")?, scope, "the length", 1..=u64::MAX)?,
            },
            "read" => {
                self.word(step.text("into"), &INTO);
                FileCall::ReadNowhere {
                    size: self.size(step, scope)?,
                }
            }
            "pread" => FileCall::Pread {
                size: self.size(step, scope)?,
                offset: self.number(step.num("offset")?, scope, "the offset", 0..=MAX_OFFSET)?,
            },
            "readv" => self.readv(step, scope)?,
            "write_file" => FileCall::Write {
                size: self.size(step, scope)?,
            },
            "truncate" => FileCall::Truncate {
                len: self.number(step.num("len")?, scope, "the length", 0..=MAX_OFFSET)?,
            },
            "lseek" => FileCall::Seek {
                whence: self.word(step.text("whence"), &WHENCE),
                offset: match step.num("offset") {
                    Some(num) => self.value(num, scope)?,
                    None => 0,
                },
            },
            "mmap" => FileCall::Map(self.map(step, scope)?),
            "mremap" => FileCall::Mremap {
                len: self.number(step.num("len")?, scope, "the length", 1..=u64::MAX)?,
            },
            "store" => self.store(step, scope)?,
            "fstat" => FileCall::Stat,
            "sendfile" => FileCall::Sendfile {
                size: self.size(step, scope)?,
            },
            "splice" => self.splice(step, scope)?,
            // The others were wrong, which has been said.
            _ => return None,
        })
    }

    fn narrowed(&mut self, num: &Num, scope: Scope, what: &str, most: u64) -> Option<u32> {
        self.number(num, scope, what, 0..=most).map(narrow)
    }

    fn size(&mut self, step: &Step, scope: Scope) -> Option<u32> {
        self.narrowed(step.num("size")?, scope, "the size", RB_DATA_SIZE as u64)
    }

    fn times(&mut self, step: &Step, scope: Scope) -> Option<u32> {
        match (step.num("times"), step.text("until")) {
            (Some(num), _) => self
                .number(num, scope, "times", 1..=MAX_RECORDS)
                .map(narrow),
            (None, Some(word)) => Some(self.word(Some(word), &UNTIL)),
            (None, None) => Some(1),
        }
    }

    fn readv(&mut self, step: &Step, scope: Scope) -> Option<FileCall> {
        let size = self.size(step, scope)?;
        let num = step.num("parts")?;
        let parts = self.number(num, scope, "the number of parts", 1..=MAX_PARTS)?;
        if u64::from(size) * parts > RB_DATA_SIZE as u64 {
            let message = format!("all parts together have at most {RB_DATA_SIZE} bytes");
            let problem = Problem::new(message, num.span.clone(), "too many of this size");
            self.problems.push(problem);
        }
        Some(FileCall::Readv {
            size,
            parts: narrow(parts),
        })
    }

    /// A pipe that is drained late must hold everything: splice() would wait for room for ever.
    fn splice(&mut self, step: &Step, scope: Scope) -> Option<FileCall> {
        let size = self.size(step, scope)?;
        let times = self.times(step, scope)?;
        let nonblock = self.word(step.text("block"), &BLOCK);
        let late = self.word(step.text("drain"), &DRAIN);
        let pages = u64::from(size) / RB_PAGE_SIZE as u64 + 2;
        if late && (times == 0 || pages * u64::from(times) > PIPE_PAGES) {
            let problem = Problem::new(
                "a pipe that is drained late has no room for this",
                step.span.clone(),
                format!("more than {PIPE_PAGES} pages, or no end"),
            );
            self.problems
                .push(problem.help("splice less, or fewer times"));
        }
        Some(FileCall::Splice {
            size,
            times,
            nonblock,
            late,
        })
    }

    fn map(&mut self, step: &Step, scope: Scope) -> Option<Map> {
        let (writable, hidden) = self.word(step.text("access"), &MAP_ACCESS);
        Some(Map {
            len: self.number(step.num("len")?, scope, "the length", 0..=u64::MAX)?,
            offset: match step.num("offset") {
                Some(num) => self.number(num, scope, "the offset", 0..=MAX_OFFSET)?,
                None => 0,
            },
            writable,
            hidden,
            private: self.word(step.text("sharing"), &SHARING),
        })
    }

    fn store(&mut self, step: &Step, scope: Scope) -> Option<FileCall> {
        let text = step.text("text")?;
        let (size, count) = scope.sizes.unwrap_or((0, 0));
        let whole = size.saturating_mul(count);
        let len = text.value.len() as u64;
        if len == 0 || len > RB_MAX_RECORD as u64 || len > whole {
            self.problems.push(Problem::new(
                "a store has at least one byte, and must fit",
                text.span.clone(),
                format!("{len} bytes"),
            ));
            return None;
        }
        let at = self.number(step.num("at")?, scope, "the place", 0..=whole - len)?;
        Some(FileCall::Store {
            at,
            bytes: text.value.clone().into_bytes(),
        })
    }
}

/// Pieces of pages that the agent's pipe has room for.
const PIPE_PAGES: u64 = 256;
/// Largest offset in a file.
const MAX_OFFSET: u64 = i64::MAX.cast_unsigned();
/// Most parts of one readv: the kernel's own limit.
const MAX_PARTS: u64 = 1024;
