//! A session: what the library stores of one recording. It has the counts of each window, under names that
//! mean the same on every kernel.

mod file;

pub use file::Error;

use super::load::SessionLoad;
use super::windows::{Length, MOST_LOST, MOST_MISSING, OF_CELL, Window};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::os::cpus::Cpu;
use crate::recording::{Summary, Tool};
use crate::tracefs::{Selection, Status, Table};
use crate::units::Ns;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

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
    #[serde(deserialize_with = "file::each_key_once")]
    pub counts: BTreeMap<String, Vec<u64>>,
    /// The tracepoints that were captured but never fired: names by group.
    #[serde(deserialize_with = "file::each_key_once")]
    pub not_hit: BTreeMap<String, Vec<String>>,
    /// The tracepoints that were not captured: `group:name` by reason.
    #[serde(deserialize_with = "file::each_key_once")]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracefs::Tpid;

    pub(super) fn session() -> Session {
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
