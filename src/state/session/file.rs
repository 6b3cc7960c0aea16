//! The file of a session.

use super::{SCHEMA, Session};
use crate::state::windows::{Length, MOST_WINDOWS};
use crate::text::JsonEscaping;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::ser::{Formatter, PrettyFormatter};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::io::{self, Write};
use std::marker::PhantomData;

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
    pub(in crate::state) fn check(&self) -> Result<(), String> {
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
        if let (Length::Ns(_), Some(window)) = (self.window, self.ns.iter().position(|ns| *ns == 0)) {
            return Err(format!("window {window} has no length"));
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
}

/// Reads an object in which no key comes twice. serde would keep the last value and drop the others.
pub(super) fn each_key_once<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, V>, D::Error> {
    struct EachOnce<V>(PhantomData<V>);

    impl<'de, V: Deserialize<'de>> Visitor<'de> for EachOnce<V> {
        type Value = BTreeMap<String, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some(key) = map.next_key::<String>()? {
                match all.entry(key) {
                    Entry::Vacant(vacant) => vacant.insert(map.next_value()?),
                    Entry::Occupied(twice) => {
                        return Err(de::Error::custom(format_args!("`{}` comes twice", twice.key())));
                    }
                };
            }
            Ok(all)
        }
    }

    deserializer.deserialize_map(EachOnce(PhantomData))
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
    use crate::state::session::tests::session;

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
        assert!(said("[0,7,0]", "[0,7,0], \"ns\": [1,0,1]").contains("window 1 has no length"));
        let again = "\"sched:sched_switch\": [9,9,9], \"sched:sched_switch\": [5,0,6]";
        assert!(said("\"sched:sched_switch\": [5,0,6]", again).contains("`sched:sched_switch` comes twice"));
    }
}
