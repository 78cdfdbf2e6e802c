//! The smallest sections that, made without a break, forbid the orders of steps that are known issues.
//!
//! A driver that plays relay without such a defect lets no other frame step while this one is inside its
//! section. All orders that are left are orders of relay as it is, so fixing adds nothing new.

use super::place::{Bytes, Callback, Consume, Read, Switch, Write};
use super::{Frame, Op, Pc};
use crate::{Defect, Defects};

impl Frame {
    /// The defects in whose section the frame is: it has made the first step of the section, and the last one
    /// is to come. A frame in the section of a defect that is not among those of its setting must not be
    /// interrupted.
    ///
    /// | defect | from | to |
    /// |---|---|---|
    /// | K2 | counting, where the ring is full then; offset 0, where it was marked full and still is | marking it full, or storing `data` |
    /// | K9 | storing the old sub-buffer's padding | counting it (the rest of K9 is a branch of the read) |
    /// | K31 | keeping the produced count | loading the consumed count |
    /// | K32 | storing the offset behind a header | storing `data` |
    /// | K33 | counting | storing offset 0 |
    /// | K37 | loading the produced count | loading bytes consumed |
    /// | K38 | loading the consumed count | comparing positions |
    /// | K39 | comparing positions | loading `data`, and what is loaded again behind it |
    /// | K40 | adding to the offset | filling the slot |
    #[must_use]
    pub fn inside(&self) -> Defects {
        let regs = &self.regs;
        let is_in: &[(Defect, bool)] = match self.pc {
            Pc::Switch(pc) => {
                let counted = regs.counted && pc > Switch::Count;
                let before_data = pc <= Switch::StoreData;
                &[
                    (Defect::K9, pc == Switch::Count),
                    (Defect::K33, counted && pc <= Switch::ZeroOffset),
                    (Defect::K2, regs.fills && pc > Switch::Count && before_data),
                    (Defect::K32, regs.reserved && before_data),
                ]
            }
            Pc::Callback(pc) if self.op != Op::Reset => &[
                (Defect::K2, regs.fills),
                (Defect::K32, regs.reserved && pc > Callback::Reserve),
            ],
            Pc::Consume(pc) => &[
                (Defect::K31, regs.n == 0),
                (
                    Defect::K37,
                    matches!(pc, Consume::Consumed | Consume::Offset | Consume::Bytes),
                ),
            ],
            Pc::Count(_) => {
                let is_read = matches!(self.op, Op::Read { .. });
                &[(Defect::K31, is_read && regs.n == 0)]
            }
            Pc::Read(pc) => &[(Defect::K38, pc > Read::Consumed && pc < Read::Unlock)],
            Pc::Bytes(pc) => &[(Defect::K39, pc < Bytes::Copy)],
            Pc::Write(pc) => &[(Defect::K40, pc > Write::Add && pc < Write::End)],
            _ => &[],
        };
        is_in
            .iter()
            .filter(|(_, is_in)| *is_in)
            .map(|(defect, _)| *defect)
            .collect()
    }

    /// The defects whose fix keeps another operation out while this one is under way: those in whose section
    /// it is, and those that are nothing but operations at the same time. K41: a write, a reserve or a switch,
    /// and a flush. K42: a reset, and anything else that changes the buffer. K43: `relay_subbufs_consumed()`,
    /// and a read or another of its kind.
    #[must_use]
    pub fn bars(&self, other: &Op) -> Defects {
        if matches!(self.pc, Pc::Start | Pc::Done(_)) {
            return Defects::NONE;
        }
        let mut bars = self.inside();
        let both = (kind(&self.op), kind(other));
        let apart = [
            (Defect::K41, matches!(both, (Kind::Switch, Kind::Switch))),
            (
                Defect::K42,
                matches!(both, (Kind::Reset, other) | (other, Kind::Reset) if other != Kind::Look),
            ),
            (
                Defect::K43,
                matches!(
                    both,
                    (Kind::Consume, Kind::Consume | Kind::Read) | (Kind::Read, Kind::Consume)
                ),
            ),
        ];
        for (defect, is_apart) in apart {
            if is_apart {
                bars = bars.with(defect);
            }
        }
        bars
    }
}

/// What an operation does to a buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Switch,
    Reset,
    Consume,
    Read,
    Look,
}

const fn kind(op: &Op) -> Kind {
    match op {
        Op::Write { .. } | Op::Reserve { .. } | Op::Switch { .. } | Op::Flush => Kind::Switch,
        Op::Reset => Kind::Reset,
        Op::Consumed { .. } => Kind::Consume,
        Op::Read { .. } => Kind::Read,
        Op::Close | Op::BufFull | Op::Poll { .. } => Kind::Look,
    }
}
