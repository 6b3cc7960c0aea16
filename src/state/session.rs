//! A session: what the library stores of one recording. It has the counts of each window, under names that
//! mean the same on every kernel.

use super::load::SessionLoad;
use super::windows::{Length, MOST_LOST, MOST_MISSING, MOST_WINDOWS, OF_CELL, Window};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::os::cpus::Cpu;
use crate::recording::{Summary, Tool};
use crate::text::JsonEscaping;
use crate::tracefs::{Selection, Status, Table};
use crate::units::Ns;
use serde::{Deserialize, Serialize};
use serde_json::ser::{Formatter, PrettyFormatter};
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};

/// The version of the file format. It grows when a field changes its meaning or is removed.
pub const SCHEMA: u32 = 1;

/// One session. Its serialized form is a file of the library: JSON, with the counts of a tracepoint on one
/// line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The version of the format: [`SCHEMA`].
    pub schema: u32,
    /// The tool that wrote it.
    pub tool: Tool,
    /// The recording that it comes from.
    pub origin: SessionOrigin,
    /// The engine that watched; null in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<SessionEngine>,
    /// What the machine did meanwhile; null in files of earlier versions, and for recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<SessionLoad>,
    /// The length of a window.
    pub window: Length,
    /// The number of windows.
    pub windows: usize,
    /// The length of each window in nanoseconds. It is empty if all have the same length. Windows of a counting engine
    /// end at ticks, so their lengths differ a little.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ns: Vec<u64>,
    /// Events lost in each window. It is empty if none were lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<u64>,
    /// By `group:name`, the events in each window.
    pub counts: BTreeMap<String, Vec<u64>>,
    /// The tracepoints that were captured but never fired: names by group.
    pub not_hit: BTreeMap<String, Vec<String>>,
    /// The tracepoints that were not captured: `group:name` by reason.
    pub left_out: BTreeMap<String, Vec<String>>,
    /// The memory that it takes.
    #[serde(skip, default = "nothing_held")]
    pub held: Held,
}

/// The engine that watched a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionEngine {
    /// It recorded events, and tp-perf counted the events.
    Sampling,
    /// The kernel counted hits.
    Counting,
}

impl SessionEngine {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            SessionEngine::Sampling => "recorded",
            SessionEngine::Counting => "counted",
        }
    }
}

/// No memory yet.
pub(super) fn nothing_held() -> Held {
    Held::nothing(MemoryOf::Sessions)
}

/// The memory in bytes of a name in a session, in lists of names, and in answers; of a window; and of a count in a window
/// that is not 0.
const OF_NAME: u64 = 192;
const OF_WINDOW: u64 = 128;
const OF_COUNT: u64 = 40;

/// The recording that a session comes from. Fields that the recording does not have are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SessionOrigin {
    /// The release of the kernel.
    pub kernel: Option<String>,
    /// The name of the machine.
    pub hostname: Option<String>,
    /// The captured CPUs, ascending.
    pub cpus: Vec<Cpu>,
    /// The clock of the timestamps.
    pub clock: Option<String>,
    /// The wall-clock time in UTC at which the events were enabled.
    pub started: Option<String>,
    /// The begin of the first window, by the clock of the timestamps.
    pub begin_ns: Ns,
}

impl SessionOrigin {
    /// The origin of a source that has this summary, and whose first window begins at this time.
    fn of(summary: &Summary, begin_ns: Ns) -> Self {
        let Summary { kernel, hostname, cpus, clock, started, .. } = summary.clone();
        SessionOrigin { kernel, hostname, cpus, clock, started, begin_ns }
    }
}

