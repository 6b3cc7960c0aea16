//! The directory of a recording and the files that appear in it whole or not at all.
//!
//! All is done relative to one descriptor of the directory, so that nobody can exchange it in between, and no symbolic
//! link in the way is followed: under sudo the directory may be another user's.

use super::{EVENTS, Error, FILES, LOG, NewFile, SUMMARY};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, Flock, FlockArg, OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, geteuid, unlinkat};
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// An open directory that receives a recording. Nobody else writes a recording there meanwhile.
///
/// Its files get their names all together, by [`commit`](Self::commit). Dropped without that, it leaves nothing behind.
#[derive(Debug)]
pub struct RecordingDir {
    dir: Flock<OwnedFd>,
    path: PathBuf,
    owner: Option<(Uid, Gid)>,
    created: bool,
    /// The files that are written and wait for their names.
    finished: RefCell<Vec<String>>,
}

impl RecordingDir {
    /// Makes the directory, or takes an existing one that holds no recording; with `force`, one that does.
    ///
    /// Under sudo what is made belongs to the calling user, where the filesystem lets it.
    pub fn create(path: &Path, force: bool) -> Result<Self, Error> {
        let path = without_slashes(path);
        let created = match mkdirat(AT_FDCWD, &path, Mode::from_bits_truncate(0o755)) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(Error::Io { verb: "create the directory", path, cause: errno.into() }),
        };
        let recording = Self::open(path, created)?;
        if created {
            recording.give_to_owner(&*recording.dir);
        } else if !force
            && let Some(file) = [SUMMARY, LOG, EVENTS].into_iter().find(|file| recording.kind_of(file).is_some())
        {
            return Err(Error::Exists { path: recording.path.clone(), file });
        }
        for name in FILES {
            if [name.to_owned(), partial(name)].iter().any(|name| recording.kind_of(name) == Some(SFlag::S_IFDIR)) {
                return Err(Error::DirectoryInTheWay(recording.path.join(name)));
            }
        }
        // Found out now and not after the capture.
        recording.file(".tp-perf")?;
        Ok(recording)
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
        let recording = Self::open(name, true)?;
        recording.give_to_owner(&*recording.dir);
        Ok(recording)
    }

    fn open(path: PathBuf, created: bool) -> Result<Self, Error> {
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
        let dir = match Flock::lock(dir, FlockArg::LockExclusiveNonblock) {
            Ok(dir) => dir,
            Err((_, Errno::EWOULDBLOCK)) => return Err(Error::InUse(path)),
            Err((_, errno)) => return Err(Error::Io { verb: "lock the directory", path, cause: errno.into() }),
        };
        Ok(RecordingDir { dir, path, owner: caller_of_sudo(), created, finished: RefCell::default() })
    }

    /// Gives all finished files their names, at which they replace any files there. The summary comes last, and an old one
    /// goes first: a directory with a summary has files that belong together.
    pub fn commit(&self) -> Result<(), Error> {
        let failed =
            |verb, name: &str, errno: Errno| Error::Io { verb, path: self.path.join(name), cause: errno.into() };
        let mut finished = self.finished.borrow_mut();
        // Taken from the end: what has its name is not discarded any more, what has not yet is.
        finished.sort_by_key(|name| name != SUMMARY);
        if finished.iter().any(|name| name == LOG) {
            match unlinkat(&*self.dir, SUMMARY, UnlinkatFlags::NoRemoveDir) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(failed("replace", SUMMARY, errno)),
            }
        }
        while let Some(name) = finished.last() {
            renameat(&*self.dir, partial(name).as_str(), &*self.dir, name.as_str())
                .map_err(|errno| failed("name", name, errno))?;
            finished.pop();
        }
        Ok(())
    }

    /// Where it is, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new file. It gets its name when it is finished and the recording is committed.
    pub fn file(&self, name: &str) -> Result<NewFile<'_>, Error> {
        Ok(NewFile::new(self, name, self.open_new(&partial(name))?))
    }

    /// Notes that the file of this name is whole.
    pub(super) fn finished(&self, name: String) {
        self.finished.borrow_mut().push(name);
    }

    /// Takes a file away that is not to be.
    pub(super) fn discard(&self, name: &str) {
        let _ = unlinkat(&*self.dir, partial(name).as_str(), UnlinkatFlags::NoRemoveDir);
    }

    /// The file of the ring bytes, which has its name at once: it is worth something whatever becomes of the capture. What
    /// is finished gets its name with it, and what belonged to an older recording goes.
    pub fn events(&self) -> io::Result<File> {
        let cause = |error| match error {
            Error::Io { cause, .. } => cause,
            other => io::Error::other(other),
        };
        let file = self.open_new(&partial(EVENTS)).map_err(cause)?;
        for old in [SUMMARY, LOG] {
            match unlinkat(&*self.dir, old, UnlinkatFlags::NoRemoveDir) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        self.commit().map_err(cause)?;
        renameat(&*self.dir, partial(EVENTS).as_str(), &*self.dir, EVENTS)?;
        Ok(file)
    }

    /// Takes away the file of the ring bytes, if there is one.
    pub fn remove_events(&self) -> Result<(), Error> {
        match unlinkat(&*self.dir, EVENTS, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(Error::Io { verb: "remove", path: self.path.join(EVENTS), cause: errno.into() }),
        }
    }

    /// Appends to the file of the ring bytes.
    pub fn append_to_events(&self, bytes: &[u8]) -> Result<(), Error> {
        let append = || {
            let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            io::Write::write_all(&mut File::from(openat(&*self.dir, EVENTS, flags, Mode::empty())?), bytes)
        };
        append().map_err(|cause: io::Error| Error::Io { verb: "append to", path: self.path.join(EVENTS), cause })
    }

    fn open_new(&self, name: &str) -> Result<File, Error> {
        let open = || {
            let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let mode = Mode::from_bits_truncate(0o644);
            let file = match openat(&*self.dir, name, flags, mode) {
                // Left by a capture that was killed.
                Err(Errno::EEXIST) => {
                    unlinkat(&*self.dir, name, UnlinkatFlags::NoRemoveDir)?;
                    openat(&*self.dir, name, flags, mode)?
                }
                opened => opened?,
            };
            self.give_to_owner(&file);
            Ok(File::from(file))
        };
        open().map_err(|errno: Errno| Error::Io { verb: "create", path: self.path.join(name), cause: errno.into() })
    }

    fn kind_of(&self, name: &str) -> Option<SFlag> {
        kind_of(&*self.dir, Path::new(name))
    }

    /// Some filesystems know no owners, and some do not let root give files away: then they stay root's.
    fn give_to_owner(&self, file: &impl AsFd) {
        if let Some((user, group)) = self.owner {
            let _ = fchown(file, Some(user), Some(group));
        }
    }
}

