//! The scenes that are searched for every release of the twin: writers, readers, flush, consumed, reset, close and
//! poll in twos and threes.

use relaybed_case::Refuse;
use relaybed_contract::Geometry;

use super::scene::{Numbers, Scene, read};
use crate::{Defects, Op, Setting, Sites};

/// A scene with a name.
#[derive(Clone, Debug)]
pub struct Named {
    /// What meets what.
    pub name: String,
    /// The scene.
    pub scene: Scene,
}

/// What a thread of a scene does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Two records of a sub-buffer's size.
    Writer,
    /// A reserve, filled later, and a write.
    Reserver,
    /// Three records of one byte.
    Dribbler,
    /// Reads of a sub-buffer's size, and of all there is.
    Reader,
    /// Three reads of one byte.
    Sipper,
    Flush,
    Reset,
    Consumed,
    Close,
    /// A poll that waits.
    Poll,
}

impl Role {
    const ALL: [Self; 10] = [
        Self::Writer,
        Self::Reserver,
        Self::Dribbler,
        Self::Reader,
        Self::Sipper,
        Self::Flush,
        Self::Reset,
        Self::Consumed,
        Self::Close,
        Self::Poll,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Reserver => "reserver",
            Self::Dribbler => "dribbler",
            Self::Sipper => "sipper",
            Self::Reader => "reader",
            Self::Flush => "flush",
            Self::Reset => "reset",
            Self::Consumed => "consumed",
            Self::Close => "close",
            Self::Poll => "poll",
        }
    }

    fn ops(self, geometry: &Geometry, numbers: &mut Numbers) -> Vec<Op> {
        let len = record_len(geometry);
        match self {
            Self::Writer => vec![numbers.write(len), numbers.write(len)],
            Self::Reserver => vec![numbers.reserve(len)],
            Self::Dribbler => (0..3).map(|_| numbers.write(1)).collect(),
            Self::Sipper => vec![read(1); 3],
            Self::Reader => vec![read(len), read(64)],
            Self::Flush => vec![Op::Flush],
            Self::Reset => vec![Op::Reset],
            Self::Consumed => vec![Op::Consumed { n: 1 }],
            Self::Close => vec![Op::Close],
            Self::Poll => vec![Op::Poll { waits: true }],
        }
    }

    /// Two of this kind at once are of interest: all writing is done on one CPU.
    const fn may_be_twice(self) -> bool {
        matches!(self, Self::Reader | Self::Consumed | Self::Flush)
    }

    /// Nothing else may be done with a channel that is being closed.
    const fn may_meet_close(self) -> bool {
        matches!(self, Self::Reader | Self::Sipper | Self::Close | Self::Poll)
    }

    const fn writes(self) -> bool {
        matches!(self, Self::Writer | Self::Reserver | Self::Dribbler)
    }
}

/// Bytes of a record that fills a sub-buffer.
fn record_len(geometry: &Geometry) -> u32 {
    u32::try_from(geometry.subbuf_size - geometry.header_bytes).unwrap_or(1)
}

/// What is in the buffer when the threads start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filling {
    Empty,
    /// The first sub-buffer is full, and all of it read.
    ReadOut,
    /// All sub-buffers are full, the last one not yet counted.
    Full,
    /// A sub-buffer was flushed when it held one byte, and the next one holds one.
    Partly,
}

impl Filling {
    const ALL: [Self; 4] = [Self::Empty, Self::ReadOut, Self::Full, Self::Partly];

    const fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::ReadOut => "read out",
            Self::Full => "full",
            Self::Partly => "partly filled",
        }
    }

    fn ops(self, geometry: &Geometry, numbers: &mut Numbers) -> Vec<Op> {
        let len = record_len(geometry);
        match self {
            Self::Empty => Vec::new(),
            Self::ReadOut => vec![numbers.write(len), read(64)],
            Self::Full => (0..geometry.n_subbufs)
                .map(|_| numbers.write(len))
                .collect(),
            Self::Partly => vec![numbers.write(1), Op::Flush, numbers.write(1)],
        }
    }
}

/// S, N, bytes of a header, and whether some calls of the callback refuse whatever the mode says.
const SIZES: [(u64, u64, u64, bool); 4] = [
    (2, 2, 0, false),
    (2, 3, 0, false),
    (4, 2, 1, false),
    (2, 2, 0, true),
];

/// Twos (and with `threes` threes) of roles, on buffers of two and three sub-buffers of two bytes, with and
/// without a header, in both modes, empty and not.
#[must_use]
pub fn scenes(threes: bool) -> Vec<Named> {
    let mut all = Vec::new();
    for overwrite in [false, true] {
        for (size, n, header, refuses) in SIZES {
            for filling in Filling::ALL {
                for roles in meetings(threes) {
                    let geometry = Geometry {
                        subbuf_size: size,
                        n_subbufs: n,
                        overwrite,
                        header_bytes: header,
                        has_file: true,
                        refuse: refuses.then_some(Refuse { from: 3, count: 2 }),
                    };
                    all.push(scene(geometry, filling, &roles));
                }
            }
        }
    }
    all
}

/// Which roles meet: in twos, or in threes.
fn meetings(threes: bool) -> Vec<Vec<Role>> {
    let mut all = Vec::new();
    for (i, a) in Role::ALL.into_iter().enumerate() {
        for (j, b) in Role::ALL.into_iter().enumerate().skip(i) {
            if !threes {
                all.push(vec![a, b]);
                continue;
            }
            for c in Role::ALL.into_iter().skip(j) {
                all.push(vec![a, b, c]);
            }
        }
    }
    let makes_sense = |roles: &Vec<Role>| {
        let twice = roles
            .windows(2)
            .any(|two| two[0] == two[1] && !two[0].may_be_twice());
        let writers = roles.iter().filter(|role| role.writes()).count();
        let thrice = roles.len() == 3 && roles[0] == roles[2];
        let closed = roles.contains(&Role::Close);
        let closes = closed && !roles.iter().all(|role| role.may_meet_close());
        !twice && !thrice && writers < 2 && !closes
    };
    all.retain(makes_sense);
    all
}

fn scene(geometry: Geometry, filling: Filling, roles: &[Role]) -> Named {
    let mut numbers = Numbers::default();
    let before = filling.ops(&geometry, &mut numbers);
    let threads = roles
        .iter()
        .map(|role| role.ops(&geometry, &mut numbers))
        .collect();
    let words: Vec<&str> = roles.iter().map(|role| role.word()).collect();
    Named {
        name: format!(
            "{} {}x{} header {}{} {}: {}",
            if geometry.overwrite {
                "overwrite"
            } else {
                "no-overwrite"
            },
            geometry.n_subbufs,
            geometry.subbuf_size,
            geometry.header_bytes,
            if geometry.refuse.is_some() {
                " refusing"
            } else {
                ""
            },
            filling.word(),
            words.join(" + ")
        ),
        scene: Scene {
            set: Setting {
                merged: Sites::COMPILED,
                ..Setting::plain(geometry, Defects::NONE)
            },
            before,
            threads,
            waits: Vec::new(),
            is_parallel: false,
        },
    }
}
