//! The directory of a recording.

use super::folder::partial;
use super::{EVENTS, Error, FILES, Folder, LOG, NewFile, Readers, SUMMARY};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// A directory that receives a recording. It is locked, so no other capture writes there.
#[derive(Debug)]
pub struct RecordingDir {
    folder: Folder,
    /// `events.perf`, once it exists. Under its name, somebody may have put another file meanwhile.
    events: RefCell<Option<File>>,
}

impl RecordingDir {
    /// Creates the directory, or opens an existing one without a recording. With `force`, it may contain a
    /// recording.
    ///
    /// Only the owner may read everything that is created. An existing directory keeps its owner and its permissions.
    pub fn create(path: &Path, force: bool) -> Result<Self, Error> {
        let recording = Self::lock(Folder::create(path, Readers::Owner)?)?;
        let folder = &recording.folder;
        if !folder.created {
            match [SUMMARY, LOG, EVENTS].into_iter().find(|file| folder.kind_of(file).is_some()) {
                Some(file) if !force => return Err(Error::Exists { path: folder.path().to_owned(), file }),
                Some(_) => {}
                // The five files would be hard to find and remove among other files.
                None if folder.holds_more_than_leftovers() => return Err(Error::NotEmpty(folder.path().to_owned())),
                None => {}
            }
        }
        for name in FILES {
            if [name.to_owned(), partial(name)].iter().any(|name| folder.kind_of(name) == Some(FileType::Directory)) {
                return Err(Error::DirectoryInTheWay(folder.path().join(name)));
            }
        }
        // Create a file now, so an unwritable directory is noticed before the capture.
        recording.file(".tp-perf")?;
        Ok(recording)
    }

    /// Creates a directory with this name, or with a number appended if the name is taken.
    pub fn create_new(path: &Path) -> Result<Self, Error> {
        Self::lock(Folder::create_new(path, Readers::Owner)?)
    }

    fn lock(folder: Folder) -> Result<Self, Error> {
        let path = || folder.path().to_owned();
        match folder.lock() {
            Ok(()) => Ok(RecordingDir { folder, events: RefCell::default() }),
            Err(Errno::WOULDBLOCK) => Err(Error::InUse(path())),
            Err(errno) => Err(Error::Io { verb: "lock the directory", path: path(), cause: errno.into() }),
        }
    }

    /// Gives all finished files their names, and replaces existing files. An old summary is removed first,
    /// and the new one comes last. So if a directory has a summary, its files belong together.
    pub fn commit(&self) -> Result<(), Error> {
        let has_log = {
            let mut finished = self.folder.finished.borrow_mut();
            finished.sort_by_key(|name| name != SUMMARY);
            finished.iter().any(|name| name == LOG)
        };
        if has_log {
            self.folder.remove(SUMMARY, "replace")?;
        }
        self.folder.commit()
    }

