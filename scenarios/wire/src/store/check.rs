//! Does evidence have the shape of its case? The promises of [`crate::evidence`], made again for
//! files: whoever judges may index by them.

use relaybed_abi::{
    ChanState, EventKind, RB_MAX_CPUS, RB_MAX_EVENTS, RB_MAX_PFNS, RB_PAGE_SIZE, State,
};

use crate::program::alloc_size;
use relaybed_case::evidence::{ChannelSeen, Evidence, Observation};
use relaybed_case::{Case, Channel, Op};

/// Most bytes that all buffers of one folder may have; far beyond what any run leaves.
const BUFFERS_MAX: u64 = 4 << 30;

/// Says what does not fit. Buffers' bytes are not looked at: only what they would need.
pub(super) fn shape(case: &Case, evidence: &Evidence) -> Result<(), String> {
    if evidence.events.len() > RB_MAX_EVENTS {
        return Err(format!("there are {} events", evidence.events.len()));
    }
    for (slot, event) in evidence.events.iter().enumerate() {
        EventKind::try_from(event.kind).map_err(|unknown| format!("event {slot}: {unknown}"))?;
    }
    results(evidence)?;
    let checkpoint = |op: &&Op| matches!(op, Op::Checkpoint { .. });
    let checkpoints = case
        .actors
        .iter()
        .flat_map(|actor| &actor.ops)
        .filter(checkpoint)
        .count();
    if evidence.observations.len() > checkpoints + 1 {
        let seen = evidence.observations.len();
        return Err(format!(
            "there are {seen} observations, {checkpoints} checkpoints and an end"
        ));
    }
    let mut total = 0;
    for (k, seen) in evidence.observations.iter().enumerate() {
        total += observation(case, seen).map_err(|what| format!("observation {k}: {what}"))?;
        if total > BUFFERS_MAX {
            return Err(format!("its buffers have more than {BUFFERS_MAX} bytes"));
        }
    }
    Ok(())
}

fn results(evidence: &Evidence) -> Result<(), String> {
    let taken = evidence.data.len() as u64 + u64::from(evidence.data_lost);
    for (actor, list) in evidence.results.iter().enumerate() {
        for (op, result) in list.iter().enumerate() {
            let at = format!("result of actor {actor}, operation {op}");
            State::try_from(result.state).map_err(|unknown| format!("{at}: {unknown}"))?;
            let end = u64::from(result.data_offset) + u64::from(result.data_bytes);
            if result.data_bytes != 0 && end > taken {
                return Err(format!("{at}: its bytes end at {end}, {taken} were taken"));
            }
        }
    }
    Ok(())
}

/// Gives the bytes that its buffers need.
fn observation(case: &Case, seen: &Observation) -> Result<u64, String> {
    if let Some((actor, op)) = seen.at {
        let ops = case.actors.get(actor).map(|actor| &actor.ops);
        if !matches!(ops.and_then(|ops| ops.get(op)), Some(Op::Checkpoint { .. })) {
            return Err(format!(
                "actor {actor} has no checkpoint as its operation {op}"
            ));
        }
    }
    if seen.channels.len() != case.channels.len() {
        let (seen, expected) = (seen.channels.len(), case.channels.len());
        return Err(format!("it has {seen} channels, the case {expected}"));
    }
    let mut total = 0;
    for (index, (spec, seen)) in case.channels.iter().zip(&seen.channels).enumerate() {
        total += channel(spec, seen).map_err(|what| format!("channel {index}: {what}"))?;
    }
    if total > (RB_MAX_PFNS * RB_PAGE_SIZE) as u64 {
        return Err(format!("its buffers have {total} bytes"));
    }
    Ok(total)
}

fn channel(spec: &Channel, seen: &ChannelSeen) -> Result<u64, String> {
    if seen.buffers.is_empty() {
        return Ok(0);
    }
    if seen.state != ChanState::Open {
        return Err("it has buffers and is not open".to_owned());
    }
    let sizes = (seen.subbuf_size, seen.n_subbufs, Some(seen.alloc_size));
    let expected = (spec.subbuf_size, spec.n_subbufs, alloc_size(spec));
    if sizes != expected {
        return Err(format!("its sizes are {sizes:?}, by its case {expected:?}"));
    }
    let mut next_cpu = 0;
    for buffer in &seen.buffers {
        let cpu = buffer.cpu;
        if cpu < next_cpu || cpu as usize >= RB_MAX_CPUS {
            return Err(format!("the buffer of CPU {cpu} is out of order"));
        }
        next_cpu = cpu + 1;
        if buffer.padding.len() as u64 != spec.n_subbufs {
            let seen = buffer.padding.len();
            return Err(format!(
                "CPU {cpu} has {seen} paddings, not {}",
                spec.n_subbufs
            ));
        }
    }
    Ok(seen.alloc_size * seen.buffers.len() as u64)
}
