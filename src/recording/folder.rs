//! A directory in which files appear only when they are complete.
//!
//! Others may be able to write into the directory, too. So all operations are relative to one descriptor of the
//! directory, which nobody can exchange, and no symbolic link is followed.

use super::{Error, NewFile, Readers};
use nix::unistd::{Uid, geteuid};
use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::fs::{flock, fstat, mkdirat, openat, renameat, renameat_with, statat, unlinkat};
use rustix::io::Errno;
use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// An open directory that receives files.
///
/// [`commit`](Self::commit) gives all files their names. A folder that is dropped without it leaves nothing
/// behind.
#[derive(Debug)]
pub struct Folder {
    dir: OwnedFd,
    /// The directory above it, and its name there.
    above: Above,
    path: PathBuf,
    readers: Readers,
    /// Whether this process created the directory.
    pub(super) created: bool,
    /// The files that are complete and wait for their names.
    pub(super) finished: RefCell<Vec<String>>,
    sharing: Sharing,
    /// A file that keeps the directory from being empty, so others do not remove it.
    hold: Option<File>,
}

/// Whether others may write to a folder at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// No: it is locked. Unfinished files in it are leftovers that this process may replace.
    Locked,
    /// Yes. With `force`, existing files are replaced.
    Shared { force: bool },
}

impl Folder {
    /// Creates the directory, or opens an existing one, which keeps its permissions.
    pub fn create(path: &Path, readers: Readers) -> Result<Self, Error> {
        let path = without_slashes(path);
        let created = Above::of(&path).and_then(|above| Ok((above.create(readers)?, above)));
        match created {
            Ok((created, above)) => Self::take(above, path, readers, created),
            Err(errno) => Err(Error::Io { verb: "create the directory", path, cause: errno.into() }),
        }
    }

    /// Creates a directory with this name, or with a number appended if the name is taken.
    pub fn create_new(path: &Path, readers: Readers) -> Result<Self, Error> {
        let mut name = path.to_owned();
        for number in 2.. {
            match Above::of(&name).and_then(|above| Ok((above.create(readers)?, above))) {
                Ok((true, above)) => return Self::take(above, name, readers, true),
                Ok((false, _)) => name = PathBuf::from(format!("{}-{number}", path.display())),
                Err(errno) => return Err(Error::Io { verb: "create the directory", path: name, cause: errno.into() }),
            }
        }
        unreachable!("numbers do not end")
    }

    /// Opens an existing directory.
    pub fn open(path: &Path, readers: Readers) -> Result<Self, Error> {
        let path = without_slashes(path);
        match Above::of(&path) {
            Ok(above) => Self::take(above, path, readers, false),
            Err(errno) => Err(Error::Io { verb: "open the directory", path, cause: errno.into() }),
        }
    }

