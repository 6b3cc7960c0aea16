//! What holds for every stream, whatever it is read from.

use tp_perf::events::Ns;
use tp_perf::events::stream::EventStream;

pub fn drain(mut stream: EventStream) {
    let (mut last, mut events) = (Ns(0), 0);
    while let Ok(Some(batch)) = stream.next_batch() {
        events += batch.len() as u64;
        let (batch, table) = stream.batch();
        for event in batch {
            assert!(event.time >= last, "in the order of time");
            last = event.time;
            assert!(table.find(event.tpid).is_some(), "of a tracepoint that is known");
        }
    }
    let decoded = stream.decoded();
    let late: u64 = decoded.per_cpu.iter().map(|cpu| cpu.late).sum();
    let samples: u64 = decoded.samples.iter().map(|(_, samples)| samples).sum();
    assert_eq!(samples, events + late, "all that was decoded came out, or is counted late");
}
