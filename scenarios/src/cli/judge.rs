//! `relaybed judge`: the verdict again, from saved evidence alone.

use std::path::Path;
use std::time::Instant;

use super::Stop;
use super::taken::saved;
use relaybed_case::verdict::Verdict;
use relaybed_judge as judge;
use relaybed_report::exit::Exit;
use relaybed_report::{Blame, CaseReport, Detail, Format, Reporter, Summary};
use relaybed_wire::store;

pub(super) fn judge(folder: &Path, format: Format) -> Result<Exit, Stop> {
    let (case, evidence, extra) =
        store::load(folder).map_err(|error| Stop::new(Exit::SetUp, error))?;
    let begun = Instant::now();
    let (verdict, amount) = judge::judge(&case, &evidence);
    let judge_ms = begun.elapsed().as_secs_f64() * 1000.0;
    let loaded = saved(folder, case, &extra);
    let failed = matches!(verdict, Verdict::Failed { .. });
    let mut detail = Detail {
        blames: Blame::all(&loaded, Some(&evidence), verdict.findings(), failed),
        ..Detail::default()
    };
    if failed {
        detail.evidence = Some(folder.to_owned());
        detail.rerun.clone_from(&extra.repeat);
    }
    let is = |wanted: &str| usize::from(relaybed_report::outcome(&verdict) == wanted);
    let summary = Summary {
        passed: is("passed"),
        failed: is("failed"),
        skipped: 0,
        known: is("known"),
        fixed: is("fixed"),
        not_run: 0,
        kernel: evidence.setting.release.clone(),
        kernel_origin: extra.kernel,
        relay: evidence.setting.relay.clone(),
        started_s: None,
        backend: evidence.setting.backend.clone(),
        accel: evidence.setting.accel.clone(),
        accel_reason: "judged from saved evidence; nothing was run".to_owned(),
        vcpus: evidence.setting.vcpus,
        machines: [(evidence.setting.vcpus, 0)].into(),
        seed: extra.seed,
        boot_ms: 0.0,
        boots: 0,
        forked: false,
        empty: u32::from(is("passed") == 1 && amount.is_nothing()),
        unspecified: amount.unspecified,
        records: amount.records,
        bytes: amount.bytes,
        judge_ms,
        total_ms: judge_ms,
        exits: None,
        own_rss_kib: 0,
        fuzz: None,
        explored: None,
        in_model: Vec::new(),
    };
    let exit = if summary.failed > 0 {
        Exit::Failed
    } else {
        Exit::Passed
    };
    let mut reporter = Reporter::new(format, anstream::stdout().lock(), 1)?;
    let flow = relaybed_judge::flow(&loaded.case, &evidence);
    reporter.case(CaseReport {
        name: loaded.case.name,
        summary: loaded.case.summary,
        verdict,
        amount,
        flow,
        kernel: evidence.setting.release,
        duration_ms: judge_ms,
        exits: None,
        digest: None,
        detail,
    })?;
    reporter.end(&summary)?;
    Ok(exit)
}
