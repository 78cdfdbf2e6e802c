//! How fast the judge is: whole verdicts over forged evidence of 256-byte records.
#![expect(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use relaybed::case::{Actor, Case, Channel, Context, Files, Mode, Op, Payload, Place, Via};
use relaybed::judge::{forge, judge};
use relaybed::model::behaviour::version;
use relaybed::verdict::Verdict;

const RECORD_BYTES: u32 = 256;
const SUBBUF_BYTES: u64 = 256 << 10;
const SUBBUFS: u64 = 16;
const CPUS: u32 = 2;

/// One producer a CPU fills all but a little of its buffer.
fn full_buffers() -> Case {
    let count = u32::try_from(SUBBUF_BYTES * SUBBUFS).unwrap_or(0) / RECORD_BYTES - 1;
    let producer = |cpu: u32| Actor {
        name: format!("p{cpu}"),
        place: Place::Kernel {
            cpu,
            context: Context::Task,
        },
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
        channels: vec![Channel {
            name: "cpu".to_owned(),
            subbuf_size: SUBBUF_BYTES,
            n_subbufs: SUBBUFS,
            mode: Mode::NoOverwrite,
            header_bytes: 0,
            files: Files::Direct,
            open_at_start: true,
        }],
        actors: (0..CPUS).map(producer).collect(),
        gates: Vec::new(),
        expect: Vec::new(),
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
}

criterion_group!(benches, judging);
criterion_main!(benches);
