//! A directory in which files appear whole or not at all.
//!
//! All is done relative to one descriptor of the directory, so that nobody can exchange it in between, and no symbolic
//! link in the way is followed: under sudo the directory may be another user's.

use super::sudo::caller_of_sudo;
use super::{Error, NewFile};
use nix::unistd::{Gid, Uid};
use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::fs::{flock, fstat, mkdirat, openat, renameat, renameat_with, statat, unlinkat};
use rustix::io::Errno;
use std::cell::RefCell;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::fchown;
use std::path::{Path, PathBuf};

/// An open directory that receives files.
///
/// They get their names all together, by [`commit`](Self::commit). Dropped without that, it leaves nothing behind.
#[derive(Debug)]
pub struct Folder {
    pub(super) dir: OwnedFd,
    path: PathBuf,
    owner: Option<(Uid, Gid)>,
    /// Whether it was made here.
    pub(super) created: bool,
    /// The files that are written and wait for their names.
    pub(super) finished: RefCell<Vec<String>>,
    sharing: Sharing,
    /// What says to others that the folder is in use.
    hold: Option<File>,
}

/// Who else may write into a folder at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// Nobody: it is locked. What was left unfinished there is ours.
    Locked,
    /// Anybody. With `force` files are replaced.
    Shared { force: bool },
}

impl Folder {
    /// Makes the directory, or takes one that is there. Under sudo what is made belongs to the calling user, where the
    /// filesystem lets it.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let path = without_slashes(path);
        match mkdirat(CWD, &path, Mode::from_raw_mode(0o755)) {
            Ok(()) => Self::take(path, true),
            Err(Errno::EXIST) => Self::take(path, false),
            Err(errno) => Err(Error::Io { verb: "create the directory", path, cause: errno.into() }),
        }
    }

    /// Makes a directory of this name, or with a number behind it if that is taken.
    pub fn create_new(path: &Path) -> Result<Self, Error> {
        let mut name = path.to_owned();
        for number in 2.. {
            match mkdirat(CWD, &name, Mode::from_raw_mode(0o755)) {
                Ok(()) => break,
                Err(Errno::EXIST) => name = PathBuf::from(format!("{}-{number}", path.display())),
                Err(errno) => return Err(Error::Io { verb: "create the directory", path: name, cause: errno.into() }),
            }
        }
        Self::take(name, true)
    }

    /// Takes a directory that is there.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::take(without_slashes(path), false)
    }

    fn take(path: PathBuf, created: bool) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = match openat(CWD, &path, flags, Mode::empty()) {
            Ok(dir) => dir,
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let kind = kind_of(CWD, &path);
                return Err(if kind == Some(FileType::Symlink) {
                    Error::SymbolicLink(path)
                } else {
                    Error::NotADirectory(path)
                });
            }
            Err(errno) => return Err(Error::Io { verb: "open the directory", path, cause: errno.into() }),
        };
        let (finished, sharing) = (RefCell::default(), Sharing::Locked);
        let folder = Folder { dir, path, owner: caller_of_sudo(), created, finished, sharing, hold: None };
        if created {
            folder.give_to_owner(&folder.dir);
        }
        Ok(folder)
    }

    /// Whether it holds anything but the unfinished files of a recording that was killed.
    pub(super) fn holds_more_than_leftovers(&self) -> bool {
        let Ok(dir) = Dir::read_from(&self.dir) else { return true };
        let is_other = |name: &[u8]| {
            let is_leftover = name.starts_with(b".") && name.ends_with(b".partial");
            !matches!(name, b"." | b"..") && !is_leftover
        };
        dir.flatten().any(|entry| is_other(entry.file_name().to_bytes()))
    }

    /// Keeps others out that lock it too, until it is dropped.
    pub(super) fn lock(&self) -> Result<(), Errno> {
        flock(&self.dir, FlockOperation::NonBlockingLockExclusive)
    }

    /// One that others may write into too, and that keeps the files that are there unless `force` says else.
    ///
    /// # Errors
    /// If it cannot be written into.
    pub fn shared(mut self, force: bool) -> Result<Self, Error> {
        self.sharing = Sharing::Shared { force };
        self.take_away_what_was_left();
        // Whoever else made the folder does not take it away while this is in it.
        self.hold = Some(self.open_new(&self.partial("a report in the making"))?);
        Ok(self)
    }

    /// Takes away the unfinished files of those that were killed: nobody holds their locks any more.
    fn take_away_what_was_left(&self) {
        let Ok(dir) = Dir::read_from(&self.dir) else { return };
        for entry in dir.flatten() {
            let name = entry.file_name();
            if !name.to_bytes().starts_with(b".tp-perf-") || !name.to_bytes().ends_with(b".partial") {
                continue;
            }
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            if let Ok(file) = openat(&self.dir, name, flags, Mode::empty())
                && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
            {
                let _ = unlinkat(&self.dir, name, AtFlags::empty());
            }
        }
    }

    /// What a file is called while it is being written.
    fn partial(&self, name: &str) -> String {
        match self.sharing {
            Sharing::Locked => partial(name),
            // Of this process alone, and no longer than a name may be.
            Sharing::Shared { .. } => {
                let mut hasher = DefaultHasher::new();
                name.hash(&mut hasher);
                format!(".tp-perf-{}-{:016x}.partial", std::process::id(), hasher.finish())
            }
        }
    }

    /// Where it is, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new file. It gets its name when it is finished and the folder is committed.
    pub fn file(&self, name: &str) -> Result<NewFile<'_>, Error> {
        Ok(NewFile::new(self, name, self.open_new(&self.partial(name))?))
    }

    /// Gives all finished files their names, at which they replace any files there; the last one finished gets its name
    /// first.
    pub fn commit(&self) -> Result<(), Error> {
        let mut finished = self.finished.borrow_mut();
        // Taken from the end: what has its name is not discarded any more, what has not yet is.
        while let Some(name) = finished.last() {
            self.name(name)?;
            finished.pop();
        }
        Ok(())
    }

    /// Gives a file that is written its name.
    pub(super) fn name(&self, name: &str) -> Result<(), Error> {
        let from = self.partial(name);
        if self.sharing == (Sharing::Shared { force: false }) {
            match renameat_with(&self.dir, &from, &self.dir, name, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => return Err(Error::FileExists(self.path.join(name))),
                // Some filesystems cannot.
                Err(Errno::INVAL | Errno::NOSYS) => self.check(name, false)?,
                Err(errno) => return Err(self.failed("name", name, errno)),
            }
        }
        renameat(&self.dir, &from, &self.dir, name).map_err(|errno| self.failed("name", name, errno))
    }

    /// Takes a file away, if it is there. `verb` says what for.
    pub(super) fn remove(&self, name: &str, verb: &'static str) -> Result<(), Error> {
        match unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed(verb, name, errno)),
        }
    }

    fn failed(&self, verb: &'static str, name: &str, errno: Errno) -> Error {
        Error::Io { verb, path: self.path.join(name), cause: errno.into() }
    }

    /// Notes that the file of this name is whole.
    pub(super) fn finished(&self, name: String) {
        self.finished.borrow_mut().push(name);
    }

    /// Takes a file away that is not to be.
    pub(super) fn discard(&self, name: &str) {
        let _ = unlinkat(&self.dir, self.partial(name), AtFlags::empty());
    }

    pub(super) fn open_new(&self, name: &str) -> Result<File, Error> {
        let open = || {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(0o644);
            let file = match openat(&self.dir, name, flags, mode) {
                // Left by a capture that was killed.
                Err(Errno::EXIST) => {
                    unlinkat(&self.dir, name, AtFlags::empty())?;
                    openat(&self.dir, name, flags, mode)?
                }
                opened => opened?,
            };
            if self.sharing != Sharing::Locked {
                // Some filesystems have no locks; what is left there stays.
                let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
            }
            self.give_to_owner(&file);
            Ok(File::from(file))
        };
        open().map_err(|errno: Errno| self.failed("create", name, errno))
    }

    /// What stands under this name, a symbolic link too; `None` if nothing does.
    pub(super) fn kind_of(&self, name: &str) -> Option<FileType> {
        kind_of(&self.dir, Path::new(name))
    }

    /// Whether it is the same as another.
    pub fn is(&self, other: &Self) -> bool {
        let number = |folder: &Self| fstat(&folder.dir).map(|stat| (stat.st_dev, stat.st_ino)).ok();
        number(self).is_some() && number(self) == number(other)
    }

    /// That a file of this name can be written: no directory is in its way, and without `force` nothing else.
    pub fn check(&self, name: &str, force: bool) -> Result<(), Error> {
        match self.kind_of(name) {
            Some(FileType::Directory) => Err(Error::DirectoryInTheWay(self.path.join(name))),
            Some(FileType::RegularFile) if force => Ok(()),
            // A link is replaced and not followed; but who named a device by it means the device.
            Some(FileType::Symlink) if force && self.path.join(name).metadata().map_or(true, |file| file.is_file()) => {
                Ok(())
            }
            Some(kind) if force || ![FileType::RegularFile, FileType::Symlink].contains(&kind) => {
                Err(Error::NotAFile(self.path.join(name)))
            }
            Some(_) => Err(Error::FileExists(self.path.join(name))),
            None => Ok(()),
        }
    }

    /// Some filesystems know no owners, and some do not let root give files away: then they stay root's.
    fn give_to_owner(&self, file: &impl AsFd) {
        if let Some((user, group)) = self.owner {
            let _ = fchown(file, Some(user.as_raw()), Some(group.as_raw()));
        }
    }
}

