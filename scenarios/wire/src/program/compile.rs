//! A whole case as a request.

use std::mem::offset_of;
use std::ops::Range;

use relaybed_abi::{
    Actor as AbiActor, ChannelSpec, Context as AbiContext, Create, Files as AbiFiles,
    Mode as AbiMode, NoMemory as AbiNoMemory, Op as AbiOp, Plant, RB_BASE_SIZE,
    RB_CHAN_BUFFER_ONLY, RB_CHAN_CREATED_WAITS, RB_CHAN_GLOBAL, RB_CHAN_NO_CALLBACKS,
    RB_CHAN_NO_CREATE, RB_CHAN_NO_REMOVE, RB_CHAN_OPEN_AT_START, RB_CHAN_ROOT, RB_CHAN_STALL_LATE,
    RB_MAX_ACTORS, RB_MAX_CHANNELS, RB_MAX_CPUS, RB_MAX_GATES, RB_MAX_OPS, RB_MAX_PFNS, RB_NONE32,
    RB_OFF_BLOB, RB_OFF_OPS, RB_OFF_REQUEST, RB_PAGE_SIZE, RB_REQ_POWER_OFF, RB_REQ_STEPS, Request,
    Source as AbiSource,
};
use zerocopy::{FromZeros, IntoBytes};

use super::ProgramError;
use super::ops::{Encoder, Position};
use relaybed_case::bounds::fits;
use relaybed_case::evidence::Planted;
use relaybed_case::{
    Actor, Answer, Callbacks, Case, Channel, Client, Context, Expect, Files, Mode, Op, Source,
    Wanted,
};

/// Largest `n_subbufs` for which relay can allocate its padding array (4 MiB of pointers).
const RELAY_MAX_SUBBUFS: u64 = (4 << 20) / 8;

/// A request, ready to be written into the mailbox of a stopped machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What to write: offset from the start of the mailbox, and the bytes.
    pub writes: Vec<(u32, Vec<u8>)>,
    /// Indices of each actor's operations, and so of their results.
    pub ops_of_actor: Vec<Range<usize>>,
    /// What the number in `Header::checkpoint_label` stands for.
    pub checkpoints: Vec<Checkpoint>,
}

impl Program {
    /// Has user actors announce each operation, so that whoever controls the vCPUs can stop them there.
    pub fn announce_steps(&mut self) {
        let at_flags = offset_of!(Request, flags)..offset_of!(Request, flags) + size_of::<u32>();
        for (at, bytes) in &mut self.writes {
            if *at == narrow(RB_OFF_REQUEST)
                && let Some(flags) = bytes.get_mut(at_flags.clone())
            {
                for (byte, more) in flags.iter_mut().zip(RB_REQ_STEPS.to_le_bytes()) {
                    *byte |= more;
                }
            }
        }
    }
}

/// One checkpoint operation of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The author's label.
    pub label: String,
    /// Actor that reaches it.
    pub actor: usize,
    /// Index into that actor's operations.
    pub op: usize,
}

impl Program {
    /// Actor and operation that an index over all operations stands for, if for any: of a refusal,
    /// a checkpoint or an event. Such indices come from the guest.
    #[must_use]
    pub fn place_of(&self, op: u32) -> Option<(usize, usize)> {
        let op = op as usize;
        let actor = self
            .ops_of_actor
            .iter()
            .position(|range| range.contains(&op))?;
        Some((actor, op - self.ops_of_actor[actor].start))
    }
}

