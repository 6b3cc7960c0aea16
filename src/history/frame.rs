//! The frames of a journal.
//!
//! ```text
//!   marker   length   CRC-32              payload
//!   4 bytes  4 bytes  of length, payload  a kind, and what it has
//! ```
//!
//! A frame does not depend on the frames before it, except on the names in the header.

use super::crc::crc32;
use super::facts::HistoryFacts;
use super::window::{HistoryHits, HistoryWindow};
use crate::events::{Ns, Tpid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The begin of each frame. Behind damaged bytes, reading goes on at the next one.
pub(super) const MARKER: [u8; 4] = [0xF1, b't', b'p', b'w'];
/// The bytes before the payload.
pub(super) const BEFORE_PAYLOAD: usize = 12;
/// The longest payload in bytes. The names of all tracepoints take a tenth of it.
pub(super) const LONGEST_PAYLOAD: usize = 1 << 20;

/// The first frame of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct JournalHeader {
    pub(super) schema: u32,
    /// A random number. The Parquet files of the journal have it, too.
    pub(super) journal: String,
    pub(super) facts: HistoryFacts,
}

/// Something that happened: an alarm, a mark, a step of the clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryEvent {
    /// When, by the wall clock, in nanoseconds since 1970 in UTC.
    pub time_ns: u64,
    /// The kind, such as `alarm`.
    pub kind: String,
    /// What is known about it.
    pub facts: Value,
}

/// The contents of a frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum JournalFrame {
    Header(Box<JournalHeader>),
    Window(HistoryWindow),
    Event(HistoryEvent),
}

const HEADER: u8 = 0;
const WINDOW: u8 = 1;
const EVENT: u8 = 2;

/// The bits of a row that is no exact number.
const HITS_KNOWN: u8 = 1;
const ERROR_KNOWN: u8 = 2;

impl JournalFrame {
    /// The bytes of the frame. `None` if it is too long for a frame.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        match self {
            JournalFrame::Header(header) => framed(HEADER, &serde_json::to_vec(header).ok()?),
            JournalFrame::Window(window) => framed(WINDOW, &encode_window(window)),
            JournalFrame::Event(event) => framed(EVENT, &serde_json::to_vec(event).ok()?),
        }
    }

    /// Reads a payload. `None` if it is none.
    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let (kind, body) = payload.split_first()?;
        match *kind {
            HEADER => Some(JournalFrame::Header(serde_json::from_slice(body).ok()?)),
            WINDOW => Some(JournalFrame::Window(decode_window(body)?)),
            EVENT => Some(JournalFrame::Event(serde_json::from_slice(body).ok()?)),
            _ => None,
        }
    }
}

/// A frame of this kind, with this body.
fn framed(kind: u8, body: &[u8]) -> Option<Vec<u8>> {
    let length = body.len() + 1;
    let length_bytes = u32::try_from(length).ok().filter(|_| length <= LONGEST_PAYLOAD)?.to_le_bytes();
    let crc = crc32(&[&length_bytes, &[kind], body]).to_le_bytes();
    Some([&MARKER[..], &length_bytes, &crc, &[kind], body].concat())
}

/// The length of the payload of a frame that begins here, if this is the begin of one.
pub(super) fn payload_length(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(&MARKER)?;
    let length = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    (1..=LONGEST_PAYLOAD).contains(&length).then_some(length)
}

/// The payload of the frame that begins here, if the frame is whole.
pub(super) fn whole_payload(bytes: &[u8]) -> Option<&[u8]> {
    let length = payload_length(bytes)?;
    let payload = bytes.get(BEFORE_PAYLOAD..BEFORE_PAYLOAD + length)?;
    let crc = u32::from_le_bytes(bytes[8..12].try_into().ok()?);
    (crc32(&[&bytes[4..8], payload]) == crc).then_some(payload)
}

fn encode_window(window: &HistoryWindow) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24 + 4 * window.hits.len());
    [window.start.0 / 1_000, window.length_ns, window.hits.len() as u64].iter().for_each(|n| push(&mut bytes, *n));
    let mut last = 0;
    for row in &window.hits {
        let tpid = row.tpid.get();
        push(&mut bytes, u64::from(tpid - last) << 1 | u64::from(!row.is_exact()));
        last = tpid;
        if !row.is_exact() {
            let known =
                u8::from(row.hits.is_some()) * HITS_KNOWN + u8::from(row.standard_error.is_some()) * ERROR_KNOWN;
            bytes.push(known);
            bytes.extend(row.watched.to_le_bytes());
            bytes.extend(row.standard_error.into_iter().flat_map(f64::to_le_bytes));
        }
        row.hits.into_iter().for_each(|hits| push(&mut bytes, hits));
    }
    bytes
}

/// A window of a year, and the hits that a machine of a thousand CPUs may have in it.
const LONGEST_NS: u64 = 366 * 86_400 * 1_000_000_000;
const MOST_HITS: u64 = 1 << 60;

