//! Measuring the ways out of the kernel: one boot by the host's clock, one by the instruction clock, all
//! ways and lengths on each.

use relaybed_abi::{Event, EventKind, Transport};
use relaybed_vmm::signals;

use super::{Cause, Plan, Session, SessionError};
use relaybed_case::transports::{ALL, Measured, Timed, Wrong, check, median};
use relaybed_wire::observe::Parts;
use relaybed_wire::program::{records_max, transfer};

/// Transfers of which the median counts: a timer interrupt meets one or the other of them.
const TIMES: usize = 5;
/// Records of a transfer: enough for a good mean, few enough to be moved in a blink.
const RECORDS_MAX: u32 = 4096;

/// Why there is no measurement.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// No machine could be had.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A transfer did not finish.
    #[error("the transfer through {way} did not finish: {cause}")]
    Ended {
        /// The way.
        way: &'static str,
        /// Why.
        cause: Cause,
    },
    /// The agent's system calls failed.
    #[error("the transfer through {way} failed in the guest with errno {errno}")]
    Failed {
        /// The way.
        way: &'static str,
        /// The error number.
        errno: i32,
    },
    /// What came out is not what went in.
    #[error(transparent)]
    Wrong(#[from] Wrong),
}

/// Measures every way with records of each length in `lens`; `say` receives progress. Where that is
/// interrupted, what both clocks have measured is given.
///
/// # Errors
/// [`BenchError`]; bytes that are not as they must be are one.
pub fn transports(
    wall: &Plan,
    counted: &Plan,
    lens: &[u32],
    say: &mut dyn FnMut(&str),
) -> Result<Vec<Measured>, BenchError> {
    say("timing by the host's clock ...");
    let walls = on(wall, lens)?;
    say("timing by the instruction clock ...");
    let counts = on(counted, lens)?;
    let both = walls.into_iter().zip(counts);
    Ok(both
        .map(
            |((transport, len, records, wall), (_, _, _, counted))| Measured {
                transport,
                len,
                records,
                wall,
                counted,
            },
        )
        .collect())
}

/// Way, length of records, their number, and the median of [`TIMES`] transfers.
type Row = (Transport, u32, u32, Timed);

fn on(plan: &Plan, lens: &[u32]) -> Result<Vec<Row>, BenchError> {
    let mut rows = Vec::new();
    match measure(plan, lens, &mut rows) {
        Err(_) if signals::interrupted().is_some() => {}
        measured => measured?,
    }
    Ok(rows)
}

fn measure(plan: &Plan, lens: &[u32], rows: &mut Vec<Row>) -> Result<(), BenchError> {
    let mut session = Session::boot(plan, plan.vcpus_at_large())?;
    for len in lens.iter().copied() {
        let records = RECORDS_MAX.min(records_max(len));
        for transport in ALL.iter().copied() {
            // The first transfer finds cold caches and pages that are not there yet.
            once(&mut session, transport, len, records)?;
            let mut timed = Vec::new();
            for _ in 0..TIMES {
                timed.push(once(&mut session, transport, len, records)?);
            }
            if let Some(median) = median(timed) {
                rows.push((transport, len, records, median));
            }
        }
    }
    session.close();
    Ok(())
}

/// One transfer, its bytes checked.
fn once(
    session: &mut Session,
    transport: Transport,
    len: u32,
    records: u32,
) -> Result<Timed, BenchError> {
    let way = relaybed_case::transports::name(transport);
    let program = transfer(transport, len, records);
    let parts = session
        .perform(&program, &[1])
        .map_err(|cause| BenchError::Ended { way, cause })?;
    let Some((event, bytes)) = event(&parts).zip(bytes(&parts)) else {
        let result = parts.results.first().and_then(|results| results.first());
        let errno = result.map_or(0, |result| result.error.saturating_neg());
        return Err(BenchError::Failed { way, errno });
    };
    check(transport, len, records, bytes)?;
    Ok(Timed {
        fill_ns: event.produced,
        drain_ns: event.consumed,
    })
}

fn event(parts: &Parts) -> Option<&Event> {
    let of_transfer = |event: &&Event| event.kind == EventKind::Transfer.code();
    parts.events.iter().find(of_transfer)
}

fn bytes(parts: &Parts) -> Option<&[u8]> {
    let result = parts.results.first()?.first()?;
    let from = result.data_offset as usize;
    let to = from.checked_add(result.data_bytes as usize)?;
    parts.data.get(from..to)
}
