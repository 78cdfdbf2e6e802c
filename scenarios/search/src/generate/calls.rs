//! Drawing the rarer system calls on a descriptor.

use super::random::Random;
use super::shadow::Shadow;
use super::{Limits, lengths};
use relaybed_case::{FileCall, Whence};
use relaybed_contract::behaviour::version;

/// First release without a splice of relay's own, whose many known issues only their own scenarios tell apart.
const NO_SPLICE: u32 = version(6, 9);

/// Whether the kernel has a splice of relay's own.
pub(super) fn has_own_splice(limits: &Limits) -> bool {
    limits.linux_version < NO_SPLICE
}

/// The kinds, before their arguments are drawn.
#[derive(Clone, Copy)]
enum Kind {
    Pread,
    Readv,
    Write,
    Seek,
    Stat,
    Nowhere,
    Splice,
    Sendfile,
    Truncate,
}

const KINDS: [(u64, Kind); 9] = [
    (20, Kind::Pread),
    (30, Kind::Readv),
    (8, Kind::Write),
    (16, Kind::Seek),
    (14, Kind::Stat),
    (2, Kind::Nowhere),
    (6, Kind::Splice),
    (4, Kind::Sendfile),
    (5, Kind::Truncate),
];

/// One call on the file of `cpu`'s buffer, on a kernel of this `LINUX_VERSION_CODE`. `in_order`: nothing
/// happens beside it.
pub(super) fn draw(
    random: &mut Random,
    (shadow, cpu): (&mut Shadow, u32),
    linux_version: u32,
    in_order: bool,
) -> FileCall {
    let (size, _) = lengths::read(random, shadow, cpu);
    let offset = random.below(5000);
    match random.weighted(&KINDS) {
        Kind::Readv => {
            let parts = random.between32(1, 4);
            shadow.read(cpu, u64::from(size) * u64::from(parts));
            FileCall::Readv { size, parts }
        }
        Kind::Write => FileCall::Write { size: size.min(64) },
        Kind::Stat => FileCall::Stat,
        Kind::Nowhere => FileCall::ReadNowhere { size },
        Kind::Splice if linux_version >= NO_SPLICE => FileCall::Splice {
            size,
            times: 1,
            nonblock: random.chance(50),
            late: random.chance(50),
        },
        Kind::Sendfile if linux_version >= NO_SPLICE => FileCall::Sendfile { size },
        Kind::Truncate if in_order => FileCall::Truncate { len: offset },
        Kind::Pread => FileCall::Pread { size, offset },
        _ => seek(random, offset),
    }
}

fn seek(random: &mut Random, offset: u64) -> FileCall {
    let whence = random.pick(&[
        Whence::Set,
        Whence::Current,
        Whence::End,
        Whence::Data,
        Whence::Hole,
    ]);
    let offset = i64::try_from(offset).unwrap_or(0);
    FileCall::Seek {
        whence,
        offset: if random.chance(50) { 0 } else { offset },
    }
}
