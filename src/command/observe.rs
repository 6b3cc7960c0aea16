//! Observing: sources or this machine become sessions, which `learn`, `identify` and `check` work on.

use super::context::Context;
use super::detach::finish_detach;
use super::stop::{end_at_second_signal, stopped};
use super::wait::wait_for_command;
use super::watch::watch_machine;
use crate::capture;
use crate::control::{Manner, Progress};
use crate::engine::{Detaching, Live};
use crate::events::Filter;
use crate::observation::Observation;
use crate::source::Place;
use crate::state::{self, Error, Known, Length, Session};
use crate::terminal::{TerminalProgress, messages};
use crate::tracefs;
use crate::units::nanoseconds;
use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

/// What was observed.
pub struct Observed {
    /// Each source with its session.
    pub sessions: Vec<(String, Session)>,
    /// The detach that goes on, if this machine was observed.
    detaching: Option<Detaching>,
    wait_detach: bool,
}

impl Observed {
    /// Observes, and counts by windows of this length, or of the usual one. An exit code if the user stopped that.
    pub fn of(
        observation: &Observation,
        length: Option<Length>,
        manner: &Manner,
        context: &mut Context,
    ) -> anyhow::Result<Result<Self, u8>> {
        match observation {
            Observation::Source { places, part } => {
                context.begin(TerminalProgress::of_replay(manner.quiet), manner)?;
                end_at_second_signal()?;
                let mut observed = Observed { sessions: Vec::new(), detaching: None, wait_detach: false };
                Ok(observed.read(places, part, length, context)?.map(|()| observed))
            }
            Observation::Machine(options) => Self::of_machine(options, length, manner, context),
        }
    }

    fn of_machine(
        options: &capture::CaptureOptions,
        length: Option<Length>,
        manner: &Manner,
        context: &mut Context,
    ) -> anyhow::Result<Result<Self, u8>> {
        fits(options.rules.duration, length.unwrap_or(state::WINDOW))?;
        context.begin(TerminalProgress::new(options.rules, manner.quiet), manner)?;
        let mut running = None;
        let watched = watch_machine(&Live, options, length, &mut running, &mut context.signals, &mut context.progress);
        context.progress.phase_ends();
        if let Err(error) = &watched
            && running.is_some()
        {
            // COMMAND may need long to end; nobody should wait for that to hear of the failure.
            messages::say_error(error);
        }
        if let Some(running) = running {
            wait_for_command(running, context)?;
            if watched.is_err() {
                return Ok(Err(1));
            }
        }
        let (session, detaching) = watched?;
        let mut observed =
            Observed { sessions: Vec::new(), detaching: Some(detaching), wait_detach: manner.wait_detach };
        match session {
            Ok(session) => observed.sessions.push(("this machine".to_owned(), session)),
            Err(error) => return observed.end(Err(error.into()), context).map(Err),
        }
        Ok(Ok(observed))
    }

    /// Reads sources, in place of those that were read before.
    pub fn read(
        &mut self,
        places: &[Place],
        part: &Filter,
        length: Option<Length>,
        context: &mut Context,
    ) -> anyhow::Result<Result<(), u8>> {
        self.sessions.clear();
        for place in places {
            let session = state::read(place, part, length, &mut context.signals, &mut context.progress);
            context.progress.phase_ends();
            match session {
                Err(error) if error.is_interrupt() => return Ok(Err(stopped(context))),
                session => self.sessions.push((place.to_string(), session?)),
            }
        }
        Ok(Ok(()))
    }

    /// The only source there is.
    pub fn only(&self) -> &(String, Session) {
        &self.sessions[0]
    }

    /// Says what goes on in the background, or waits for it, whatever came of what was seen.
    pub fn end(mut self, result: anyhow::Result<u8>, context: &mut Context) -> anyhow::Result<u8> {
        let detached = match self.detaching.take() {
            Some(mut detaching) => finish_detach(&mut detaching, self.wait_detach, context).map(drop),
            None => Ok(()),
        };
        let code = result?;
        detached.map(|()| code)
    }
}

/// Checks, before this machine is captured in vain, that its selection can be compared with what is known.
pub fn may_compare(observation: &Observation, known: &Known) -> anyhow::Result<()> {
    let Observation::Machine(options) = observation else { return Ok(()) };
    let (table, selection) = tracefs::choose(&options.attach.selection)?;
    let names: BTreeSet<String> =
        selection.tracepoints(&table).iter().map(|tracepoint| tracepoint.full_name()).collect();
    Ok(known.may_compare(|name| names.contains(name))?)
}

/// Whether windows of this length can be counted in this time: nothing should be watched in vain.
fn fits(duration: Option<Duration>, length: Length) -> Result<(), Error> {
    let (Some(duration), Length::Ns(ns)) = (duration, length) else { return Ok(()) };
    match nanoseconds(duration) / ns.max(1) {
        0 => Err(Error::Short { length }),
        windows if windows > state::MOST_WINDOWS as u64 => {
            Err(Error::TooMany { place: "this machine".to_owned(), cause: state::TooMany })
        }
        _ => Ok(()),
    }
}

/// Whoever reads no further has what was wanted.
pub fn unless_closed(printed: io::Result<()>) -> anyhow::Result<()> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("failed to print the result"))
        }
        _ => Ok(()),
    }
}
