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
mod needs;

pub use error::Error;
pub use learned::{Learned, ShareRange};

use super::session::{self, Session};
use crate::control::Signals;
use crate::memory::{Held, MemoryOf};
use crate::os::privileges::invoker;
use crate::recording::{self, Folder, Readers};
use crate::source;
use folder::StateFolder;
use needs::SessionNeeds;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The longest name of a state in bytes. A state's name is also the name of its folder.
const LONGEST_NAME: usize = 100;
/// The ending of a session's file name.
const ENDING: &str = ".json";

/// A library, by its folder. The folder need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library(PathBuf);

/// A part of a library, without the sessions that cannot be used.
#[derive(Debug)]
pub struct Usable<T> {
    /// The part.
    pub usable: T,
    /// For each session that was left out, why it cannot be used.
    pub left_out: Vec<Error>,
}

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

    /// All states, by name, without the sessions that cannot be used.
    ///
    /// # Errors
    /// Fails if the library has no states, or none with a session that can be used.
    pub fn states(&self) -> Result<Usable<Vec<Learned>>, Error> {
        let (mut states, mut left_out) = (Vec::new(), Vec::new());
        for name in self.names()? {
            match self.read(name) {
                Ok(read) => {
                    states.extend(Some(read.usable).filter(|learned| !learned.sessions.is_empty()));
                    left_out.extend(read.left_out);
                }
                Err(error) => left_out.push(error),
            }
        }
        match (states.is_empty(), left_out.is_empty()) {
            (false, _) => Ok(Usable { usable: states, left_out }),
            (true, false) => Err(left_out.swap_remove(0)),
            (true, true) => Err(Error::Empty(self.0.clone())),
        }
    }

    /// One state, without the sessions that cannot be used.
    ///
    /// # Errors
    /// Fails if the library does not have the state, or if none of its sessions can be used.
    pub fn usable_state(&self, name: &str) -> Result<Usable<Learned>, Error> {
        let mut read = self.read(state_name(name)?)?;
        match (read.usable.sessions.is_empty(), read.left_out.is_empty()) {
            (false, _) => Ok(read),
            (true, false) => Err(read.left_out.swap_remove(0)),
            (true, true) => Err(self.no_state(name)),
        }
    }

    /// One state with all its sessions.
    ///
    /// # Errors
    /// Fails if the library does not have the state, or if one of its sessions cannot be used.
    pub fn state(&self, name: &str) -> Result<Learned, Error> {
        let mut read = self.usable_state(name)?;
        if read.left_out.is_empty() { Ok(read.usable) } else { Err(read.left_out.swap_remove(0)) }
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

    /// A state and the sessions that cannot be used. If the library does not have the state, it has no sessions.
    fn read(&self, name: String) -> Result<Usable<Learned>, Error> {
        let (mut sessions, mut left_out) = (Vec::new(), Vec::new());
        if let Some(folder) = StateFolder::open(&self.0, &name)? {
            for session in folder.sessions()? {
                match folder.read(&session) {
                    Ok(read) => sessions.push((session, read)),
                    Err(error @ (Error::Session { .. } | Error::Read { .. })) => left_out.push(error),
                    Err(error) => return Err(error),
                }
            }
        }
        // The order is that of the names without their ending, so `NAME-2` follows `NAME`.
        sessions.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Usable { usable: Learned { name, sessions }, left_out })
    }

    /// Checks that a session could be added to a state, before a user waits for a capture in vain. Returns the sessions of the
    /// state that cannot be used.
    ///
    /// # Errors
    /// Fails if the folder of the state cannot be written to.
    pub fn may_add(&self, state: &str) -> Result<Vec<Error>, Error> {
        let left_out = self.read(state_name(state)?)?.left_out;
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
        tempfile::tempfile_in(there).map_err(|cause| {
            Error::Write(recording::Error::Io { verb: "write into", path: there.to_owned(), cause })
        })?;
        Ok(left_out)
    }

    /// Adds sessions to a state, all or none of them, and returns their files. Each session comes with the
    /// place that it was read from. The sessions that the state has stay as they are, also those that cannot be
    /// used.
    ///
    /// # Errors
    /// Fails if the state already has one of the sessions, or if a file cannot be written. In these cases no
    /// session was added. If a finished file cannot get its final name, other sessions may have been added.
    pub fn add(&self, state: &str, sessions: &[(String, Session)]) -> Result<Vec<PathBuf>, Error> {
        let state = state_name(state)?;
        let known = self.read(state.clone())?.usable.sessions;
        let mut names: BTreeSet<String> = match StateFolder::open(&self.0, &state)? {
            Some(folder) => folder.sessions()?.into_iter().collect(),
            None => BTreeSet::new(),
        };
        let mut all: Vec<(String, &Session)> = known.iter().map(|(name, session)| (name.clone(), session)).collect();
        for (place, session) in sessions {
            if let Some(index) = all.iter().position(|(_, known)| known.is_of_the_time_of(session)) {
                let place = place.clone();
                return Err(match index.checked_sub(known.len()) {
                    None => Error::Known { place, state, name: all[index].0.clone() },
                    Some(index) => Error::Twice { place, other: sessions[index].0.clone() },
                });
            }
            let name = free_name(session, &names);
            names.insert(name.clone());
            all.push((name, session));
        }
        let _made = create_with_parents(&self.0)?;
        let folder = Folder::create(&self.0.join(&state), Readers::Owner)?.shared(false)?;
        let mut paths = Vec::new();
        for (name, session) in &all[known.len()..] {
            let name = format!("{name}{ENDING}");
            let mut file = folder.file(&name)?;
            file.write_with(|out| session.write_json(out))?;
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
fn free_name(session: &Session, taken: &BTreeSet<String>) -> String {
    let now = || humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let started: String = session.origin.started.clone().unwrap_or_else(now).chars().take(19).collect();
    let name = format!("{}Z", started.trim_end_matches('Z').replace(['-', ':'], ""));
    let name = if state_name(&name).is_ok() { name } else { "session".to_owned() };
    let mut names = std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}-{number}")));
    names.find(|name| !taken.contains(name)).expect("some number is free")
}

/// Reads a session's file.
pub fn read_session(path: &Path, signals: &Signals) -> Result<Session, Error> {
    match source::open_file(path, signals) {
        Ok(file) => parse(path, file),
        Err(cause) => Err(Error::Read { path: path.to_owned(), cause }),
    }
}

/// The bytes that are read first. Each later piece is as long as all before it.
const PIECE: u64 = 64 << 10;

/// Parses a session's file.
fn parse(path: &Path, file: impl Read) -> Result<Session, Error> {
    let failed = |cause| Error::Read { path: path.to_owned(), cause };
    let too_much = |cause| Error::TooMuch { path: path.to_owned(), cause };
    let mut held = Held::nothing(MemoryOf::Sessions);
    let mut bytes = Vec::new();
    let mut needs = SessionNeeds::default();
    // The file may also be a pipe, whose length is not known.
    let mut file = file.take(0);
    loop {
        let piece = (bytes.len() as u64).max(PIECE);
        held.grow(piece).map_err(too_much)?;
        bytes.reserve_exact(piece as usize);
        file.set_limit(piece);
        let read = file.read_to_end(&mut bytes).map_err(failed)?;
        needs.add(&bytes[bytes.len() - read..]);
        held.resize(needs.bytes).map_err(too_much)?;
        if (read as u64) < piece {
            break;
        }
    }
    let damaged = |cause| Error::Session { path: path.to_owned(), cause };
    let text = std::str::from_utf8(&bytes).map_err(|error| damaged(session::Error::Damaged(error.to_string())))?;
    let session = Session::parse(text).map_err(damaged)?;
    drop((bytes, held));
    session.hold().map_err(too_much)
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

/// Makes a folder and its missing parents, which only their owner may read. When the returned
/// folders are dropped, those that are still empty are removed, the innermost first.
fn create_with_parents(path: &Path) -> Result<Vec<Folder>, Error> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    let mut made: Vec<Folder> =
        missing.into_iter().rev().map(|path| Folder::create(path, Readers::Owner)).collect::<Result<_, _>>()?;
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

        let states = library.states().unwrap().usable;
        let names: Vec<_> = states.iter().map(|state| (state.name.as_str(), state.sessions.len())).collect();
        assert_eq!(names, [("busy", 1), ("idle", 2)]);
        assert_eq!(states[1].sessions[1].1, second);
        assert_eq!(library.state("idle").unwrap(), states[1]);
        assert!(library.state("idel").unwrap_err().to_string().contains("it has busy, idle"));

        // Files that are not sessions, and links to other places.
        std::fs::write(library.path().join("idle/package.json"), "{}").unwrap();
        let left_out = library.states().unwrap().left_out;
        assert!(matches!(left_out[..], [Error::Session { .. }]), "the file may be a damaged session");
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
            let of_state = library.may_add("idle").unwrap().remove(0);
            for error in [library.states().unwrap_err(), of_state, library.state("idle").unwrap_err()] {
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
    fn a_damaged_session_is_left_out_and_stays() {
        let home = tempfile::tempdir().unwrap();
        let library = Library::at(home.path().to_owned());
        let mut of_time = session(&[("a:x", &[5, 5])], &[]);
        let mut add = |state: &str, begin: u64| {
            of_time.origin.started = Some("2026-11-26T01:02:03Z".to_owned());
            of_time.origin.begin_ns = Ns(begin);
            library.add(state, &[("rec".to_owned(), of_time.clone())]).unwrap().remove(0)
        };
        let damaged = add("idle", 2_000);
        add("idle", 4_000);
        add("busy", 6_000);
        let alone = add("alone", 8_000);
        for path in [&damaged, &alone] {
            std::fs::write(path, "{").unwrap();
        }
        let Usable { usable, left_out } = library.states().unwrap();
        let names: Vec<_> = usable.iter().map(|state| (state.name.as_str(), state.sessions.len())).collect();
        assert_eq!(names, [("busy", 1), ("idle", 1)]);
        assert_eq!(left_out.len(), 2);
        assert!(left_out[0].to_string().contains("alone/20261126T010203Z.json"), "{}", left_out[0]);
        assert_eq!(library.usable_state("idle").unwrap().left_out.len(), 1);
        // All sessions of a state that is asked for are needed.
        assert!(library.state("idle").is_err() && library.state("alone").is_err() && library.state("busy").is_ok());
        // A new session takes the place of none.
        assert_eq!(library.may_add("idle").unwrap().len(), 1);
        assert!(add("idle", 10_000).ends_with("20261126T010203Z-3.json"));
        assert_eq!(std::fs::read(damaged).unwrap(), b"{");
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
