//! Which schedule is run next.

use std::ops::Range;

use super::decisions::Decided;
use super::lot::Lot;
use super::pct::{Pct, PctShape};
use super::search::{Candidate, Search};
use super::strategy::Strategy;
use relaybed_case::trace::Choice;
use relaybed_case::trace::Trace;

/// How schedules are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Random priorities with few changes, for races of this depth.
    Pct {
        /// The depth; the changes are one fewer.
        depth: u32,
    },
    /// Lots at every switch point.
    Random,
    /// All in a fixed order, those with the fewest preemptions first.
    Dfs {
        /// No more preemptions than this.
        preemptions: u32,
    },
}

/// Draws one schedule after another, knowing one run.
#[derive(Debug)]
pub struct Explorer {
    how: How,
    seeds: Range<u64>,
}

#[derive(Debug)]
enum How {
    Pct(PctShape),
    Random,
    Dfs(Search),
}

/// A schedule to be run.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Its seed; the number in the fixed order where that is what draws.
    pub seed: u64,
    how: Drawer,
}

#[derive(Clone, Debug)]
enum Drawer {
    Pct(Pct),
    Random(Lot),
    Dfs(Candidate, Decided),
}

impl Explorer {
    /// Draws for the program whose run by the default schedule is `first`: one schedule for each seed.
    #[must_use]
    pub fn new(kind: Kind, seeds: Range<u64>, first: &Trace) -> Self {
        let how = match kind {
            Kind::Pct { depth } => How::Pct(shape(first, depth)),
            Kind::Random => How::Random,
            Kind::Dfs { preemptions } => {
                let preemptions = usize::try_from(preemptions).unwrap_or(usize::MAX);
                How::Dfs(Search::new(first, preemptions))
            }
        };
        Self { how, seeds }
    }

    /// The next schedule; none when the seeds are used up, or all schedules there are.
    pub fn draw(&mut self) -> Option<Drawn> {
        let seed = self.seeds.next()?;
        let how = match &mut self.how {
            How::Pct(shape) => Drawer::Pct(Pct::new(seed, shape)),
            How::Random => Drawer::Random(Lot::new(seed)),
            How::Dfs(search) => {
                let candidate = search.draw()?;
                let decided = candidate.schedule.clone().strategy();
                Drawer::Dfs(candidate, decided)
            }
        };
        Some(Drawn { seed, how })
    }

    /// What the run of a drawn schedule showed.
    pub fn learn(&mut self, drawn: &Drawn, trace: &Trace) {
        if let (How::Dfs(search), Drawer::Dfs(candidate, _)) = (&mut self.how, &drawn.how) {
            search.learn(candidate, trace);
        }
    }

    /// Whether a draw depends on what the runs before it have shown.
    #[must_use]
    pub fn learns(&self) -> bool {
        matches!(self.how, How::Dfs(_))
    }

    /// Of [`Kind::Dfs`]: how many schedules were left out because others do the same, and whether none is left to
    /// be run within the bound.
    #[must_use]
    pub fn tried(&self) -> Option<(u64, bool)> {
        match &self.how {
            How::Dfs(search) => Some((search.left_out(), search.is_over())),
            How::Pct(_) | How::Random => None,
        }
    }

    /// What the promise of [`Kind::Pct`] is computed from.
    #[must_use]
    pub fn pct(&self) -> Option<&PctShape> {
        match &self.how {
            How::Pct(shape) => Some(shape),
            How::Random | How::Dfs(_) => None,
        }
    }
}

impl Strategy for Drawn {
    fn choose(&mut self, choice: &Choice<'_>) -> u32 {
        match &mut self.how {
            Drawer::Pct(pct) => pct.choose(choice),
            Drawer::Random(lot) => lot.choose(choice),
            Drawer::Dfs(_, decided) => decided.choose(choice),
        }
    }
}

/// n and k of a run.
fn shape(first: &Trace, depth: u32) -> PctShape {
    let highest = first
        .steps
        .iter()
        .flat_map(|step| step.enabled.iter().copied())
        .max();
    let switch_points = first
        .steps
        .iter()
        .filter(|step| step.stop.place.is_switch_point());
    PctShape {
        vcpus: highest.map_or(1, |vcpu| vcpu.saturating_add(1)),
        places: switch_points.count() as u64,
        depth,
    }
}
