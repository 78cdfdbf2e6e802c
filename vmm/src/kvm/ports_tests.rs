//! Ports as a guest sees them.

use super::*;

fn ports() -> Ports {
    let line = || IrqLine(EventFd::new(0).unwrap());
    let wake = Arc::new(Wake::new().unwrap());
    Ports::new(tempfile::tempfile().unwrap(), wake, line(), line())
}

#[test]
fn both_uarts_say_that_they_can_send() {
    for base in [CONSOLE, DOORBELL] {
        let mut status = [0];
        ports().read(base + 5, &mut status);
        assert_eq!(status[0] & 0x20, 0x20);
    }
}

#[test]
fn string_output_rings_each_byte() {
    let ports = ports();
    assert_eq!(ports.write(DOORBELL, b"ab"), (Reason::Doorbell, None));
    assert_eq!(ports.take_bell(), Some(b'a'));
    assert_eq!(ports.take_bell(), Some(b'b'));
    assert_eq!(ports.take_bell(), None);
}

#[test]
fn only_the_right_words_reset() {
    let ports = ports();
    for (port, byte) in [
        (KEYBOARD, 0xd1),
        (RESET_CONTROL, 2),
        (0x92, 0xff),
        (DELAY, 0xfe),
    ] {
        assert_eq!(ports.write(port, &[byte]).1, None, "{port:#x}");
    }
    assert_eq!(ports.write(KEYBOARD, &[KEYBOARD_RESET]).1, Some(End::Reset));
    assert_eq!(ports.write(RESET_CONTROL, &[0xe]).1, Some(End::Reset));
}

#[test]
fn every_access_everywhere_is_answered() {
    let ports = ports();
    for port in 0..=u16::MAX {
        let mut data = [0; 4];
        let reason = ports.read(port, &mut data);
        if !matches!(reason, Reason::Console | Reason::Doorbell) {
            assert_eq!(data, [EMPTY; 4], "{port:#x}");
        }
        ports.write(port, &[0; 4]);
    }
}
