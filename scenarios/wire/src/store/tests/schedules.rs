//! Schedules and accesses that a folder claims.

use super::*;

#[test]
fn a_schedule_is_one_that_the_case_could_have_had() {
    let with = |change: fn(&mut Step), head: &'static str| {
        move |dir: &Path| {
            let mut step = trace().steps.remove(0);
            change(&mut step);
            let line = serde_json::to_string(&step).unwrap();
            forge(dir, SCHEDULE, format!("{head}\n{line}\n").as_bytes());
        }
    };
    let one = "{\"format\": 2, \"steps\": 1, \"accesses\": 0}";
    assert_named(
        with(|_| {}, ""),
        "schedule.json\" cannot be understood (line 1)",
    );
    assert_named(
        with(|_| {}, "{\"format\": 1, \"steps\": 1}"),
        "has format 1",
    );
    assert_named(
        with(|_| {}, "{\"format\": 2, \"steps\": 2, \"accesses\": 0}"),
        "it has 1 steps and 0 accesses, and says 2 and 0",
    );
    assert_named(with(|step| step.next = 3, one), "vCPU 3 runs without work");
    assert_named(
        with(|step| step.enabled = vec![1, 0], one),
        "no machine has",
    );
    assert_named(
        with(|step| step.stop.vcpu = u32::MAX, one),
        "no machine has",
    );
    let place = |step: &mut Step| step.stop.place = At::Operation { actor: 0, op: 3 };
    assert_named(with(place, one), "no actor 0 with operation 3");
    let place = |step: &mut Step| {
        step.stop.place = At::Data {
            channel: 1,
            cpu: 0,
            field: Field::Data,
            write: false,
        };
    };
    assert_named(with(place, one), "no channel 1");
}

#[test]
fn accesses_are_ones_that_the_run_could_have_had() {
    let with = |change: fn(&mut Accessed)| {
        move |dir: &Path| {
            let mut lines = "{\"format\": 2, \"steps\": 0, \"accesses\": 2}\n".to_owned();
            let mut accessed = access(0, None);
            lines += &serde_json::to_string(&accessed).unwrap();
            lines += "\n";
            change(&mut accessed);
            lines += &serde_json::to_string(&accessed).unwrap();
            forge(dir, SCHEDULE, lines.as_bytes());
        }
    };
    type Change = (fn(&mut Accessed), &'static str);
    let changes: [Change; 6] = [
        (
            |one| one.before = 1,
            "an access before stop 1 is in no order",
        ),
        (|one| one.vcpu = u32::MAX, "no machine has vCPU"),
        (|one| one.access.channel = 1, "no channel 1"),
        (|one| one.access.slot = Some(0), "has no entry Some(0)"),
        (|one| one.access.field = Field::Padding, "has no entry None"),
        (
            |one| one.access.kind = AccessKind::Load,
            "a load of produced found 7",
        ),
    ];
    for (change, named) in changes {
        assert_named(with(change), named);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever happens to one file's bytes: no panic, and what differs from what was saved is
    /// refused wherever a checksum guards it.
    #[test]
    fn damage_is_survived(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..6),
        cut in any::<bool>(),
    ) {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("evidence");
        saved(&dir);
        let files = names(&dir);
        let name = which.get(&files);
        let before = fs::read(dir.join(name)).unwrap();
        let mut after = before.clone();
        let start = at.index(after.len());
        let end = (start + bytes.len()).min(after.len());
        after.splice(start..end, bytes);
        if cut {
            after.truncate(start);
        }
        fs::write(dir.join(name), &after).unwrap();
        let loaded = load(&dir);
        if before == after || name == SCENARIO {
            prop_assert_eq!(loaded.unwrap(), (case(), evidence(), extra()));
        } else if name != INDEX {
            prop_assert!(loaded.is_err(), "{} was changed and loaded", name);
        }
    }
}
