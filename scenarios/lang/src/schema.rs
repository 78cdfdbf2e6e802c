//! The language's JSON Schema, for editors that check and complete TOML.
//!
//! The types here describe the shape only; [`super::load`] does not read through them, since it
//! reports all errors in one pass. Tests hold the two together: every file of the suites must
//! deserialize into these types, and their keys must be those that the parser knows.

mod actor;
mod claims;
mod client;
mod schedule;

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

use actor::Actor;
use claims::Expectation;
use client::{Create, Created, NoMemory, Refuse, Stall};

/// The JSON Schema of a scenario file.
///
/// Written to a file, an editor finds it by a first line `#:schema PATH` in the scenario.
#[must_use]
pub fn schema() -> serde_json::Value {
    schema_for!(Scenario).to_value()
}

/// An integer, or an expression in a string: numbers, + - * / % ( ), and the names of parameters, `S`
/// and `N` (sub-buffer size and count of the channel concerned), `cpus` and `own`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(example = 4096, example = &"S * N - 1")]
#[expect(dead_code, reason = "describes the shape for the schema")]
enum Number {
    /// An integer.
    Integer(i64),
    /// An expression, such as "S - 1".
    Expression(String),
}

/// One scenario of the relay interface.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "relaybed scenario")]
#[expect(dead_code, reason = "describes the shape for the schema")]
struct Scenario {
    /// One sentence that says what the scenario shows.
    #[schemars(example = &"An exact fit does not switch; the switch comes with the next write.")]
    summary: String,
    /// CPUs of the machine it runs on; 2 if left out.
    vcpus: Option<Number>,
    /// Draws record lengths; 1 if left out. `--seed` overrides it.
    seed: Option<Number>,
    /// What not every release of relay has and this needs: `late-setup`, `splice`, `prev-padding`,
    /// `statistics`, `buf-mapped`. On a kernel without it, the scenario is skipped.
    #[schemars(example = serde_json::json!(["late-setup"]))]
    #[serde(default)]
    needs: Vec<String>,
    /// `claimed` (the default): an operation that fails, or a channel that is refused, where no claim says so,
    /// fails the scenario. `any`: only the model judges.
    failures: Option<String>,
    /// Lists of integers or strings: the file becomes one case for every choice.
    #[schemars(example = serde_json::json!({"len": [31, 32, 33]}))]
    #[serde(default)]
    params: BTreeMap<String, Vec<ParamValue>>,
    /// Channels by base filename.
    channel: BTreeMap<String, Channel>,
    /// Who does what; each actor works through its own script.
    #[serde(default)]
    actor: Vec<Actor>,
    /// What the author claims beyond the model.
    #[serde(default)]
    expect: Vec<Expectation>,
    /// Whose CPU runs, and up to where; without a schedule all run at once.
    #[serde(default)]
    schedule: Vec<schedule::Turn>,
}

/// One value of a parameter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the shape for the schema")]
enum ParamValue {
    /// Stands in expressions by the parameter's name.
    Integer(i64),
    /// Stands where a word is expected, as `$name`.
    Word(String),
}

/// One channel, as given to relay_open(). Words may be `$name` of a parameter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
struct Channel {
    /// Bytes of a sub-buffer.
    subbuf_size: Number,
    /// Sub-buffers of each channel buffer.
    n_subbufs: Number,
    /// What the subbuf_start callback answers: `no-overwrite` (the default), `overwrite`, or `default`
    /// for no callback at all.
    #[schemars(example = &"overwrite")]
    mode: Option<String>,
    /// Bytes the callback reserves at the start of each sub-buffer.
    header_bytes: Option<Number>,
    /// How files are made: `direct` (the default), `proxy` (debugfs's proxy) or `none`.
    #[schemars(example = &"proxy")]
    files: Option<String>,
    /// When it is opened: `start` (the default) or `scripted`, by an actor's `open`.
    #[schemars(example = &"scripted")]
    open: Option<String>,
    /// `per-cpu` (the default), or `global`: `create_buf_file` declares one buffer for all CPUs, and the
    /// client locks.
    #[schemars(example = &"global")]
    buffers: Option<String>,
    /// The directory given to relay_open(): `own` (the default), or `none` for debugfs's root.
    #[schemars(example = &"none")]
    parent: Option<String>,
    /// What relay_open() is given: `all` callbacks (the default), `none`, `no-create` or `no-remove`.
    #[schemars(example = &"no-create")]
    callbacks: Option<String>,
    /// Bytes of the base filename: the channel's name, drawn out with `x`.
    base_bytes: Option<Number>,
    /// Calls of subbuf_start that refuse whatever the mode says.
    refuse: Option<Refuse>,
    /// A call of subbuf_start that waits at a gate.
    stall: Option<Stall>,
    /// Files that create_buf_file does not make.
    create: Option<Create>,
    /// Files behind whose making create_buf_file waits at a gate.
    created: Option<Created>,
    /// Openings that find no memory.
    no_memory: Option<NoMemory>,
}

