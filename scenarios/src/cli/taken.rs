//! One run to look at: saved evidence, or a scenario that is run for it.

use std::path::Path;

use relaybed_guest::Terminal;

use super::{MachineArgs, Stop, run, scenarios};
use crate::run::{Cause, Session};
use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_case::select::Loaded;
use relaybed_report::exit::Exit;
use relaybed_wire::store::{self, Extra};

/// A request that names no single scenario.
#[derive(Debug, thiserror::Error)]
#[error("'{pattern}' matches {count} scenarios; name exactly one (`relaybed list {pattern}`)")]
struct NotOne {
    pattern: String,
    count: usize,
}

/// A run.
pub(super) struct Taken {
    pub(super) loaded: Loaded,
    pub(super) evidence: Evidence,
    pub(super) extra: Extra,
    /// Why it did not finish, if it did not.
    pub(super) ended: Option<Cause>,
}

impl Taken {
    /// Saved evidence if `what` is a folder, else the run of the scenario that it names.
    pub(super) fn of(what: &str, machine: &MachineArgs, seed: u64) -> Result<Self, Stop> {
        match Path::new(what) {
            folder if folder.is_dir() => Self::folder(folder),
            _ => Self::scenario(what, machine, seed),
        }
    }

    /// Saved evidence.
    pub(super) fn folder(folder: &Path) -> Result<Self, Stop> {
        let (case, evidence, extra) =
            store::load(folder).map_err(|error| Stop::new(Exit::SetUp, error))?;
        Ok(Self {
            loaded: saved(folder, case, &extra),
            evidence,
            extra,
            ended: None,
        })
    }

    fn scenario(name: &str, machine: &MachineArgs, seed: u64) -> Result<Self, Stop> {
        super::interruptible()?;
        let mut loaded = one(name)?;
        loaded.case.seed = seed;
        machine.check_room(std::slice::from_ref(&loaded))?;
        let plan = machine.plan()?;
        let vcpus = plan.vcpus_for(&loaded.case);
        let mut session = Session::open(&plan, vcpus, &Terminal::new()).map_err(run::stop)?;
        let (evidence, ended) = match session.run(&loaded.case, None) {
            Ok(evidence) => (evidence, None),
            Err(ended) => match ended.evidence {
                Some(evidence) => (*evidence, Some(ended.cause)),
                None => return Err(Stop::new(ended.cause.exit(), ended.cause)),
            },
        };
        session.close();
        let extra = Extra {
            kernel: plan.kernel_origin(),
            seed,
            ..Extra::default()
        };
        Ok(Self {
            loaded,
            evidence,
            extra,
            ended,
        })
    }
}

/// A case of saved evidence, with the text that was saved beside it.
pub(super) fn saved(folder: &Path, case: Case, extra: &Extra) -> Loaded {
    let path = folder.join("scenario.toml");
    // Without it there are no places, and the rest is as good as before.
    let source = super::input::text(&path).unwrap_or_default();
    let original = extra.notes.get(store::FILE_NOTE).cloned();
    Loaded {
        source: source.into(),
        path: original
            .unwrap_or_else(|| path.display().to_string())
            .into(),
        origin: case.name.clone(),
        case,
    }
}

/// The one scenario that `name` names.
pub(super) fn one(name: &str) -> Result<Loaded, Stop> {
    let mut cases = scenarios::load(&[name.to_owned()])?;
    let count = cases.len();
    match cases.pop() {
        Some(case) if count == 1 => Ok(case),
        _ => {
            let pattern = name.to_owned();
            Err(Stop::new(Exit::Usage, NotOne { pattern, count }))
        }
    }
}