/// Compiles a case. What relay itself must refuse goes through: refusal is a result.
///
/// # Errors
/// [`ProgramError`] for the first thing that the ABI cannot express. It also says that the case's
/// indices are valid, those of its expectations included.
pub fn compile(case: &Case, plant: Option<Planted>) -> Result<Program, ProgramError> {
    let vcpus = u64::from(case.vcpus);
    limit("CPUs", vcpus, RB_MAX_CPUS)?;
    limit("channels", case.channels.len() as u64, RB_MAX_CHANNELS)?;
    limit("actors", case.actors.len() as u64, RB_MAX_ACTORS)?;
    limit("gates", case.gates.len() as u64, RB_MAX_GATES)?;
    let n_ops: u64 = case.actors.iter().map(|actor| actor.ops.len() as u64).sum();
    limit("operations of all actors", n_ops, RB_MAX_OPS)?;
    limit("pages of all channel buffers", pages(case), RB_MAX_PFNS)?;
    for (index, expect) in case.expect.iter().enumerate() {
        check_expect(case, index, expect)?;
    }

    let mut request = Request::new_zeroed();
    for (spec, channel) in request.channels.iter_mut().zip(&case.channels) {
        *spec = channel_spec(channel)?;
    }
    let mut encoder = Encoder::default();
    let mut ops: Vec<AbiOp> = Vec::new();
    let mut ops_of_actor = Vec::new();
    for (index, actor) in case.actors.iter().enumerate() {
        let first = ops.len();
        encode_actor(&mut encoder, &mut ops, case, index)?;
        request.actors[index] = actor_head(case, actor, first..ops.len())?;
        ops_of_actor.push(first..ops.len());
    }
    // By now all indices are valid.
    if !fits(case) {
        return Err(ProgramError::OutOfBounds);
    }
    request.n_channels = narrow(case.channels.len());
    request.n_actors = narrow(case.actors.len());
    request.n_ops = narrow(ops.len());
    request.n_gates = narrow(case.gates.len());
    request.n_blob = narrow(encoder.blob.len());
    request.seed = case.seed;
    if let Some(plant) = plant {
        check_plant(case, plant)?;
        request.plant = plant.kind;
        request.plant_actor = plant.actor;
        request.plant_seq = plant.seq;
    }
    let writes = [
        (RB_OFF_REQUEST, request.as_bytes().to_vec()),
        (RB_OFF_OPS, ops.as_bytes().to_vec()),
        (RB_OFF_BLOB, encoder.blob),
    ];
    Ok(Program {
        writes: writes
            .into_iter()
            .map(|(at, bytes)| (narrow(at), bytes))
            .collect(),
        ops_of_actor,
        checkpoints: encoder.checkpoints,
    })
}

/// The request to release everything and power off.
#[must_use]
pub fn power_off() -> Program {
    let mut request = Request::new_zeroed();
    request.flags = RB_REQ_POWER_OFF;
    Program {
        writes: vec![(narrow(RB_OFF_REQUEST), request.as_bytes().to_vec())],
        ops_of_actor: Vec::new(),
        checkpoints: Vec::new(),
    }
}

fn encode_actor<'case>(
    encoder: &mut Encoder<'case>,
    ops: &mut Vec<AbiOp>,
    case: &'case Case,
    index: usize,
) -> Result<(), ProgramError> {
    let actor = &case.actors[index];
    let mut first_record = 0u32;
    for (op_index, op) in actor.ops.iter().enumerate() {
        let position = Position {
            case,
            actor: index,
            op: op_index,
            in_kernel: actor.producer().is_some(),
            first_record,
        };
        ops.push(encoder.encode(&position, op)?);
        if let Op::Write { count, .. } | Op::Klog { count, .. } = op {
            let next = u64::from(first_record) + u64::from(*count);
            // NONE32 is no record's number, so the last one is the number below it.
            limit("records of one actor", next, RB_NONE32 as usize)?;
            first_record = first_record.wrapping_add(*count);
        }
    }
    Ok(())
}

