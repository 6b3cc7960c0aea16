//! Checks that must hold for the stream of every source.

use tp_perf::events::Ns;
use tp_perf::events::stream::EventStream;

pub fn drain(mut stream: EventStream) {
    let (mut last, mut events) = (Ns(0), 0);
    while let Ok(Some(batch)) = stream.next_batch() {
        events += batch.len() as u64;
        let (batch, table) = stream.batch();
        for event in batch {
            assert!(event.time >= last, "events are in time order");
            last = event.time;
            assert!(table.find(event.tpid).is_some(), "every event has a known tracepoint");
        }
    }
    let decoded = stream.decoded();
    let late: u64 = decoded.per_cpu.iter().map(|cpu| cpu.late).sum();
    let samples: u64 = decoded.samples.iter().map(|(_, samples)| samples).sum();
    assert_eq!(samples, events + late, "every sample came out or is counted as late");
}
