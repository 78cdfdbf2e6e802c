//! The QEMU command line, as a pure function of the spec and the descriptors handed over.

use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::{io, path};

use crate::spec::{Accel, Clock, MachineSpec};

/// Descriptors that QEMU inherits. No socket and no RAM file has a name in any file system.
#[derive(Clone, Copy, Debug)]
pub(super) struct InheritedFds {
    /// The memory file.
    pub(super) ram: RawFd,
    /// QEMU's end of the control socket.
    pub(super) qmp: RawFd,
    /// QEMU's end of the doorbell socket.
    pub(super) bell: RawFd,
    /// QEMU's end of the debugger's socket, if there is to be one.
    pub(super) gdb: Option<RawFd>,
    /// The state to start from, for a fork of an image.
    pub(super) state: Option<RawFd>,
}

impl InheritedFds {
    pub(super) fn all(self) -> Vec<RawFd> {
        let mut all = vec![self.ram, self.qmp, self.bell];
        all.extend(self.gdb);
        all.extend(self.state);
        all
    }
}

/// Everything after the program itself. With a state to start from, the machine waits to be told
/// to load it.
pub(super) fn arguments(spec: &MachineSpec, fds: InheritedFds) -> Vec<OsString> {
    let mut args = Args(spec.qemu.sandbox.clone());
    if let Some(dir) = &spec.qemu.data_dir {
        args.pair("-L", dir);
    }
    // Nothing but what is named here: no configuration file, no default devices, no display.
    args.flags(&[
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-vga",
        "none",
    ]);
    // A reset ends the machine, and its end stops it rather than QEMU, so that the event that
    // names it cannot be lost with the process.
    args.pair("-action", "reboot=shutdown,shutdown=pause");
    // The only trace of a triple fault: QEMU logs it when it resets the vCPU.
    let traces = if spec.listed.is_empty() {
        "cpu_reset"
    } else {
        "cpu_reset,in_asm,nochain"
    };
    args.pair("-d", traces);
    if !spec.listed.is_empty() {
        args.pair("-dfilter", filter(&spec.listed));
    }

    // A PVH kernel needs no BIOS; this firmware only passes on to it, and is in QEMU's own data
    // folder where distributions keep the full BIOS elsewhere.
    args.pair("-bios", "qboot.rom");
    args.pair(
        "-machine",
        "q35,memory-backend=ram,vmport=off,smm=off,usb=off",
    );
    match spec.accel {
        Accel::Tcg => args.pair("-accel", tcg(spec.clock)).pair("-cpu", "max"),
        Accel::Kvm => args.pair("-accel", "kvm").pair("-cpu", "host"),
    };
    if spec.clock == Clock::Instructions {
        // Nothing of the host's time, date or randomness is left in the machine.
        args.pair("-icount", "shift=0,sleep=off")
            .pair("-rtc", "base=2020-01-01,clock=vm")
            .pair("-seed", "1");
    }
    args.pair("-smp", spec.vcpus.to_string());
    args.pair("-m", format!("{}M", spec.memory_mib));
    args.pair(
        "-object",
        format!(
            "memory-backend-file,id=ram,size={}M,mem-path=/proc/self/fd/{},share=on",
            spec.memory_mib, fds.ram
        ),
    );

    args.pair("-kernel", &spec.kernel)
        .pair("-initrd", &spec.initramfs);
    args.pair("-append", crate::cmdline::kernel_cmdline(spec));

    let mut console = OsString::from("file,id=console,path=");
    console.push(escape_commas(spec.console_path().as_os_str()));
    args.pair("-chardev", console)
        .pair("-serial", "chardev:console");
    args.pair("-chardev", format!("socket,id=bell,fd={}", fds.bell))
        .pair("-serial", "chardev:bell");
    args.pair("-chardev", format!("socket,id=qmp,fd={}", fds.qmp))
        .pair("-qmp", "chardev:qmp");
    if let Some(gdb) = fds.gdb {
        args.pair("-chardev", format!("socket,id=gdb,fd={gdb}"))
            .pair("-gdb", "chardev:gdb");
    }
    // The debugger can be talked to only while the machine is stopped.
    if fds.gdb.is_some() || fds.state.is_some() {
        args.flags(&["-S"]);
    }
    if fds.state.is_some() {
        args.pair("-incoming", "defer");
    }
    args.0
}

/// Ranges as QEMU takes them: its `..` includes the last address.
fn filter(ranges: &[Range<u64>]) -> String {
    let of = |range: &Range<u64>| format!("{:#x}..{:#x}", range.start, range.end.saturating_sub(1));
    ranges.iter().map(of).collect::<Vec<_>>().join(",")
}

/// The same spec with every path from the root, for a QEMU that runs in another folder than we do.
pub(super) fn absolute(spec: &MachineSpec) -> io::Result<MachineSpec> {
    let mut spec = spec.clone();
    for path in [&mut spec.kernel, &mut spec.initramfs, &mut spec.dir] {
        *path = path::absolute(&*path)?;
    }
    if let Some(dir) = &mut spec.qemu.data_dir {
        *dir = path::absolute(&*dir)?;
    }
    // A program without a slash is looked for in PATH.
    if let Some(program) = spec.qemu.argv0.first_mut()
        && program.as_bytes().contains(&b'/')
    {
        *program = path::absolute(&*program)?.into_os_string();
    }
    Ok(spec)
}

fn tcg(clock: Clock) -> &'static str {
    match clock {
        Clock::Host => "tcg,thread=multi",
        Clock::Instructions => "tcg,thread=single",
    }
}

struct Args(Vec<OsString>);

impl Args {
    fn flags(&mut self, flags: &[&str]) -> &mut Self {
        self.0.extend(flags.iter().map(OsString::from));
        self
    }

