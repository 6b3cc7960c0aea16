//! Reads a journal.
//!
//! A kill can cut the last frame short. Anything else that is wrong is damage. Then reading goes on at the next whole frame,
//! since each frame has its own checksum.

use super::error::{Error, failed};
use super::files::open_file;
use super::frame::{BEFORE_PAYLOAD, HistoryEvent, JournalFrame, JournalHeader, LONGEST_PAYLOAD, MARKER};
use super::frame::{payload_length, whole_payload};
use super::window::HistoryWindow;
use crate::events::Ns;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The next thing in a journal, behind its header.
#[derive(Debug, PartialEq)]
pub(super) enum JournalItem {
    Window(HistoryWindow),
    Event(HistoryEvent),
    /// Bytes that mean nothing, and their number. More may follow.
    Damage(u64),
}

/// Reads a journal from its begin to its end.
#[derive(Debug)]
pub(super) struct JournalReader<R> {
    input: R,
    /// The header, once it is read.
    pub(super) header: Option<Box<JournalHeader>>,
    /// The number of tracepoints in the header.
    names: usize,
    /// The begin of the last window.
    last: Option<Ns>,
    bytes: Vec<u8>,
    /// The place of the next frame in `bytes`.
    at: usize,
    /// The place of `bytes` in the file.
    base: u64,
    is_end: bool,
    /// The end of the last whole frame in the file.
    whole: u64,
    /// How many bytes the search for whole frames behind damage may still check.
    search: u64,
}

/// How many bytes a search may check, so that a file made on purpose does not take hours.
const MOST_SEARCH: u64 = 64 << 20;

/// The longest frame in bytes.
const LONGEST_FRAME: usize = BEFORE_PAYLOAD + LONGEST_PAYLOAD;

impl JournalReader<File> {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        Ok(JournalReader::new(open_file(path).map_err(failed("open", path))?))
    }
}

impl<R: Read> JournalReader<R> {
    pub(super) fn new(input: R) -> Self {
        JournalReader {
            input,
            header: None,
            names: 0,
            last: None,
            bytes: Vec::new(),
            at: 0,
            base: 0,
            is_end: false,
            whole: 0,
            search: MOST_SEARCH,
        }
    }

    /// The next thing behind the header. `None` at the end; behind the last whole frame, there may be a part of another one.
    pub(super) fn next(&mut self) -> io::Result<Option<JournalItem>> {
        loop {
            self.fill()?;
            let rest = &self.bytes[self.at..];
            if rest.is_empty() {
                return Ok(None);
            }
            let Some((length, frame)) = frame_at(rest) else { return self.skip_damage() };
            self.at += length;
            self.whole = self.base + self.at as u64;
            return Ok(Some(match frame {
                JournalFrame::Header(header) if self.header.is_none() => {
                    self.names = header.facts.number();
                    self.header = Some(header);
                    continue;
                }
                JournalFrame::Event(event) if self.header.is_some() => JournalItem::Event(event),
                JournalFrame::Window(window) if self.fits(&window) => {
                    self.last = Some(window.start);
                    JournalItem::Window(window)
                }
                // tp-perf did not write it there.
                _ => JournalItem::Damage(length as u64),
            }));
        }
    }

    /// Reads only the header. `None` if the journal does not begin with one.
    pub(super) fn read_header(&mut self) -> io::Result<Option<&JournalHeader>> {
        self.fill()?;
        if let Some((length, JournalFrame::Header(header))) = frame_at(&self.bytes[self.at..])
            && self.header.is_none()
        {
            self.at += length;
            self.whole = self.base + self.at as u64;
            self.names = header.facts.number();
            self.header = Some(header);
        }
        Ok(self.header.as_deref())
    }

    /// The bytes up to the end of the last whole frame.
    pub(super) fn whole(&self) -> u64 {
        self.whole
    }

    /// Whether tp-perf can have written a window here: it has known tracepoints, and in a journal, time goes forward.
    fn fits(&self, window: &HistoryWindow) -> bool {
        self.header.is_some()
            && window.hits.last().is_none_or(|last| last.tpid.index() <= self.names)
            && self.last.is_none_or(|last| last < window.start)
    }

