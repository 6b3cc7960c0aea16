//! What holds for every stream, whatever it is read from.

#![allow(dead_code)] // Each test uses a part.

use tp_perf::merge::Event;
use tp_perf::stream::{Decoded, EventStream};

/// All that came out of a stream.
#[derive(Debug)]
pub struct Read {
    pub events: Vec<Event>,
    pub decoded: Decoded,
    pub error: Option<String>,
}

/// Reads a stream to its end.
pub fn drain(mut stream: EventStream) -> Read {
    let mut events = Vec::new();
    let error = loop {
        match stream.next_batch() {
            Ok(Some(batch)) => events.extend_from_slice(batch),
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    assert!(events.is_sorted_by_key(|event: &Event| (event.time, event.cpu)));
    let decoded = stream.decoded();
    let late: u64 = decoded.per_cpu.iter().map(|cpu| cpu.late).sum();
    let samples: u64 = decoded.samples.iter().map(|(_, samples)| samples).sum();
    assert_eq!(samples, events.len() as u64 + late, "what was decoded came out, or is counted late");
    // Every event is of the table.
    events.iter().for_each(|event| assert!(stream.table().find(event.tpid).is_some()));
    Read { events, decoded, error }
}