/// Why a file is not a usable session.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another version of tp-perf wrote it.
    #[error("it has format version {0}, and this tp-perf reads only version {known}", known = SCHEMA)]
    OtherVersion(u64),
    /// It is not JSON, or does not have the fields of a session.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl Session {
    /// Makes a session from the counted windows of a source.
    pub fn of(summary: &Summary, table: &Table, selection: &Selection, length: Length, windows: &[Window]) -> Self {
        let begin = windows.first().map_or(Ns(0), |window| window.begin);
        let origin = SessionOrigin::of(summary, begin);
        Self::of_windows(origin, table, selection, SessionEngine::Sampling, length, windows)
    }

    pub(super) fn of_windows(
        origin: SessionOrigin,
        table: &Table,
        selection: &Selection,
        engine: SessionEngine,
        length: Length,
        windows: &[Window],
    ) -> Self {
        let mut counts = BTreeMap::<String, Vec<u64>>::new();
        for (index, window) in windows.iter().enumerate() {
            for (tpid, count) in &window.counts {
                let Some(tracepoint) = table.find(*tpid) else { continue };
                // No kernel lists a name twice. If a table does, the counts are added up.
                counts.entry(tracepoint.full_name()).or_insert_with(|| vec![0; windows.len()])[index] += count;
            }
        }
        let mut not_hit = BTreeMap::<String, Vec<String>>::new();
        let mut left_out = BTreeMap::<String, Vec<String>>::new();
        for tracepoint in table.tracepoints() {
            let full_name = tracepoint.full_name();
            match selection.status(tracepoint.tpid) {
                Status::Captured if counts.contains_key(&full_name) => {}
                Status::Captured => not_hit.entry(tracepoint.group.clone()).or_default().push(tracepoint.name.clone()),
                status => left_out.entry(status.to_string()).or_default().push(full_name),
            }
        }
        let lost: Vec<u64> = windows.iter().map(|window| window.lost).collect();
        Session {
            schema: SCHEMA,
            tool: Tool::this(),
            origin,
            engine: Some(engine),
            load: None,
            window: length,
            windows: windows.len(),
            ns: match (length, engine) {
                (Length::Ns(_), SessionEngine::Sampling) => Vec::new(),
                _ => windows.iter().map(|window| window.ns).collect(),
            },
            lost: if lost.iter().all(|lost| *lost == 0) { Vec::new() } else { lost },
            counts,
            not_hit,
            left_out,
            held: nothing_held(),
        }
    }

    /// Parses a session's file.
    ///
    /// # Errors
    /// Fails if it has another version, or if its fields contradict each other.
    pub fn parse(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Version {
            schema: u64,
        }
        let damaged = |error: serde_json::Error| Error::Damaged(error.to_string());
        match serde_json::from_str::<Session>(text) {
            Ok(session) if session.schema == SCHEMA => session.check().map_err(Error::Damaged).map(|()| session),
            // Check the version before the fields, because another version may have other fields.
            result => match serde_json::from_str(text).map_err(damaged)? {
                Version { schema } if schema != u64::from(SCHEMA) => Err(Error::OtherVersion(schema)),
                _ => result.map_err(damaged),
            },
        }
    }

    /// Fails if the session could not be read back from a file, and says why.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.window.number() == 0 {
            return Err("the length of its windows is 0".to_owned());
        }
        if self.windows > MOST_WINDOWS {
            return Err(format!("it claims to have {} windows", self.windows));
        }
        let lengths = self.counts.iter().map(|(name, counts)| (name.as_str(), counts.len()));
        let lost = (!self.lost.is_empty()).then_some(("lost", self.lost.len()));
        let has_ns = matches!(self.window, Length::Events(_)) || !self.ns.is_empty();
        let ns = has_ns.then_some(("ns", self.ns.len()));
        if let Some((name, length)) = lengths.chain(lost).chain(ns).find(|(_, length)| *length != self.windows) {
            return Err(format!("`{name}` has {length} values for {} windows", self.windows));
        }
        let length = match self.window {
            Length::Ns(ns) if !has_ns => ns.checked_mul(self.windows as u64),
            _ => self.ns.iter().try_fold(0u64, |sum, ns| sum.checked_add(*ns)),
        };
        if length.and_then(|length| self.origin.begin_ns.checked_add(length)).is_none() {
            return Err("it ends later than any clock can show".to_owned());
        }
        let events = self.counts.values().flatten().try_fold(0u64, |sum, count| sum.checked_add(*count));
        match events.and_then(|events| self.lost.iter().try_fold(events, |sum, lost| sum.checked_add(*lost))) {
            Some(_) => Ok(()),
            None => Err("it has more events than can be counted".to_owned()),
        }
    }

    /// Writes the contents of its file.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let formatter = ArraysOnOneLine(PrettyFormatter::new());
        self.serialize(&mut serde_json::Serializer::with_formatter(JsonEscaping::of(&mut *out), formatter))?;
        out.write_all(b"\n")
    }

    /// The contents of its file, for a session that is small.
    ///
    /// # Panics
    /// If there is not enough memory.
    pub fn to_json(&self) -> String {
        let mut bytes = Vec::new();
        self.write_json(&mut bytes).expect("numbers and text become JSON");
        String::from_utf8(bytes).expect("JSON is UTF-8")
    }

    /// Takes its memory, and the memory that a comparison with it takes.
    ///
    /// # Errors
    /// If that is too much.
    pub(super) fn hold(mut self) -> Result<Self, TooMuch> {
        let of_name = |name: &String| OF_NAME + 3 * name.len() as u64;
        let names = self.counts.keys().map(of_name);
        let others = [&self.not_hit, &self.left_out];
        let keys = others.iter().flat_map(|names| names.keys()).map(of_name);
        let names = names.chain(keys).chain(others.iter().flat_map(|names| names.values().flatten()).map(of_name));
        let counts = || self.counts.values().flatten();
        let bytes = names.sum::<u64>()
            + self.windows as u64 * OF_WINDOW
            + counts().count() as u64 * OF_CELL
            + counts().filter(|count| **count > 0).count() as u64 * OF_COUNT;
        self.held.resize(bytes)?;
        Ok(self)
    }

    /// The tracepoints that it captured, whether or not they fired.
    pub fn captured(&self) -> CapturedNames<'_> {
        let groups = self.not_hit.iter();
        let not_hit = groups.flat_map(|(group, names)| names.iter().map(move |name| (group.as_str(), name.as_str())));
        CapturedNames { counts: &self.counts, not_hit: not_hit.collect() }
    }

    /// Whether it overlaps another session of the same machine in time, as far as both have times. Then the
    /// two do not count as two sessions.
    pub fn is_of_the_time_of(&self, other: &Session) -> bool {
        // Two sessions with the same begin to the nanosecond, and the same machine, are the same session.
        if self.origin == other.origin {
            return true;
        }
        let capture = |session: &Session| SessionOrigin { begin_ns: Ns(0), ..session.origin.clone() };
        let end = |session: &Session| session.origin.begin_ns.saturating_add(session.length_ns());
        // How much of the last window may have been missing.
        let slack = |session: &Session| match session.window {
            Length::Ns(ns) => (ns as f64 * MOST_MISSING) as u64,
            Length::Events(_) => 0,
        };
        let both = end(self).min(end(other)).since(self.origin.begin_ns.max(other.origin.begin_ns));
        self.origin.started.is_some() && capture(self) == capture(other) && both > slack(self).max(slack(other))
    }

    /// The length of all windows together, in nanoseconds.
    pub fn length_ns(&self) -> u64 {
        match self.window {
            Length::Ns(ns) if self.ns.is_empty() => ns.saturating_mul(self.windows as u64),
            _ => self.ns.iter().fold(0, |sum, ns| sum.saturating_add(*ns)),
        }
    }

    /// The events of all windows.
    pub fn events(&self) -> u64 {
        self.counts.values().flatten().sum()
    }

    /// The number of windows that lost at most a tenth of their events.
    pub fn usable(&self) -> usize {
        if self.lost.is_empty() {
            return self.windows;
        }
        let mut events = vec![0u64; self.windows];
        for counts in self.counts.values() {
            events.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        let is_usable = |(events, lost): &(&u64, &u64)| **lost as f64 <= MOST_LOST * (**events as f64 + **lost as f64);
        events.iter().zip(&self.lost).filter(is_usable).count()
    }

    /// The number of captured tracepoints.
    pub fn captured_number(&self) -> usize {
        self.counts.len() + self.not_hit.values().map(Vec::len).sum::<usize>()
    }
}

