//! A library of states. Each state is a folder, and each of its sessions is a file in that folder.
//!
//! ```text
//!  LIBRARY/apache/20261126T101500Z.json
//!                 20261126T101700Z.json
//!          idle/20261126T101900Z.json
//! ```
//!
//! The files hold everything that the library knows. Users may copy, commit or delete them. The library
//! ignores all other files, and all names that begin with a dot.

mod error;
mod folder;
mod learned;

pub use error::Error;
pub use learned::{Learned, ShareRange};

use super::session::{self, Session};
use crate::os::privileges::invoker;
use crate::recording::{self, Folder};
use folder::StateFolder;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The longest name of a state in bytes. A state's name is also the name of its folder.
const LONGEST_NAME: usize = 100;
/// The ending of a session's file name.
const ENDING: &str = ".json";

/// A library, by its folder. The folder need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library(PathBuf);

/// Checks that a text can be the name of a state.
///
/// # Errors
/// Fails if no folder can have this name, on this or another system.
pub fn state_name(text: &str) -> Result<String, Error> {
    let is_usual = |c: char| c.is_alphanumeric() || "-_.+@".contains(c);
    match !text.is_empty() && text.len() <= LONGEST_NAME && !text.starts_with(['.', '-']) && text.chars().all(is_usual)
    {
        true => Ok(text.to_owned()),
        false => Err(Error::BadName(text.to_owned())),
    }
}

impl Library {
    /// The library in this folder.
    pub fn at(path: PathBuf) -> Self {
        Library(path)
    }

    /// The default library: `tp-perf/states` in `$XDG_DATA_HOME`, or in `~/.local/share` if that is not set.
    /// Under sudo, it is the library of the user who called sudo.
    pub fn of_user() -> Result<Self, Error> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = match invoker() {
            Some(user) => user.home().map(|home| home.join(".local/share")),
            None => variable("XDG_DATA_HOME").or(variable("HOME").map(|home| home.join(".local/share"))),
        };
        Ok(Library(data.ok_or(Error::NoHome)?.join("tp-perf/states")))
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Checks that the library has at least one state.
    ///
    /// # Errors
    /// Fails if no folder in it has the name of a state.
    pub fn has_states(&self) -> Result<(), Error> {
        if self.names()?.is_empty() { Err(Error::Empty(self.0.clone())) } else { Ok(()) }
    }

    /// All states, by name.
    ///
    /// # Errors
    /// Fails if the library has no states, or if a file of a state cannot be used.
    pub fn states(&self) -> Result<Vec<Learned>, Error> {
        let mut states = Vec::new();
        for name in self.names()? {
            let learned = self.read(name)?;
            if !learned.sessions.is_empty() {
                states.push(learned);
            }
        }
        if states.is_empty() { Err(Error::Empty(self.0.clone())) } else { Ok(states) }
    }

    /// One state.
    ///
    /// # Errors
    /// Fails if the library does not have the state, or if one of its files cannot be used.
    pub fn state(&self, name: &str) -> Result<Learned, Error> {
        let learned = self.read(state_name(name)?)?;
        if learned.sessions.is_empty() {
            return Err(self.no_state(name));
        }
        Ok(learned)
    }

    fn no_state(&self, name: &str) -> Error {
        match self.names() {
            Ok(states) => Error::NoState { path: self.0.clone(), name: name.to_owned(), states },
            // A library that cannot be read may have the state.
            Err(error) => error,
        }
    }

    /// The folders that have the name of a state.
    fn names(&self) -> Result<Vec<String>, Error> {
        let is_state = |name: &String| state_name(name).is_ok() && is_folder(&self.0.join(name));
        Ok(entries(&self.0)?.into_iter().filter(is_state).collect())
    }

