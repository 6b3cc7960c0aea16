//! The folder of one state.

use super::{ENDING, Error, parse, state_name};
use crate::state::session::Session;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The folder of one state, held by its descriptor. Nobody can exchange the folder between two operations,
/// and no symbolic link is followed. This matters under sudo, where the folder may belong to another user.
#[derive(Debug)]
pub(super) struct StateFolder {
    library: OwnedFd,
    dir: OwnedFd,
    state: String,
    /// Its path, for messages.
    path: PathBuf,
}

impl StateFolder {
    /// Opens the folder of a state. `None` if the library has no folder of this name.
    pub fn open(library: &Path, state: &str) -> Result<Option<Self>, Error> {
        let path = library.join(state);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(library) = openat(CWD, library, flags, Mode::empty()) else { return Ok(None) };
        if kind(&library, state) != Some(FileType::Directory) {
            return Ok(None);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&library, state, flags, Mode::empty()) {
            Ok(dir) => Ok(Some(StateFolder { library, dir, state: state.to_owned(), path })),
            Err(errno) => Err(Error::Read { path, cause: errno.into() }),
        }
    }

    /// The names of the sessions, ascending by file name: all regular files with a valid name and ending.
    pub fn sessions(&self) -> Result<Vec<String>, Error> {
        let failed = |errno: Errno| Error::Read { path: self.path.clone(), cause: errno.into() };
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.dir).map_err(failed)? {
            files.extend(entry.map_err(failed)?.file_name().to_str().ok().map(str::to_owned));
        }
        files.retain(|file| kind(&self.dir, file) == Some(FileType::RegularFile));
        files.sort();
        let names = files.iter().filter_map(|file| file.strip_suffix(ENDING).map(str::to_owned));
        Ok(names.filter(|name| state_name(name).is_ok()).collect())
    }

    /// Reads a session.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or is not a session.
    pub fn read(&self, session: &str) -> Result<Session, Error> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(&self.dir, file_name(session).as_str(), flags, Mode::empty()) {
            Ok(file) => parse(&self.path_of(session), File::from(file)),
            Err(errno) => Err(Error::Read { path: self.path_of(session), cause: errno.into() }),
        }
    }

    /// Removes a session.
    pub fn remove(&self, session: &str) -> Result<(), Error> {
        unlinkat(&self.dir, file_name(session).as_str(), AtFlags::empty())
            .map_err(|errno| Error::Remove { path: self.path_of(session), cause: errno.into() })
    }

    /// Removes the folder, unless something is left in it.
    pub fn remove_if_empty(self) {
        let _ = unlinkat(&self.library, self.state.as_str(), AtFlags::REMOVEDIR);
    }

    fn path_of(&self, session: &str) -> PathBuf {
        self.path.join(file_name(session))
    }
}

fn file_name(session: &str) -> String {
    format!("{session}{ENDING}")
}

/// The type of the file with this name in a folder. Symbolic links are not followed. `None` if there is no
/// such file.
fn kind(dir: &OwnedFd, name: &str) -> Option<FileType> {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(FileType::from_raw_mode(stat.st_mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::session;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_that_is_exchanged_is_still_the_one_that_was_opened() {
        let home = tempfile::tempdir().unwrap();
        let (idle, moved, victim) = (home.path().join("idle"), home.path().join("moved"), home.path().join("victim"));
        for folder in [&idle, &victim] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("it.json"), session(&[("a:x", &[5, 5])], &[]).to_json()).unwrap();
        }
        symlink(victim.join("it.json"), idle.join("link.json")).unwrap();
        let folder = StateFolder::open(home.path(), "idle").unwrap().unwrap();
        fs::rename(&idle, &moved).unwrap();
        symlink(&victim, &idle).unwrap();
        assert_eq!(folder.sessions().unwrap(), ["it"], "a link is not a session");
        assert!(folder.read("it").is_ok() && matches!(folder.read("link"), Err(Error::Read { .. })));
        folder.remove("it").unwrap();
        assert!(!moved.join("it.json").exists() && victim.join("it.json").exists());
        assert!(matches!(folder.remove("it"), Err(Error::Remove { .. })));
        folder.remove_if_empty();
        assert!(victim.is_dir() && idle.is_symlink());
        assert!(StateFolder::open(home.path(), "idle").unwrap().is_none(), "a link is not a state");
        assert!(StateFolder::open(home.path(), "none").unwrap().is_none());
    }
}
