//! Sends a stream to the sinks, batch after batch, until its end, damage, or a request to stop.

use super::chosen::ChosenProcesses;
use super::pace::Pace;
use crate::control::{Progress, Signals};
use crate::events::stream::EventStream;
use crate::events::{Event, Filter, Ns, Sink};
use std::io;

/// The work of sending a stream to sinks.
pub(super) struct Pour<'a, 's> {
    filter: &'a Filter,
    speed: Option<f64>,
    sinks: &'a mut [&'s mut dyn Sink],
    asked: usize,
    stops_at_once: bool,
    chosen: Option<ChosenProcesses>,
    /// The time of the first event, whether or not the filter keeps it. So a relative time means the same
    /// with every filter.
    pub origin: Option<Ns>,
    /// The times of the first and the last event.
    pub span: Option<(Ns, Ns)>,
    /// The number of events that the sinks received.
    pub given: u64,
    /// The number of events that came out of the merge.
    seen: u64,
    /// The number of steps that the sinks received.
    stepped: usize,
    /// The number of runs of rows that the sinks received.
    ran: usize,
}

/// How the stream ended.
pub(super) struct Drained {
    /// False if the user asked to stop before the sinks had received everything.
    pub complete: bool,
    /// Whether reading stopped before the end of the source.
    pub stopped: bool,
    pub damage: Option<io::Error>,
}

impl<'a, 's> Pour<'a, 's> {
    pub fn new(
        filter: &'a Filter,
        speed: Option<f64>,
        sinks: &'a mut [&'s mut dyn Sink],
        asked: usize,
        stops_at_once: bool,
    ) -> Self {
        Pour {
            filter,
            speed,
            sinks,
            asked,
            stops_at_once,
            chosen: ChosenProcesses::of(&filter.processes),
            origin: None,
            span: None,
            given: 0,
            seen: 0,
            stepped: 0,
            ran: 0,
        }
    }

    /// Sends the whole stream. Even if no sink takes more, decoding continues to the end for the accounting,
    /// unless `stops_at_once` is set.
    pub fn through(&mut self, stream: &mut EventStream, signals: &mut Signals, progress: &mut dyn Progress) -> Drained {
        let mut end = Drained { complete: true, stopped: false, damage: None };
        let mut pace = self.speed.map(Pace::new);
        let mut takes_more = true;
        if self.chosen.is_some() {
            self.sinks.iter_mut().for_each(|sink| sink.only_some());
        }
        loop {
            if end.complete && signals.asked() > self.asked {
                end.complete = self.filter.events == Some(self.given);
                if self.stops_at_once {
                    (end.complete, end.stopped) = (false, true);
                    break;
                }
                stream.count_only();
            }
            match stream.next_batch() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                // The user asked to stop while the source was waiting for bytes.
                Err(_) if self.stops_at_once && signals.asked() > self.asked => {
                    (end.complete, end.stopped) = (false, true);
                    break;
                }
                Err(error) => {
                    end.damage = Some(error);
                    break;
                }
            }
            let earliest = stream.earliest();
            let (read, length) = stream.progress();
            let (batch, table) = stream.batch();
            if let (Some(first), Some(last)) = (batch.first(), batch.last()) {
                self.origin = self.origin.or(earliest);
                self.span = Some((self.span.map_or(first.time, |(first, _)| first), last.time));
            }
            let steps = stream.steps();
            self.sinks.iter_mut().for_each(|sink| sink.steps(&steps[self.stepped..]));
            self.stepped = steps.len();
            let runs = stream.row_runs();
            self.sinks.iter_mut().for_each(|sink| sink.row_runs(&runs[self.ran..]));
            self.ran = runs.len();
            let threads = stream.threads();
            // Who takes no events needs no threads.
            if !threads.is_empty() && end.complete && takes_more {
                self.sinks.iter_mut().for_each(|sink| sink.threads(threads));
                if let Some(Err(cause)) = self.chosen.as_mut().map(|chosen| chosen.threads(threads)) {
                    end.damage = Some(cause.into());
                    break;
                }
            }
            let losses = stream.losses();
            self.sinks.iter_mut().for_each(|sink| sink.losses(losses));
            let (all, last) = (batch.len() as u64, batch.last().map(|event| event.time));
            let batch = match &mut self.chosen {
                Some(chosen) => chosen.part(batch),
                None => batch,
            };
            if end.complete && takes_more {
                let wanted = self.filter.part(batch, self.origin.unwrap_or_default(), self.given);
                let given = match &mut pace {
                    None => {
                        self.sinks.iter_mut().for_each(|sink| sink.events(wanted, table));
                        wanted.len()
                    }
                    Some(pace) => {
                        let (before, asked, sinks) = (self.seen, self.asked, &mut *self.sinks);
                        let mut give = |ready: &[Event]| {
                            for sink in sinks.iter_mut() {
                                sink.events(ready, table);
                                sink.pause();
                            }
                            take_more(sinks)
                        };
                        pace.give(wanted, &mut give, &mut |given| {
                            progress.replaying(before + given as u64, read, length);
                            signals.asked() > asked
                        })
                    }
                };
                takes_more = take_more(self.sinks);
                if takes_more {
                    self.given += given as u64;
                } else if self.stops_at_once {
                    end.stopped = true;
                    break;
                }
            }
            if let Some(last) = last {
                self.sinks.iter_mut().for_each(|sink| sink.passed(last));
            }
            self.seen += all;
            progress.replaying(self.seen, read, length);
        }
        self.sinks.iter_mut().for_each(|sink| sink.end());
        end
    }
}

/// Whether a sink takes more, or there is no sink.
fn take_more(sinks: &[&mut dyn Sink]) -> bool {
    sinks.is_empty() || sinks.iter().any(|sink| sink.takes_more())
}