    /// The path with which the directory was opened.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Creates a file. It gets its name once it is finished and the recording is committed.
    pub fn file(&self, name: &str) -> Result<NewFile<'_>, Error> {
        self.folder.file(name)
    }

    /// Creates `events.perf`. It has its name from the start, because it is useful even if the capture fails.
    /// Files that are already finished get their names too, and the log and the summary of an older recording
    /// are removed.
    pub fn events(&self) -> io::Result<File> {
        let cause = |error| match error {
            Error::Io { cause, .. } => cause,
            other => io::Error::other(other),
        };
        let file = self.folder.open_new(&partial(EVENTS)).map_err(cause)?;
        for old in [SUMMARY, LOG] {
            self.folder.remove(old, "replace").map_err(cause)?;
        }
        self.commit().map_err(cause)?;
        self.folder.name(EVENTS).map_err(cause)?;
        *self.events.borrow_mut() = Some(file.try_clone()?);
        Ok(file)
    }

    /// Removes `events.perf`, if it exists.
    pub fn remove_events(&self) -> Result<(), Error> {
        self.folder.remove(EVENTS, "remove")
    }

    /// Removes all files of the recording, as far as possible. If this process created the directory, it goes with them.
    pub fn remove_all(&self) {
        self.folder.finished.take().iter().for_each(|name| self.folder.discard(name));
        for name in FILES {
            self.folder.discard(name);
            // What cannot be removed stays, and is visible.
            let _ = self.folder.remove(name, "remove");
        }
    }

    /// Removes the directory of a recording. Returns false if it has other files too, or if somebody writes to it.
    ///
    /// # Errors
    /// If the directory cannot be opened or removed.
    pub fn remove(path: &Path) -> io::Result<bool> {
        let mut folder = Folder::open(path, Readers::Owner).map_err(io::Error::other)?;
        if folder.lock().is_err() || folder.has_others(&FILES) {
            return Ok(false);
        }
        folder.created = true;
        RecordingDir { folder, events: RefCell::default() }.remove_all();
        match path.try_exists() {
            Ok(true) => Err(io::Error::other("some of its files cannot be removed")),
            other => other.map(|_| true),
        }
    }

    /// Appends to the file that [`Self::events`] created, whatever has its name now.
    ///
    /// # Errors
    /// If writing fails, or if the file was never created.
    pub fn append_to_events(&self, bytes: &[u8]) -> Result<(), Error> {
        let append = || {
            let mut events = self.events.borrow_mut();
            let file = events.as_mut().ok_or(io::ErrorKind::NotFound)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(bytes)
        };
        append().map_err(|cause: io::Error| Error::Io { verb: "append to", path: self.path().join(EVENTS), cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags};
    use std::fs;

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_gets_its_name_only_when_it_is_finished_and_committed() {
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
    fn events_perf_has_its_name_at_once_and_stays() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("rec");
        fs::create_dir(&path).unwrap();
        for old in ["summary.json", "log.csv", "events.perf"] {
            fs::write(path.join(old), "old").unwrap();
        }
        let dir = RecordingDir::create(&path, true).unwrap();
        dir.file("tracepoints.csv").unwrap().finish();
        dir.events().unwrap().write_all(b"new").unwrap();
        dir.append_to_events(b"er").unwrap();
        drop(dir);
        assert_eq!(names(&path), ["events.perf", "tracepoints.csv"]);
        assert_eq!(fs::read(path.join("events.perf")).unwrap(), b"newer");
    }

    /// COMMAND may outlive the capture. Until then, the directory's owner may replace the file by another.
    #[test]
    fn the_end_of_events_perf_goes_to_the_file_that_was_opened() {
        let parent = tempfile::tempdir().unwrap();
        let (path, victim) = (parent.path().join("rec"), parent.path().join("victim"));
        let events = path.join("events.perf");
        fs::write(&victim, "precious").unwrap();
        let dir = RecordingDir::create(&path, false).unwrap();
        dir.events().unwrap().write_all(b"new").unwrap();
        let moved = parent.path().join("moved");
        fs::rename(&events, &moved).unwrap();
        fs::hard_link(&victim, &events).unwrap();
        dir.append_to_events(b"er").unwrap();
        assert_eq!((fs::read(&victim).unwrap(), fs::read(&moved).unwrap()), (b"precious".to_vec(), b"newer".to_vec()));

        fs::remove_file(&events).unwrap();
        nix::unistd::mkfifo(&events, nix::sys::stat::Mode::S_IRWXU).unwrap();
        // Without a reader, a writer would wait for one forever.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let mut reader = File::from(rustix::fs::open(&events, flags, Mode::empty()).unwrap());
        dir.append_to_events(b"!").unwrap();
        let mut piped = Vec::new();
        io::Read::read_to_end(&mut reader, &mut piped).unwrap();
        assert_eq!((piped, fs::read(&moved).unwrap()), (Vec::new(), b"newer!".to_vec()));
    }

    #[test]
    fn a_recording_is_replaced_only_with_force() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("rec");
        let dir = RecordingDir::create(&path, false).unwrap();
        dir.file("summary.json").unwrap().finish();
        dir.commit().unwrap();
        drop(dir);
        fs::write(path.join("notes.txt"), "mine").unwrap();
        let error = RecordingDir::create(&path, false).unwrap_err();
        assert!(matches!(error, Error::Exists { file: "summary.json", .. }), "{error}");
        drop(RecordingDir::create(&path, true).unwrap());
        assert_eq!(names(&path), ["notes.txt", "summary.json"]);
    }

    #[test]
    fn a_directory_with_other_files_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("dir");
        fs::create_dir(&path).unwrap();
        fs::write(path.join(".log.csv.partial"), "of a killed capture").unwrap();
        drop(RecordingDir::create(&path, false).unwrap());
        fs::write(path.join("notes.txt"), "mine").unwrap();
        for force in [false, true] {
            let error = RecordingDir::create(&path, force).unwrap_err();
            assert!(matches!(error, Error::NotEmpty(_)), "{error}");
        }
        assert_eq!(names(&path), [".log.csv.partial", "notes.txt"]);
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
    fn a_path_that_is_not_a_directory_or_has_no_parent_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(RecordingDir::create(&file, true), Err(Error::NotADirectory(_))));
        let error = RecordingDir::create(&parent.path().join("a/b"), false).unwrap_err();
        assert!(matches!(&error, Error::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound), "{error}");
    }

    #[test]
    fn two_captures_do_not_write_to_one_directory() {
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
    fn a_directory_in_place_of_a_file_is_refused_before_the_capture() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["log.csv", ".summary.json.partial"] {
            let path = parent.path().join(format!("of {name}"));
            fs::create_dir_all(path.join(name)).unwrap();
            let error = RecordingDir::create(&path, true).unwrap_err();
            assert!(matches!(error, Error::DirectoryInTheWay(_)), "{error}");
        }
    }
}
