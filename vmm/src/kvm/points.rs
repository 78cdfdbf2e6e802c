//! Breakpoints and watchpoints in the CPU's debug registers: nothing in guest memory changes for them.
//!
//! KVM keeps the guest's own debug registers apart; while ours are set, the guest's have no effect.

use super::KvmError;
use crate::debugger::{Access, Halt, Point};

/// Debug registers that hold an address.
const MOST: usize = 4;
/// DR7 with nothing enabled: the bits that always are set, and exact matches, which old CPUs must be asked for.
const DR7_NONE: u64 = 0x600;

/// What is set.
#[derive(Clone, Debug, Default)]
pub(super) struct Points([Option<Point>; MOST]);

impl Points {
    /// Sets one more.
    pub(super) fn set(&mut self, point: Point) -> Result<(), KvmError> {
        let mut free = self.0.iter_mut().filter(|slot| slot.is_none());
        let slot = free.next().ok_or(KvmError::TooManyPoints { most: MOST })?;
        *slot = Some(point);
        Ok(())
    }

    /// Clears one; one that is not set stays so.
    pub(super) fn clear(&mut self, point: Point) {
        for slot in &mut self.0 {
            *slot = slot.take_if(|set| *set != point);
        }
    }

    /// Whether nothing is set.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The debug registers DR0 to DR7 for this.
    pub(super) fn registers(&self) -> [u64; 8] {
        let mut registers = [0; 8];
        let mut dr7 = DR7_NONE;
        for (number, point) in self.0.iter().enumerate() {
            let Some(point) = point else { continue };
            let (address, kind, len) = match *point {
                Point::Code(address) => (address, 0b00, 1),
                Point::Data {
                    address,
                    len,
                    access: Access::Write,
                } => (address, 0b01, len),
                Point::Data {
                    address,
                    len,
                    access: Access::Any,
                } => (address, 0b11, len),
            };
            let len = match len {
                2 => 0b01,
                4 => 0b11,
                8 => 0b10,
                _ => 0b00,
            };
            registers[number] = address;
            dr7 |=
                (0b10 << (2 * number)) | (kind << (16 + 4 * number)) | (len << (18 + 4 * number));
        }
        registers[7] = dr7;
        registers
    }

    /// What DR6 says that vCPU `vcpu` has met. A watchpoint goes first: it has been passed already, the
    /// breakpoint behind it will be met again.
    pub(super) fn met(&self, vcpu: u32, dr6: u64) -> Option<Halt> {
        let met = self.0.iter().enumerate();
        let met = met.filter(|(number, _)| dr6 & (1 << number) != 0);
        let met: Vec<Point> = met.filter_map(|(_, point)| *point).collect();
        let watched = met.iter().find_map(|point| match point {
            Point::Data { address, .. } => Some(Halt::Watch {
                vcpu,
                address: *address,
            }),
            Point::Code(_) => None,
        });
        watched.or((!met.is_empty()).then_some(Halt::Trap { vcpu }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: Point = Point::Data {
        address: 0x2000,
        len: 8,
        access: Access::Write,
    };
    const ANY: Point = Point::Data {
        address: 0x3004,
        len: 4,
        access: Access::Any,
    };

    #[test]
    fn registers_are_those_of_the_manual() {
        let mut points = Points::default();
        assert_eq!(points.registers(), [0, 0, 0, 0, 0, 0, 0, 0x600]);
        points.set(Point::Code(0xffff_ffff_8100_0000)).unwrap();
        points.set(WRITE).unwrap();
        points.set(ANY).unwrap();
        // Lengths and kinds from the top: 4 bytes read or written, 8 bytes written, executed; all three global.
        let dr7 = 0x0f90_0600 | 0b10_1010;
        assert_eq!(
            points.registers(),
            [0xffff_ffff_8100_0000, 0x2000, 0x3004, 0, 0, 0, 0, dr7]
        );
    }

    #[test]
    fn there_are_four_and_a_cleared_one_can_be_set_again() {
        let mut points = Points::default();
        for address in 0..4 {
            points.set(Point::Code(address)).unwrap();
        }
        let error = points.set(WRITE).unwrap_err();
        assert!(
            matches!(error, KvmError::TooManyPoints { most: 4 }),
            "{error}"
        );
        points.clear(Point::Code(2));
        points.set(WRITE).unwrap();
        assert_eq!(points.registers()[2], 0x2000);
        for point in [Point::Code(0), Point::Code(1), Point::Code(3), WRITE] {
            assert!(!points.is_empty());
            points.clear(point);
        }
        assert!(points.is_empty());
    }

    #[test]
    fn what_was_met_is_named() {
        let mut points = Points::default();
        points.set(Point::Code(1)).unwrap();
        points.set(WRITE).unwrap();
        assert_eq!(points.met(1, 0xffff_0ff0), None);
        assert_eq!(points.met(1, 0b1), Some(Halt::Trap { vcpu: 1 }));
        let watch = Halt::Watch {
            vcpu: 1,
            address: 0x2000,
        };
        assert_eq!(points.met(1, 0b11), Some(watch));
        assert_eq!(points.met(1, 0b100), None, "nothing of ours");
    }
}
