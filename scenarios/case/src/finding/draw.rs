//! Any finding, drawn from numbers: for tests that must hold for all of them.

use std::collections::BTreeSet;

use super::*;
use crate::errno::Errno;
use crate::pollbits::PollBits;

/// Where values are drawn from; 0 when it is empty.
pub(super) struct Lots(pub(super) Vec<u64>);

impl Lots {
    fn next(&mut self) -> u64 {
        self.0.pop().unwrap_or(0)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }
}

/// What can be drawn.
pub(super) trait Draw: Sized {
    fn draw(lots: &mut Lots) -> Self;
}

macro_rules! draws {
    ($($type:ty: |$lots:ident| $make:expr;)+) => {
        $(impl Draw for $type {
            fn draw($lots: &mut Lots) -> Self {
                $make
            }
        })+
    };
}

const TEXTS: [&str; 7] = [
    "",
    "cpu",
    "writer@1",
    "\u{1b}[31mred\n",
    "a\0b\u{9b}",
    "\"quoted\" \u{202e}",
    "überlang",
];

draws! {
    u64: |lots| lots.next();
    u32: |lots| u32::try_from(lots.next() >> 32).unwrap();
    bool: |lots| lots.next().is_multiple_of(2);
    String: |lots| TEXTS[lots.below(TEXTS.len())].to_owned();
    Plain: |lots| String::draw(lots).into();
    Quoted: |lots| String::draw(lots).into();
    Bytes: |lots| Bytes(Draw::draw(lots));
    Byte: |lots| Byte(Option::<u64>::draw(lots).map(|byte| byte.to_le_bytes()[0]));
    Yes: |lots| Yes(Draw::draw(lots));
    Errno: |lots| Errno(u32::draw(lots) % 140);
    PollBits: |lots| PollBits(Draw::draw(lots));
    Taint: |lots| Taint(Draw::draw(lots));
    Call: |lots| Call::ALL[lots.below(Call::ALL.len())];
    Offset: |lots| Offset { offset: Draw::draw(lots), subbuf_size: Draw::draw(lots) };
    MaybeStart: |lots| MaybeStart(Draw::draw(lots));
    Times: |lots| Times { said: Draw::draw(lots), times: Draw::draw(lots) };
    Pending: |lots| Pending { actor: Draw::draw(lots), op: Draw::draw(lots) };
    Record: |lots| match lots.below(3) {
        0 => Record::Unnamed,
        _ => Record::Named { number: Draw::draw(lots), actor: Draw::draw(lots) },
    };
    Due: |lots| match lots.below(4) {
        0 => Due::Zero,
        1 => Due::Stored {
            byte: Draw::draw(lots),
        },
        2 => Due::Header { byte: Draw::draw(lots) },
        _ => Due::Record { byte: Draw::draw(lots), of: Draw::draw(lots) },
    };
    Outcome: |lots| match lots.below(5) {
        0 => Outcome::Fails(Draw::draw(lots)),
        1 => Outcome::Succeeds,
        2 => Outcome::Returns(Draw::draw(lots)),
        3 => Outcome::Gives(Draw::draw(lots)),
        _ => Outcome::Reports(Draw::draw(lots)),
    };
    ChannelState: |lots| [
        ChannelState::Never,
        ChannelState::Open,
        ChannelState::Closed,
        ChannelState::Refused,
    ][lots.below(4)];
    OpState: |lots| match lots.below(3) {
        0 => OpState::Nothing,
        _ => OpState::of(u32::draw(lots) % 5),
    };
    Trouble: |lots| [
        Trouble::Warn,
        Trouble::Oops,
        Trouble::RcuStall,
        Trouble::List,
    ][lots.below(4)];
    Progress: |lots| match lots.below(4) {
        0 => Progress::Unknown,
        _ => Progress::Done {
            done: Draw::draw(lots),
            all: Draw::draw(lots),
            pending: List::draw(lots).0,
        },
    };
    SubbufStart: |lots| SubbufStart {
        new: Draw::draw(lots),
        old: Draw::draw(lots),
        produced: Draw::draw(lots),
        consumed: Draw::draw(lots),
        prev_padding: Draw::draw(lots),
        accepted: Draw::draw(lots),
    };
    Said: |lots| match lots.below(6) {
        0 => Said::Passed,
        1 => Said::Skipped,
        2 => Said::NotRun,
        3 => Said::Known(Draw::draw(lots)),
        4 => Said::Fixed(Draw::draw(lots)),
        _ => {
            let broken = List::<u64>::draw(lots).0.into_iter();
            let all = Property::ALL;
            let at = |lot| usize::try_from(lot % all.len() as u64).unwrap();
            Said::Failed(broken.map(|lot| all[at(lot)]).collect::<BTreeSet<_>>())
        }
    };
    Location: |lots| Location {
        observation: Option::<u32>::draw(lots).map(|at| at as usize),
        channel: Draw::draw(lots),
        cpu: Draw::draw(lots),
        subbuf: Draw::draw(lots),
        offset: Draw::draw(lots),
        actor: Draw::draw(lots),
        op: Option::<u32>::draw(lots).map(|at| at as usize),
    };
    Finding: |lots| Finding {
        what: Draw::draw(lots),
        at: Draw::draw(lots),
        more: u64::from(u32::draw(lots)),
    };
}

impl<T: Draw> Draw for Option<T> {
    fn draw(lots: &mut Lots) -> Self {
        bool::draw(lots).then(|| T::draw(lots))
    }
}

impl<T: Draw> Draw for List<T> {
    fn draw(lots: &mut Lots) -> Self {
        (0..lots.below(4)).map(|_| T::draw(lots)).collect()
    }
}
