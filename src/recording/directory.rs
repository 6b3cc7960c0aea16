//! The directory of a recording and the files that appear in it whole or not at all.
//!
//! All is done relative to one descriptor of the directory, so that nobody can exchange it in between, and no symbolic
//! link in the way is followed: under sudo the directory may be another user's.

use super::{Error, FILES};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, FcntlArg, OFlag, fcntl, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, geteuid, unlinkat};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// An open directory that receives a recording.
#[derive(Debug)]
pub struct RecordingDir {
    dir: OwnedFd,
    path: PathBuf,
    owner: Option<(Uid, Gid)>,
    created: bool,
}

impl RecordingDir {
    /// Makes the directory, or takes an existing one that holds no recording; with `force`, one that does.
    ///
    /// Under sudo what is made belongs to the calling user.
    pub fn create(path: &Path, force: bool) -> Result<Self, Error> {
        let failed = |verb| {
            let path = path.to_owned();
            move |errno: Errno| Error::Io { verb, path, cause: errno.into() }
        };
        let here = nix::fcntl::AT_FDCWD;
        let created = match mkdirat(here, path, Mode::from_bits_truncate(0o755)) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(failed("create the directory")(errno)),
        };
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = match openat(here, path, flags, Mode::empty()) {
            Ok(dir) => dir,
            Err(Errno::ENOTDIR | Errno::ELOOP) => {
                let link = fstatat(here, path, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok_and(|stat| is_link(&stat));
                let path = path.to_owned();
                return Err(if link { Error::SymbolicLink(path) } else { Error::NotADirectory(path) });
            }
            Err(errno) => return Err(failed("open the directory")(errno)),
        };
        let recording = RecordingDir { dir, path: path.to_owned(), owner: caller_of_sudo(), created };
        if created {
            recording.give_to_owner(&recording.dir).map_err(failed("change the owner of"))?;
        } else if !force && let Some(file) = FILES.into_iter().find(|file| recording.has(file)) {
            return Err(Error::Exists { path: path.to_owned(), file });
        }
        // Found out now and not after the capture.
        recording.file(".tp-perf")?;
        Ok(recording)
    }

    /// Where it is, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new file. It appears under its name when it is finished.
    pub fn file(&self, name: &str) -> Result<NewFile<'_>, Error> {
        let partial = format!(".{}.partial", name.trim_start_matches('.'));
        let file = self.open_new(&partial)?;
        Ok(NewFile { directory: self, name: name.to_owned(), partial, file })
    }

    /// A file without a name, gone when it is closed. It is written past the page cache where the filesystem lets it:
    /// page by page through the cache costs several times as much, and wakes more of the kernel.
    pub fn scratch(&self) -> io::Result<File> {
        const NAME: &str = ".chunks.partial";
        let file = self.open_new(NAME).map_err(|error| match error {
            Error::Io { cause, .. } => cause,
            other => io::Error::other(other),
        })?;
        unlinkat(&self.dir, NAME, UnlinkatFlags::NoRemoveDir)?;
        if let Ok(flags) = fcntl(&file, FcntlArg::F_GETFL) {
            let direct = OFlag::from_bits_retain(flags) | OFlag::O_DIRECT;
            // Some filesystems refuse it, and then do without.
            let _ = fcntl(&file, FcntlArg::F_SETFL(direct));
        }
        Ok(file)
    }

    /// Another descriptor of the same directory, for a scratch file that is needed later.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(RecordingDir { dir: self.dir.try_clone()?, path: self.path.clone(), owner: self.owner, created: false })
    }

    fn open_new(&self, name: &str) -> Result<File, Error> {
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
            self.give_to_owner(&file)?;
            Ok(File::from(file))
        };
        open().map_err(|errno: Errno| Error::Io { verb: "create", path: self.path.join(name), cause: errno.into() })
    }

    fn has(&self, name: &str) -> bool {
        fstatat(&self.dir, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
    }

    fn give_to_owner(&self, file: &impl AsFd) -> nix::Result<()> {
        match self.owner {
            Some((user, group)) => fchown(file, Some(user), Some(group)),
            None => Ok(()),
        }
    }
}