fn channel_spec(channel: &Channel) -> Result<ChannelSpec, ProgramError> {
    let mut spec = ChannelSpec::new_zeroed();
    let base = channel.base();
    let name = base.as_bytes();
    let limit = RB_BASE_SIZE - 1;
    if name.is_empty() || name.len() > limit || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
        return Err(ProgramError::ChannelName {
            name: channel.name.clone(),
            limit,
        });
    }
    spec.base[..name.len()].copy_from_slice(name);
    spec.subbuf_size = channel.subbuf_size;
    spec.n_subbufs = channel.n_subbufs;
    spec.header_bytes = channel.header_bytes;
    spec.mode = match channel.mode {
        Mode::NoOverwrite => AbiMode::NoOverwrite,
        Mode::Overwrite => AbiMode::Overwrite,
        Mode::Default => AbiMode::Default,
    }
    .code();
    spec.files = match channel.files {
        Files::Direct | Files::None => AbiFiles::Direct,
        Files::Proxy => AbiFiles::Proxy,
    }
    .code();
    if channel.open_at_start {
        spec.flags |= RB_CHAN_OPEN_AT_START;
    }
    if channel.files == Files::None {
        spec.flags |= RB_CHAN_BUFFER_ONLY;
    }
    client(&channel.client, &mut spec)?;
    Ok(spec)
}

/// What the client does beyond the mode.
fn client(client: &Client, spec: &mut ChannelSpec) -> Result<(), ProgramError> {
    if client.global {
        spec.flags |= RB_CHAN_GLOBAL;
    }
    if client.root {
        spec.flags |= RB_CHAN_ROOT;
    }
    spec.flags |= match client.callbacks {
        Callbacks::All => 0,
        Callbacks::None => RB_CHAN_NO_CALLBACKS,
        Callbacks::NoCreate => RB_CHAN_NO_CREATE,
        Callbacks::NoRemove => RB_CHAN_NO_REMOVE,
    };
    if let Some(refuse) = client.refuse {
        (spec.refuse_from, spec.refuse_count) = (refuse.from, refuse.count);
    }
    if let Some(stall) = client.stall {
        limit(
            "gates",
            stall.signal.max(stall.wait) as u64 + 1,
            RB_MAX_GATES,
        )?;
        if stall.late {
            spec.flags |= RB_CHAN_STALL_LATE;
        }
        (spec.stall_cpu, spec.stall_at) = (stall.cpu, stall.at);
        (spec.stall_signal, spec.stall_wait) = (narrow(stall.signal), narrow(stall.wait));
    }
    if let Some(create) = client.create {
        spec.create_answer = match create.answer {
            Answer::Null => Create::Null,
            Answer::Error => Create::Error,
        }
        .code();
        (spec.create_skip, spec.create_times) = (create.skip, create.times);
        spec.create_cpu = create.cpu;
    }
    if let Some(created) = client.created {
        let gates = created.signal.max(created.wait) as u64 + 1;
        limit("gates", gates, RB_MAX_GATES)?;
        spec.flags |= RB_CHAN_CREATED_WAITS;
        spec.created_cpu = created.cpu.unwrap_or(RB_NONE32);
        (spec.created_signal, spec.created_wait) = (narrow(created.signal), narrow(created.wait));
    }
    if let Some(lack) = client.no_memory {
        spec.no_memory = match lack.wanted {
            Wanted::Channel => AbiNoMemory::Channel,
            Wanted::Pointers => AbiNoMemory::Pointers,
            Wanted::Buffer => AbiNoMemory::Buffer,
            Wanted::Padding => AbiNoMemory::Padding,
            Wanted::PageList => AbiNoMemory::PageList,
            Wanted::Page => AbiNoMemory::Page,
            Wanted::Mapping => AbiNoMemory::Mapping,
            Wanted::Name => AbiNoMemory::Name,
        }
        .code();
        (spec.no_memory_cpu, spec.no_memory_times) = (lack.cpu, lack.times);
    }
    Ok(())
}