/// A length in bytes, or the two between which lengths are drawn from the seed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the shape for the schema")]
enum Length {
    /// The same for every record.
    Fixed(Number),
    /// Drawn, both ends included.
    Drawn(Range),
}

/// The two ends of a range.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
struct Range {
    /// Smallest length.
    min: Number,
    /// Largest length.
    max: Number,
}

/// An actor whose whole script runs on top of this write.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
struct Nesting {
    /// The actor: on the same CPU, of a higher context, writing to the same channel.
    actor: String,
    /// `callback`: at the first subbuf_start that the write brings about; `fill`: with the slot reserved
    /// and half filled.
    #[schemars(example = &"fill")]
    at: String,
}

/// Declares the operations: one table type each, and the union of all.
macro_rules! operations {
    ($($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident : $type:ty,)* })*) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields)]
            #[expect(dead_code, reason = "describes the shape for the schema")]
            struct $name { $($(#[$fmeta])* $field: $type,)* }
        )*

        /// One operation of a script.
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(untagged)]
        #[expect(dead_code, reason = "describes the shape for the schema")]
        enum Operation { $($(#[$meta])* $name($name),)* }
    };
}

operations! {
    /// Records by relay_write(), to the buffer of the actor's CPU.
    Write {
        /// The channel.
        write: String, len: Option<Length>, text: Option<String>, count: Option<Number>,
        nest: Option<Nesting>,
        gives: Option<Number>, fails: Option<String>,
    }
    /// Records by __relay_write(), with interrupts kept out unless `irqs` is "on".
    RawWrite {
        /// The channel.
        raw_write: String, len: Option<Length>, text: Option<String>, count: Option<Number>,
        nest: Option<Nesting>,
        /// `off` (the default) or `on`: whether interrupts stay out.
        irqs: Option<String>,
        gives: Option<Number>, fails: Option<String>,
    }
    /// Records by relay_reserve(), then filled.
    Reserve {
        /// The channel.
        reserve: String, len: Option<Length>, text: Option<String>, count: Option<Number>,
        nest: Option<Nesting>,
        /// The gate that it raises with the slot reserved and not filled.
        reached: Option<String>,
        /// The gate that it waits for there.
        until: Option<String>,
        gives: Option<Number>, fails: Option<String>,
    }
    /// From now on klog goes to this channel, until another is registered or this one is unregistered or
    /// closed.
    KlogRegister {
        /// The channel.
        klog_register: String, gives: Option<Number>, fails: Option<String>,
    }
    /// If klog goes to this channel, it goes nowhere from now on.
    KlogUnregister {
        /// The channel.
        klog_unregister: String, gives: Option<Number>, fails: Option<String>,
    }
    /// Formatted logging to whatever channel is registered: gives how many records were taken.
    Klog {
        /// The text; the numbers of actor and record stand before it, the end of the line behind it.
        klog: String, count: Option<Number>, gives: Option<Number>, fails: Option<String>,
    }
    /// Logging of bytes as they are to whatever channel is registered.
    KlogRaw {
        /// The bytes.
        klog_raw: String, count: Option<Number>, gives: Option<Number>, fails: Option<String>,
    }
    /// relay_flush(): every buffer of the channel.
    Flush {
        /// The channel.
        flush: String, gives: Option<Number>, fails: Option<String>,
    }
    /// relay_reset(): every buffer of the channel.
    Reset {
        /// The channel.
        reset: String, gives: Option<Number>, fails: Option<String>,
    }
    /// relay_switch_subbuf() of the buffer of the actor's CPU, for a record of `len` bytes: gives what it
    /// returns.
    Switch {
        /// The channel.
        switch: String, len: Number, gives: Option<Number>, fails: Option<String>,
    }
    /// A function of relay's with NULL in place of the channel.
    Null {
        /// `close`, `flush`, `reset`, `consumed`, `late-setup`, or `late-name`: a channel, and NULL in
        /// place of the name.
        null: String, gives: Option<Number>, fails: Option<String>,
    }
    /// relay_late_setup_files().
    LateSetup {
        /// The channel.
        late_setup: String, gives: Option<Number>, fails: Option<String>,
    }
    /// relay_subbufs_consumed() of `n` for the buffer of `cpu`; a CPU of 65536 or more exists nowhere.
    Consumed {
        /// The channel.
        consumed: String, cpu: Number, n: Number, gives: Option<Number>, fails: Option<String>,
    }
    /// relay_buf_full() of the buffer of `cpu`: gives 1 or 0.
    BufFull {
        /// The channel.
        buf_full: String, cpu: Number, gives: Option<Number>, fails: Option<String>,
    }
    /// relay_open(): gives 1 if opened, 0 if refused.
    Open {
        /// The channel.
        open: String, gives: Option<Number>, fails: Option<String>,
    }
    /// relay_close().
    Close {
        /// The channel.
        close: String, gives: Option<Number>, fails: Option<String>,
    }
    /// open() of the file of `cpu`, known as `as` from then on.
    OpenFile {
        /// The channel.
        open_file: String, cpu: Number, r#as: String,
        /// `read` (the default), `write` or `read-write`.
        access: Option<String>,
        gives: Option<Number>, fails: Option<String>,
    }
    /// stat() of the file of `cpu`, by its path: gives its size.
    Stat {
        /// The channel.
        stat: String, cpu: Number, gives: Option<Number>, fails: Option<String>,
    }
    /// The names in the channel's directory: gives how many.
    List {
        /// The channel.
        list: String, gives: Option<Number>, fails: Option<String>,
    }
    /// close() of a descriptor.
    CloseFile {
        /// The name given by `as`.
        close_file: String, gives: Option<Number>, fails: Option<String>,
    }
    /// dup() of a descriptor: `as` is another descriptor of the same open file.
    Dup {
        /// The name given by `as`.
        dup: String, r#as: String, gives: Option<Number>, fails: Option<String>,
    }
    /// read() of at most `size` bytes, `times` times (once if left out) or until one gives 0.
    Read {
        /// The name given by `as`.
        read: String, size: Number, times: Option<Number>,
        /// `empty`: until a read gives 0.
        until: Option<String>,
        /// `nowhere`: into memory that must not be touched.
        into: Option<String>,
        gives: Option<Number>, fails: Option<String>,
    }
    /// poll() for POLLIN: gives revents. Without a timeout it waits until something comes.
    Poll {
        /// The name given by `as`.
        poll: String, timeout_ms: Option<Number>, gives: Option<Number>, fails: Option<String>,
    }
    /// pread() of at most `size` bytes at `offset`.
    Pread {
        /// The name given by `as`.
        pread: String, size: Number, offset: Number, gives: Option<Number>, fails: Option<String>,
    }
    /// readv() of `parts` parts of `size` bytes.
    Readv {
        /// The name given by `as`.
        readv: String, size: Number, parts: Number, gives: Option<Number>, fails: Option<String>,
    }
    /// write() of `size` zero bytes.
    WriteFile {
        /// The name given by `as`.
        write_file: String, size: Number, gives: Option<Number>, fails: Option<String>,
    }
    /// ftruncate() to `len` bytes.
    Truncate {
        /// The name given by `as`.
        truncate: String, len: Number, gives: Option<Number>, fails: Option<String>,
    }
    /// mmap() of `len` bytes: gives 1.
    Mmap {
        /// The name given by `as`.
        mmap: String, len: Number,
        /// From which byte of the file on; the first if left out.
        offset: Option<Number>,
        /// `read` (the default), `read-write`, or `none`: nothing of it may be touched.
        access: Option<String>,
        /// `shared` (the default) or `private`.
        sharing: Option<String>,
        gives: Option<Number>, fails: Option<String>,
    }
    /// munmap() of the descriptor's mapping.
    Munmap {
        /// The name given by `as`.
        munmap: String,
        /// So many bytes stay mapped, in whole pages; none if left out.
        keep: Option<Number>,
        gives: Option<Number>, fails: Option<String>,
    }
    /// mremap() of the descriptor's mapping to `len` bytes.
    Mremap {
        /// The name given by `as`.
        mremap: String, len: Number, gives: Option<Number>, fails: Option<String>,
    }
    /// Writes `text` to byte `at` of the mapping.
    Store {
        /// The name given by `as`.
        store: String, at: Number, text: String, gives: Option<Number>, fails: Option<String>,
    }
    /// fstat() of a descriptor: gives the file's size.
    Fstat {
        /// The name given by `as`.
        fstat: String, gives: Option<Number>, fails: Option<String>,
    }
    /// Takes the bytes of the mapping as a reader with mmap would.
    Copy {
        /// The name given by `as`.
        copy: String, gives: Option<Number>, fails: Option<String>,
    }
    /// lseek() to `offset`, 0 if left out.
    Lseek {
        /// The name given by `as`.
        lseek: String,
        /// `set` (the default), `current`, `end`, `data` or `hole`.
        whence: Option<String>,
        offset: Option<Number>, gives: Option<Number>, fails: Option<String>,
    }
    /// splice() of at most `size` bytes to a pipe, `times` times (once if left out) or until one gives 0:
    /// gives the sum of what the calls returned.
    Splice {
        /// The name given by `as`.
        splice: String, size: Number, times: Option<Number>,
        /// `empty`: until a call gives 0.
        until: Option<String>,
        /// `no`: with SPLICE_F_NONBLOCK.
        block: Option<String>,
        /// When the pipe is emptied: after `each` call (the default) or `late`, after the last.
        drain: Option<String>,
        gives: Option<Number>, fails: Option<String>,
    }
    /// sendfile() of at most `size` bytes to a file in memory: gives how many.
    Sendfile {
        /// The name given by `as`.
        sendfile: String, size: Number, gives: Option<Number>, fails: Option<String>,
    }
    /// The CPU goes offline.
    CpuOff {
        /// The CPU, not 0.
        cpu_off: Number, gives: Option<Number>, fails: Option<String>,
    }
    /// The CPU comes online; with `reached` and `until` it stands half way between the two gates.
    CpuOn {
        /// The CPU, not 0.
        cpu_on: Number,
        /// The gate that it raises half way: prepared by relay, and not running.
        reached: Option<String>,
        /// The gate that it waits for there.
        until: Option<String>,
        gives: Option<Number>, fails: Option<String>,
    }
    /// One key to /proc/sysrq-trigger: "c" panics, "b" resets the machine.
    Sysrq {
        /// The key.
        sysrq: String, gives: Option<Number>, fails: Option<String>,
    }
    /// The gate's count grows by one.
    Signal {
        /// The gate.
        signal: String,
    }
    /// Goes on when the gate's count has reached `count`, 1 if left out.
    Wait {
        /// The gate.
        wait: String, count: Option<Number>,
    }
    /// The machine stops and all buffers are observed.
    Checkpoint {
        /// Its label, unique in the case.
        checkpoint: String,
    }
    /// Does nothing for so many microseconds.
    Delay {
        /// How long.
        delay_us: Number,
    }
    /// The steps so many times.
    Repeat {
        /// How often.
        repeat: Number, steps: Vec<Operation>,
    }
}

#[cfg(test)]
mod tests;
