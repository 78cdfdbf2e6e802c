//! What compilers do to the order of accesses, beyond leaving loads out ([`crate::Site`]).
//!
//! Seen in Debian's binaries: gcc 10 (5.10), gcc 12 (6.1, 6.12 and our module), gcc 14 (7.2, 7.3). Each pair
//! is one that a binary has; every other access is made where the source has it. All pairs lie between the
//! same two calls or barriers, and none depends on the other.

use super::place::{Bytes, Callback, Consume, Read, Switch, Write};
use super::{Frame, Op, Pc};
use crate::Around;
use crate::Setting;
use crate::io::Io;
use crate::memory::Blank;

/// Where in relay's source a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pc: Pc,
    is_reserve: bool,
}

impl Spot {
    /// The function of the source.
    #[must_use]
    pub const fn word(self) -> &'static str {
        self.pc.word()
    }

    /// Whether the client's own code makes the access.
    #[must_use]
    pub const fn is_clients(self) -> bool {
        matches!(
            self.pc,
            Pc::Callback(
                Callback::EventProduced | Callback::EventConsumed | Callback::HeaderNumber
            )
        )
    }

    /// Whether binaries make this access before one that comes earlier in the source.
    ///
    /// | function | made early | before | kernels |
    /// |---|---|---|---|
    /// | `relay_file_read_avail()` | load offset | load consumed | all |
    /// | | load consumed, where positions are equal | load produced | all |
    /// | `relay_file_read_consume()` | load consumed | load produced | all |
    /// | | load bytes consumed | load produced, consumed, offset | all |
    /// | `relay_file_read_subbuf_avail()` | load padding, after one was stepped over | load data | all |
    /// | `relay_switch_subbuf()` | load produced, for the new slot | load data | all |
    /// | | store offset 0 | load data | 7.2, 7.3 |
    /// | `relay_write()`, `relay_reserve()` | load offset, after a switch | load data | our module |
    /// | `relay_reserve()` | store offset | load data | our module |
    #[must_use]
    pub fn may_pass(self, earlier: Self) -> bool {
        match (self.pc, earlier.pc) {
            (Pc::Read(late), Pc::Read(early)) => matches!(
                (late, early),
                (Read::Offset, Read::Consumed) | (Read::EqualConsumed, Read::EqualProduced)
            ),
            (Pc::Consume(late), Pc::Consume(early)) => matches!(
                (late, early),
                (
                    Consume::Consumed | Consume::Bytes | Consume::Over,
                    Consume::Produced
                ) | (Consume::Bytes | Consume::Over, Consume::Consumed)
                    | (Consume::Bytes, Consume::Offset)
            ),
            (Pc::Bytes(late), Pc::Bytes(early)) => {
                matches!((late, early), (Bytes::PaddingAgain, Bytes::Data))
            }
            (Pc::Switch(late), Pc::Switch(early)) => matches!(
                (late, early),
                (Switch::NewSlot | Switch::ZeroOffset, Switch::Data)
            ),
            (Pc::Write(late), Pc::Write(early)) => match (late, early) {
                (Write::Offset, Write::Data) => true,
                (Write::Add, Write::Data) => self.is_reserve,
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether binaries leave this store out, since the next one of the source is to the same member:
    /// `bytes_consumed` in `relay_file_read_consume()`, which becomes 0 and then `bytes_consumed` of the call
    /// (all).
    #[must_use]
    pub const fn is_stored_over(self) -> bool {
        matches!(self.pc, Pc::Consume(Consume::Zero))
    }
}

impl Frame {
    /// Where the next step stands.
    #[must_use]
    pub fn spot(&self, set: &Setting) -> Spot {
        let mut ahead = *self;
        let mut io = Io {
            mem: &mut Blank,
            around: &mut Around::default(),
            set,
            step: None,
        };
        loop {
            let pc = ahead.pc;
            ahead.advance(&mut io);
            if io.step.is_some() {
                let is_reserve = matches!(self.op, Op::Reserve { .. });
                return Spot { pc, is_reserve };
            }
        }
    }

    /// The function of the source in which the next step is.
    #[must_use]
    pub fn place(&self, set: &Setting) -> &'static str {
        self.spot(set).word()
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Count;
    use super::*;

    const fn spot(pc: Pc) -> Spot {
        Spot {
            pc,
            is_reserve: false,
        }
    }

    #[test]
    fn what_is_made_early_is_so_one_way_only() {
        let pairs = [
            (Pc::Read(Read::Offset), Pc::Read(Read::Consumed)),
            (Pc::Read(Read::EqualConsumed), Pc::Read(Read::EqualProduced)),
            (
                Pc::Consume(Consume::Consumed),
                Pc::Consume(Consume::Produced),
            ),
            (Pc::Consume(Consume::Bytes), Pc::Consume(Consume::Produced)),
            (Pc::Consume(Consume::Bytes), Pc::Consume(Consume::Consumed)),
            (Pc::Consume(Consume::Bytes), Pc::Consume(Consume::Offset)),
            (Pc::Consume(Consume::Over), Pc::Consume(Consume::Produced)),
            (Pc::Consume(Consume::Over), Pc::Consume(Consume::Consumed)),
            (Pc::Bytes(Bytes::PaddingAgain), Pc::Bytes(Bytes::Data)),
            (Pc::Switch(Switch::NewSlot), Pc::Switch(Switch::Data)),
            (Pc::Switch(Switch::ZeroOffset), Pc::Switch(Switch::Data)),
            (Pc::Write(Write::Offset), Pc::Write(Write::Data)),
        ];
        for (late, early) in pairs {
            assert!(spot(late).may_pass(spot(early)), "{late:?} {early:?}");
            assert!(!spot(early).may_pass(spot(late)), "{late:?} {early:?}");
        }
    }

    #[test]
    fn a_store_passes_nothing_else() {
        let add = Spot {
            pc: Pc::Write(Write::Add),
            is_reserve: true,
        };
        let data = spot(Pc::Write(Write::Data));
        assert!(add.may_pass(data) && !data.may_pass(add));
        // A write copies in between.
        assert!(!spot(Pc::Write(Write::Add)).may_pass(data));
        let count = spot(Pc::Switch(Switch::Count));
        for earlier in [Switch::Padding, Switch::OldSlot, Switch::Compare] {
            assert!(!count.may_pass(spot(Pc::Switch(earlier))));
        }
        assert!(
            !spot(Pc::Switch(Switch::ZeroPadding)).may_pass(spot(Pc::Switch(Switch::StoreData)))
        );
        assert!(!spot(Pc::Count(Count::Store)).may_pass(spot(Pc::Count(Count::Consumed))));
        // Nor does anything of one function pass what belongs to another.
        assert!(!spot(Pc::Read(Read::Consumed)).may_pass(spot(Pc::Consume(Consume::Padding))));
    }

    #[test]
    fn one_store_is_stored_over() {
        let zero = spot(Pc::Consume(Consume::Zero));
        assert!(zero.is_stored_over());
        for pc in [
            Pc::Consume(Consume::ZeroEnd),
            Pc::Consume(Consume::Add),
            Pc::Switch(Switch::ZeroPadding),
        ] {
            assert!(!spot(pc).is_stored_over());
        }
    }
}
