//! Which of relay's code a run executes: QEMU's translator lists what it translates of relay's addresses in the
//! log of each machine, at no cost, since it translates nothing that no vCPU is about to execute.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use relaybed_guest::Progress;
use relaybed_report::coverage::Coverage;
use relaybed_vmm::probe::AccelRequest;

use super::error::SessionError;
use super::plan::{BackendWish, Plan, Wish};
use super::ram::View;
use crate::code::{self, Place};
use relaybed_wire::observe::Ram as _;
use relaybed_wire::swept::Swept;

/// The kernel's text is mapped from here on, without KASLR at its physical addresses.
const TEXT_MAP: u64 = 0xffff_ffff_8000_0000;

/// Where the machines of a plan leave what they executed.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    /// Below it each machine has a folder for its logs, which stays.
    pub(super) folder: PathBuf,
    /// The addresses of interest.
    pub(super) ranges: Vec<Range<u64>>,
}

/// Coverage of a plan's runs: taken down while it lives.
#[derive(Debug)]
pub struct Cover {
    logs: Swept,
    places: Vec<(Place, Vec<u8>)>,
}

/// A plan's machines do not show what they execute.
#[derive(Debug, thiserror::Error)]
pub enum NoCover {
    /// Only QEMU's translator lists code.
    #[error(
        "coverage needs QEMU's translator, and the plan is {backend} with {accel}: omit --backend kvm and \
         --accel kvm"
    )]
    NoTranslator {
        /// The backend.
        backend: &'static str,
        /// The accelerator.
        accel: &'static str,
    },
    /// The relay under test is not where the kernel's is.
    #[error(
        "coverage by the translator is of the kernel's own relay; a relay.c in a module cannot be looked at yet: \
         leave --relay out"
    )]
    OwnRelay,
    /// No image, so no machine whose code could be read before it runs.
    #[error("coverage reads the code from the image of a ready guest: omit --no-image")]
    NoImage,
    /// The kernel has no such function.
    #[error("this kernel has no relay_open() in its symbol table")]
    NoRelay,
    /// No machine.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The folder for logs cannot be made.
    #[error("cannot make a folder for the machines' logs")]
    Logs(#[from] std::io::Error),
}

impl Cover {
    /// What of a wish rules coverage out whatever the host is like: asked before anything is fetched for it.
    ///
    /// # Errors
    /// [`NoCover`].
    pub fn possible(wish: &Wish) -> Result<(), NoCover> {
        let (backend, accel) = match (wish.backend, wish.accel) {
            (BackendWish::Kvm, _) => ("kvm", "kvm"),
            (_, AccelRequest::Kvm) => ("qemu", "kvm"),
            _ if wish.relay.is_some() => return Err(NoCover::OwnRelay),
            _ if !wish.images => return Err(NoCover::NoImage),
            _ => return Ok(()),
        };
        Err(NoCover::NoTranslator { backend, accel })
    }

    /// From here on every machine of the plan lists what it executes of relay.
    ///
    /// # Errors
    /// [`NoCover`].
    pub fn begin(plan: &mut Plan, progress: &dyn Progress) -> Result<Self, NoCover> {
        if !plan.translates() {
            return Err(NoCover::NoTranslator {
                backend: plan.backend(),
                accel: plan.accel(),
            });
        }
        if plan.own_relay().is_some() {
            return Err(NoCover::OwnRelay);
        }
        let image = plan.image(plan.vcpus_at_large(), progress)?;
        let image = image.ok_or(NoCover::NoImage)?;
        let symbols = plan.symbols(&image, progress)?;
        let places = code::functions_of_relay(&symbols);
        if places.is_empty() {
            return Err(NoCover::NoRelay);
        }
        let logs = Swept::temporary()?;
        let machine = image.fork(plan, logs.path())?;
        let view = View(machine.ram());
        let read = |place: Place| {
            let len = usize::try_from(place.at.end - place.at.start).unwrap_or(0);
            let mut bytes = vec![0; len];
            let physical = place.at.start.saturating_sub(TEXT_MAP);
            // What cannot be read shows as a function without instructions.
            if view.read(physical, &mut bytes).is_err() {
                bytes.clear();
            }
            (place, bytes)
        };
        let ranges = places.iter().map(|place| place.at.clone()).collect();
        let places = places.into_iter().map(read).collect();
        drop(machine);
        plan.list(Listing {
            folder: logs.path().to_owned(),
            ranges: joined(ranges),
        });
        Ok(Self { logs, places })
    }

    /// What all machines so far executed. Those that still run may execute more.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn end(self, plan: &Plan) -> std::io::Result<Coverage> {
        let mut executed = BTreeSet::new();
        for entry in fs::read_dir(self.logs.path())? {
            let log = plan.spec(&entry?.path(), 1).machine_log_path();
            if log.is_file() {
                let text = fs::read(log)?;
                executed.extend(code::listed(&String::from_utf8_lossy(&text)));
            }
        }
        let of = |(place, bytes): &(Place, Vec<u8>)| code::covered(place, bytes, &executed);
        Ok(Coverage {
            kernel: plan.guest().release.clone(),
            kernel_origin: plan.kernel_origin(),
            functions: self.places.iter().map(of).collect(),
        })
    }
}

/// Ranges that touch become one: QEMU looks at each for every block.
fn joined(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut all: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match all.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => all.push(range),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_range() {
        assert_eq!(joined(vec![1..3, 3..5, 9..10]), [1..5, 9..10]);
    }
}
