//! The agent's loop: one request after the other, until the host wants the power off.

use std::convert::Infallible;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};

use relaybed_abi::{Context, RB_MAX_ACTORS, RB_REQ_POWER_OFF, Request};
use rustix::io::Errno;
use rustix::system::{RebootCommand, reboot};

use crate::actor::{Crew, UserActor};
use crate::cpus::Cpus;
use crate::files::Files;
use crate::init::InitError;
use crate::mailbox::{Mailbox, MailboxError};
use crate::watch::{self, Watch};

/// Why the agent could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The guest could not be made ready.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The mailbox could not be had.
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    /// A call of the device failed that never should.
    #[error("the module failed in {call}")]
    Device { call: &'static str, source: Errno },
    /// A user-space actor could not be started.
    #[error("cannot start user actor {actor}")]
    Spawn { actor: u32, source: std::io::Error },
    /// What ends polls without a timeout could not be made.
    #[error("cannot make an eventfd")]
    Watch(#[source] Errno),
    /// A CPU that an actor put offline does not come back.
    #[error("cannot bring all CPUs online again")]
    Cpus(#[source] Errno),
    /// The machine did not go off.
    #[error("cannot power off")]
    PowerOff(#[source] Errno),
}

/// Serves requests.
///
/// # Errors
/// Whatever makes it impossible to serve any further request.
pub(crate) fn serve() -> Result<Infallible, ServeError> {
    let mailbox = Arc::new(Mailbox::open()?);
    let files = Arc::new(Files::default());
    let cpus = Arc::new(Cpus::default());
    device("ready", mailbox.ready())?;
    loop {
        device("wait", mailbox.wait())?;
        // Before BEGIN closes the channels: nothing of the last request may keep a buffer alive.
        files.close_all();
        if cpus.are_changed() {
            // Behind the channels: one that refuses a CPU its buffer keeps that CPU offline.
            device("release", mailbox.release())?;
            cpus.restore().map_err(ServeError::Cpus)?;
        }
        let request = mailbox.request();
        if mailbox.begin().is_ok() {
            run(&mailbox, &files, &cpus, &request)?;
            if request.flags & RB_REQ_POWER_OFF != 0 {
                device("done", mailbox.done())?;
                reboot(RebootCommand::PowerOff).map_err(ServeError::PowerOff)?;
            }
        }
        device("done", mailbox.done())?;
    }
}

fn run(
    mailbox: &Arc<Mailbox>,
    files: &Arc<Files>,
    cpus: &Arc<Cpus>,
    request: &Request,
) -> Result<(), ServeError> {
    let watch = Arc::new(Watch::new().map_err(ServeError::Watch)?);
    let request = Arc::new(*request);
    let crew = start(mailbox, (files, cpus), &request, &watch)?;
    thread::scope(|scope| {
        let watcher = watch::is_needed(mailbox, &request)
            .then(|| scope.spawn(|| watch.keep(mailbox, &request)));
        let ran = device("run", mailbox.run());
        crew.join();
        watch.end();
        // A panic has rung the doorbell and never returns, so there is no error to see here.
        let _ = watcher.map(ScopedJoinHandle::join);
        ran
    })
}

/// Lets the user actors go.
fn start(
    mailbox: &Arc<Mailbox>,
    (files, cpus): (&Arc<Files>, &Arc<Cpus>),
    request: &Arc<Request>,
    watch: &Arc<Watch>,
) -> Result<Crew, ServeError> {
    let mut crew = Crew::default();
    for index in 0..request
        .n_actors
        .min(u32::try_from(RB_MAX_ACTORS).unwrap_or(0))
    {
        let actor = request.actors[index as usize];
        if actor.context == Context::User.code() {
            let actor = UserActor {
                index,
                actor,
                request: Arc::clone(request),
                mailbox: Arc::clone(mailbox),
                files: Arc::clone(files),
                watch: Arc::clone(watch),
                cpus: Arc::clone(cpus),
            };
            crew.start(actor).map_err(|source| ServeError::Spawn {
                actor: index,
                source,
            })?;
        }
    }
    Ok(crew)
}

fn device(call: &'static str, result: Result<(), Errno>) -> Result<(), ServeError> {
    result.map_err(|source| ServeError::Device { call, source })
}