fn actor_head(case: &Case, actor: &Actor, ops: Range<usize>) -> Result<AbiActor, ProgramError> {
    let context = match actor.producer() {
        Some((_, Context::Task)) => AbiContext::Task,
        Some((_, Context::Softirq)) => AbiContext::Softirq,
        Some((_, Context::Hardirq)) => AbiContext::Hardirq,
        Some((_, Context::Nmi)) => AbiContext::Nmi,
        None => AbiContext::User,
    };
    let source = match actor.source {
        None => AbiSource::Own,
        Some(Source::Hrtimer) => AbiSource::Hrtimer,
        Some(Source::Ipi) => AbiSource::Ipi,
        Some(Source::Host) => AbiSource::Host,
    };
    if let Some(cpu) = actor.cpu().filter(|cpu| *cpu >= case.vcpus) {
        return Err(ProgramError::NoSuch {
            at: format!("actor {:?}", actor.name),
            what: "CPU",
            index: cpu.into(),
            count: case.vcpus.into(),
        });
    }
    Ok(AbiActor {
        context: context.code(),
        cpu: actor.cpu().unwrap_or(RB_NONE32),
        first_op: narrow(ops.start),
        n_ops: narrow(ops.len()),
        source: source.code(),
        reserved: 0,
    })
}

/// What relay allocates for each buffer of the channel, in bytes; `None` where it must refuse the
/// sizes. (Where memory is short it may refuse others too.)
pub fn alloc_size(channel: &Channel) -> Option<u64> {
    let bytes = channel.subbuf_size.checked_mul(channel.n_subbufs)?;
    let opens = bytes != 0 && bytes <= u32::MAX.into() && channel.n_subbufs <= RELAY_MAX_SUBBUFS;
    opens.then(|| bytes.next_multiple_of(RB_PAGE_SIZE as u64))
}

/// Entries of the page table that the case needs: each opening of a channel takes new ones.
fn pages(case: &Case) -> u64 {
    let ops = || case.actors.iter().flat_map(|actor| &actor.ops);
    let of_channel = |(index, spec): (usize, &Channel)| {
        let opens = |op: &&Op| matches!(op, Op::Open { channel } if *channel == index);
        let openings = ops().filter(opens).count() as u64 + u64::from(spec.open_at_start);
        let buffers = u64::from(spec.buffers(case.vcpus));
        alloc_size(spec).map(|bytes| bytes / RB_PAGE_SIZE as u64 * openings * buffers)
    };
    case.channels
        .iter()
        .enumerate()
        .filter_map(of_channel)
        .sum()
}

fn check_expect(case: &Case, index: usize, expect: &Expect) -> Result<(), ProgramError> {
    let check = |what, wanted: usize, count: usize| {
        if wanted < count {
            return Ok(());
        }
        let (index, count, at) = (wanted as u64, count as u64, format!("expectation {index}"));
        Err(ProgramError::NoSuch {
            at,
            what,
            index,
            count,
        })
    };
    match expect {
        Expect::Buffer { channel, .. }
        | Expect::Flow { channel, .. }
        | Expect::OpenRefused { channel } => check("channel", *channel, case.channels.len()),
        Expect::Refused { actor, .. } | Expect::Text { actor, .. } => {
            check("actor", *actor, case.actors.len())
        }
        Expect::Result { actor, op, .. } => {
            check("actor", *actor, case.actors.len())?;
            check("operation", *op, case.actors[*actor].ops.len())
        }
    }
}

fn check_plant(case: &Case, plant: Planted) -> Result<(), ProgramError> {
    let kind = Plant::try_from(plant.kind).map_err(|unknown| unknown.to_string());
    let why = match (kind, case.actors.get(plant.actor as usize)) {
        (Err(unknown), _) => unknown,
        (Ok(Plant::None), _) => return Ok(()),
        (Ok(_), None) => format!("there is no actor {}", plant.actor),
        // Compiling checked that this sum stays below 2^32.
        (Ok(_), Some(actor)) if plant.seq < actor.first_record(actor.ops.len()) => return Ok(()),
        (Ok(_), Some(actor)) => format!("actor {:?} writes no record {}", actor.name, plant.seq),
    };
    Err(ProgramError::Plant { why })
}

fn limit(what: &'static str, count: u64, limit: usize) -> Result<(), ProgramError> {
    let limit = limit as u64;
    if count > limit {
        return Err(ProgramError::TooMany { what, count, limit });
    }
    Ok(())
}

/// Counts that were checked against limits of the ABI, all far below 2^32.
fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
