//! What two runs of one scenario must agree on, whichever backend they had.
//!
//! A channel buffer that the model predicts from beginning to end must be the same in both wherever it is
//! determined what an observation meets: every count, every padding, every byte that it holds. A checkpoint
//! that is taken while another CPU writes on meets anything. But for two members of a record's header, which
//! tell when it was made and not what it is: time and checksum. What lies behind the end of a
//! sub-buffer's data is left over from before and not looked at. Buffers on which several writers race are not
//! predicted byte by byte, and of those only the verdicts must agree.

use std::io;
use std::path::Path;

use relaybed_abi::RecordHeader;
use relaybed_case::evidence::{BufferSeen, ChannelSeen};
use relaybed_contract as model;
use relaybed_wire::store;

/// Starts each line of [`describe`].
pub const MARK: &str = "buffer ";
/// Places of time and checksum in a record's header.
const TIME: std::ops::Range<usize> = 16..24;
const CRC: std::ops::Range<usize> = 28..32;

/// One line for each channel buffer whose state is predicted, in the evidence below `folder`, in order.
///
/// # Errors
/// The folder cannot be read, or holds evidence that does not load.
pub fn describe(folder: &Path) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for (name, folder) in evidence_folders(folder)? {
        let (case, evidence, _) = store::load(&folder).map_err(io::Error::other)?;
        let version = evidence.setting.linux_version;
        let behaviour = model::Behaviour::of(version);
        let prediction = model::predict(&case, &behaviour, evidence.setting.vcpus);
        for (number, observation) in evidence.observations.iter().enumerate() {
            let moment = prediction.moment(observation.at);
            for (channel, seen) in observation.channels.iter().enumerate() {
                for buffer in &seen.buffers {
                    let cpu = usize::try_from(buffer.cpu).unwrap_or(usize::MAX);
                    let determined = moment.and_then(|moment| {
                        moment.channels.get(channel)?.buffers.get(cpu)?.as_ref()
                    });
                    if determined.is_some() && prediction.is_exact(channel, cpu) {
                        let what = text(seen, buffer);
                        lines.push(format!("{MARK}{name} {number} {channel} {cpu}: {what}"));
                    }
                }
            }
        }
    }
    Ok(lines)
}

/// The folders with evidence below `folder`, with their names, in order.
fn evidence_folders(folder: &Path) -> io::Result<Vec<(String, std::path::PathBuf)>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        if next.join("evidence.json").exists() {
            let name = next
                .strip_prefix(folder)
                .unwrap_or(&next)
                .to_string_lossy()
                .into_owned();
            found.push((name, next));
            continue;
        }
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// All that must agree of a buffer.
fn text(channel: &ChannelSeen, buffer: &BufferSeen) -> String {
    let BufferSeen {
        produced,
        consumed,
        offset,
        data,
        padding,
        bytes_consumed,
        finalized,
        prev_padding,
        early_bytes,
        stats,
        file_size,
        ..
    } = buffer;
    let bytes = without_times(held(channel, buffer));
    let (len, crc) = (bytes.len(), crc32fast::hash(&bytes));
    format!(
        "produced {produced} consumed {consumed} offset {offset} data {data} padding {padding:?} \
         bytes_consumed {bytes_consumed} finalized {finalized} prev_padding {prev_padding:?} \
         early_bytes {early_bytes} stats {stats:?} file_size {file_size:?} bytes {len} crc {crc:08x}"
    )
}

/// The data in a buffer: its complete sub-buffers without padding, oldest first, then the current one.
fn held(channel: &ChannelSeen, buffer: &BufferSeen) -> Vec<u8> {
    let (size, subbufs) = (channel.subbuf_size, channel.n_subbufs.max(1));
    let mut bytes = Vec::new();
    let mut take = |number: u64, len: u64| {
        let start = number % subbufs * size;
        let range = usize::try_from(start)
            .ok()
            .zip(usize::try_from(start + len).ok());
        let data = range.and_then(|(start, end)| buffer.bytes.get(start..end));
        bytes.extend_from_slice(data.unwrap_or_default());
    };
    // An offset behind the end marks a full buffer: there is no current sub-buffer then.
    let is_full = buffer.offset > size;
    let complete = buffer
        .produced
        .min(if is_full { subbufs } else { subbufs - 1 });
    for number in buffer.produced - complete..buffer.produced {
        let padding = usize::try_from(number % subbufs).ok();
        let padding = padding
            .and_then(|index| buffer.padding.get(index))
            .unwrap_or(&0);
        take(number, size.saturating_sub(*padding));
    }
    if !is_full {
        take(buffer.produced, buffer.offset);
    }
    bytes
}

/// The bytes with time and checksum of every whole record header made zero.
fn without_times(mut bytes: Vec<u8>) -> Vec<u8> {
    let headers: Vec<usize> = (0..bytes.len())
        .filter(|at| {
            bytes
                .get(*at..)
                .is_some_and(|rest| RecordHeader::parse(rest).is_ok())
        })
        .collect();
    for header in headers {
        for member in [TIME, CRC] {
            let place = header + member.start..header + member.end;
            if let Some(member) = bytes.get_mut(place) {
                member.fill(0);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_and_checksum_are_blanked() {
        let header = |time_ns, seq| {
            let header = RecordHeader {
                magic: relaybed_abi::RB_RECORD_MAGIC,
                actor: 1,
                cpu: 0,
                seq,
                len: 40,
                time_ns,
                context: 0,
                channel: 0,
                reserved: 0,
                crc: 0,
            };
            let mut bytes = vec![0xaa; 3];
            bytes.extend(zerocopy::IntoBytes::as_bytes(&header.sealed()));
            bytes.extend([7; 20]);
            without_times(bytes)
        };
        assert_eq!(header(1, 5), header(u64::MAX, 5));
        assert_ne!(header(1, 5), header(1, 6));
        assert_eq!(without_times(vec![9; 100]), vec![9; 100]);
    }
}
