//! The constant part of the rows of each tracepoint.

use crate::events::Event;
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::text::CsvCell;
use crate::tracefs::{Table, Tracepoint};

/// The constant part of each tracepoint's rows: `,tpid,gid,name\n`, quoted as CSV requires.
pub(super) struct Rows {
    ends: Vec<u8>,
    /// The place in `ends` of the row end of tpid `i`; empty if that is too long to be kept.
    places: Vec<(u32, u32)>,
    /// The number of tracepoints of the table that have a row end.
    made: usize,
    /// The bytes of the longest row end.
    pub longest: usize,
    /// The memory of the row ends, and of copies of the longest.
    held: Held,
}

/// The longest row end in bytes that is kept. A longer one is made for each event. The escapes of a name can be ten times as
/// long as the name, so the row ends of long names could take more memory than the table.
const LONGEST_KEPT: usize = 1 << 10;

/// The copies of a row end that are in memory while it is made and written.
const COPIES: usize = 5;

impl Default for Rows {
    fn default() -> Self {
        let held = Held::nothing(MemoryOf::Names);
        Rows { ends: Vec::new(), places: Vec::new(), made: 0, longest: 0, held }
    }
}

impl Rows {
    pub fn grow(&mut self, table: &Table) -> Result<(), TooMuch> {
        for tracepoint in &table.tracepoints()[self.made..] {
            let mut row = row_end(tracepoint);
            let start = self.ends.len();
            self.longest = self.longest.max(row.len());
            if row.len() > LONGEST_KEPT {
                self.held.resize((self.ends.capacity() + COPIES * self.longest) as u64)?;
                row.clear();
            }
            if self.ends.capacity() - start < row.len() {
                let more = row.len().max(self.ends.capacity() / 4).max(8 << 10);
                self.held.resize((start + more + COPIES * self.longest) as u64)?;
                self.ends.reserve_exact(more);
            }
            self.ends.extend_from_slice(&row);
            let tpid = tracepoint.tpid.index();
            if self.places.len() <= tpid {
                self.places.resize(tpid + 1, (0, 0));
            }
            self.places[tpid] = (start as u32, self.ends.len() as u32);
        }
        self.made = table.tracepoints().len();
        Ok(())
    }

    #[inline]
    pub fn push(&self, out: &mut Vec<u8>, event: &Event, table: &Table) {
        let (start, end) = self.places[event.tpid().index()];
        out.extend_from_slice(itoa::Buffer::new().format(event.time.0).as_bytes());
        match &self.ends[start as usize..end as usize] {
            [] => out.extend_from_slice(&row_end(table.get(event.tpid()))),
            kept => out.extend_from_slice(kept),
        }
    }
}

fn row_end(tracepoint: &Tracepoint) -> Vec<u8> {
    let mut row = csv::Writer::from_writer(Vec::new());
    let [tpid, gid, name] =
        [tracepoint.tpid.to_string(), tracepoint.gid.to_string(), CsvCell(&tracepoint.name).to_string()];
    row.write_record(["", &tpid, &gid, &name]).expect("writing to a vector does not fail");
    let mut row = row.into_inner().expect("writing to a vector does not fail");
    // The csv crate writes a leading empty field as nothing or as quotes. The wanted part starts at the comma.
    let comma = row.iter().position(|byte| *byte == b',').unwrap_or(0);
    row.drain(..comma);
    row
}