    /// The folder of a file that the user names, and the name of the file in it. `None` if the path has no name that is text.
    ///
    /// # Errors
    /// If the folder cannot be written to, or if something with this name is in the way.
    pub fn of_file(path: &Path, force: bool) -> Result<Option<(Self, String)>, Error> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.filter(|name| path.as_os_str().as_encoded_bytes().ends_with(name.as_bytes()));
        let Some(name) = name else { return Ok(None) };
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder = Folder::open(&Folder::unlinked(parent), Readers::Umask)?.shared(force)?;
        folder.check(name, force)?;
        Ok(Some((folder, name.to_owned())))
    }

    /// The place of a folder, which a link may name.
    pub fn unlinked(path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    }

    fn take(above: Above, path: PathBuf, readers: Readers, created: bool) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = match openat(&above.dir, &above.name, flags, Mode::empty()) {
            Ok(dir) => dir,
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let kind = kind_of(&above.dir, Path::new(&above.name));
                return Err(if kind == Some(FileType::Symlink) {
                    Error::SymbolicLink(path)
                } else {
                    Error::NotADirectory(path)
                });
            }
            Err(errno) => return Err(Error::Io { verb: "open the directory", path, cause: errno.into() }),
        };
        // In a directory to which others may write, somebody can exchange a directory that was just made.
        if readers == Readers::Owner {
            refuse_other_owner(&dir, &path)?;
        }
        let (finished, sharing) = (RefCell::default(), Sharing::Locked);
        Ok(Folder { dir, above, path, readers, created, finished, sharing, hold: None })
    }

    /// Whether the directory contains anything but the unfinished files of a capture that was killed.
    pub(super) fn holds_more_than_leftovers(&self) -> bool {
        self.has_others(&[])
    }

    /// Whether the directory contains anything but files with these names, and unfinished files.
    pub(super) fn has_others(&self, names: &[&str]) -> bool {
        let Ok(dir) = Dir::read_from(&self.dir) else { return true };
        let is_other = |name: &[u8]| {
            let is_leftover = name.starts_with(b".") && name.ends_with(b".partial");
            !matches!(name, b"." | b"..") && !is_leftover && !names.iter().any(|known| known.as_bytes() == name)
        };
        dir.flatten().any(|entry| is_other(entry.file_name().to_bytes()))
    }

    /// Locks the directory against others who lock it too, until the folder is dropped.
    pub(super) fn lock(&self) -> Result<(), Errno> {
        flock(&self.dir, FlockOperation::NonBlockingLockExclusive)
    }

    /// Allows others to write to the folder too. Existing files are replaced only with `force`.
    ///
    /// # Errors
    /// If the directory is not writable.
    pub fn shared(mut self, force: bool) -> Result<Self, Error> {
        self.sharing = Sharing::Shared { force };
        self.remove_leftovers();
        // While this file exists, a process that created the directory does not remove it as empty.
        let hold = self.open_new(&self.partial("a report in the making")).map_err(|error| match error {
            // The name of the file that is tried means nothing to the user.
            Error::Io { cause, .. } => Error::Io { verb: "write into", path: self.path.clone(), cause },
            error => error,
        })?;
        self.hold = Some(hold);
        Ok(self)
    }

    /// Removes the unfinished files of processes that were killed. Nobody holds the locks of these files any
    /// more.
    fn remove_leftovers(&self) {
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

    /// The temporary name of a file that is being written.
    fn partial(&self, name: &str) -> String {
        match self.sharing {
            Sharing::Locked => partial(name),
            // The name is unique to this process, and short enough for every filesystem.
            Sharing::Shared { .. } => {
                let mut hasher = DefaultHasher::new();
                name.hash(&mut hasher);
                format!(".tp-perf-{}-{:016x}.partial", std::process::id(), hasher.finish())
            }
        }
    }

    /// The path with which the directory was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates a file. It gets its name once it is finished and the folder is committed.
    pub fn file(&self, name: &str) -> Result<NewFile<'_>, Error> {
        Ok(NewFile::new(self, name, self.open_new(&self.partial(name))?))
    }

    /// Gives all finished files their names, the last finished file first. Existing files are replaced,
    /// unless the folder is shared without `force`.
    pub fn commit(&self) -> Result<(), Error> {
        let mut finished = self.finished.borrow_mut();
        // A file leaves the list only after it has its name. If this fails, `drop` discards the rest.
        while let Some(name) = finished.last() {
            self.name(name)?;
            finished.pop();
        }
        Ok(())
    }

    /// Gives a complete file its name.
    pub(super) fn name(&self, name: &str) -> Result<(), Error> {
        let from = self.partial(name);
        if self.sharing == (Sharing::Shared { force: false }) {
            match renameat_with(&self.dir, &from, &self.dir, name, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => return Err(Error::FileExists(self.path.join(name))),
                // Some filesystems do not support NOREPLACE.
                Err(Errno::INVAL | Errno::NOSYS) => self.check(name, false)?,
                Err(errno) => return Err(self.failed("rename the finished file to", name, errno)),
            }
        }
        renameat(&self.dir, &from, &self.dir, name)
            .map_err(|errno| self.failed("rename the finished file to", name, errno))
    }

    /// Removes a file, if it exists. `verb` names the purpose in an error.
    pub(super) fn remove(&self, name: &str, verb: &'static str) -> Result<(), Error> {
        match unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed(verb, name, errno)),
        }
    }

    fn failed(&self, verb: &'static str, name: &str, errno: Errno) -> Error {
        Error::Io { verb, path: self.path.join(name), cause: errno.into() }
    }

    /// Notes that the file with this name is complete.
    pub(super) fn finished(&self, name: String) {
        self.finished.borrow_mut().push(name);
    }

    /// Removes a file that was not finished or not committed.
    pub(super) fn discard(&self, name: &str) {
        let _ = unlinkat(&self.dir, self.partial(name), AtFlags::empty());
    }

    pub(super) fn open_new(&self, name: &str) -> Result<File, Error> {
        let open = || {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mode = self.readers.of_file();
            let file = match openat(&self.dir, name, flags, mode) {
                // A capture that was killed has left this file.
                Err(Errno::EXIST) => {
                    unlinkat(&self.dir, name, AtFlags::empty())?;
                    openat(&self.dir, name, flags, mode)?
                }
                opened => opened?,
            };
            if self.sharing != Sharing::Locked {
                // Some filesystems have no locks. On those, leftovers are never removed.
                let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
            }
            Ok(File::from(file))
        };
        open().map_err(|errno: Errno| self.failed("create", name, errno))
    }

    /// The type of the entry with this name, without following a symbolic link; `None` if there is none.
    pub(super) fn kind_of(&self, name: &str) -> Option<FileType> {
        kind_of(&self.dir, Path::new(name))
    }

    /// Whether this is the same directory as another.
    pub fn is(&self, other: &Self) -> bool {
        let number = |folder: &Self| fstat(&folder.dir).map(|stat| (stat.st_dev, stat.st_ino)).ok();
        number(self).is_some() && number(self) == number(other)
    }

    /// Checks that a file with this name can be written: no directory has the name, and without `force` no
    /// file has it.
    pub fn check(&self, name: &str, force: bool) -> Result<(), Error> {
        match self.kind_of(name) {
            Some(FileType::Directory) => Err(Error::DirectoryInTheWay(self.path.join(name))),
            Some(FileType::RegularFile) if force => Ok(()),
            // A link is replaced, not followed. But a link to a device was meant as the device, so it is
            // refused.
            Some(FileType::Symlink) if force && self.leads_to_a_file_or_nowhere(name) => Ok(()),
            Some(kind) if force || ![FileType::RegularFile, FileType::Symlink].contains(&kind) => {
                Err(Error::NotAFile(self.path.join(name)))
            }
            Some(_) => Err(Error::FileExists(self.path.join(name))),
            None => Ok(()),
        }
    }

    fn leads_to_a_file_or_nowhere(&self, link: &str) -> bool {
        let target = statat(&self.dir, link, AtFlags::empty());
        target.map_or(true, |target| FileType::from_raw_mode(target.st_mode) == FileType::RegularFile)
    }
}