    fn read(&self, name: String) -> Result<Learned, Error> {
        let mut sessions = Vec::new();
        if let Some(folder) = StateFolder::open(&self.0, &name)? {
            for session in folder.sessions()? {
                let read = folder.read(&session)?;
                sessions.push((session, read));
            }
        }
        // The order is that of the names without their ending, so `NAME-2` follows `NAME`.
        sessions.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Learned { name, sessions })
    }

    /// Checks that a session could be added to a state, before a user waits for a capture in vain.
    ///
    /// # Errors
    /// Fails if a session of the state cannot be used, or if its folder cannot be written to.
    pub fn may_add(&self, state: &str) -> Result<(), Error> {
        self.read(state_name(state)?)?;
        let folder = self.0.join(state);
        let exists = |folder: &&Path| folder.symlink_metadata().is_ok();
        let there = folder.ancestors().filter(|folder| !folder.as_os_str().is_empty()).find(exists);
        let there = there.unwrap_or(Path::new("."));
        if there == folder && there.is_symlink() {
            return Err(recording::Error::SymbolicLink(there.to_owned()).into());
        }
        if !there.is_dir() {
            return Err(recording::Error::NotADirectory(there.to_owned()).into());
        }
        // access(2) would answer for the rights that root has set aside, and not for those that are left.
        tempfile::tempfile_in(there)
            .map(drop)
            .map_err(|cause| Error::Write(recording::Error::Io { verb: "write into", path: there.to_owned(), cause }))
    }

    /// Adds sessions to a state, all or none of them, and returns their files. Each session comes with the
    /// place that it was read from.
    ///
    /// # Errors
    /// Fails if the state already has one of the sessions, or if a file cannot be written. In these cases no
    /// session was added. If a finished file cannot get its final name, other sessions may have been added.
    pub fn add(&self, state: &str, sessions: &[(String, Session)]) -> Result<Vec<PathBuf>, Error> {
        let state = state_name(state)?;
        let known = self.read(state.clone())?.sessions;
        let mut all: Vec<(String, &Session)> = known.iter().map(|(name, session)| (name.clone(), session)).collect();
        for (place, session) in sessions {
            if let Some(index) = all.iter().position(|(_, known)| known.is_of_the_time_of(session)) {
                let place = place.clone();
                return Err(match index.checked_sub(known.len()) {
                    None => Error::Known { place, state, name: all[index].0.clone() },
                    Some(index) => Error::Twice { place, other: sessions[index].0.clone() },
                });
            }
            all.push((free_name(session, &all), session));
        }
        let _made = create_with_parents(&self.0)?;
        let folder = Folder::create(&self.0.join(&state))?.shared(false)?;
        let mut paths = Vec::new();
        for (name, session) in &all[known.len()..] {
            let name = format!("{name}{ENDING}");
            let mut file = folder.file(&name)?;
            file.write(session.to_json().as_bytes())?;
            file.finish();
            paths.push(folder.path().join(name));
        }
        folder.commit()?;
        Ok(paths)
    }

    /// Removes sessions of a state, or the whole state. Other files in its folder stay. Returns how many
    /// sessions it removed.
    ///
    /// # Errors
    /// Fails if the library does not have the state or a session. Also fails if a session cannot be removed;
    /// the sessions before it are then gone.
    pub fn remove(&self, state: &str, sessions: &[String]) -> Result<usize, Error> {
        let Some(folder) = StateFolder::open(&self.0, &state_name(state)?)? else { return Err(self.no_state(state)) };
        let mut all = folder.sessions()?;
        let has_files = !all.is_empty();
        if sessions.is_empty() {
            // Leave JSON files that are not sessions. Remove a damaged session only if the user names it.
            all.retain(|name| match folder.read(name) {
                Err(Error::Session { cause, .. }) => matches!(cause, session::Error::OtherVersion(_)),
                read => read.is_ok(),
            });
        }
        if all.is_empty() {
            return Err(if has_files { Error::OnlyDamaged(state.to_owned()) } else { self.no_state(state) });
        }
        if let Some(name) = sessions.iter().find(|name| !all.contains(name)) {
            return Err(Error::NoSession { state: state.to_owned(), name: name.clone() });
        }
        let chosen: BTreeSet<&String> = if sessions.is_empty() { &all } else { sessions }.iter().collect();
        for name in &chosen {
            folder.remove(name)?;
        }
        folder.remove_if_empty();
        Ok(chosen.len())
    }
}