    /// Goes to the next whole frame.
    fn skip_damage(&mut self) -> io::Result<Option<JournalItem>> {
        let begin = self.base + self.at as u64;
        loop {
            let almost_end = self.bytes.len().saturating_sub(MARKER.len() - 1);
            self.at = next_marker(&self.bytes, self.at + 1).unwrap_or(almost_end.max(self.at));
            self.fill()?;
            let rest = &self.bytes[self.at..];
            if frame_at(rest).is_some() {
                return Ok(Some(JournalItem::Damage(self.base + self.at as u64 - begin)));
            }
            let checked = payload_length(rest).map_or(0, |length| length.min(rest.len())) as u64;
            self.search = self.search.saturating_sub(checked);
            if (self.is_end && next_marker(&self.bytes, self.at + 1).is_none()) || self.search == 0 {
                return self.end_without_a_frame(begin);
            }
        }
    }

    /// No whole frame follows. A kill leaves at most a part of one frame.
    fn end_without_a_frame(&mut self, begin: u64) -> io::Result<Option<JournalItem>> {
        let mut rest = self.base + self.bytes.len() as u64 - begin;
        if !self.is_end {
            rest += io::copy(&mut self.input, &mut io::sink())?;
        }
        (self.at, self.is_end) = (self.bytes.len(), true);
        Ok((rest >= LONGEST_FRAME as u64).then_some(JournalItem::Damage(rest)))
    }

    /// Reads on until the bytes have the whole next frame, or to the end.
    fn fill(&mut self) -> io::Result<()> {
        let needed = |bytes: &[u8]| BEFORE_PAYLOAD + payload_length(bytes).unwrap_or(0);
        while !self.is_end && self.bytes.len() - self.at < needed(&self.bytes[self.at..]) {
            if self.at > LONGEST_FRAME {
                self.bytes.drain(..self.at);
                (self.base, self.at) = (self.base + self.at as u64, 0);
            }
            let read = self.input.by_ref().take(256 << 10).read_to_end(&mut self.bytes)?;
            self.is_end = read == 0;
        }
        Ok(())
    }
}

/// The place of the next marker from a place on.
fn next_marker(bytes: &[u8], from: usize) -> Option<usize> {
    let mut from = from;
    loop {
        let first = from + bytes.get(from..)?.iter().position(|byte| *byte == MARKER[0])?;
        if bytes[first..].starts_with(&MARKER) {
            return Some(first);
        }
        from = first + 1;
    }
}

/// The frame that begins here, and its length.
fn frame_at(bytes: &[u8]) -> Option<(usize, JournalFrame)> {
    let payload = whole_payload(bytes)?;
    Some((BEFORE_PAYLOAD + payload.len(), JournalFrame::decode(payload)?))
}

/// What a whole journal has.
#[derive(Debug, PartialEq)]
pub(super) struct Scanned {
    /// `None` if it has no whole header.
    pub(super) header: Option<Box<JournalHeader>>,
    /// The bytes up to the end of the last whole frame.
    pub(super) whole: u64,
    /// The number of windows.
    pub(super) windows: u64,
    /// The begin of the last window.
    pub(super) last: Option<Ns>,
    /// The bytes that are damaged.
    pub(super) damage: u64,
}

