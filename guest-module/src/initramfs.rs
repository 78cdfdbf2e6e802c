//! The guest's first and only root file system, as the kernel unpacks it.
//!
//! Uncompressed: under emulation the kernel would spend longer on decompressing than it saves on reading.

use std::io;

use cpio::newc::{Builder, ModeFileType, trailer};

/// Folders that the agent mounts on, parents first.
const FOLDERS: [&str; 5] = ["dev", "proc", "sys", "tmp", "run"];

/// The same content always gives the same bytes: order is fixed, times are zero, owners are root.
///
/// # Errors
/// A file is too long for the archive's format.
pub(crate) fn build(agent: &[u8], module: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = Vec::with_capacity(agent.len() + module.len() + 4096);
    let mut inode = 0;
    let mut entry = |name: &str, kind: ModeFileType, mode: u32| {
        inode += 1;
        Builder::new(name)
            .ino(inode)
            .nlink(1)
            .mtime(0)
            .mode(mode)
            .set_mode_file_type(kind)
    };
    for name in FOLDERS {
        archive = entry(name, ModeFileType::Directory, 0o755)
            .nlink(2)
            .write(archive, 0)
            .finish()?;
    }
    // The kernel opens it as the agent's standard streams before anything is mounted.
    let console = entry("dev/console", ModeFileType::Char, 0o600)
        .rdev_major(5)
        .rdev_minor(1);
    archive = console.write(archive, 0).finish()?;
    for (name, mode, content) in [("init", 0o755, agent), ("relaybed.ko", 0o644, module)] {
        let too_long =
            |_| io::Error::new(io::ErrorKind::FileTooLarge, format!("{name} is over 4 GiB"));
        let size = u32::try_from(content.len()).map_err(too_long)?;
        let mut file = entry(name, ModeFileType::Regular, mode).write(archive, size);
        io::Write::write_all(&mut file, content)?;
        archive = file.finish()?;
    }
    trailer(archive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Name, mode, device number, content.
    type Entry = (String, u32, (u32, u32), Vec<u8>);

    /// Reads an archive by the format's definition: 110 bytes of magic and hex fields, name, data, each padded.
    fn parse(archive: &[u8]) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut at = 0;
        loop {
            assert_eq!(&archive[at..at + 6], b"070701");
            let field = |index: usize| {
                let start = at + 6 + 8 * index;
                let text = std::str::from_utf8(&archive[start..start + 8]).unwrap();
                u32::from_str_radix(text, 16).unwrap()
            };
            let (mode, mtime, size) = (field(1), field(5), field(6) as usize);
            let (rdev, name_size) = ((field(9), field(10)), field(11) as usize);
            assert_eq!(mtime, 0);
            let name = &archive[at + 110..at + 110 + name_size - 1];
            let name = String::from_utf8(name.to_vec()).unwrap();
            let data = (at + 110 + name_size).next_multiple_of(4);
            if name == "TRAILER!!!" {
                return entries;
            }
            entries.push((name, mode, rdev, archive[data..data + size].to_vec()));
            at = (data + size).next_multiple_of(4);
        }
    }

    #[test]
    fn the_agent_finds_what_it_needs() {
        let entries = parse(&build(b"agent", b"module!").unwrap());
        let find = |name: &str| entries.iter().find(|entry| entry.0 == name).unwrap();
        assert_eq!(
            find("init"),
            &("init".into(), 0o100_755, (0, 0), b"agent".to_vec())
        );
        assert_eq!(find("relaybed.ko").3, b"module!");
        assert_eq!(find("dev/console").1, 0o020_600);
        assert_eq!(find("dev/console").2, (5, 1));
        for folder in FOLDERS {
            assert_eq!(find(folder).1, 0o040_755);
        }
    }

    #[test]
    fn parents_come_first() {
        let names: Vec<String> = parse(&build(b"", b"").unwrap())
            .into_iter()
            .map(|e| e.0)
            .collect();
        let dev = names.iter().position(|name| name == "dev");
        assert!(dev < names.iter().position(|name| name == "dev/console"));
    }

    proptest! {
        #[test]
        fn any_content_comes_back(
            agent in prop::collection::vec(any::<u8>(), 0..64),
            module in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let archive = build(&agent, &module).unwrap();
            prop_assert_eq!(&build(&agent, &module).unwrap(), &archive);
            let entries = parse(&archive);
            let content = |name: &str| entries.iter().find(|e| e.0 == name).unwrap().3.clone();
            prop_assert_eq!(content("init"), agent);
            prop_assert_eq!(content("relaybed.ko"), module);
        }
    }
}