fn decode_window(mut bytes: &[u8]) -> Option<HistoryWindow> {
    let rest = &mut bytes;
    let start = Ns(take(rest)?.checked_mul(1_000)?);
    // No window and no number of hits is nearly as large.
    let length_ns = take(rest)?;
    if length_ns > LONGEST_NS {
        return None;
    }
    let number = usize::try_from(take(rest)?).ok()?;
    // Each row takes two bytes at least.
    let mut hits = Vec::with_capacity(number.min(rest.len() / 2));
    let mut last = 0_u32;
    for _ in 0..number {
        let head = take(rest)?;
        let more = u32::try_from(head >> 1).ok().filter(|more| *more > 0)?;
        last = last.checked_add(more)?;
        let (mut known, mut watched, mut standard_error) = (HITS_KNOWN, 1.0, None);
        if head & 1 == 1 {
            known = take_bytes::<1>(rest)?[0];
            watched = f32::from_le_bytes(take_bytes(rest)?);
            if known & ERROR_KNOWN != 0 {
                standard_error = Some(f64::from_le_bytes(take_bytes(rest)?));
            }
        }
        let in_order = |error: f64| error >= 0.0 && error.is_finite();
        if !(0.0..=1.0).contains(&watched) || !standard_error.is_none_or(in_order) {
            return None;
        }
        let number = if known & HITS_KNOWN != 0 { Some(take(rest)?) } else { None };
        if number.is_some_and(|number| number > MOST_HITS) {
            return None;
        }
        hits.push(HistoryHits { tpid: Tpid::new(last), hits: number, watched, standard_error });
    }
    rest.is_empty().then_some(HistoryWindow { start, length_ns, hits })
}

/// Appends a number, seven bits to a byte, the lowest first (LEB128).
fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number from the begin.
fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for (place, byte) in (0..).zip(rest.iter().take(10)) {
        let bits = u64::from(byte & 0x7F);
        number |= bits.checked_shl(7 * place).filter(|shifted| shifted >> (7 * place) == bits)?;
        if byte & 0x80 == 0 {
            *rest = &rest[place as usize + 1..];
            return Some(number);
        }
    }
    None
}

fn take_bytes<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row() -> impl Strategy<Value = (u32, Option<u64>, f32, Option<f64>)> {
        let exact = (1..300_u32, 0..=MOST_HITS).prop_map(|(more, hits)| (more, Some(hits), 1.0, None));
        let other = (1..300_u32, prop::option::of(0..=MOST_HITS), 0.0..=1.0_f32, prop::option::of(0.0..1e300));
        prop_oneof![4 => exact, 1 => other]
    }

    proptest! {
        #[test]
        fn a_window_comes_out_as_it_went_in(
            start in 0..u64::MAX / 1_000,
            length_ns in 0..=LONGEST_NS,
            rows in prop::collection::vec(row(), 0..50),
        ) {
            let mut last = 0;
            let hits = rows.into_iter().map(|(more, hits, watched, standard_error)| {
                last += more;
                HistoryHits { tpid: Tpid::new(last), hits, watched, standard_error }
            });
            let window = HistoryWindow { start: Ns(start * 1_000), length_ns, hits: hits.collect() };
            let frame = JournalFrame::Window(window);
            let bytes = frame.encode().unwrap();
            let payload = whole_payload(&bytes).unwrap();
            prop_assert_eq!(JournalFrame::decode(payload), Some(frame));
            // No part of it is a frame, and no change goes unseen.
            for end in 0..bytes.len() {
                prop_assert!(whole_payload(&bytes[..end]).is_none());
                let mut changed = bytes.clone();
                changed[end] ^= 0x10;
                prop_assert!(whole_payload(&changed).is_none());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = JournalFrame::decode(&bytes);
            let _ = whole_payload(&bytes);
            let mut window = bytes;
            window.insert(0, WINDOW);
            let _ = JournalFrame::decode(&window);
        }
    }

    #[test]
    fn impossible_windows_are_refused() {
        let body = |parts: &[&[u8]]| [&[WINDOW][..], &parts.concat()].concat();
        let good = body(&[&[9, 1, 1], &[2, 5]]);
        assert!(JournalFrame::decode(&good).is_some());
        let not_watched = |watched: f32| body(&[&[9, 1, 1], &[3, HITS_KNOWN], &watched.to_le_bytes(), &[5]]);
        assert!(JournalFrame::decode(&not_watched(0.5)).is_some());
        let bad = [
            body(&[&[9, 1, 1], &[0, 5]]),
            body(&[&[9, 1, 2], &[2, 5]]),
            body(&[&[9, 1, 1], &[2, 5, 0]]),
            body(&[&[9, 1], &[0xFF; 12]]),
            not_watched(-0.5),
            not_watched(f32::NAN),
            vec![WINDOW],
            vec![7],
            Vec::new(),
        ];
        bad.iter().for_each(|bad| assert_eq!(JournalFrame::decode(bad), None, "{bad:?}"));
        let event =
            HistoryEvent { time_ns: 1, kind: "note".to_owned(), facts: Value::String("x".repeat(LONGEST_PAYLOAD)) };
        assert!(JournalFrame::Event(event).encode().is_none());
    }
}