/// Reads a whole journal.
pub(super) fn scan<R: Read>(input: R) -> io::Result<Scanned> {
    let mut reader = JournalReader::new(input);
    let mut scanned = Scanned { header: None, whole: 0, windows: 0, last: None, damage: 0 };
    while let Some(item) = reader.next()? {
        match item {
            JournalItem::Window(HistoryWindow { start, .. }) => {
                scanned.windows += 1;
                scanned.last = Some(start);
            }
            JournalItem::Damage(bytes) => scanned.damage += bytes,
            JournalItem::Event(_) => {}
        }
    }
    Ok(Scanned { whole: reader.whole(), header: reader.header, ..scanned })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{facts, window};

    /// A header, five windows and an event, and the end of each frame.
    fn journal() -> (Vec<u8>, Vec<usize>) {
        let header = JournalHeader { schema: 1, journal: "1f".to_owned(), facts: facts(9) };
        let event = HistoryEvent { time_ns: 5, kind: "mark".to_owned(), facts: serde_json::json!({"a": 1}) };
        let frames = [JournalFrame::Header(Box::new(header))]
            .into_iter()
            .chain((0..5).map(|n| JournalFrame::Window(window(n, &[(1, n + 1), (9, 300)]))))
            .chain([JournalFrame::Event(event)]);
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for frame in frames {
            bytes.extend(frame.encode().unwrap());
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn items(bytes: &[u8]) -> (Vec<JournalItem>, u64) {
        let mut reader = JournalReader::new(bytes);
        let items = std::iter::from_fn(|| reader.next().unwrap()).collect();
        (items, reader.whole())
    }

    #[test]
    fn a_journal_cut_at_any_byte_has_all_frames_before_the_cut() {
        let (bytes, ends) = journal();
        let (all, whole) = items(&bytes);
        assert_eq!((all.len(), whole), (6, bytes.len() as u64));
        for cut in 0..bytes.len() {
            let frames = ends.iter().filter(|end| **end <= cut).count();
            let (read, whole) = items(&bytes[..cut]);
            assert_eq!(read, all[..frames.saturating_sub(1)], "{cut}");
            assert_eq!(whole, if frames == 0 { 0 } else { ends[frames - 1] as u64 }, "{cut}");
        }
    }

    #[test]
    fn a_changed_byte_costs_its_frame_alone() {
        let (bytes, ends) = journal();
        let (all, _) = items(&bytes);
        for place in 0..bytes.len() {
            for change in [0x01, 0x80, 0xFF] {
                let mut bytes = bytes.clone();
                bytes[place] ^= change;
                let (read, _) = items(&bytes);
                let frame = ends.iter().position(|end| place < *end).unwrap();
                let is_damage = |item: &JournalItem| matches!(item, JournalItem::Damage(_));
                if frame == 0 {
                    assert!(read.iter().all(is_damage), "without names, nothing is known");
                    continue;
                }
                let mut expected: Vec<_> = all.iter().collect();
                let size = JournalItem::Damage((ends[frame] - ends[frame - 1]) as u64);
                match frame {
                    // The last frame looks as after a kill.
                    6 => drop(expected.pop()),
                    _ => expected[frame - 1] = &size,
                }
                assert!(read.iter().eq(expected), "{place}: {read:?}");
            }
        }
    }

    #[test]
    fn a_window_that_is_there_twice_is_read_once() {
        let (mut bytes, ends) = journal();
        let (mut expected, _) = items(&bytes);
        bytes.extend_from_within(ends[1]..ends[2]);
        expected.push(JournalItem::Damage((ends[2] - ends[1]) as u64));
        assert_eq!(items(&bytes), (expected, bytes.len() as u64));
    }

    #[test]
    fn frames_behind_much_damage_are_found_in_bounded_time() {
        let (bytes, ends) = journal();
        // Each marker promises a long frame.
        let promise = [&MARKER[..], &(LONGEST_PAYLOAD as u32).to_le_bytes(), &[0; 4]].concat();
        let noise = promise.repeat(20_000);
        let mut file = bytes[..ends[2]].to_vec();
        file.extend(&noise[..1_000]);
        file.extend(&bytes[ends[2]..]);
        let scanned = scan(&file[..]).unwrap();
        assert_eq!((scanned.windows, scanned.damage, scanned.whole), (5, 1_000, file.len() as u64));
        let mut file = bytes[..ends[2]].to_vec();
        file.extend(noise.repeat(6));
        let scanned = scan(&file[..]).unwrap();
        assert_eq!((scanned.windows, scanned.whole), (2, ends[2] as u64));
        assert_eq!(scanned.damage, 6 * noise.len() as u64);
        assert_eq!(scan(&b""[..]).unwrap().header, None);
    }
}
