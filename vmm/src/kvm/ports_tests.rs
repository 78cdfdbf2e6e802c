//! Ports as a guest sees them.

use super::*;

fn ports() -> Ports {
    ports_of(&PortsState::default()).unwrap()
}

fn ports_of(state: &PortsState) -> Result<Ports, KvmError> {
    let line = || IrqLine(EventFd::new(0).unwrap());
    let wake = Arc::new(Wake::new().unwrap());
    let console = tempfile::tempfile().unwrap();
    Ports::new(console, wake, [line(), line()], state)
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

#[test]
fn registers_survive_an_image_and_too_full_a_buffer_is_refused() {
    let ports = ports();
    // Divisor latch open, 115200 baud; then the scratch register of the doorbell.
    ports.write(CONSOLE + 3, &[0x83]);
    ports.write(CONSOLE, &[1]);
    ports.write(DOORBELL + 7, &[0x5a]);
    let mut state = ports.state();
    let again = ports_of(&state).unwrap();
    let read = |port| {
        let mut data = [0];
        again.read(port, &mut data);
        data[0]
    };
    assert_eq!(
        (read(CONSOLE + 3), read(CONSOLE), read(DOORBELL + 7)),
        (0x83, 1, 0x5a)
    );
    state.doorbell.in_buffer = vec![0; 65];
    let error = ports_of(&state).unwrap_err();
    assert!(error.to_string().contains("make a UART"), "{error}");
}