impl Drop for Folder {
    /// Takes away what was not committed, and an empty directory of our making: what failed leaves nothing.
    fn drop(&mut self) {
        self.finished.take().iter().for_each(|name| self.discard(name));
        if self.hold.take().is_some() {
            self.discard("a report in the making");
        }
        let is_empty = || {
            Ok::<_, Errno>(Dir::read_from(&self.dir)?.flatten().all(|entry| [c".", c".."].contains(&entry.file_name())))
        };
        if self.created && is_empty().unwrap_or(false) {
            let _ = unlinkat(CWD, &self.path, AtFlags::REMOVEDIR);
        }
        // Closing would not do: a process that is just being started has the descriptor too.
        let _ = flock(&self.dir, FlockOperation::Unlock);
    }
}

/// What a path is, without following it; `None` if there is nothing.
fn kind_of(dir: impl AsFd, path: &Path) -> Option<FileType> {
    let stat = statat(dir, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(FileType::from_raw_mode(stat.st_mode))
}

/// What a file is called while it is being written.
pub(super) fn partial(name: &str) -> String {
    format!(".{}.partial", name.trim_start_matches('.'))
}

/// The path without slashes and dots at its end, behind which a symbolic link would be followed.
fn without_slashes(path: &Path) -> PathBuf {
    match path.components().collect::<PathBuf>() {
        empty if empty.as_os_str().is_empty() => path.to_owned(),
        path => path,
    }
}
