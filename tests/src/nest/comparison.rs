//! What [`super::monitors`] said in a nest, with what it cost seen from outside.

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

use super::Inside;
use super::monitors::COUNTS;

/// One boot of one monitor, up to the guest's first word.
#[derive(Clone, Debug, PartialEq)]
pub struct Boot {
    /// The monitor, as [`super::monitors`] names it.
    pub monitor: String,
    /// CPU time that the whole nest used meanwhile.
    pub cpu: Duration,
    /// Milliseconds by the nest's clock.
    pub ms: f64,
    /// KiB of the monitor's memory that are neither the guest's RAM nor backed by files.
    pub own_kib: f64,
    /// What KVM counted, in the order of [`COUNTS`].
    pub counts: [f64; COUNTS.len()],
}

/// All boots, in order: each is a line with the monitor's name and one with what was seen.
///
/// # Errors
/// The line that is something else.
pub fn boots(inside: &Inside) -> Result<Vec<Boot>, String> {
    let stamped: Vec<(&String, &Duration)> = inside.lines.iter().zip(&inside.cpu).collect();
    let mut boots = Vec::new();
    for pair in stamped.chunks(2) {
        let [(monitor, before), (seen, after)] = pair else {
            return Err(format!("a monitor without figures: {pair:?}"));
        };
        let parsed = serde_json::from_str::<Value>(seen).ok();
        let number = |name: &str| {
            let number = parsed.as_ref().and_then(|seen| seen.get(name)?.as_f64());
            number.ok_or_else(|| format!("no {name:?} of {monitor}: {seen}"))
        };
        let mut counts = [0.0; COUNTS.len()];
        for (count, name) in counts.iter_mut().zip(COUNTS) {
            *count = number(name)?;
        }
        boots.push(Boot {
            monitor: (*monitor).clone(),
            cpu: after.saturating_sub(**before),
            ms: number("ms")?,
            own_kib: number("own_kib")?,
            counts,
        });
    }
    Ok(boots)
}

/// The median of a figure of one monitor's boots; of an even number, the lower of the two in the middle.
/// Zero if it has none.
pub fn median(boots: &[Boot], monitor: &str, figure: impl Fn(&Boot) -> f64) -> f64 {
    let of_it = boots.iter().filter(|boot| boot.monitor == monitor);
    let mut figures: Vec<f64> = of_it.map(figure).collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len().saturating_sub(1) / 2;
    figures.get(middle).copied().unwrap_or(0.0)
}

/// A table for the documentation: medians, ratios to the first monitor's, and all CPU times in order.
#[must_use]
pub fn table(boots: &[Boot]) -> String {
    let mut monitors: Vec<&str> = Vec::new();
    for boot in boots {
        if !monitors.contains(&boot.monitor.as_str()) {
            monitors.push(&boot.monitor);
        }
    }
    let first = monitors.first().copied().unwrap_or_default();
    let seconds = |boot: &Boot| boot.cpu.as_secs_f64();
    let (cpu, clock) = (
        median(boots, first, seconds),
        median(boots, first, |b| b.ms),
    );
    let mut text = "| | CPU s | ratio | ms | ratio | own MiB |".to_owned();
    for name in COUNTS {
        text.push_str(&format!(" {name} |"));
    }
    text.push_str(" CPU s of each |\n|---|---|---|---|---|---|");
    text.push_str(&"---|".repeat(COUNTS.len() + 1));
    for monitor in monitors {
        let of = |figure: &dyn Fn(&Boot) -> f64| median(boots, monitor, figure);
        let (its_cpu, its_clock) = (of(&seconds), of(&|boot| boot.ms));
        let own = of(&|boot| boot.own_kib / 1024.0);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n| {monitor} | {its_cpu:.2} | {:.2} | {its_clock:.0} | {:.2} | {own:.1} |",
            its_cpu / cpu,
            its_clock / clock
        );
        for index in 0..COUNTS.len() {
            let _ = write!(text, " {:.0} |", of(&|boot| boot.counts[index]));
        }
        let its = boots.iter().filter(|boot| boot.monitor == monitor);
        let each: Vec<String> = its.map(|boot| format!("{:.2}", seconds(boot))).collect();
        let _ = write!(text, " {} |", each.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[(&str, u64)]) -> Inside {
        Inside {
            lines: lines.iter().map(|(line, _)| (*line).to_owned()).collect(),
            cpu: lines
                .iter()
                .map(|(_, ms)| Duration::from_millis(*ms))
                .collect(),
            code: 0,
            console: Vec::new(),
        }
    }

    const SEEN: &str =
        r#"{"ms":1500,"own_kib":2048,"exits":9,"io_exits":3,"mmio_exits":1,"pf_fixed":4}"#;

    #[test]
    fn a_boot_costs_what_is_used_between_its_two_lines() {
        let inside = said(&[("a", 100), (SEEN, 2100), ("b", 5000), (SEEN, 9000)]);
        let boots = boots(&inside).unwrap();
        assert_eq!(boots.len(), 2);
        assert_eq!(boots[0].cpu, Duration::from_secs(2));
        assert_eq!(boots[1].counts, [9.0, 3.0, 1.0, 4.0]);
        let table = table(&boots);
        let row = "| b | 4.00 | 2.00 | 1500 | 1.00 | 2.0 | 9 | 3 | 1 | 4 | 4.00 |";
        assert!(table.ends_with(row), "{table}");
    }

    #[test]
    fn a_median_is_one_of_the_figures() {
        let all: Vec<_> = [7, 1, 3, 9]
            .iter()
            .flat_map(|second| [("a", 0), (SEEN, second * 1000)])
            .collect();
        let boots = boots(&said(&all)).unwrap();
        assert_eq!(median(&boots, "a", |boot| boot.cpu.as_secs_f64()), 3.0);
        assert_eq!(median(&boots, "b", |boot| boot.ms), 0.0);
    }

    #[test]
    fn a_line_that_tells_no_figures_is_an_error() {
        let broken = [("a", 0), ("cannot open /dev/kvm", 1)];
        assert!(boots(&said(&broken)).unwrap_err().contains("/dev/kvm"));
        assert!(boots(&said(&broken[..1])).is_err());
        let fewer = SEEN.replace("pf_fixed", "other");
        let error = boots(&said(&[("a", 0), (&fewer, 1)])).unwrap_err();
        assert!(error.contains("pf_fixed"), "{error}");
    }
}
