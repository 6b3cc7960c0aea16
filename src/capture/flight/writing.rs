//! A recording of a flight recorder that is being written, slice by slice.

use super::excerpt::Excerpt;
use super::{FlightNews, FlightRecorder};
use crate::capture::{Error, Switched, finish};
use crate::engine::{Sampling, expected_detach};
use crate::events::SampleIds;
use crate::recording::{self, RecordingDir, Trigger, Unwatched, write_groups, write_tracepoints};
use crate::spool::{Keeping, LastRounds, Spool};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A recording that is being written.
pub(super) struct Writing {
    excerpt: Excerpt,
    spool: Spool,
    directory: Rc<RecordingDir>,
    /// The counters, and how the excerpt ended.
    behind: Vec<u8>,
    triggers: Vec<Trigger>,
    covers: Duration,
    began: Instant,
}

impl Writing {
    /// Begins: writes the tables.
    pub fn begin<E: Sampling>(
        recorder: &FlightRecorder<E>,
        excerpt: Excerpt,
        head: &[u8],
        run: Switched,
        unwatched: Vec<Unwatched>,
        directory: RecordingDir,
    ) -> Result<Self, Error> {
        let (directory, triggers) = (Rc::new(directory), run.triggers.clone());
        let begin = || {
            write_tracepoints(directory.file(recording::TRACEPOINTS)?, &recorder.table, &recorder.selection)?;
            write_groups(directory.file(recording::GROUPS)?, &recorder.table)?;
            let spool = spool_for(recorder, head, &directory)?;
            let tracepoints = recorder.selection.tracepoints(&recorder.table).len();
            let ids: &SampleIds = recorder.engine.sample_ids();
            let (behind, _) =
                finish::behind(&run, ids, unwatched, None, expected_detach(tracepoints), &recorder.options)?;
            let covers = run.capture;
            Ok(Writing {
                excerpt,
                spool,
                directory: Rc::clone(&directory),
                behind,
                triggers,
                covers,
                began: Instant::now(),
            })
        };
        begin().inspect_err(|_| directory.remove_all())
    }

    /// The number of the first byte that it still needs.
    pub fn needs(&self) -> u64 {
        self.excerpt.needs()
    }

    /// Writes about so many bytes. Returns whether all is written.
    pub fn feed(&mut self, rounds: &LastRounds, most: usize) -> Result<bool, Error> {
        self.excerpt.feed(rounds, &mut self.spool, most).map_err(Error::Flight)
    }

    /// Writes the rest.
    pub fn finish(self) -> Result<FlightNews, (Vec<Trigger>, Error)> {
        let Writing { mut spool, directory, behind, triggers, covers, began, .. } = self;
        let finish = || {
            spool.append_behind(&behind)?;
            let (_, in_file) = spool.finish()?;
            in_file?;
            std::fs::metadata(directory.path().join(recording::EVENTS)).map(|file| file.len())
        };
        match finish() {
            Ok(bytes) => {
                let path = directory.path().to_owned();
                Ok(FlightNews::Written { path, triggers, bytes, covers, took: began.elapsed() })
            }
            Err(cause) => {
                directory.remove_all();
                Err((triggers, Error::Flight(cause)))
            }
        }
    }

    /// From now on, the disk is full. The tables and the begin of events.perf are there.
    #[cfg(test)]
    pub fn fill_disk(&mut self) {
        drop(self.directory.events().unwrap());
        let keeping = Keeping { memory: 0, rings: 2 << 20, compress: false, frugal: false };
        self.spool = Spool::new(&[], keeping, || Err(std::io::ErrorKind::StorageFull.into())).unwrap();
    }

    /// Removes what was written.
    pub fn abandon(self) -> Vec<Trigger> {
        self.directory.remove_all();
        self.triggers
    }
}

/// A spool that writes from the first byte on.
pub(super) fn spool_for<E: Sampling>(
    recorder: &FlightRecorder<E>,
    head: &[u8],
    directory: &Rc<RecordingDir>,
) -> Result<Spool, Error> {
    // The rounds come chunk by chunk, so there is never more than one in the spool that is not written.
    let rings = recorder.engine.attached().ring_size.max(2 << 20);
    let keeping = Keeping { memory: 0, rings, compress: recorder.options.compress, frugal: false };
    let for_events = Rc::clone(directory);
    Spool::new(head, keeping, move || for_events.events()).map_err(Error::Memory)
}