    fn pair(&mut self, option: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.0
            .extend([OsString::from(option), value.as_ref().to_owned()]);
        self
    }
}

/// In QEMU's option lists a comma ends a value unless doubled.
fn escape_commas(value: &OsStr) -> OsString {
    let mut escaped = Vec::with_capacity(value.len());
    for &byte in value.as_bytes() {
        escaped.push(byte);
        if byte == b',' {
            escaped.push(byte);
        }
    }
    OsString::from_vec(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::QemuProgram;

    fn spec() -> MachineSpec {
        MachineSpec::new(
            "/k/vmlinux".into(),
            "/k/initramfs".into(),
            QemuProgram::from_path(),
            "/evidence/a,b".into(),
        )
    }

    fn lines(spec: &MachineSpec) -> Vec<String> {
        lines_of(spec, None)
    }

    fn lines_of(spec: &MachineSpec, state: Option<RawFd>) -> Vec<String> {
        let fds = InheritedFds {
            ram: 7,
            qmp: 8,
            bell: 9,
            gdb: spec.debug.then_some(11),
            state,
        };
        let args = arguments(spec, fds);
        let mut lines: Vec<String> = Vec::new();
        for arg in args.into_iter().map(|a| a.into_string().unwrap()) {
            match lines.last_mut() {
                Some(last) if !arg.starts_with('-') => *last = format!("{last} {arg}"),
                _ => lines.push(arg),
            }
        }
        lines
    }

    #[test]
    fn the_whole_command_line() {
        let expected = format!(
            "-nodefaults\n-no-user-config\n-display none\n-vga none\n\
             -action reboot=shutdown,shutdown=pause\n-d cpu_reset\n\
             -bios qboot.rom\n\
             -machine q35,memory-backend=ram,vmport=off,smm=off,usb=off\n\
             -accel tcg,thread=multi\n-cpu max\n-smp 2\n-m 256M\n\
             -object memory-backend-file,id=ram,size=256M,mem-path=/proc/self/fd/7,share=on\n\
             -kernel /k/vmlinux\n-initrd /k/initramfs\n-append {}\n\
             -chardev file,id=console,path=/evidence/a,,b/console.log\n-serial chardev:console\n\
             -chardev socket,id=bell,fd=9\n-serial chardev:bell\n\
             -chardev socket,id=qmp,fd=8\n-qmp chardev:qmp",
            crate::cmdline::DEFAULT
        );
        assert_eq!(lines(&spec()).join("\n"), expected);
    }

    #[test]
    fn a_spec_holds_in_any_folder() {
        let here = std::env::current_dir().unwrap();
        let mut spec = spec();
        spec.kernel = "k/vmlinux".into();
        spec.qemu.data_dir = Some("data".into());
        let found = absolute(&spec).unwrap();
        assert_eq!(found.kernel, here.join("k/vmlinux"));
        assert_eq!(found.initramfs, spec.initramfs);
        assert_eq!(found.qemu.data_dir, Some(here.join("data")));
        for (given, expected) in [
            ("qemu", "qemu".into()),
            ("./qemu", here.join("qemu")),
            ("/a/qemu", "/a/qemu".into()),
        ] {
            spec.qemu.argv0 = vec![given.into(), "-x".into()];
            let program = absolute(&spec).unwrap().qemu.argv0;
            assert_eq!(program, [expected.into_os_string(), "-x".into()]);
        }
    }

    #[test]
    fn a_fork_is_the_same_machine_waiting_for_its_state() {
        let (boot, fork) = (lines(&spec()), lines_of(&spec(), Some(10)));
        assert_eq!(fork[..boot.len()], boot);
        assert_eq!(fork[boot.len()..], ["-S", "-incoming defer"]);
    }

    #[test]
    fn an_instruction_clock_and_a_debugger() {
        let mut spec = spec();
        (spec.clock, spec.debug) = (Clock::Instructions, true);
        let lines = lines(&spec);
        for expected in [
            "-accel tcg,thread=single",
            "-icount shift=0,sleep=off",
            "-rtc base=2020-01-01,clock=vm",
            "-seed 1",
            "-chardev socket,id=gdb,fd=11",
            "-gdb chardev:gdb",
        ] {
            assert!(
                lines.iter().any(|l| l == expected),
                "{expected} in {lines:?}"
            );
        }
    }

    #[test]
    fn the_sandbox_comes_first() {
        let mut spec = spec();
        spec.qemu.sandbox = ["-sandbox", "on"].map(OsString::from).to_vec();
        assert_eq!(lines(&spec)[0], "-sandbox on");
    }

    #[test]
    fn code_that_is_listed_when_it_is_translated() {
        let mut spec = spec();
        spec.listed = vec![0x1000..0x2000, 0x8000..0x8010];
        let lines = lines(&spec);
        for expected in [
            "-d cpu_reset,in_asm,nochain",
            "-dfilter 0x1000..0x1fff,0x8000..0x800f",
        ] {
            assert!(lines.iter().any(|l| l == expected), "{lines:?}");
        }
    }

    #[test]
    fn what_the_spec_changes() {
        let mut spec = spec();
        spec.accel = Accel::Kvm;
        spec.vcpus = 5;
        spec.memory_mib = 4096;
        spec.qemu.data_dir = Some("/data".into());
        spec.cmdline_extra = " lockdep=1 ".into();
        let lines = lines(&spec);
        for expected in ["-accel kvm", "-cpu host", "-smp 5", "-m 4096M", "-L /data"] {
            assert!(
                lines.iter().any(|l| l == expected),
                "{expected} in {lines:?}"
            );
        }
        assert!(
            lines
                .iter()
                .any(|l| l.starts_with("-append ") && l.ends_with(" lockdep=1"))
        );
    }
}
