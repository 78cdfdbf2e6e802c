//! Shows the person at the terminal what takes so long.
//!
//! Every step that may last over a second is announced through [`Progress`]. [`Terminal`] draws bars on a
//! terminal and prints one line per start and end elsewhere, so that an unattended log never looks hung.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Receives the steps of a preparation as they begin.
pub trait Progress: Send + Sync {
    /// A step begins; `total` is its length in bytes where that is known.
    fn begin(&self, name: &str, total: Option<u64>) -> Box<dyn Step>;

    /// Something worth knowing that is not a step: a version chosen, a damaged entry rebuilt.
    fn say(&self, text: &str);
}

/// One step under way. Dropped without [`Step::finish`], it counts as given up.
pub trait Step: Send + Sync {
    /// `done` bytes of the total are behind us.
    fn advance(&self, done: u64);

    /// The step is complete.
    fn finish(self: Box<Self>);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _name: &str, _total: Option<u64>) -> Box<dyn Step> {
        Box::new(Self)
    }

    fn say(&self, _text: &str) {}
}

impl Step for Silent {
    fn advance(&self, _done: u64) {}

    fn finish(self: Box<Self>) {}
}

/// Writes to standard error: bars on a terminal, plain lines elsewhere.
#[derive(Debug, Default)]
pub struct Terminal {
    bars: Option<MultiProgress>,
}

impl Terminal {
    /// Chooses bars or lines by what standard error is.
    #[must_use]
    pub fn new() -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { bars }
    }
}

impl Progress for Terminal {
    fn begin(&self, name: &str, total: Option<u64>) -> Box<dyn Step> {
        match &self.bars {
            Some(bars) => Box::new(BarStep::begin(bars, name, total)),
            None => Box::new(LineStep::begin(name, total)),
        }
    }

    fn say(&self, text: &str) {
        match &self.bars {
            // A terminal that went away must not fail the preparation.
            Some(bars) => drop(bars.println(text)),
            None => line(text),
        }
    }
}

/// Writes one line; a closed standard error must not fail the preparation.
fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

struct BarStep {
    bar: ProgressBar,
}

impl BarStep {
    fn begin(bars: &MultiProgress, name: &str, total: Option<u64>) -> Self {
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{msg:<44!} [{bar:24}] {bytes}/{total_bytes} {elapsed}",
            ),
            None => (ProgressBar::new_spinner(), "{msg:<44!} {spinner} {elapsed}"),
        };
        let bar = bars.add(bar);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar }
    }
}

impl Step for BarStep {
    fn advance(&self, done: u64) {
        self.bar.set_position(done);
    }

    fn finish(self: Box<Self>) {
        self.bar.finish_and_clear();
    }
}

impl Drop for BarStep {
    fn drop(&mut self) {
        if !self.bar.is_finished() {
            self.bar.abandon();
        }
    }
}

struct LineStep {
    name: String,
    since: Instant,
    finished: Mutex<bool>,
}

impl LineStep {
    fn begin(name: &str, total: Option<u64>) -> Self {
        match total {
            Some(total) => line(&format!("{name} ({} MB) ...", total.div_ceil(1_000_000))),
            None => line(&format!("{name} ...")),
        }
        Self {
            name: name.to_owned(),
            since: Instant::now(),
            finished: Mutex::new(false),
        }
    }
}

impl Step for LineStep {
    fn advance(&self, _done: u64) {}

    fn finish(self: Box<Self>) {
        if let Ok(mut finished) = self.finished.lock() {
            *finished = true;
        }
        line(&format!(
            "{}: done in {:.1} s",
            self.name,
            self.since.elapsed().as_secs_f64()
        ));
    }
}

impl Drop for LineStep {
    fn drop(&mut self) {
        if !self.finished.lock().is_ok_and(|finished| *finished) {
            line(&format!("{}: given up", self.name));
        }
    }
}
