//! Where control passes in a schedule, for a person.

use crate::run::shown::Shown;
use relaybed_case::Case;
use relaybed_case::place::Place;
use relaybed_case::trace::Trace;

/// Where control passes, as a table: at most a few of the places.
pub(super) fn switches(case: &Case, shown: &Shown) -> String {
    const TOLD: usize = 12;
    let steps = shown.trace.steps.iter().enumerate();
    let preempting: Vec<usize> = steps
        .filter(|(_, step)| step.preempts())
        .map(|(index, _)| index)
        .collect();
    let Some(last) = preempting.last() else {
        return "control passes only where a vCPU cannot go on".to_owned();
    };
    let mut table = "control passes here; the last one decides:\n".to_owned();
    let rows = preempting.iter().take(TOLD);
    let rows: Vec<[String; 4]> = rows
        .map(|index| switch(case, &shown.trace, *index))
        .collect();
    let head = ["stop", "vCPU", "in", "behind"].map(str::to_owned);
    let all = || std::iter::once(&head).chain(&rows);
    let width = |column: usize| {
        all()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    for row in all() {
        let [stop, vcpus, of, behind] = row;
        let sign = if *stop == last.to_string() {
            "  ◀"
        } else {
            ""
        };
        let (a, b, c) = (width(0), width(1), width(2));
        table.push_str(&format!(
            "          {stop:>a$}  {vcpus:<b$}  {of:<c$}  {behind}{sign}\n"
        ));
    }
    match preempting.len().saturating_sub(TOLD) {
        0 => {}
        more => table.push_str(&format!("          and {more} more\n")),
    }
    table.truncate(table.trim_end().len());
    table
}

/// One row: the stop, who runs instead of whom, in what operation, and behind what.
fn switch(case: &Case, trace: &Trace, index: usize) -> [String; 4] {
    let step = &trace.steps[index];
    let vcpu = step.stop.vcpu;
    let of_vcpu = trace.steps[..=index]
        .iter()
        .rev()
        .filter(|step| step.stop.vcpu == vcpu);
    let operation = of_vcpu
        .map(|step| &step.stop.place)
        .find_map(|place| match place {
            Place::Operation { actor, op } => Some((*actor as usize, *op)),
            _ => None,
        });
    let of = operation.map_or(String::new(), |(actor, op)| {
        let name = case
            .actors
            .get(actor)
            .map_or("?", |actor| actor.name.as_str());
        format!("{name}, operation {op}")
    });
    let made = trace.accesses_before(index);
    let made = made.iter().rfind(|one| one.vcpu == vcpu);
    let behind = match (&step.stop.place, made) {
        (Place::Data { .. }, Some(made)) => made.access.to_string(),
        (Place::Operation { .. }, _) => "nothing of it yet".to_owned(),
        (place, _) => place.to_string(),
    };
    [
        index.to_string(),
        format!("{vcpu} → {}", step.next),
        of,
        behind,
    ]
}