impl Drop for RecordingDir {
    /// Takes an empty directory of our making away again, so that a capture that failed leaves nothing.
    fn drop(&mut self) {
        let is_empty = || {
            let mut dir = Dir::openat(&self.dir, ".", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
            Ok::<_, Errno>(dir.iter().flatten().all(|entry| [c".", c".."].contains(&entry.file_name())))
        };
        if self.created && is_empty().unwrap_or(false) {
            let _ = unlinkat(nix::fcntl::AT_FDCWD, &self.path, UnlinkatFlags::RemoveDir);
        }
    }
}

/// A file in the making. Dropped unfinished, it leaves nothing.
#[derive(Debug)]
pub struct NewFile<'a> {
    directory: &'a RecordingDir,
    name: String,
    partial: String,
    file: File,
}

impl NewFile<'_> {
    /// Gives the file its name, at which it replaces any file there.
    pub fn finish(mut self) -> Result<(), Error> {
        let dir = &self.directory.dir;
        renameat(dir, self.partial.as_str(), dir, self.name.as_str()).map_err(|errno| Error::Io {
            verb: "name",
            path: self.path(),
            cause: errno.into(),
        })?;
        self.partial.clear();
        Ok(())
    }

    /// Cuts the file to this length in bytes, and writes on from there.
    pub fn cut(&mut self, length: u64) -> Result<(), Error> {
        self.change("cut", |file| {
            file.set_len(length)?;
            file.seek(SeekFrom::Start(length)).map(drop)
        })
    }

    /// Writes all of it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.change("write", |file| file.write_all(bytes))
    }

    fn change(&mut self, verb: &'static str, change: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Error> {
        change(&mut self.file).map_err(|cause| Error::Io { verb, path: self.path(), cause })
    }

    /// The final path.
    pub fn path(&self) -> PathBuf {
        self.directory.path.join(&self.name)
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.partial.is_empty() {
            let _ = unlinkat(&self.directory.dir, self.partial.as_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

fn is_link(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK
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
        file.finish().unwrap();
        assert_eq!(names(&path), ["log.csv"]);
        assert_eq!(fs::read(path.join("log.csv")).unwrap(), b"a,b\n");
    }

    #[test]
    fn an_unfinished_file_and_an_unused_directory_leave_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("rec");
        let dir = RecordingDir::create(&path, false).unwrap();
        drop(dir.file("log.csv").unwrap());
        drop(dir.scratch().unwrap());
        assert!(names(&path).is_empty());
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn a_recording_is_replaced_only_by_force() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("rec");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("notes.txt"), "mine").unwrap();
        RecordingDir::create(&path, false).unwrap().file("summary.json").unwrap().finish().unwrap();
        let error = RecordingDir::create(&path, false).unwrap_err();
        assert!(matches!(error, Error::Exists { file: "summary.json", .. }), "{error}");
        RecordingDir::create(&path, true).unwrap();
        assert_eq!(names(&path), ["notes.txt", "summary.json"]);
    }

    #[test]
    fn no_link_in_the_way_is_followed() {
        let parent = tempfile::tempdir().unwrap();
        let (target, link) = (parent.path().join("target"), parent.path().join("link"));
        fs::create_dir(&target).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(matches!(RecordingDir::create(&link, true), Err(Error::SymbolicLink(_))));

        let victim = parent.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let dir = RecordingDir::create(&target, false).unwrap();
        for name in ["log.csv", ".log.csv.partial"] {
            std::os::unix::fs::symlink(&victim, target.join(name)).unwrap();
        }
        let mut file = dir.file("log.csv").unwrap();
        file.write(b"rows").unwrap();
        file.finish().unwrap();
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
}
