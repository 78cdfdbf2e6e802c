//! What QEMU's monitor says of a vCPU's local interrupt controller.

use crate::debugger::Interrupts;

/// Takes the answer to `info lapic`.
pub(super) fn parse(text: &str) -> Option<Interrupts> {
    let requested = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("IRR"))?;
    let left = text
        .split("current_count")
        .nth(1)?
        .trim_start_matches([' ', '=', '\t'])
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()?;
    Some(Interrupts {
        pending: !requested.contains("(none)"),
        timer: Some(left).filter(|left| *left > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: &str = "dumping local APIC state for CPU 1 \n\nLVTT\t 0x000000ec active-hi edge one-shot\n\
        Timer\t DCR=0x3 (divide by 16) initial_count = 148496 current_count = 47194\nISR\t 236 \n\
        IRR\t (none)\n\nAPR 0x01 TPR 0x10 DFR 0x0f LDR 0x02 PPR 0xe0\n";

    #[test]
    fn what_waits_and_how_long_the_timer_runs() {
        let read = |text: &str| parse(text).unwrap();
        let (pending, timer) = (false, Some(47194));
        assert_eq!(read(IDLE), Interrupts { pending, timer });
        let text = IDLE.replace("(none)", "236 251 ").replace("47194", "0");
        let (pending, timer) = (true, None);
        assert_eq!(read(&text), Interrupts { pending, timer });
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "IRR (none)", "No APIC", "IRR 1\ncurrent_count = x"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
