//! The scenario language: TOML files in, cases out.
//!
//! Pure: text comes in, [`Case`](relaybed_case::Case)s or [`Diagnostics`] go out; no files, clock, threads
//! or environment. The suites are carried inside the binary, see [`embedded`].
//!
//! # A scenario file
//!
//! ```toml
//! #:schema relaybed.schema.json
//! summary = "A record that does not fit switches to the next sub-buffer and leaves padding."
//! vcpus = 2
//!
//! [params]
//! len = [30, 31]
//!
//! [channel.cpu]
//! subbuf_size = 64
//! n_subbufs = 4
//!
//! [[actor]]
//! name = "writer"
//! cpu = "each"
//! script = [
//!     { write = "cpu", len = "len", count = 3 },
//!     { signal = "written" },
//! ]
//!
//! [[actor]]
//! name = "reader"
//! context = "user"
//! script = [
//!     { wait = "written", count = "cpus" },
//!     { open_file = "cpu", cpu = 1, as = "f" },
//!     { poll = "f", timeout_ms = 0, gives = "POLLIN + POLLRDNORM" },
//!     { read = "f", size = 4096, gives = "3 * len" },
//! ]
//!
//! [[expect]]
//! buffer = "cpu"
//! cpu = 0
//! produced = 1
//! offset = "len"
//! padding = ["S - 2 * len", 0, 0, 0]
//! ```
//!
//! The first line is a hint that editors with TOML support follow; `relaybed schema` prints the schema.
//!
//! ## Top level
//!
//! | key | is |
//! |---|---|
//! | `summary` | one sentence, needed: what the scenario shows |
//! | `vcpus` | CPUs of the machine it runs on, 1 to 64; 2 if left out |
//! | `seed` | draws record lengths; 1 if left out |
//! | `needs` | what not every release of relay has: `late-setup`, `splice`, `prev-padding`, `statistics`, `buf-mapped`; on a kernel without it the scenario is skipped, with the reason |
//! | `failures` | `claimed` (if left out): an operation that fails, or a channel that is refused, fails the scenario unless `fails`, `gives` or an `[[expect]]` claims it; `any`: only the model judges |
//! | `[params]` | lists of integers or strings; the file becomes one case for each choice, named `suite/file[len=30,mode=overwrite]` |
//! | `[channel.NAME]` | a channel; NAME is the base filename, its files are NAME + CPU |
//! | `[[actor]]` | an actor with its script |
//! | `[[expect]]` | a claim of the author |
//! | `[[schedule]]` | a turn: whose CPU runs, and up to where |
//!
//! ## Numbers and words
//!
//! Wherever a number is expected, a string may hold an expression: decimal numbers, `+ - * / %`,
//! parentheses, and names. Names are the parameters; `S` and `N`, sub-buffer size and count of the
//! channel concerned; `cpus`, the number of CPUs asked for; `own`, the CPU of the actor (or of the
//! buffer expected); and the events of `poll()`: `POLLIN`, `POLLRDNORM`, `POLLERR`, `POLLHUP` … `S` and `N` in `repeat` work where the file has
//! one channel. Where one of a set of words is expected (`mode`, `files`, `open`, `context`, `fails`,
//! `until`), `"$name"` stands for the value of a parameter.
//!
//! ## Channels
//!
//! | key | is |
//! |---|---|
//! | `subbuf_size`, `n_subbufs` | as given to `relay_open()`; sizes that relay must refuse are allowed |
//! | `mode` | answer of the `subbuf_start` callback: `no-overwrite`, `overwrite`, or `default`: no callback. `no-overwrite` if left out |
//! | `header_bytes` | bytes the callback reserves in each sub-buffer |
//! | `files` | `direct`; `proxy`: through debugfs's proxy; `none`: buffering only. `direct` if left out |
//! | `open` | `start`: before any actor starts; `scripted`: by an actor. `start` if left out |
//! | `buffers` | `per-cpu`, or `global`: `create_buf_file` declares one buffer, CPU 0's, for all CPUs. `per-cpu` if left out |
//! | `parent` | directory given to `relay_open()`: `own`, or `none` for debugfs's root. `own` if left out |
//! | `callbacks` | `all`, `none` (a NULL pointer), `no-create`, `no-remove`. `all` if left out |
//! | `base_bytes` | bytes of the base filename: NAME, drawn out with `x` |
//! | `refuse` | `{ from, count }`: calls of `subbuf_start` that refuse whatever the mode says |
//! | `stall` | `{ cpu, at, signal, wait }`: that call of `subbuf_start` of that CPU's buffer signals a gate and waits for another, for 3 s at most: before it decides, or with `after = "header"` once it has reserved its header |
//! | `create` | `{ cpu, answer, skip, times }`: `create_buf_file` answers `null` or an `error` pointer for that CPU, so many times after `skip` calls |
//! | `created` | `{ cpu, signal, wait }`: `create_buf_file` signals a gate once it has made that CPU's file (every CPU's if left out), and waits for another before it returns: everybody can open the file, and relay has not gone on |
//! | `no_memory` | `{ for, cpu, times }`: so many openings find no memory for the `channel` or its `pointers`, or for that CPU's `buffer`, its `padding`, `page-list`, last `page`, `mapping` or file `name`, and are refused |
//!
//! Calls of `subbuf_start` are counted by buffer, from 1, from the opening on, without those that opening
//! and resetting make.
//!
//! ## Actors
//!
//! `context` is `task` (if left out), `softirq`, `hardirq`, `nmi` or `user`. A kernel actor needs a `cpu`. In
//! `softirq`, `hardirq` and `nmi` context an actor writes records, each by an interrupt of its own; gates, checkpoints
//! and delays between them are those of its thread, and whatever may sleep is for `task`. With
//! `cpu = "each"` there is one actor on every CPU, named `NAME@CPU`. All actors run at once; gates order
//! them. A script is a list of operations; every operation has one key of its own:
//!
//! | operation | of | does |
//! |---|---|---|
//! | `write`, `raw_write`, `reserve` = channel | kernel | `count` records (1) by `relay_write()`, `__relay_write()` or `relay_reserve()`, to the buffer of the actor's CPU: `len` (a number, or `{ min, max }` drawn from the seed) or the bytes of `text`. One record by `reserve` may wait before its slot is filled: it raises the gate `reached`, and waits for the gate `until`, for 3 s at most |
//! | `flush`, `reset` = channel | kernel | `relay_flush()`, `relay_reset()` |
//! | `switch` = channel, `len` | kernel | `relay_switch_subbuf()` of the buffer of the actor's CPU, as `relay_reserve()` calls it: gives what it returns |
//! | `null` = function | kernel | `close`, `flush`, `reset`, `consumed`, `late-setup` with NULL in place of the channel, or `late-name` with NULL in place of the name |
//! | `late_setup` = channel | kernel | `relay_late_setup_files()` |
//! | `consumed` = channel, `cpu`, `n` | kernel | `relay_subbufs_consumed()`; a `cpu` of 65536 or more exists nowhere |
//! | `buf_full` = channel, `cpu` | kernel | `relay_buf_full()`: gives 1 or 0 |
//! | `open`, `close` = channel | kernel | `relay_open()`: gives 1 or 0; `relay_close()` |
//! | `open_file` = channel, `cpu`, `as` | user | `open()`; other operations name the descriptor by `as` |
//! | `read` = file, `size` | user | `read()` once, `times` times, or `until = "empty"`; gives all bytes got |
//! | `poll` = file | user | `poll()` for POLLIN, at most `timeout_ms`; gives `revents` |
//! | `mmap` = file, `len` | user | maps read-only and shared; gives 1 |
//! | `copy`, `munmap` = file | user | takes the bytes of the mapping; ends it |
//! | `mremap` = file, `len` | user | gives the mapping another length, which relay does not allow |
//! | `lseek`, `close_file` = file | user | `lseek()` to the start; `close()` |
//! | `cpu_off`, `cpu_on` = CPU | user | the CPU, not 0, goes offline or comes online; `cpu_on` may stand half way: it raises the gate `reached` and waits for the gate `until` |
//! | `sysrq` = key | user | the key to `/proc/sysrq-trigger`: `"c"` panics, `"b"` resets the machine |
//! | `signal` = gate | all | the gate's count grows by one |
//! | `wait` = gate | all | until the gate's count is `count` (1) |
//! | `checkpoint` = label | all | the machine stops, all buffers are observed |
//! | `delay_us` = number | all | waits |
//! | `repeat` = number, `steps` | all | the steps, so many times |
//!
//! Operations of the kernel and on files may carry a claim: `gives` (the value returned) or `fails` (the
//! error's name, such as `"EINVAL"`).
//!
//! ## Expectations
//!
//! The model already predicts everything that the order of operations decides; an expectation is what
//! the author would point out to a reader of the file.
//!
//! | claim | keys |
//! |---|---|
//! | of a channel buffer | `buffer` = channel, `cpu` (or `"each"`), `at` = checkpoint (the end if left out), `produced`, `consumed`, `offset` (`S + 1` marks a full buffer), `padding` = one number a sub-buffer |
//! | of a flow | `flow` = channel, `cpu` (or `"each"`), and how many records at the end: `written` = `kept` + `refused` + `overwritten` + `lost`; `read` of those kept |
//! | of an actor | `actor`, `refused` = records not accepted, `text` = all bytes it read |
//! | of an open | `open_refused` = channel |
//!
//! ## Schedules
//!
//! Without `[[schedule]]` all actors run at once. With it, one CPU runs at a time: every actor that has a turn
//! reaches its first operation, then the turns are taken one after the other, and when all are over CPUs take
//! turns by themselves. A turn that does not end, because its actor waits for somebody who stands, fails the
//! scenario. Such a scenario runs on QEMU's translator only, with clocks that count instructions; elsewhere it
//! is skipped.
//!
//! | key | is |
//! |---|---|
//! | `run` | the actor, which has a `cpu` to itself |
//! | `until` | `"end"`: behind its last operation; `{ before = 2 }`: before its operation 2, from 0; `{ symbol, offset, instruction }`: before that instruction of the kernel, or so many executed instructions later; `{ writes, channel, cpu }` or `{ reads, channel, cpu }`: behind an instruction that accesses `data`, `offset`, `produced`, `consumed`, `padding`, `bytes_consumed` or `finalized` of that channel buffer |
//! | `hit` | stop at the Nth hit in this turn; 1 if left out |
//!
//! # What is checked
//!
//! All of it in one pass, each with its place: unknown keys and words (with the near one), types, CPUs that
//! do not exist, sizes beyond the limits of the ABI, operations of the wrong kind of actor, files used
//! before they are opened, gates that can never be reached, parameters without use, and more evidence
//! than the guest has room for.
//!
//! # Example
//!
//! ```
//! let text = r#"
//! summary = "One record."
//! channel.cpu = { subbuf_size = 64, n_subbufs = 4 }
//! [[actor]]
//! name = "writer"
//! cpu = 0
//! script = [{ write = "cpu", len = 48 }]
//! "#;
//! let cases = relaybed_lang::load("my/case.toml", text)?;
//! assert_eq!(cases[0].actors[0].name, "writer");
//!
//! let wrong = relaybed_lang::load("my/case.toml", &text.replace("len", "lem"));
//! assert!(wrong.is_err_and(|errors| format!("{errors:?}").contains("did you mean `len`?")));
//! # Ok::<(), relaybed_lang::Diagnostics>(())
//! ```

#![forbid(unsafe_code)]

mod actors;
mod canonical;
mod check;
mod client;
mod diagnostic;
mod embedded;
mod expect;
mod expr;
mod files;
mod form;
mod hotplug;
mod load;
mod nest;
mod ops;
mod parse;
mod places;
mod resolve;
mod schedule;
mod schema;
mod script;
mod source;
#[cfg(test)]
mod tests;
mod walk;
mod write;

pub use canonical::canonical;
pub use diagnostic::{Diagnostics, Problem};
pub use embedded::embedded;
pub use load::load;
pub use places::{ClaimPlaces, OpPlace, Places, Round, line_and_column, places};
pub use relaybed_case::bounds::fits;
pub use schema::schema;
pub use write::{Unwritable, operation_text, write};
