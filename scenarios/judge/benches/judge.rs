//! How fast the judge is: whole verdicts, prediction and all, over forged evidence of 256-byte records.
//!
//! `cargo bench -p relaybed-judge --bench judge` ends with the figure in GB/s of one core.

#![expect(clippy::disallowed_types, reason = "a bench reads the clock")]

use std::io::Write as _;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use relaybed_case::evidence::Evidence;
use relaybed_case::verdict::Verdict;
use relaybed_case::{Actor, Case, Channel, Context, Files, Mode, Op, Payload, Place, Via};
use relaybed_contract::behaviour::version;
use relaybed_judge::{forge, judge};

const RECORD_BYTES: u32 = 256;
const SUBBUF_BYTES: u64 = 256 << 10;
const SUBBUFS: u64 = 16;
const CPUS: u32 = 2;
/// Verdicts that the figure in GB/s is the median of.
const ROUNDS: usize = 301;

/// One producer a CPU fills all but a little of its buffer.
fn full_buffers() -> Case {
    let count = u32::try_from(SUBBUF_BYTES * SUBBUFS).unwrap_or(0) / RECORD_BYTES - 1;
    let producer = |cpu: u32| Actor {
        name: format!("p{cpu}"),
        place: Place::Kernel {
            cpu,
            context: Context::Task,
        },
        source: None,
        ops: vec![Op::Write {
            channel: 0,
            via: Via::Write,
            payload: Payload::Record {
                len_min: RECORD_BYTES,
                len_max: RECORD_BYTES,
            },
            count,
        }],
    };
    Case {
        name: "bench/judge".to_owned(),
        summary: "Full buffers on every CPU.".to_owned(),
        vcpus: CPUS,
        seed: 1,
        needs: Vec::new(),
        channels: vec![Channel {
            name: "cpu".to_owned(),
            subbuf_size: SUBBUF_BYTES,
            n_subbufs: SUBBUFS,
            mode: Mode::NoOverwrite,
            header_bytes: 0,
            files: Files::Direct,
            open_at_start: true,
            client: relaybed_case::Client::default(),
        }],
        actors: (0..CPUS).map(producer).collect(),
        gates: Vec::new(),
        expect: Vec::new(),
        may_fail: true,
        schedule: Vec::new(),
    }
}

fn judging(criterion: &mut Criterion) {
    let case = full_buffers();
    let evidence = forge::synthesize(&case, version(6, 1), CPUS);
    let (verdict, amount) = judge(&case, &evidence);
    assert_eq!(verdict, Verdict::Passed);
    let mut group = criterion.benchmark_group("judge");
    group.throughput(Throughput::Bytes(amount.bytes));
    group.measurement_time(Duration::from_secs(5));
    group.bench_function("records_of_256_bytes", |bencher| {
        bencher.iter(|| judge(&case, &evidence));
    });
    group.finish();
    let gigabytes = gigabytes_a_second(&case, &evidence, amount.bytes);
    let mut out = std::io::stdout().lock();
    // A closed pipe is no reason to fail a benchmark.
    let _ = writeln!(
        out,
        "judge: {gigabytes:.2} GB/s of {RECORD_BYTES}-byte records on one core (median of {ROUNDS} verdicts over {} MB)",
        amount.bytes / 1_000_000,
    );
}

/// The median over some verdicts, in 10^9 bytes a second.
fn gigabytes_a_second(case: &Case, evidence: &Evidence, bytes: u64) -> f64 {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(judge(case, evidence));
            start.elapsed()
        })
        .collect();
    times.sort();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a few megabytes, shown with two decimals"
    )]
    let bytes = bytes as f64;
    bytes / times[ROUNDS / 2].as_secs_f64() / 1e9
}

criterion_group!(benches, judging);
criterion_main!(benches);
