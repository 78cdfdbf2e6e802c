//! Nothing lies outside its place, in every buffer of every observation: also where relay leaves the
//! order of things to its client, and in the middle of a write.

use crate::matter::{Matter, Report};
use relaybed_case::evidence::BufferSeen;
use relaybed_case::finding::{Byte, Bytes, Safety};
use relaybed_case::verdict::Location;
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
    let subbuf_size = geometry.subbuf_size;
    let ring = subbuf_size.saturating_mul(geometry.n_subbufs);
    // One more marks a full buffer.
    let most = subbuf_size.saturating_add(1);
    let (offset, data) = (seen.offset, seen.data);
    if offset > most {
        report.fail(at.clone(), Safety::Offset { offset, most });
    }
    if subbuf_size != 0 && (data >= ring || !data.is_multiple_of(subbuf_size)) {
        let current = Safety::Current {
            data,
            subbuf_size,
            ring,
        };
        report.fail(at.clone(), current);
    }
    for (slot, padding) in seen.padding.iter().enumerate() {
        if *padding > subbuf_size {
            let at = Location {
                subbuf: Some(slot as u64),
                ..at.clone()
            };
            let beyond = Safety::Padding {
                padding: Bytes(*padding),
                subbuf_size: Bytes(subbuf_size),
            };
            report.fail(at, beyond);
        }
    }
    let tail = usize::try_from(ring).unwrap_or(usize::MAX);
    let behind = seen.bytes.get(tail..).unwrap_or(&[]);
    if let Some(first) = behind.iter().position(|byte| *byte != 0) {
        let at = Location {
            offset: Some(tail.saturating_add(first) as u64),
            ..at.clone()
        };
        let byte = Byte(behind.get(first).copied());
        report.fail(at, Safety::Behind { byte });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relaybed_case::finding::What;

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

    fn findings(change: impl Fn(&mut BufferSeen)) -> Vec<(What, Location)> {
        let (geometry, mut buffer) = seen();
        change(&mut buffer);
        let mut report = Report::default();
        judge_buffer(&mut report, &Location::default(), &geometry, &buffer);
        let findings = report.findings.into_iter();
        findings.map(|found| (found.what, found.at)).collect()
    }

    #[test]
    fn a_sound_buffer_passes_and_so_does_a_full_one() {
        assert_eq!(findings(|_| {}), []);
        assert_eq!(findings(|b| b.offset = 101), []);
        assert_eq!(findings(|b| b.bytes[399] = 7), []);
    }

    #[test]
    fn whatever_lies_outside_is_found_with_its_place() {
        let whole = Location::default();
        let one = |what: Safety, at: &Location| vec![(What::from(what), at.clone())];
        let (offset, most) = (102, 101);
        let found = findings(|b| b.offset = offset);
        assert_eq!(found, one(Safety::Offset { offset, most }, &whole));
        for data in [400, 150] {
            let current = Safety::Current {
                data,
                subbuf_size: 100,
                ring: 400,
            };
            assert_eq!(findings(|b| b.data = data), one(current, &whole));
        }
        let at = Location {
            subbuf: Some(2),
            ..Location::default()
        };
        let beyond = Safety::Padding {
            padding: Bytes(101),
            subbuf_size: Bytes(100),
        };
        assert_eq!(findings(|b| b.padding[2] = 101), one(beyond, &at));
        let at = Location {
            offset: Some(400),
            ..Location::default()
        };
        let behind = Safety::Behind {
            byte: Byte(Some(1)),
        };
        assert_eq!(findings(|b| b.bytes[400] = 1), one(behind, &at));
    }
}
