//! The QEMU that runs in a nest beside our own backend: no more of it than a plain machine needs.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use relaybed_guest::Qemu;

/// Where its parts lie in the nest.
const PLACE: &str = "/qemu";
/// What machines of the types compared load: firmware, and the code that passes on to a kernel.
const FIRMWARE: [&str; 6] = [
    "bios-256k.bin",
    "bios-microvm.bin",
    "kvmvapic.bin",
    "linuxboot_dma.bin",
    "pvh.bin",
    "qboot.rom",
];

/// A QEMU for the nest.
pub(super) struct GuestQemu {
    /// The command line that starts it there, up to the machine.
    pub(super) words: Vec<String>,
    /// Its files: where they come from, where they go.
    pub(super) files: Vec<(PathBuf, PathBuf)>,
}

/// Finds out what this QEMU needs.
pub(super) fn parts(qemu: &Qemu) -> io::Result<GuestQemu> {
    let place = Path::new(PLACE);
    let (program, loader) = qemu
        .argv0
        .split_last()
        .ok_or_else(|| io::Error::other("there is no QEMU to put into the nest"))?;
    let libraries = libraries(loader, Path::new(program))?;
    let library_dir = place.join("lib");
    let mut files = vec![(PathBuf::from(program), place.join("program"))];
    let mut inside_loader = None;
    for library in libraries {
        let name = library.file_name().unwrap_or_default();
        let to = library_dir.join(name);
        if name.to_string_lossy().starts_with("ld-linux") {
            inside_loader = Some(to.clone());
        }
        files.push((library, to));
    }
    let data = qemu
        .data_dir
        .clone()
        .unwrap_or_else(|| "/usr/share/qemu".into());
    let firmware = FIRMWARE
        .iter()
        .map(|name| (data.join(name), place.join("data").join(name)));
    files.extend(firmware);
    let inside_loader =
        inside_loader.ok_or_else(|| io::Error::other("QEMU has no loader to put into the nest"))?;
    let words = [
        inside_loader,
        "--library-path".into(),
        library_dir,
        place.join("program"),
        "-L".into(),
        place.join("data"),
    ];
    let words = words.map(|word| word.to_string_lossy().into_owned());
    Ok(GuestQemu {
        words: words.into(),
        files,
    })
}

/// The loader and the libraries of a program, as the loader itself lists them; `loader` is how to
/// call it, or nothing for the host's own.
fn libraries(loader: &[OsString], program: &Path) -> io::Result<Vec<PathBuf>> {
    let output = match loader.split_first() {
        Some((loader, options)) => Command::new(loader)
            .args(options)
            .arg("--list")
            .arg(program)
            .output()?,
        None => Command::new("ldd").arg(program).output()?,
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // What is used, not what was asked for: a private root's program asks for the host's loader by name.
    let used = text
        .lines()
        .map(|line| line.split_once("=> ").map_or(line, |(_, used)| used));
    let mut found: Vec<PathBuf> = used
        .filter_map(|line| line.split_ascii_whitespace().next())
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect();
    // The one that was called may not list itself.
    found.extend(loader.first().map(PathBuf::from));
    found.retain(|path| path.exists());
    found.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    found.dedup_by(|later, earlier| later.file_name() == earlier.file_name());
    Ok(found)
}
