//! From text to cases: parse once, expand parameters, resolve each choice.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::diagnostic::{Diagnostics, Problem};
use super::form::{File, Param, ParamValue};
use super::parse::parse;
use super::places::Places;
use super::resolve::resolve;
use relaybed_case::Case;

/// Most cases that the parameters of one file may make.
const MAX_CASES: usize = 256;

/// Longest scenario file in bytes; ours have about 1000.
const MAX_FILE_BYTES: usize = 1 << 20;

/// Makes the cases of a scenario file.
///
/// `path_name` is `suite/file`, as the caller takes it from the file's path without `.toml`; it begins
/// the name of every case. Holding the cases proves that names are resolved, numbers are in range,
/// every wait can end and the limits of the ABI are kept.
///
/// # Errors
/// Everything that is wrong with the file, each with its place.
pub fn load(path_name: &str, text: &str) -> Result<Vec<Case>, Diagnostics> {
    let cases = load_placed(path_name, text)?;
    Ok(cases.into_iter().map(|(case, _)| case).collect())
}

/// The same, with where each case stands in the file.
pub(super) fn load_placed(path_name: &str, text: &str) -> Result<Vec<(Case, Places)>, Diagnostics> {
    if text.len() > MAX_FILE_BYTES {
        let problem = Problem::new(
            format!("a scenario file has at most {MAX_FILE_BYTES} bytes"),
            0..0,
            "too long",
        );
        return Err(Diagnostics::new(path_name, "", vec![problem]));
    }
    let (file, mut problems) = parse(text);
    let mut cases = Vec::new();
    if let Some(file) = &file {
        expand(path_name, file, &mut cases, &mut problems);
    }
    if problems.is_empty() {
        Ok(cases)
    } else {
        Err(Diagnostics::new(path_name, text, problems))
    }
}

fn expand(
    path_name: &str,
    file: &File,
    cases: &mut Vec<(Case, Places)>,
    problems: &mut Vec<Problem>,
) {
    let count = file
        .params
        .iter()
        .try_fold(1_usize, |count, param| {
            count.checked_mul(param.values.len())
        })
        .filter(|count| *count <= MAX_CASES);
    let (Some(count), first) = (count, file.params.first()) else {
        let span = file
            .params
            .first()
            .map_or(0..0, |param| param.name.span.clone());
        problems.push(Problem::new(
            format!("the parameters make more than {MAX_CASES} cases"),
            span,
            "too many values",
        ));
        return;
    };
    let used = RefCell::new(BTreeSet::new());
    for index in 0..count {
        let params = choice(&file.params, index);
        let suffix: Vec<String> = params
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let name = if first.is_some() {
            format!("{path_name}[{}]", suffix.join(","))
        } else {
            path_name.to_owned()
        };
        match resolve(name, file, &params, &used) {
            Ok(case) => cases.push(case),
            Err(found) => merge(problems, found, &suffix.join(", ")),
        }
    }
    if problems.is_empty() {
        let used = used.borrow();
        let unused = file
            .params
            .iter()
            .filter(|param| !used.contains(&param.name.value));
        problems.extend(unused.map(|param| {
            Problem::new(
                format!("parameter `{}` is used nowhere", param.name.value),
                param.name.span.clone(),
                "makes the same case again",
            )
            .help("use it in an expression, or as a word with `$` before it")
        }));
    }
}

/// The `index`-th choice of all parameters; the last parameter changes fastest.
fn choice(params: &[Param], mut index: usize) -> Vec<(&str, &ParamValue)> {
    let mut chosen = Vec::new();
    for param in params.iter().rev() {
        let value = &param.values[index % param.values.len()];
        index /= param.values.len();
        chosen.push((param.name.value.as_str(), value));
    }
    chosen.reverse();
    chosen
}

/// Adds what is new: one place is reported for the first choice of parameters that shows it.
fn merge(problems: &mut Vec<Problem>, found: Vec<Problem>, choice: &str) {
    let known = problems.len();
    for mut problem in found {
        if problems[..known]
            .iter()
            .any(|other| other.span == problem.span)
        {
            continue;
        }
        if !choice.is_empty() {
            let with = format!("seen with {choice}");
            problem.help = Some(match problem.help {
                Some(help) => format!("{help}\n{with}"),
                None => with,
            });
        }
        problems.push(problem);
    }
}
