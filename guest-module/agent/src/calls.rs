//! System calls on channel buffer files that take no bytes out of them.

use relaybed_abi::{
    Access, Op, RB_CHAN_ROOT, RB_OP_HIDDEN, RB_OP_PRIVATE, RB_OP_WRITABLE, Stat as AbiStat,
};
use rustix::fs::{Dir, Mode, OFlags, SeekFrom, Stat, fstat, ftruncate, open, seek, stat};
use rustix::io::{Errno, write};
use zerocopy::IntoBytes;

use crate::actor::UserActor;
use crate::files::Wish;
use crate::ops::Outcome;

/// Where debugfs shows the channels of the module.
const CHANNELS: &str = "/sys/kernel/debug/relaybed";

/// Where files lie whose channel was given no parent directory.
const DEBUGFS: &str = "/sys/kernel/debug";

impl UserActor {
    /// Opens a channel buffer's file.
    pub(crate) fn open(&self, op: &Op) -> Result<Outcome, Errno> {
        let access = match Access::try_from(op.arg1) {
            Ok(Access::Read) => OFlags::RDONLY,
            Ok(Access::Write) => OFlags::WRONLY,
            Ok(Access::Both) => OFlags::RDWR,
            Err(_) => return Err(Errno::INVAL),
        };
        let path = self.file_path(op)?;
        let file = open(path, access | OFlags::CLOEXEC, Mode::empty())?;
        self.files.put(op.file, file)?;
        Ok(Outcome::value(1))
    }

    /// `lseek()` of any kind.
    pub(crate) fn seek(&self, op: &Op) -> Result<Outcome, Errno> {
        let file = self.files.get(op.file)?;
        let offset = op.len64.cast_signed();
        let place = match op.arg0 {
            0 => SeekFrom::Start(op.len64),
            1 => SeekFrom::Current(offset),
            2 => SeekFrom::End(offset),
            3 => SeekFrom::Data(op.len64),
            4 => SeekFrom::Hole(op.len64),
            _ => return Err(Errno::INVAL),
        };
        seek(&*file, place).map(Outcome::value)
    }

    /// Maps the file and keeps the mapping.
    pub(crate) fn map(&self, op: &Op) -> Result<Outcome, Errno> {
        let wish = Wish {
            bytes: usize::try_from(op.len64).map_err(|_| Errno::INVAL)?,
            offset: u64::from(op.arg1) << 32 | u64::from(op.arg0),
            writable: op.flags & RB_OP_WRITABLE != 0,
            private: op.flags & RB_OP_PRIVATE != 0,
            hidden: op.flags & RB_OP_HIDDEN != 0,
        };
        self.files.map(op.file, wish).map(|()| Outcome::value(1))
    }

    /// Takes the mapping away, or all but its beginning.
    pub(crate) fn unmap(&self, op: &Op) -> Result<Outcome, Errno> {
        let gone = match op.len64 {
            0 => self.files.unmap(op.file),
            kept => self.files.keep(op.file, kept),
        };
        gone.map(|()| Outcome::default())
    }

    /// Gives the mapping another length.
    pub(crate) fn remap(&self, op: &Op) -> Result<Outcome, Errno> {
        let remapped = self.files.remap(op.file, op.len64);
        remapped.map(|()| Outcome::default())
    }

    /// Copies the mapping to the data area.
    pub(crate) fn copy(&self, op: &Op) -> Result<Outcome, Errno> {
        let bytes = self.files.mapping(op.file)?.copy()?;
        Ok(self.give(bytes.len() as u64, &bytes))
    }

    /// Writes the operation's literal bytes through the mapping.
    pub(crate) fn store(&self, op: &Op) -> Result<Outcome, Errno> {
        let bytes = self.mailbox.blob(op.blob, op.len_min).ok_or(Errno::INVAL)?;
        self.files.mapping(op.file)?.store(op.len64, &bytes)?;
        Ok(Outcome::value(bytes.len() as u64))
    }

    /// `write()`: relay must refuse it.
    pub(crate) fn write(&self, op: &Op) -> Result<Outcome, Errno> {
        let file = self.files.get(op.file)?;
        let bytes = vec![0; op.arg0 as usize];
        write(&*file, &bytes).map(|n| Outcome::value(n as u64))
    }

    /// `ftruncate()`.
    pub(crate) fn truncate(&self, op: &Op) -> Result<Outcome, Errno> {
        let file = self.files.get(op.file)?;
        ftruncate(&*file, op.len64).map(|()| Outcome::default())
    }

    /// `fstat()` of the descriptor.
    pub(crate) fn stat_file(&self, op: &Op) -> Result<Outcome, Errno> {
        let seen = fstat(&*self.files.get(op.file)?)?;
        Ok(self.give_stat(&seen))
    }

    /// `stat()` of a channel buffer's file by its path.
    pub(crate) fn stat_path(&self, op: &Op) -> Result<Outcome, Errno> {
        let seen = stat(self.file_path(op)?)?;
        Ok(self.give_stat(&seen))
    }

    /// The names in the channel's directory, sorted; where that is not the channel's own, those that
    /// begin with its base filename.
    pub(crate) fn list(&self, op: &Op) -> Result<Outcome, Errno> {
        let (folder, base) = self.folder(op)?;
        let own = base.is_empty() || folder != DEBUGFS;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(folder, flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." && (own || name.starts_with(&base)) {
                names.push(name);
            }
        }
        names.sort();
        let mut lines = Vec::new();
        for name in &names {
            lines.extend_from_slice(name);
            lines.push(b'\n');
        }
        Ok(self.give(names.len() as u64, &lines))
    }

    fn give_stat(&self, seen: &Stat) -> Outcome {
        let told = AbiStat {
            size: seen.st_size.cast_unsigned(),
            mode: seen.st_mode,
            nlink: u32::try_from(seen.st_nlink).unwrap_or(u32::MAX),
            uid: seen.st_uid,
            gid: seen.st_gid,
        };
        self.give(told.size, told.as_bytes())
    }

    /// A value, and bytes in the data area.
    pub(crate) fn give(&self, value: u64, bytes: &[u8]) -> Outcome {
        let (data_offset, data_bytes) = self.mailbox.append(bytes);
        Outcome {
            value,
            error: 0,
            data_offset,
            data_bytes,
        }
    }

    /// The directory of the operation's channel, and its base filename.
    fn folder(&self, op: &Op) -> Result<(String, Vec<u8>), Errno> {
        let spec = self.request.channels.get(usize::from(op.channel));
        let spec = spec.ok_or(Errno::CHRNG)?;
        let base = spec.base.iter().take_while(|byte| **byte != 0).copied();
        let folder = match spec.flags & RB_CHAN_ROOT {
            0 => format!("{CHANNELS}/ch{}", op.channel),
            _ => DEBUGFS.to_owned(),
        };
        Ok((folder, base.collect()))
    }

    /// Where the file of CPU `arg0` of the operation's channel is.
    fn file_path(&self, op: &Op) -> Result<Vec<u8>, Errno> {
        let (folder, base) = self.folder(op)?;
        let mut path = folder.into_bytes();
        path.push(b'/');
        path.extend(base);
        path.extend(op.arg0.to_string().bytes());
        Ok(path)
    }
}
