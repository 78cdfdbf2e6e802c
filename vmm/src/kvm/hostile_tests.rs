//! Guests that mean harm: whatever they do to ports and memory, the machine says how it ended, and can
//! be stopped and ended at any time. They run on whatever KVM there is, and are skipped where it does not open.

use super::tests::{Guest, guest};
use super::*;
use crate::address::{HIGH_RAM_START, LEGACY_HOLE_START, MIB};

/// Programs tried.
const PROGRAMS: u64 = 16;
/// Accesses of a program.
const ACCESSES: usize = 300;
/// How long one may take; those that end do so in some milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Numbers from a seed, by a linear congruence (Knuth's MMIX), of which the upper half is used.
struct Random(u64);

impl Random {
    fn bytes(&mut self) -> [u8; 4] {
        let (factor, term) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        self.0 = self.0.wrapping_mul(factor).wrapping_add(term);
        let [.., a, b, c, d] = self.0.to_le_bytes();
        [a, b, c, d]
    }

    /// A number below `end`.
    fn below(&mut self, end: u32) -> u32 {
        u32::from_le_bytes(self.bytes()) % end
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let all_len = u32::try_from(all.len()).unwrap();
        &all[usize::try_from(self.below(all_len)).unwrap()]
    }

    /// A port: half of them have something behind them, here or in the kernel.
    fn port(&mut self) -> [u8; 2] {
        let devices = [
            0x20..=0x21,
            0x40..=0x43,
            0x60..=0x64,
            0x70..=0x71,
            0x80..=0x80,
            0xa0..=0xa1,
            0x2f8..=0x2ff,
            0x3f8..=0x3ff,
            0x4d0..=0x4d1,
            0xcf8..=0xcff_u16,
        ];
        let [a, b, is_any, _] = self.bytes();
        let any = u16::from_le_bytes([a, b]);
        let device = self.one_of(&devices);
        let port = match is_any % 2 {
            0 => any,
            _ => device.start() + any % (device.end() - device.start() + 1),
        };
        port.to_le_bytes()
    }

    /// An address that is not RAM of the guest's own use: devices, holes, what is above RAM.
    fn address(&mut self) -> [u8; 4] {
        let places = [
            LEGACY_HOLE_START,
            64 * MIB - 2,
            layout::IO_APIC,
            layout::LOCAL_APIC,
            layout::IDENTITY_MAP_PAGE,
            HIGH_RAM_START - 0x1000,
        ];
        let behind_ram = u32::try_from(64 * MIB).unwrap();
        let far = behind_ram + self.below(u32::MAX - behind_ram - 4);
        let place = u32::try_from(*self.one_of(&places)).unwrap();
        let address = match self.below(3) {
            0 => far,
            _ => place + self.below(0xffc),
        };
        address.to_le_bytes()
    }

    /// Code for one access.
    fn access(&mut self) -> Vec<u8> {
        let (port, address) = (self.port(), self.address());
        let [a, b, c, d] = self.bytes();
        let count = [a, 0];
        // mov dx, port
        let to_port = |code: &[u8]| [&[0xba][..], &port, code].concat();
        let to_memory = |code: &[u8]| [code, &address].concat();
        match self.below(15) {
            // in al, dx; in ax, dx; in eax, dx
            0 => to_port(&[0xec]),
            1 => to_port(&[0xed]),
            2 => to_port(&[0x66, 0xed]),
            // mov al, imm; out dx, al, and so on
            3 => to_port(&[0xb0, b, 0xee]),
            4 => to_port(&[0xb8, b, c, 0xef]),
            5 => to_port(&[0x66, 0xb8, a, b, c, d, 0x66, 0xef]),
            // mov si, 0x8000; mov cx, count; rep outsb / outsw / outsd
            6..9 => {
                let size = *self.one_of(&[&[0x6e][..], &[0x6f], &[0x66, 0x6f]]);
                let how = [&[0xbe, 0x00, 0x80, 0xb9][..], &count, &[0xf3], size];
                to_port(&how.concat())
            }
            // mov di, 0x5000; mov cx, count; rep insb
            9 => to_port(&[&[0xbf, 0x00, 0x50, 0xb9][..], &count, &[0xf3, 0x6c]].concat()),
            // mov al / ax / eax, [address] and back
            10 => to_memory(&[0x67, 0xa0]),
            11 => to_memory(&[0x66, 0x67, 0xa1]),
            12 => to_memory(&[0x67, 0xa2]),
            13 => to_memory(&[0x67, 0xa3]),
            _ => to_memory(&[0x66, 0x67, 0xa3]),
        }
    }

    fn program(&mut self) -> Vec<u8> {
        let mut code: Vec<u8> = (0..ACCESSES).flat_map(|_| self.access()).collect();
        code.push(0xf4);
        code
    }
}

/// Runs for [`PATIENCE`] at most, then ends the machine.
fn run(guest: &mut Guest) -> Option<Exit> {
    guest.kvm.resume();
    let until = Instant::now() + PATIENCE;
    let mut exit = None;
    while exit.is_none() && Instant::now() < until {
        exit = guest.kvm.wait(PATIENCE, None, &guest.ram).unwrap();
    }
    if exit.is_none() {
        exit = guest.kvm.stop(&guest.ram).unwrap();
    }
    guest.kvm.end().unwrap();
    exit
}

#[test]
fn any_access_to_ports_and_memory_leaves_the_machine_in_hand() {
    let (mut ended, mut exits) = (0, 0);
    for seed in 0..PROGRAMS {
        let code = Random(seed).program();
        assert!(code.len() < 0x7000, "it overwrites itself");
        let Some(mut guest) = guest(2, &code) else {
            return;
        };
        let exit = run(&mut guest);
        println!("program {seed}: {exit:?}, {}", guest.kvm.exit_counts());
        // One that makes its own vCPU wait for ever has no end of its own.
        ended += u64::from(exit.is_some());
        exits += guest.kvm.exit_counts().total();
        // No more came out than the program can have written.
        let most = ACCESSES * 4 * 256;
        assert!(guest.console.metadata().unwrap().len() <= most as u64);
        assert!(std::iter::from_fn(|| guest.kvm.take_bell()).count() <= most);
    }
    assert!(ended > PROGRAMS / 2, "only {ended} ended by themselves");
    assert!(exits > PROGRAMS * 20, "only {exits} exits");
}

#[test]
fn a_console_that_is_written_to_without_end_does_not_keep_the_machine() {
    // mov dx, 0x3f8; again: mov si, 0x8000; mov cx, 0x1000; rep outsb; jmp again
    let code = b"\xba\xf8\x03\xbe\x00\x80\xb9\x00\x10\xf3\x6e\xeb\xf6";
    let Some(mut guest) = guest(1, code) else {
        return;
    };
    guest.kvm.resume();
    // Each byte is an exit, on a machine that may have no core of its own: what counts is that it continues.
    let (mut grown, mut came) = (Instant::now(), 0);
    while came < 0x4000 {
        let len = guest.console.metadata().unwrap().len();
        if len > came {
            (grown, came) = (Instant::now(), len);
        }
        assert!(
            grown.elapsed() < PATIENCE,
            "nothing more comes out than {came} bytes"
        );
        let exit = guest.kvm.wait(Duration::from_millis(10), None, &guest.ram);
        assert_eq!(exit.unwrap(), None);
    }
    guest.kvm.stop(&guest.ram).unwrap();
    let stands = guest.console.metadata().unwrap().len();
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(guest.console.metadata().unwrap().len(), stands);
    guest.kvm.end().unwrap();
}
