//! PID 1 of the nest: makes KVM ready, runs the command, says what it said, and what it kept.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use rustix::mount::{MountFlags, mount};
use rustix::system::RebootCommand;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::{ARGUMENTS, CACHE, END, EVIDENCE, MODULES, PROGRAM, parity};

/// What is mounted, and of which type.
const MOUNTS: [(&str, &str); 5] = [
    ("/dev", "devtmpfs"),
    ("/proc", "proc"),
    ("/sys", "sysfs"),
    ("/tmp", "tmpfs"),
    (EVIDENCE, "tmpfs"),
];

/// Does everything and switches the machine off; without return, as PID 1 must not end.
///
/// # Errors
/// Only what keeps the machine from being switched off.
pub fn main() -> io::Result<ExitCode> {
    if let Err(error) = run() {
        // The console, where the host's test shows it.
        let _ = writeln!(io::stderr(), "nest: {error}");
    }
    rustix::system::reboot(RebootCommand::PowerOff)?;
    Ok(ExitCode::FAILURE)
}

fn run() -> io::Result<()> {
    for (place, kind) in MOUNTS {
        fs::create_dir_all(place)?;
        mount(kind, place, kind, MountFlags::empty(), None)?;
    }
    load_modules()?;
    let mut bell = doorbell()?;
    let code = converse(&mut bell)?;
    for line in parity::describe(Path::new(EVIDENCE))? {
        writeln!(bell, "{line}")?;
    }
    bell.write_all(&[END])?;
    writeln!(bell, "{code}")?;
    Ok(())
}

/// Runs the command, passes on what it says, errors and panics in their places, and gives its exit code.
fn converse(bell: &mut File) -> io::Result<i32> {
    let (said, end) = io::pipe()?;
    let mut command = command()?;
    command.stdout(end.try_clone()?).stderr(end);
    let mut child = command.spawn()?;
    // It holds the pipe's other end, which nobody but the child may have.
    drop(command);
    for line in BufReader::new(said).lines() {
        writeln!(bell, "{}", line?)?;
    }
    Ok(child.wait()?.code().unwrap_or(-1))
}

/// What is to be run: this very program by another name, if there is no other.
fn command() -> io::Result<Command> {
    let other = Path::new(PROGRAM).exists();
    let mut command = Command::new(if other { PROGRAM } else { "/proc/self/exe" });
    let arguments = fs::read_to_string(ARGUMENTS)?;
    command.args(arguments.lines());
    command
        .env_clear()
        .env("RELAYBED_CACHE", CACHE)
        .env("TMPDIR", "/tmp");
    command.stdin(Stdio::null());
    Ok(command)
}

/// Loads what lies in the modules' folder, by the order of names.
fn load_modules() -> io::Result<()> {
    let mut paths = fs::read_dir(MODULES)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let module = File::open(&path)?;
        rustix::system::finit_module(&module, c"", 0)
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
    }
    Ok(())
}

/// The doorbell's port, told to pass bytes on as they are.
fn doorbell() -> io::Result<File> {
    let port = File::options().write(true).read(true).open("/dev/ttyS1")?;
    let mut settings = tcgetattr(&port)?;
    settings.make_raw();
    tcsetattr(&port, OptionalActions::Now, &settings)?;
    Ok(port)
}
