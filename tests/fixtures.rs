//! The whole road from captured bytes to events, on any machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tp_perf::books::{Account, Books};
use tp_perf::perf::{Count, Counted, SampleIds, Slot};
use tp_perf::spool::Blocks;
use tp_perf::stream::EventStream;

/// The bytes of a fixture, in blocks of a size that no record fits.
struct Bytes(Vec<u8>, usize);

impl Blocks for Bytes {
    fn next_block(&mut self) -> io::Result<Option<&[u8]>> {
        let start = self.1;
        self.1 = self.0.len().min(start + 1001);
        Ok((start < self.1).then(|| &self.0[start..self.1]))
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn read(name: &str) -> (Vec<u8>, SampleIds, Vec<Counted>) {
    let bytes = fs::read(fixture(name).join("chunks.bin")).unwrap();
    let mut ids = csv::Reader::from_path(fixture(name).join("ids.csv")).unwrap();
    let rows: Vec<(u64, u32, u32, u64, u64)> = ids.deserialize().map(Result::unwrap).collect();
    let pairs: Vec<_> = rows.iter().map(|(id, tpid, cpu, ..)| (*id, Slot { tpid: *tpid, cpu: *cpu })).collect();
    let counted = rows.iter().map(|(_, tpid, cpu, value, lost)| Counted {
        slot: Slot { tpid: *tpid, cpu: *cpu },
        count: Count { value: *value, lost: *lost },
        lost_known: true,
        weighted: false,
    });
    (bytes, SampleIds::new(&pairs), counted.collect())
}

#[test]
fn a_storm_with_real_losses_replays_in_order_and_its_books_balance() {
    let (bytes, ids, counted) = read("lost");
    let mut stream = EventStream::new(Bytes(bytes, 0), ids, 0);
    let mut times = Vec::new();
    while let Some(batch) = stream.next_batch().unwrap() {
        times.extend(batch.iter().map(|event| event.time));
    }
    let decoded = stream.decoded();
    let books = Books::close(&decoded, &counted);
    let Account { recorded, lost, counted } = books.total();
    assert!(times.is_sorted());
    assert_eq!(times.len() as u64, recorded);
    assert!(recorded >= 2_000 && lost > 0);
    assert_eq!(recorded + lost, counted);
    assert_eq!((books.total_late(), books.unknown), (0, 0));
    // The rings tell of a loss once a later record fits, so of no more than the counters do.
    let told: u64 = decoded.per_cpu.iter().map(|cpu| cpu.lost).sum();
    assert!(0 < told && told <= lost, "{told} told by the rings, {lost} by the counters");
}

#[test]
fn every_truncation_is_said_or_ends_between_records() {
    let (bytes, ids, _) = read("lost");
    for length in (0..bytes.len().min(4_000)).step_by(4) {
        let mut stream = EventStream::new(Bytes(bytes[..length].to_vec(), 0), ids.clone(), 0);
        let mut events = 0;
        let result = loop {
            match stream.next_batch() {
                Ok(Some(batch)) => events += batch.len() as u64,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        match result {
            Ok(()) => assert_eq!(events, stream.decoded().samples.iter().map(|(_, samples)| samples).sum::<u64>()),
            Err(error) => assert!(error.to_string().contains("at byte"), "{length} bytes: {error}"),
        }
    }
}