impl Drop for Folder {
    /// Removes files that were not committed, and the directory if this process created it and it is empty.
    fn drop(&mut self) {
        self.finished.take().iter().for_each(|name| self.discard(name));
        if self.hold.take().is_some() {
            self.discard("a report in the making");
        }
        let is_empty = || {
            Ok::<_, Errno>(Dir::read_from(&self.dir)?.flatten().all(|entry| [c".", c".."].contains(&entry.file_name())))
        };
        if self.created && is_empty().unwrap_or(false) {
            let _ = unlinkat(&self.above.dir, &self.above.name, AtFlags::REMOVEDIR);
        }
        // Closing the descriptor does not unlock, because a process that is just being started may also have
        // it.
        let _ = flock(&self.dir, FlockOperation::Unlock);
    }
}

/// A directory that contains another, and the other's name. Its path is looked up once.
#[derive(Debug)]
struct Above {
    dir: OwnedFd,
    name: OsString,
}

impl Above {
    /// The directory above a path.
    fn of(path: &Path) -> Result<Self, Errno> {
        let (above, name) = match (path.parent(), path.file_name()) {
            (Some(above), Some(name)) if !above.as_os_str().is_empty() => (above, name),
            (Some(_), Some(name)) => (Path::new("."), name),
            // The path is `/`, or ends with `..`.
            _ => (path, OsStr::new(".")),
        };
        let dir = openat(CWD, above, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Above { dir, name: name.to_owned() })
    }

    /// Creates the directory. Returns false if something has its name.
    fn create(&self, readers: Readers) -> Result<bool, Errno> {
        match mkdirat(&self.dir, &self.name, readers.of_directory()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(errno),
        }
    }
}

/// Refuses a directory whose owner could replace what only this user may read. Root can do so anywhere.
fn refuse_other_owner(dir: &OwnedFd, path: &Path) -> Result<(), Error> {
    let failed = |errno: Errno| Error::Io { verb: "open the directory", path: path.to_owned(), cause: errno.into() };
    let owner = Uid::from_raw(fstat(dir).map_err(failed)?.st_uid);
    match owner.is_root() || owner == geteuid() {
        true => Ok(()),
        false => Err(Error::OtherOwner { path: path.to_owned(), owner: owner.as_raw() }),
    }
}

/// The type of a path's entry, without following a symbolic link; `None` if there is none.
fn kind_of(dir: impl AsFd, path: &Path) -> Option<FileType> {
    let stat = statat(dir, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(FileType::from_raw_mode(stat.st_mode))
}

/// The temporary name of a file that is being written.
pub(super) fn partial(name: &str) -> String {
    format!(".{}.partial", name.trim_start_matches('.'))
}

/// The path without slashes and dots at its end. With them, a symbolic link would be followed.
fn without_slashes(path: &Path) -> PathBuf {
    match path.components().collect::<PathBuf>() {
        empty if empty.as_os_str().is_empty() => path.to_owned(),
        path => path,
    }
}
