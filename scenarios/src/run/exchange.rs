//! What sessions and runs under control exchange with a guest: programs in, evidence out.

use relaybed_abi::{Decoder, Phase, Ring};
use relaybed_vmm::{Event, Machine, Paused};

use super::console::Console;
use super::error::{Cause, SessionError};
use super::plan::Plan;
use super::ram::{View, write};
use relaybed_case::evidence::{Evidence, Observation, Planted, Setting};
use relaybed_case::{Actor, Case, Source};
use relaybed_wire::observe::{self, Handshake, Mailbox, Parts};
use relaybed_wire::program::Program;

/// Console lines shown when a boot fails.
const BOOT_TAIL: usize = 30;

/// What a guest is, as evidence will say.
pub(super) fn setting(plan: &Plan, mailbox: &Mailbox) -> Setting {
    Setting {
        release: mailbox.release().to_owned(),
        linux_version: plan
            .relay_version()
            .unwrap_or_else(|| mailbox.linux_version()),
        vcpus: mailbox.cpus_online(),
        backend: plan.backend().to_owned(),
        accel: plan.accel().to_owned(),
        plant: None,
        relay: plan.own_relay(),
    }
}

/// Observes all buffers while an actor waits at a checkpoint, and may continue once the machine resumes.
pub(super) fn look_at_checkpoint(
    paused: &mut Paused<'_>,
    mailbox: &Mailbox,
    case: &Case,
    program: &Program,
) -> Result<Observation, Cause> {
    let (mut seen, address, bytes) = {
        let view = View(paused.ram());
        let now = mailbox.handshake(&view)?;
        let reached = program.checkpoints.get(now.checkpoint_label as usize);
        let label = reached.map(|reached| reached.label.clone());
        let at = reached.map(|reached| (reached.actor, reached.op));
        let seen = observe::observation(&view, mailbox, case, label, at)?;
        let (address, bytes) = mailbox.acknowledge(&now);
        (seen, address, bytes)
    };
    if seen.label.is_none() {
        // The guest named a checkpoint that this program does not have; the judge will see it.
        seen.label = Some("unknown checkpoint".to_owned());
    }
    write(paused, address, &bytes)?;
    Ok(seen)
}

/// Sends the NMI that an actor waits for; it arrives when the machine resumes. Only a case with such an
/// actor gets one: any other would be an unknown NMI to the kernel.
pub(super) fn send_nmi(
    paused: &mut Paused<'_>,
    mailbox: &Mailbox,
    case: &Case,
) -> Result<(), Cause> {
    let now = mailbox.handshake(&View(paused.ram()))?;
    let wanted = |actor: &Actor| actor.source == Some(Source::Host);
    if !now.awaits_nmi() || !case.actors.iter().any(wanted) {
        return Err(Cause::Agent(
            "it asked for an NMI that no actor awaits".to_owned(),
        ));
    }
    let (address, bytes) = mailbox.sent_nmi(&now);
    write(paused, address, &bytes)?;
    Ok(paused.inject_nmi(0)?)
}

/// The module's refusal of a request, if that is how it ended.
pub(super) fn refusal(now: &Handshake) -> Result<(), Cause> {
    if now.phase != Phase::Refused {
        return Ok(());
    }
    let op = now.refusal_op;
    Err(Cause::Refused {
        errno: now.refusal.saturating_neg(),
        op: op.map_or("no operation in particular".to_owned(), |op| {
            format!("operation {op}")
        }),
    })
}

/// Puts evidence together.
pub(super) fn evidence(
    setting: &Setting,
    plant: Option<Planted>,
    observations: Vec<Observation>,
    parts: Parts,
    console: String,
) -> Evidence {
    let mut setting = setting.clone();
    setting.plant = plant.map(|plant| Planted {
        done: parts.plant_done,
        ..plant
    });
    Evidence {
        setting,
        observations,
        results: parts.results,
        events: parts.events,
        events_lost: parts.events_lost,
        data: parts.data,
        data_lost: parts.data_lost,
        console,
        taint_before: parts.taint_before,
        taint_after: parts.taint_after,
        trace: None,
    }
}

/// Writes a program into the mailbox of a stopped machine: the guest starts when it resumes.
pub(super) fn put(
    paused: &mut Paused<'_>,
    mailbox: &Mailbox,
    program: &Program,
) -> Result<(), Cause> {
    let now = mailbox.handshake(&View(paused.ram()))?;
    for (address, bytes) in mailbox.program(program) {
        write(paused, address, bytes)?;
    }
    let (address, bytes) = mailbox.request(&now);
    Ok(write(paused, address, &bytes)?)
}

/// Waits for the first ring of the doorbell, which must be "ready"; gives the mailbox's address.
pub(super) fn await_ready(
    machine: &mut Machine,
    decoder: &mut Decoder,
    console: &mut Console,
) -> Result<u64, SessionError> {
    let deadline = machine.spec().boot_deadline;
    let tail = |console: &Console| console.excerpt(BOOT_TAIL).join("\n");
    loop {
        let event = machine.next_event(deadline)?;
        console.show();
        match event {
            Event::Exit(exit) => {
                return Err(SessionError::Died {
                    exit,
                    console: tail(console),
                });
            }
            Event::Deadline(stall) => {
                return Err(SessionError::Stalled {
                    stall,
                    console: tail(console),
                });
            }
            Event::Doorbell(byte) => match decoder.push(byte) {
                None => {}
                Some(Ring::Ready(address)) => return Ok(address),
                Some(Ring::Failed(how)) => {
                    return Err(SessionError::Boot {
                        how,
                        console: tail(console),
                    });
                }
                Some(ring) => {
                    let how = format!("it rang the doorbell with {ring:?}");
                    return Err(SessionError::Boot {
                        how,
                        console: tail(console),
                    });
                }
            },
        }
    }
}