/// A name that no session of the state has. It is the time at which the session started, if known, or else
/// the present time.
fn free_name(session: &Session, taken: &[(String, &Session)]) -> String {
    let now = || humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let started: String = session.origin.started.clone().unwrap_or_else(now).chars().take(19).collect();
    let name = format!("{}Z", started.trim_end_matches('Z').replace(['-', ':'], ""));
    let name = if state_name(&name).is_ok() { name } else { "session".to_owned() };
    let is_taken = |name: &String| taken.iter().any(|(its, _)| its == name);
    let mut names = std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}-{number}")));
    names.find(|name| !is_taken(name)).expect("some number is free")
}

/// Reads a session's file.
pub fn read_session(path: &Path) -> Result<Session, Error> {
    parse(path, fs::read(path))
}

/// Parses the bytes of a session's file.
fn parse(path: &Path, bytes: io::Result<Vec<u8>>) -> Result<Session, Error> {
    let bytes = bytes.map_err(|cause| Error::Read { path: path.to_owned(), cause })?;
    let damaged = |cause| Error::Session { path: path.to_owned(), cause };
    let text = std::str::from_utf8(&bytes).map_err(|error| damaged(session::Error::Damaged(error.to_string())))?;
    Session::parse(text).map_err(damaged)
}

/// Whether the path is a folder, and not a symbolic link to one.
fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

/// The names in a folder that are valid UTF-8, ascending. A folder that does not exist has none.
fn entries(folder: &Path) -> Result<Vec<String>, Error> {
    let failed = |cause: io::Error| Error::Read { path: folder.to_owned(), cause };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let names = entries.map(|entry| Ok(entry.map_err(failed)?.file_name().into_string().ok()));
    let mut names: Vec<String> = names.collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect();
    names.sort();
    Ok(names)
}

