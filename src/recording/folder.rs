//! A directory in which files appear whole or not at all.
//!
//! All is done relative to one descriptor of the directory, so that nobody can exchange it in between, and no symbolic
//! link in the way is followed: under sudo the directory may be another user's.

use super::{Error, NewFile};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, geteuid, unlinkat};
use rustix::fs::{FlockOperation, RenameFlags, flock, renameat_with};
use std::cell::RefCell;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::{AsFd, OwnedFd};
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
        match mkdirat(AT_FDCWD, &path, Mode::from_bits_truncate(0o755)) {
            Ok(()) => Self::take(path, true),
            Err(Errno::EEXIST) => Self::take(path, false),
            Err(errno) => Err(Error::Io { verb: "create the directory", path, cause: errno.into() }),
        }
    }

    /// Makes a directory of this name, or with a number behind it if that is taken.
    pub fn create_new(path: &Path) -> Result<Self, Error> {
        let mut name = path.to_owned();
        for number in 2.. {
            match mkdirat(AT_FDCWD, &name, Mode::from_bits_truncate(0o755)) {
                Ok(()) => break,
                Err(Errno::EEXIST) => name = PathBuf::from(format!("{}-{number}", path.display())),
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
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = match openat(AT_FDCWD, &path, flags, Mode::empty()) {
            Ok(dir) => dir,
            Err(Errno::ENOTDIR | Errno::ELOOP) => {
                let kind = kind_of(AT_FDCWD, &path);
                return Err(if kind == Some(SFlag::S_IFLNK) {
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
        let Ok(mut dir) = Dir::openat(&self.dir, ".", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()) else {
            return;
        };
        for entry in dir.iter().flatten() {
            let name = entry.file_name();
            if !name.to_bytes().starts_with(b".tp-perf-") || !name.to_bytes().ends_with(b".partial") {
                continue;
            }
            let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
            if let Ok(file) = openat(&self.dir, name, flags, Mode::empty())
                && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
            {
                let _ = unlinkat(&self.dir, name, UnlinkatFlags::NoRemoveDir);
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
            // rustix's, as nix has none for musl.
            let renamed = renameat_with(&self.dir, from.as_str(), &self.dir, name, RenameFlags::NOREPLACE);
            match renamed.map_err(|errno| Errno::from_raw(errno.raw_os_error())) {
                Ok(()) => return Ok(()),
                Err(Errno::EEXIST) => return Err(Error::FileExists(self.path.join(name))),
                // Some filesystems cannot.
                Err(Errno::EINVAL | Errno::ENOSYS) => self.check(name, false)?,
                Err(errno) => return Err(self.failed("name", name, errno)),
            }
        }
        renameat(&self.dir, from.as_str(), &self.dir, name).map_err(|errno| self.failed("name", name, errno))
    }

    /// Takes a file away, if it is there. `verb` says what for.
    pub(super) fn remove(&self, name: &str, verb: &'static str) -> Result<(), Error> {
        match unlinkat(&self.dir, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
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
        let _ = unlinkat(&self.dir, self.partial(name).as_str(), UnlinkatFlags::NoRemoveDir);
    }

    pub(super) fn open_new(&self, name: &str) -> Result<File, Error> {
        let open = || {
            let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let mode = Mode::from_bits_truncate(0o644);
            let file = match openat(&self.dir, name, flags, mode) {
                // Left by a capture that was killed.
                Err(Errno::EEXIST) => {
                    unlinkat(&self.dir, name, UnlinkatFlags::NoRemoveDir)?;
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
    pub(super) fn kind_of(&self, name: &str) -> Option<SFlag> {
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
            Some(SFlag::S_IFDIR) => Err(Error::DirectoryInTheWay(self.path.join(name))),
            Some(SFlag::S_IFREG) if force => Ok(()),
            // A link is replaced and not followed; but who named a device by it means the device.
            Some(SFlag::S_IFLNK) if force && self.path.join(name).metadata().map_or(true, |file| file.is_file()) => {
                Ok(())
            }
            Some(kind) if force || ![SFlag::S_IFREG, SFlag::S_IFLNK].contains(&kind) => {
                Err(Error::NotAFile(self.path.join(name)))
            }
            Some(_) => Err(Error::FileExists(self.path.join(name))),
            None => Ok(()),
        }
    }

    /// Some filesystems know no owners, and some do not let root give files away: then they stay root's.
    fn give_to_owner(&self, file: &impl AsFd) {
        if let Some((user, group)) = self.owner {
            let _ = fchown(file, Some(user), Some(group));
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
            let mut dir = Dir::openat(&self.dir, ".", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
            Ok::<_, Errno>(dir.iter().flatten().all(|entry| [c".", c".."].contains(&entry.file_name())))
        };
        if self.created && is_empty().unwrap_or(false) {
            let _ = unlinkat(AT_FDCWD, &self.path, UnlinkatFlags::RemoveDir);
        }
    }
}

/// What a path is, without following it; `None` if there is nothing.
fn kind_of(dir: impl AsFd, path: &Path) -> Option<SFlag> {
    let stat = fstatat(dir, path, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
    Some(SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT)
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

/// Whether this process runs as root for a user who called sudo.
pub fn is_under_sudo() -> bool {
    caller_of_sudo().is_some()
}

/// The user and group that called sudo, if this process runs as root under it.
pub fn caller_of_sudo() -> Option<(Uid, Gid)> {
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    match geteuid().is_root() {
        true => Some((Uid::from_raw(number("SUDO_UID")?), Gid::from_raw(number("SUDO_GID")?))),
        false => None,
    }
}
