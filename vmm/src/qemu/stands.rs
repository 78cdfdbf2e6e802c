//! Where a vCPU stands, as QEMU's monitor says it: of machines without a debugger too.

use serde_json::json;

use super::QemuError;
use super::backend::Qemu;

impl Qemu {
    /// Address of the next instruction of a vCPU of the stopped machine.
    pub(crate) fn stands_at(&mut self, vcpu: u32) -> Result<u64, QemuError> {
        const COMMAND: &str = "human-monitor-command";
        let line = json!({ "command-line": "info registers", "cpu-index": vcpu });
        let said = self.control.execute_with(COMMAND, &line)?;
        let text = said.as_str().unwrap_or_default();
        instruction_pointer(text).ok_or_else(|| QemuError::Garbled {
            line: text.chars().take(200).collect(),
        })
    }
}

/// Takes the answer to `info registers`.
fn instruction_pointer(text: &str) -> Option<u64> {
    let digits = text.split("RIP=").nth(1)?.split_whitespace().next()?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instruction_pointer_is_found_among_the_registers() {
        let text = "CPU#1\r\nRAX=0000000000000001 RBX=0\r\nR15=0\r\n\
            RIP=ffffffff81a3bd6b RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\r\n";
        assert_eq!(instruction_pointer(text), Some(0xffff_ffff_81a3_bd6b));
        for text in ["", "RIP=", "RIP=xyz RFL=0", "unknown command"] {
            assert_eq!(instruction_pointer(text), None, "{text}");
        }
    }
}