impl Drop for RecordingDir {
    /// Takes away what was not committed, and an empty directory of our making: a capture that failed leaves nothing.
    fn drop(&mut self) {
        self.finished.take().iter().for_each(|name| self.discard(name));
        let is_empty = || {
            let mut dir = Dir::openat(&*self.dir, ".", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
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
fn partial(name: &str) -> String {
    format!(".{}.partial", name.trim_start_matches('.'))
}

/// The path without slashes and dots at its end, behind which a symbolic link would be followed.
fn without_slashes(path: &Path) -> PathBuf {
    match path.components().collect::<PathBuf>() {
        empty if empty.as_os_str().is_empty() => path.to_owned(),
        path => path,
    }
}

/// The user and group that called sudo, if this process runs as root under it.
fn caller_of_sudo() -> Option<(Uid, Gid)> {
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    match geteuid().is_root() {
        true => Some((Uid::from_raw(number("SUDO_UID")?), Gid::from_raw(number("SUDO_GID")?))),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_when_it_is_finished_and_not_before() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("rec");
        let dir = RecordingDir::create(&path, false).unwrap();
        let mut file = dir.file("log.csv").unwrap();
        file.write(b"a,b\n").unwrap();
        assert_eq!(names(&path), [".log.csv.partial"]);
        file.finish();
        assert_eq!(names(&path), [".log.csv.partial"]);
        dir.commit().unwrap();
        assert_eq!(names(&path), ["log.csv"]);
        assert_eq!(fs::read(path.join("log.csv")).unwrap(), b"a,b\n");
    }

    #[test]
    fn an_unfinished_file_and_an_unused_directory_leave_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("rec");
        let dir = RecordingDir::create(&path, false).unwrap();
        drop(dir.file("log.csv").unwrap());
        assert!(names(&path).is_empty());
        dir.file("groups.csv").unwrap().finish();
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn the_file_of_the_ring_bytes_has_its_name_at_once_and_stays() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("rec");
        fs::create_dir(&path).unwrap();
        for old in ["summary.json", "log.csv", "events.perf"] {
            fs::write(path.join(old), "old").unwrap();
        }
        let dir = RecordingDir::create(&path, true).unwrap();
        dir.file("tracepoints.csv").unwrap().finish();
        io::Write::write_all(&mut dir.events().unwrap(), b"new").unwrap();
        dir.append_to_events(b"er").unwrap();
        drop(dir);
        assert_eq!(names(&path), ["events.perf", "tracepoints.csv"]);
        assert_eq!(fs::read(path.join("events.perf")).unwrap(), b"newer");
    }

    #[test]
    fn a_recording_is_replaced_only_by_force() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("rec");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("notes.txt"), "mine").unwrap();
        let dir = RecordingDir::create(&path, false).unwrap();
        dir.file("summary.json").unwrap().finish();
        dir.commit().unwrap();
        drop(dir);
        let error = RecordingDir::create(&path, false).unwrap_err();
        assert!(matches!(error, Error::Exists { file: "summary.json", .. }), "{error}");
        drop(RecordingDir::create(&path, true).unwrap());
        assert_eq!(names(&path), ["notes.txt", "summary.json"]);
    }

    #[test]
    fn no_link_in_the_way_is_followed() {
        let parent = tempfile::tempdir().unwrap();
        let (target, link) = (parent.path().join("target"), parent.path().join("link"));
        fs::create_dir(&target).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for link in [link.clone(), link.join(""), link.join(".")] {
            assert!(matches!(RecordingDir::create(&link, true), Err(Error::SymbolicLink(_))), "{}", link.display());
        }

        let victim = parent.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let dir = RecordingDir::create(&target, false).unwrap();
        for name in ["log.csv", ".log.csv.partial"] {
            std::os::unix::fs::symlink(&victim, target.join(name)).unwrap();
        }
        let mut file = dir.file("log.csv").unwrap();
        file.write(b"rows").unwrap();
        file.finish();
        dir.commit().unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(fs::read(target.join("log.csv")).unwrap(), b"rows");
        assert!(!target.join("log.csv").is_symlink());
    }

    #[test]
    fn what_is_no_directory_or_has_no_parent_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(RecordingDir::create(&file, true), Err(Error::NotADirectory(_))));
        let error = RecordingDir::create(&parent.path().join("a/b"), false).unwrap_err().to_string();
        assert!(error.contains("the directory above it must exist"), "{error}");
    }

    #[test]
    fn two_captures_do_not_write_into_one_directory() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("rec");
        let first = RecordingDir::create(&path, true).unwrap();
        assert!(matches!(RecordingDir::create(&path, true), Err(Error::InUse(_))));
        let other = RecordingDir::create_new(&path).unwrap();
        assert_eq!(other.path(), parent.path().join("rec-2"));
        drop(first);
        RecordingDir::create(&path, true).unwrap();
    }

    #[test]
    fn a_directory_where_a_file_is_to_be_is_refused_before_the_capture() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["log.csv", ".summary.json.partial"] {
            let path = parent.path().join(format!("of {name}"));
            fs::create_dir_all(path.join(name)).unwrap();
            let error = RecordingDir::create(&path, true).unwrap_err();
            assert!(matches!(error, Error::DirectoryInTheWay(_)), "{error}");
        }
    }
}
