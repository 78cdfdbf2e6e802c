//! Nothing lies outside its place, in every buffer of every observation: also where relay leaves the
//! order of things to its client, and in the middle of a write.

use crate::matter::{Matter, Report};
use relaybed_case::evidence::BufferSeen;
use relaybed_case::verdict::{Location, Property};
use relaybed_contract::Geometry;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for (observation, seen) in matter.evidence.observations.iter().enumerate() {
        for (channel, spec) in matter.case.channels.iter().enumerate() {
            let buffers = seen.channels.get(channel).map(|seen| &seen.buffers);
            for buffer in buffers.into_iter().flatten() {
                let at = Location {
                    observation: Some(observation),
                    channel: matter.channel_name(channel),
                    cpu: Some(buffer.cpu),
                    ..Location::default()
                };
                judge_buffer(report, &at, &Geometry::of(spec), buffer);
            }
        }
    }
}

fn judge_buffer(report: &mut Report, at: &Location, geometry: &Geometry, seen: &BufferSeen) {
    let size = geometry.subbuf_size;
    let used = size.saturating_mul(geometry.n_subbufs);
    let mut fail = |what: &str, expected: String, seen: u64| {
        report.fail(Property::Safety, at.clone(), what, expected, seen);
    };
    // One more marks a full buffer.
    if seen.offset > size.saturating_add(1) {
        let expected = format!("at most {}", size.saturating_add(1));
        fail(
            "the offset lies outside the sub-buffer",
            expected,
            seen.offset,
        );
    }
    if size != 0 && (seen.data >= used || !seen.data.is_multiple_of(size)) {
        let expected = format!("a multiple of {size} below {used}");
        let what = "the current sub-buffer is none of the buffer";
        fail(what, expected, seen.data);
    }
    for (slot, padding) in seen.padding.iter().enumerate() {
        if *padding > size {
            let what = format!("sub-buffer {slot} has more padding than bytes");
            fail(&what, format!("at most {size}"), *padding);
        }
    }
    let tail = usize::try_from(used).unwrap_or(usize::MAX);
    let behind = seen.bytes.get(tail..).unwrap_or(&[]);
    if let Some(first) = behind.iter().position(|byte| *byte != 0) {
        let place = tail.saturating_add(first) as u64;
        let what = "bytes were written behind the last sub-buffer";
        fail(what, "zeroes up to the page's end".to_owned(), place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> (Geometry, BufferSeen) {
        let geometry = Geometry {
            subbuf_size: 100,
            n_subbufs: 4,
            overwrite: false,
            header_bytes: 0,
            has_file: true,
            refuse: None,
        };
        let seen = BufferSeen {
            cpu: 0,
            produced: 2,
            consumed: 0,
            offset: 30,
            data: 200,
            padding: vec![0; 4],
            bytes_consumed: 0,
            finalized: 0,
            prev_padding: None,
            early_bytes: 0,
            stats: None,
            file_size: Some(200),
            bytes: vec![0; 4096],
        };
        (geometry, seen)
    }

    fn failures(change: impl Fn(&mut BufferSeen)) -> Vec<String> {
        let (geometry, mut buffer) = seen();
        change(&mut buffer);
        let mut report = Report::default();
        judge_buffer(&mut report, &Location::default(), &geometry, &buffer);
        report.failures.into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn a_sound_buffer_passes_and_so_does_a_full_one() {
        assert_eq!(failures(|_| {}), Vec::<String>::new());
        assert_eq!(failures(|b| b.offset = 101), Vec::<String>::new());
        assert_eq!(failures(|b| b.bytes[399] = 7), Vec::<String>::new());
    }

    #[test]
    fn whatever_lies_outside_is_told() {
        assert!(failures(|b| b.offset = 102)[0].contains("offset"));
        assert!(failures(|b| b.data = 400)[0].contains("current sub-buffer"));
        assert!(failures(|b| b.data = 150)[0].contains("current sub-buffer"));
        assert!(failures(|b| b.padding[2] = 101)[0].contains("sub-buffer 2"));
        assert!(failures(|b| b.bytes[400] = 1)[0].contains("behind the last"));
    }
}