/// Makes a folder and its missing parents. When the returned
/// folders are dropped, those that are still empty are removed, the innermost first.
fn create_with_parents(path: &Path) -> Result<Vec<Folder>, Error> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    let mut made: Vec<Folder> = missing.into_iter().rev().map(Folder::create).collect::<Result<_, _>>()?;
    made.reverse();
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::session;
    use crate::state::windows::Length;
    use crate::units::Ns;

    #[test]
    fn what_is_added_is_there_until_it_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let library = Library::at(home.path().join("deep/er"));
        assert!(matches!(library.states(), Err(Error::Empty(_))));
        let mut first = session(&[("a:x", &[5, 5])], &[]);
        first.origin.started = Some("2026-11-26T01:02:03.456Z".to_owned());
        let mut second = first.clone();
        second.origin.begin_ns = Ns(2_000);
        let add = |state: &str, sessions: &[&Session]| {
            let sessions: Vec<_> = sessions.iter().map(|session| ("rec".to_owned(), (*session).clone())).collect();
            library.add(state, &sessions)
        };
        let path = |name: &str| library.path().join("idle").join(name);
        library.may_add("idle").unwrap();
        assert_eq!(add("idle", &[&first]).unwrap(), [path("20261126T010203Z.json")]);
        library.may_add("idle").unwrap();
        // Either all sessions are added, or none.
        let mut overlapping = first.clone();
        (overlapping.origin.begin_ns, overlapping.window) = (Ns(1_900), Length::Ns(100));
        for again in [&first, &overlapping] {
            let error = add("idle", &[&second, again]);
            assert!(matches!(&error, Err(Error::Known { name, .. }) if name == "20261126T010203Z"), "{error:?}");
        }
        assert!(matches!(add("idle", &[&second, &second]), Err(Error::Twice { .. })));
        assert_eq!(library.state("idle").unwrap().sessions.len(), 1);
        let mut third = second.clone();
        third.origin.begin_ns = Ns(4_000);
        assert_eq!(
            add("idle", &[&second, &third]).unwrap(),
            [path("20261126T010203Z-2.json"), path("20261126T010203Z-3.json")]
        );
        library.remove("idle", &["20261126T010203Z-3".to_owned()]).unwrap();
        // Two states may have the same session, because the user decides which state it shows.
        add("busy", &[&first]).unwrap();
        std::fs::write(library.path().join("README"), "not ours").unwrap();
        std::fs::write(library.path().join("idle/.hidden.json"), "not ours").unwrap();

        let states = library.states().unwrap();
        let names: Vec<_> = states.iter().map(|state| (state.name.as_str(), state.sessions.len())).collect();
        assert_eq!(names, [("busy", 1), ("idle", 2)]);
        assert_eq!(states[1].sessions[1].1, second);
        assert_eq!(library.state("idle").unwrap(), states[1]);
        assert!(library.state("idel").unwrap_err().to_string().contains("it has busy, idle"));

        // Files that are not sessions, and links to other places.
        std::fs::write(library.path().join("idle/package.json"), "{}").unwrap();
        assert!(matches!(library.states(), Err(Error::Session { .. })), "the file may be a damaged session");
        std::fs::create_dir(library.path().join("other")).unwrap();
        std::fs::write(library.path().join("other/package.json"), "{}").unwrap();
        assert!(matches!(library.remove("other", &[]), Err(Error::OnlyDamaged(_))));
        assert!(library.path().join("other/package.json").exists());
        std::fs::remove_file(library.path().join("idle/package.json")).unwrap();
        std::fs::remove_dir_all(library.path().join("other")).unwrap();
        std::os::unix::fs::symlink(library.path().join("idle"), library.path().join("link")).unwrap();
        assert!(matches!(library.remove("link", &[]), Err(Error::NoState { .. })));
        assert!(matches!(library.remove("idle", &["none".to_owned()]), Err(Error::NoSession { .. })));
        let twice = ["20261126T010203Z", "20261126T010203Z"].map(str::to_owned);
        assert_eq!(library.remove("idle", &twice).unwrap(), 1);
        assert_eq!(library.state("idle").unwrap().sessions.len(), 1);
        assert_eq!(library.remove("busy", &[]).unwrap(), 1);
        assert!(
            !library.path().join("busy").exists() && matches!(library.remove("busy", &[]), Err(Error::NoState { .. }))
        );
    }

    #[test]
    fn what_cannot_be_used_is_said_with_its_file() {
        let home = tempfile::tempdir().unwrap();
        let library = Library::at(home.path().to_owned());
        let session = session(&[("a:x", &[5, 5])], &[]);
        let [path] = &library.add("idle", &[("rec".to_owned(), session)]).unwrap()[..] else { panic!() };
        let whole = std::fs::read_to_string(path).unwrap();
        for (text, said) in [
            (&whole[..whole.len() / 2], "damaged"),
            ("", "damaged"),
            (&whole.replace("\"schema\": 1", "\"schema\": 2"), "version 2"),
        ] {
            std::fs::write(path, text).unwrap();
            for error in [library.states().unwrap_err(), library.may_add("idle").unwrap_err()] {
                let error = error.to_string();
                assert!(error.contains(said) && error.contains(path.to_str().unwrap()), "{error}");
            }
        }
        std::fs::write(path, [0xff, 0xfe]).unwrap();
        assert!(library.states().unwrap_err().to_string().contains("damaged"));
        let error = Library::at(path.join("below")).may_add("idle").unwrap_err();
        assert!(matches!(error, Error::Write(recording::Error::NotADirectory(_))), "{error}");
    }

    #[test]
    fn a_state_is_named_as_a_folder_can_be() {
        for name in ["idle", "build-j2", "a+b", "Größe", "v1.2_x@host"] {
            assert_eq!(state_name(name).unwrap(), name);
        }
        for name in ["", "a/b", "../x", ".hidden", "-x", "a b", "a\n", &"x".repeat(101)] {
            assert!(matches!(state_name(name), Err(Error::BadName(_))), "{name:?}");
        }
    }
}
