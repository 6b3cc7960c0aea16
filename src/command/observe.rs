//! Makes sessions of sources or of this machine. `learn`, `identify` and `check` work on these sessions.

use super::context::Context;
use super::detach::finish_detach;
use super::stop::{end_at_second_signal, stopped};
use super::wait::wait_for_command;
use super::watch::{PLACE, watch_machine};
use crate::capture::{self, Choice};
use crate::control::{Manner, Progress};
use crate::engine::{Detaching, Kernel, Live};
use crate::events::Filter;
use crate::observation::Observation;
use crate::os::privileges::raised;
use crate::source::Place;
use crate::state::{self, Error, Known, Length, Session};
use crate::terminal::{TerminalProgress, messages};
use crate::tracefs::{self, Pattern, Selection, Tracepoint};
use crate::units::{Percent, nanoseconds};
use anyhow::Context as _;
use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

/// The sessions of the input.
pub struct Observed {
    /// Each source with its session.
    pub sessions: Vec<(String, Session)>,
    /// The detach that continues in the background, if the input was this machine.
    detaching: Option<Detaching>,
    wait_detach: bool,
}

impl Observed {
    /// Counts the input by windows of this length, or of the default length. Returns an exit code if the user stopped it.
    pub fn of(
        observation: &Observation,
        length: Option<Length>,
        manner: &Manner,
        context: &mut Context,
    ) -> anyhow::Result<Result<Self, u8>> {
        match observation {
            Observation::Source { places, part } => {
                begin_reading(manner, context)?;
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
            // COMMAND may run for long. The user should see the failure before that.
            messages::say_error(error);
        }
        if let Some(running) = running {
            wait_for_command(running, context)?;
            if watched.is_err() {
                return Ok(Err(1));
            }
        }
        let (session, detaching) = watched?;
        end_at_second_signal()?;
        let mut observed =
            Observed { sessions: Vec::new(), detaching: Some(detaching), wait_detach: manner.wait_detach };
        match session {
            Ok(session) => observed.sessions.push((PLACE.to_owned(), session)),
            Err(error) => return observed.end(Err(error.into()), context).map(Err),
        }
        Ok(Ok(observed))
    }

    /// Reads sources.
    fn read(
        &mut self,
        places: &[Place],
        part: &Filter,
        length: Option<Length>,
        context: &mut Context,
    ) -> anyhow::Result<Result<(), u8>> {
        for place in places {
            match read_source(place, part, length, context)? {
                Ok(source) => self.sessions.push(source),
                Err(code) => return Ok(Err(code)),
            }
        }
        Ok(Ok(()))
    }

    /// Reports the detach in the background, or waits for it. Does so even if `result` is an error.
    pub fn end(mut self, result: anyhow::Result<u8>, context: &mut Context) -> anyhow::Result<u8> {
        let detached = match self.detaching.take() {
            Some(mut detaching) => finish_detach(&mut detaching, self.wait_detach, context).map(drop),
            None => Ok(()),
        };
        let code = result?;
        detached.map(|()| code)
    }
}

/// Gets ready to read sources.
pub fn begin_reading(manner: &Manner, context: &mut Context) -> anyhow::Result<()> {
    context.begin(TerminalProgress::of_replay(manner.quiet), manner)?;
    end_at_second_signal()
}

/// Reads one source and counts its events by windows of this length, or of the default length. Returns an exit code if the user
/// stopped it.
pub fn read_source(
    place: &Place,
    part: &Filter,
    length: Option<Length>,
    context: &mut Context,
) -> anyhow::Result<Result<(String, Session), u8>> {
    let session = state::read(place, part, length, &mut context.signals, &mut context.progress);
    context.progress.phase_ends();
    match session {
        Err(error) if error.is_interrupt() => Ok(Err(stopped(context))),
        session => Ok(Ok((place.to_string(), session?))),
    }
}

/// Checks that the selection can be compared with the known sessions, before a useless capture begins.
pub fn may_compare(observation: &Observation, known: &Known) -> anyhow::Result<()> {
    let Observation::Machine(options) = observation else { return Ok(()) };
    may_compare_choice(&options.attach.choice, known)
}

/// The same for a choice of this machine's tracepoints.
pub fn may_compare_choice(choice: &Choice, known: &Known) -> anyhow::Result<()> {
    let (table, selection) = raised(|| tracefs::choose(&choice.selection))?;
    let names: BTreeSet<String> =
        selection.tracepoints(&table).iter().map(|tracepoint| tracepoint.full_name()).collect();
    Ok(known.may_compare(|name| names.contains(name))?)
}

/// The library with the tracepoints that suffice for it, if only a few are wanted.
pub fn with_few(known: Known, few_tracepoints: bool, alpha: f64) -> Result<Known, Error> {
    match few_tracepoints {
        false => Ok(known),
        true => {
            let suggestion = state::suggest(&known, alpha)?;
            match suggestion.suffice {
                true => known.only(&suggestion.tracepoints),
                false => {
                    messages::say("no small set of tracepoints suffices for this library, so all are compared");
                    Ok(known)
                }
            }
        }
    }
}

/// The part of a budget for hits. Windows take the rest.
const FOR_HITS: f64 = 0.8;
/// The tracepoints that a sentence names.
const NAMED: usize = 5;

/// Leaves out the hottest tracepoints, so that counting in any learned state keeps the budget of the watched machine.
pub fn within_budget(kernel: &impl Kernel, observation: &mut Observation, known: Known) -> anyhow::Result<Known> {
    let Observation::Machine(options) = observation else { return Ok(known) };
    let Some(budget) = options.attach.budget else { return Ok(known) };
    let choice = &mut options.attach.choice;
    let (known, hot) = comparable_within(kernel, choice, budget, known)?;
    choice.selection.exclude.extend(hot.iter().map(|name| Pattern::new(name)).collect::<Result<Vec<_>, _>>()?);
    Ok(known)
}

/// The library without the hottest tracepoints, such that counting each hit of the others keeps the budget in any learned state; and
/// these hottest ones.
pub fn comparable_within(
    kernel: &impl Kernel,
    choice: &Choice,
    budget: f64,
    known: Known,
) -> anyhow::Result<(Known, Vec<String>)> {
    let cpus = choice
        .cpus
        .as_ref()
        .map_or_else(|| kernel.online().map(|all| all.as_slice().len()), |cpus| Ok(cpus.as_slice().len()));
    let cpus = cpus.context("failed to read which CPUs are online")?;
    let table = kernel.table()?;
    let (cost, event) = kernel.hit_cost(&table);
    drop(event);
    let selection = Selection::choose(&table, &choice.selection)?;
    let counted: BTreeSet<String> = selection.tracepoints(&table).into_iter().map(Tracepoint::full_name).collect();
    let of = known.names().all().iter().filter(|name| counted.contains(*name)).count();
    let allowed = FOR_HITS * budget * cpus as f64 * 1e9 / cost.counted_ns;
    let (known, hot) = known.within_hits(allowed, |name| counted.contains(name))?;
    anyhow::ensure!(
        !known.names().is_empty(),
        "the budget ({} of all CPUs' time) is too small to count any tracepoint of the library; give a larger one (--budget)",
        Percent(budget)
    );
    if !hot.is_empty() {
        let more = match hot.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let named: Vec<&str> = hot.iter().take(NAMED).map(String::as_str).collect();
        messages::say(format!(
            "to keep the budget of {}, tp-perf leaves out {} of the {} tracepoints that it would compare, the hottest first: {}{more}",
            Percent(budget),
            hot.len(),
            of,
            named.join(", ")
        ));
    }
    Ok((known, hot))
}

/// Restricts the watching of this machine to the tracepoints of the library, if only a few are wanted.
pub fn watch_only(observation: &mut Observation, known: &Known, few_tracepoints: bool) -> Result<(), tracefs::Error> {
    if let (Observation::Machine(options), true) = (observation, few_tracepoints && known.names().are_chosen()) {
        let only = known.names().all().iter().map(|name| Pattern::new(name));
        options.attach.choice.selection.only = only.collect::<Result<_, _>>()?;
    }
    Ok(())
}

/// Checks that windows of this length can be counted in this time, before a useless capture begins.
fn fits(duration: Option<Duration>, length: Length) -> Result<(), Error> {
    let (Some(duration), Length::Ns(ns)) = (duration, length) else { return Ok(()) };
    match nanoseconds(duration) / ns.max(1) {
        0 => Err(Error::Short { length }),
        windows if windows > state::MOST_WINDOWS as u64 => {
            Err(Error::TooMany { place: PLACE.to_owned(), cause: state::TooMany::Windows })
        }
        _ => Ok(()),
    }
}

/// The error of printing, unless the reader closed the pipe: such a reader has all that it wanted.
pub fn unless_closed(printed: io::Result<()>) -> anyhow::Result<()> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("failed to print the result"))
        }
        _ => Ok(()),
    }
}