/// The tracepoints that a session captured. A session of a file may have a million names, so this finds each at once.
pub struct CapturedNames<'a> {
    counts: &'a BTreeMap<String, Vec<u64>>,
    not_hit: HashSet<(&'a str, &'a str)>,
}

impl CapturedNames<'_> {
    /// Whether a tracepoint (`group:name`) is one of them.
    pub fn has(&self, full_name: &str) -> bool {
        self.counts.contains_key(full_name)
            || full_name.split_once(':').is_some_and(|name| self.not_hit.contains(&name))
    }
}

/// JSON for people and for diffs. With each number on a line of its own, a file would be mostly line ends.
struct ArraysOnOneLine<'a>(PrettyFormatter<'a>);

impl Formatter for ArraysOnOneLine<'_> {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracefs::Tpid;

    fn session() -> Session {
        Session {
            schema: SCHEMA,
            tool: Tool { name: "tp-perf".to_owned(), version: "test".to_owned() },
            origin: SessionOrigin {
                kernel: Some("6.18".to_owned()),
                cpus: vec![Cpu::new(0), Cpu::new(1)],
                clock: Some("monotonic".to_owned()),
                ..SessionOrigin::default()
            },
            engine: None,
            load: None,
            window: Length::Ns(1_000_000_000),
            windows: 3,
            ns: Vec::new(),
            lost: vec![0, 7, 0],
            counts: [("sched:sched_switch", [5, 0, 6]), ("timer:\"odd\\", [1, 2, 3])]
                .map(|(name, counts)| (name.to_owned(), counts.to_vec()))
                .into(),
            not_hit: [("sched".to_owned(), vec!["sched_stick".to_owned()])].into(),
            left_out: [("excluded: by -x a*".to_owned(), vec!["a:b".to_owned()])].into(),
            held: nothing_held(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let json = session().to_json();
        assert_eq!(Session::parse(&json).unwrap(), session());
        assert!(json.contains("\n    \"sched:sched_switch\": [5,0,6],\n"), "{json}");
        let none = Session { counts: BTreeMap::new(), windows: 0, lost: Vec::new(), ..session() };
        assert_eq!(Session::parse(&none.to_json()).unwrap(), none);
        let captured = |name: &str| session().captured().has(name);
        assert!(captured("sched:sched_switch") && captured("sched:sched_stick"));
        assert!(!captured("a:b") && !captured("sched"));
        assert_eq!(session().captured_number(), 3);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let said = |from: &str, to: &str| {
            let json = session().to_json();
            assert!(json.contains(from), "{json}");
            Session::parse(&json.replacen(from, to, 1)).unwrap_err().to_string()
        };
        assert!(said("\"schema\": 1", "\"schema\": 9").contains("version 9"));
        assert!(said("[5,0,6]", "[5,0]").contains("sched:sched_switch` has 2 values for 3 windows"));
        assert!(said("[5,0,6]", "[5,-1,6]").contains("damaged"));
        assert!(said("\"ns\": 1000000000", "\"ns\": 0").contains("length of its windows is 0"));
        assert!(said("\"windows\": 3", "\"windows\": 99999999").contains("99999999"));
        assert!(said("[5,0,6]", &format!("[{},0,6]", u64::MAX)).contains("more events than"));
        assert!(said("{", "").contains("damaged"));
        assert!(said("1000000000", "10000000000000000000").contains("later than any clock can show"));
    }

    #[test]
    fn names_of_a_source_take_the_place_of_its_numbers() {
        let table = Table::from_entries(
            [("a", "x", 1), ("b", "y", 2), ("b", "z", 3)]
                .map(|(group, name, id)| (group.to_owned(), name.to_owned(), id))
                .into(),
        );
        let selection = Selection::of_statuses(
            &table,
            [(Tpid::new(3), crate::tracefs::Status::of_words("excluded: by -x z"))].into_iter(),
        );
        let window = |counts: &[(u32, u64)], ns| {
            let counts = counts.iter().map(|(tpid, count)| (Tpid::new(*tpid), *count)).collect();
            Window { begin: Ns(0), ns, counts, lost: 0 }
        };
        let windows = [window(&[(1, 4)], 10), window(&[], 10)];
        let session = Session::of_windows(
            SessionOrigin::default(),
            &table,
            &selection,
            SessionEngine::Sampling,
            Length::Ns(10),
            &windows,
        );
        assert_eq!(session.counts, [("a:x".to_owned(), vec![4, 0])].into());
        assert_eq!(session.not_hit, [("b".to_owned(), vec!["y".to_owned()])].into());
        assert_eq!(session.left_out, [("excluded: by -x z".to_owned(), vec!["b:z".to_owned()])].into());
        assert!(session.lost.is_empty() && session.windows == 2);
        assert_eq!(Session::parse(&session.to_json()).unwrap(), session);
        // The windows of a counting engine have lengths of their own.
        let ticks = [window(&[(1, 4)], 11), window(&[], 9)];
        let (origin, engine) = (SessionOrigin::default(), SessionEngine::Counting);
        let counted = Session::of_windows(origin, &table, &selection, engine, Length::Ns(10), &ticks);
        assert_eq!((&counted.ns, counted.length_ns(), counted.engine), (&vec![11, 9], 20, Some(engine)));
        assert_eq!(Session::parse(&counted.to_json()).unwrap(), counted);
        let without = counted.to_json().replace("\"ns\": [11,9]", "\"ns\": [11]");
        assert!(Session::parse(&without).unwrap_err().to_string().contains("`ns` has 1 values for 2 windows"));
        let windows = [window(&[(1, 4)], 17), window(&[(2, 4)], 30)];
        let by_events = Session::of_windows(
            SessionOrigin::default(),
            &table,
            &selection,
            SessionEngine::Sampling,
            Length::Events(4),
            &windows,
        );
        assert_eq!(by_events.ns, [17, 30]);
        assert_eq!(Session::parse(&by_events.to_json()).unwrap(), by_events);
        let without = by_events.to_json().replace("\"ns\": [17,30]", "\"ns\": [17]");
        assert!(Session::parse(&without).unwrap_err().to_string().contains("`ns` has 1 values for 2 windows"));
    }
}
