//! `tp-perf top`: shows the hits of this machine live, or moves through a recording.

use super::context::Context;
use super::detach::finish_detach;
use super::followed_states::{FollowedStates, nothing_yet, read_states};
use super::top_recorded::show_source;
use super::top_screen::ShownScreen;
use super::watch::machine_origin;
use crate::capture::{self, Choice, StopRules};
use crate::cli::{TopArgs, TopRequest};
use crate::control::{Manner, Progress};
use crate::counting::{Beside, CountOptions, CountRun, Counters, RunWith};
use crate::drain::Problem;
use crate::engine::{self, Detaching, Kernel, Live, ProcessFields};
use crate::events::{Sink, Tick};
use crate::live::{LiveWindow, LiveWindows, RowName, Who, WhoBy, WhoTarget};
use crate::os::machine::{hostname, kernel_release};
use crate::os::privileges::{self, Starts};
use crate::os::thread::cpu_time;
use crate::recording::missed_cpus;
use crate::state::{FollowMessage, WatchedStates};
use crate::terminal::{TerminalProgress, TopFacts, TopTerminal, WhoShown};
use crate::tracefs::Tpid;
use crate::units::nanoseconds;
use anyhow::Context as _;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant, SystemTime};

/// The cursor rests for this time before tp-perf samples the hits of the row.
const REST: Duration = Duration::from_millis(250);
/// With fewer samples, tp-perf takes samples again after this time, without waiting for the end of the window.
const FEW_SAMPLES: u64 = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// After a failure to sample, tp-perf tries again after this time.
const RETRY: Duration = Duration::from_secs(5);
/// The rate that decides how much is sampled is that of so many windows: a row may have hits in every second one only.
const WINDOWS_OF_RATE: usize = 5;
/// For a row of a group, tp-perf samples at most this many tracepoints, the hottest ones.
const MOST_TRACEPOINTS: usize = 4;

/// Shows the hits until the user quits.
pub fn run(args: TopArgs, context: &mut Context) -> anyhow::Result<u8> {
    let request = args.request()?;
    TopTerminal::check()?;
    match request {
        TopRequest::Machine(options, manner, states) => watch(&options, &manner, states.as_ref(), context),
        TopRequest::Source(place, every) => show_source(place, every, context),
    }
}

/// Shows the hits of this machine.
fn watch(
    options: &CountOptions,
    manner: &Manner,
    states: Option<&WatchedStates>,
    context: &mut Context,
) -> anyhow::Result<u8> {
    let known = states.map(|states| read_states(&Live, states, options)).transpose()?;
    let rules = StopRules { events: None, duration: options.duration };
    context.begin(TerminalProgress::new(rules, manner.quiet), manner)?;
    let mut counters = Counters::attach(&Live, options, &mut context.signals, &mut context.progress)?;
    let every = nanoseconds(options.every);
    let followed = match (known, states) {
        (Some(known), Some(states)) => {
            let origin = machine_origin(&counters, SystemTime::now());
            Some((known.to_follow(&nothing_yet(origin, &counters.table, &counters.selection, every))?, states))
        }
        _ => None,
    };
    let states = match &followed {
        Some((known, states)) => Some(FollowedStates::new(known, states, &counters.table, every)?),
        None => None,
    };
    let ran = show(&Live, &mut counters, options, states, context);
    privileges::keep_opening(false);
    privileges::give_up(Starts::Nothing)?;
    finish_detach(&mut counters.detach(), manner.wait_detach, context)?;
    let Some(run) = ran? else { return Ok(0) };
    if let Some(problem) = run.problem {
        return Err(anyhow::Error::new(problem).context("failed to read the counters"));
    }
    match missed_cpus(&run.unwatched) {
        cpus if cpus.is_empty() => Ok(0),
        cpus => Err(Problem::Unwatched { cpus }.into()),
    }
}

/// Shows the screen while it counts. Returns `None` if a signal came before the first window.
fn show<K: Kernel>(
    kernel: &K,
    counters: &mut Counters<K::Counting>,
    options: &CountOptions,
    states: Option<FollowedStates<'_>>,
    context: &mut Context,
) -> anyhow::Result<Option<CountRun>> {
    let facts = TopFacts {
        hostname: hostname(),
        kernel: kernel_release(),
        tracepoints: (counters.selection.tracepoints(&counters.table).len(), counters.table.tracepoints().len()),
        cpus: counters.attached().cpus.clone(),
        budget: options.budget,
        has_colours: TopTerminal::has_colours(),
        is_live: true,
    };
    let terminal = TopTerminal::enter().context("failed to take over the terminal")?;
    let mut screen = ShownScreen::new(facts, counters.table.clone(), LiveWindows::default(), terminal);
    screen.states = states.as_ref().map(|_| None);
    let mut notes = screen.notes.clone();
    let cpu = (cpu_time().unwrap_or_default(), Instant::now());
    let choice = options.choice.clone();
    let every = options.every;
    let mut top = LiveTop { kernel, choice, every, screen, states, chosen: None, detaching: Vec::new(), cpu };
    top.screen.draw();
    let with = RunWith {
        command: None,
        sinks: &mut [],
        running: &mut None,
        signals: &mut context.signals,
        progress: &mut notes,
        beside: &mut top,
    };
    let run = counters.run(kernel, options, with);
    let failed = top.end();
    // The screen is gone, so messages can be read again.
    match (failed, run) {
        (Some(error), _) => Err(anyhow::Error::new(error).context("failed to use the terminal")),
        (None, Err(capture::Error::Perf(engine::Error::Interrupted))) => Ok(None),
        (None, run) => Ok(Some(run?)),
    }
}

/// The hits per second of these tracepoints in the `most` newest windows. `None` if one of the tracepoints is detached, or if there is
/// no window.
fn rate_of_last(most: usize, windows: &LiveWindows, tpids: &[Tpid]) -> Option<f64> {
    let of = |window: &LiveWindow| tpids.iter().map(|tpid| window.of(*tpid).map_or(Some(0.0), |hits| hits.hits)).sum();
    let newest = || windows.iter().rev().take(most);
    let now: Option<f64> = of(newest().next()?);
    let hits: f64 = now.map(|_| newest().filter_map(of).sum())?;
    Some(hits / newest().map(LiveWindow::seconds).sum::<f64>())
}

/// The chosen row, and its samples.
struct ChosenRow<E> {
    row: RowName,
    /// When the cursor came to it.
    since: Instant,
    who: Option<Who<E>>,
    /// When to look at the samples before the window ends.
    look_at: Option<Instant>,
}

/// The screen of this machine, and the samples of the chosen row.
struct LiveTop<'k, K: Kernel> {
    kernel: &'k K,
    choice: Choice,
    every: Duration,
    screen: ShownScreen,
    /// Follows the learned states, if the user wants that.
    states: Option<FollowedStates<'k>>,
    chosen: Option<ChosenRow<K::Sampling>>,
    /// Samples that are being detached.
    detaching: Vec<Detaching>,
    /// tp-perf's own CPU time at the last tick, and its time.
    cpu: (Duration, Instant),
}

impl<K: Kernel> LiveTop<'_, K> {
    /// Gives the terminal back. Returns the error that ended the view, if there was one.
    fn end(mut self) -> Option<io::Error> {
        self.stop_sampling();
        self.screen.failed.take()
    }

    /// Follows the cursor: stops sampling the old row, and samples the new one after a while.
    fn follow_cursor(&mut self) {
        let view = &self.screen.view;
        let is_wanted = view.who != WhoBy::Nobody && self.screen.has_room_for_who();
        let wanted = view.chosen().filter(|_| is_wanted).cloned();
        if self.chosen.as_ref().map(|chosen| &chosen.row) != wanted.as_ref() {
            self.stop_sampling();
            self.screen.who = if wanted.is_some() { WhoShown::Waiting } else { WhoShown::Nothing };
            self.chosen = wanted.map(|row| ChosenRow { row, since: Instant::now(), who: None, look_at: None });
        }
        self.answer();
    }

    fn stop_sampling(&mut self) {
        if let Some(who) = self.chosen.as_mut().and_then(|chosen| chosen.who.take()) {
            self.detaching.push(who.detach());
        }
    }

    /// Stops sampling because of a failure.
    fn fail(&mut self, failure: String) {
        self.screen.who = WhoShown::Failed(failure);
        self.stop_sampling();
        self.chosen.iter_mut().for_each(|chosen| chosen.since = Instant::now() + RETRY);
    }

    /// Begins to sample the chosen row, if the cursor has rested on it.
    fn sample(&mut self) {
        let is_due = |chosen: &ChosenRow<_>| chosen.who.is_none() && chosen.since.elapsed() >= REST;
        if !self.chosen.as_ref().is_some_and(is_due) {
            return;
        }
        let rows = self.screen.rows().0;
        let Some(chosen) = &mut self.chosen else { return };
        let Some(row) = rows.into_iter().find(|row| row.name == chosen.row) else {
            // The row may come back: the next look is after another rest.
            chosen.since = Instant::now();
            return;
        };
        let tracepoints: Vec<Tpid> = row.tracepoints.into_iter().take(MOST_TRACEPOINTS).map(|(tpid, _)| tpid).collect();
        let rate =
            rate_of_last(WINDOWS_OF_RATE, &self.screen.windows, &tracepoints).filter(|_| !tracepoints.is_empty());
        // Samples would attach them again, and the budget would not be kept.
        let Some(rate) = rate else {
            self.fail("its tracepoints are detached, so tp-perf does not sample them".to_owned());
            return;
        };
        let target = WhoTarget { tracepoints, rate, cpus: self.screen.facts.cpus.clone() };
        let attach = |fields| Who::attach(self.kernel, &self.screen.table, target.clone(), &self.choice, fields);
        // Linux before 5.7, and systems without mounted cgroups, have only threads.
        match attach(ProcessFields::Cgroup).or_else(|_| attach(ProcessFields::Thread)) {
            Ok(mut who) => match who.begin_window(self.every) {
                Ok(()) => {
                    chosen.who = Some(who);
                    chosen.look_at = Some(Instant::now() + LOOK_AGAIN);
                }
                Err(error) => self.fail(format!("failed to sample this row: {error}")),
            },
            Err(error) => self.fail(format!("failed to sample this row: {error}")),
        }
    }

    /// Takes the samples of the chosen row, and answers from them.
    fn take_samples(&mut self) {
        let Some(ChosenRow { who: Some(who), .. }) = &mut self.chosen else { return };
        match who.round() {
            Ok(()) => self.answer(),
            Err(error) => self.fail(format!("failed to take samples: {error}")),
        }
    }

    fn answer(&mut self) {
        if let Some(ChosenRow { who: Some(who), .. }) = &self.chosen {
            let ShownScreen { view, windows, .. } = &self.screen;
            let WhoTarget { tracepoints, .. } = who.target();
            // The samples are those of the last seconds, whatever the screen shows.
            let rate = rate_of_last(1, windows, tracepoints).filter(|_| view.frozen_at.is_none());
            self.screen.who = WhoShown::Answer(who.answer(view.who), tracepoints.len(), rate);
        }
    }

    /// Goes on sampling in the next window. If the rate of the row has changed, another N suits it, so sampling begins again.
    fn begin_window(&mut self) {
        let Some(chosen) = &mut self.chosen else { return };
        let Some(who) = &mut chosen.who else { return };
        // A tracepoint that the budget has detached must not stay attached for samples.
        let rate = rate_of_last(WINDOWS_OF_RATE, &self.screen.windows, &who.target().tracepoints);
        if rate.is_none_or(|rate| who.is_stale(rate)) {
            chosen.since = Instant::now();
            self.stop_sampling();
        } else if let Err(error) = who.begin_window(self.every) {
            self.fail(format!("failed to switch samples on: {error}"));
        }
    }

    /// The kernel removes the events of a CPU that goes offline, and they do not return with it.
    fn note_missing_cpus(&mut self) {
        let missing = self.kernel.online().map(|online| self.screen.facts.cpus.without(&online));
        if let Some(missing) = missing.ok().filter(|missing| !missing.is_empty()) {
            let text = format!("CPU {missing} went offline: its hits are missing; start tp-perf again when it is back");
            self.screen.notes.note(&text);
        }
    }

    /// Waits for the children that have detached samples.
    fn reap(&mut self) {
        self.detaching.retain_mut(|detaching| {
            // An error means that somebody else has waited for the child.
            !detaching.has_news() || detaching.wait_for_more().is_ok_and(|more| more > 0)
        });
    }

    /// What is to be done with the samples now. Returns whether the screen changes.
    fn act_on_samples(&mut self) -> bool {
        self.sample();
        let Some(chosen) = &mut self.chosen else { return false };
        let Some(who) = &mut chosen.who else { return false };
        if let Err(error) = who.act() {
            self.fail(format!("failed to switch samples off: {error}"));
            return true;
        }
        if chosen.look_at.is_none_or(|at| Instant::now() < at) {
            return false;
        }
        chosen.look_at = None;
        self.take_samples();
        if let (WhoShown::Answer(answer, ..), Some(chosen)) = (&self.screen.who, &mut self.chosen) {
            chosen.look_at = (answer.samples < FEW_SAMPLES).then(|| Instant::now() + LOOK_AGAIN);
        }
        true
    }
}

impl<K: Kernel> Sink for LiveTop<'_, K> {
    fn tick(&mut self, tick: &Tick<'_>) {
        self.screen.windows.add(tick);
        if let Some(states) = &mut self.states {
            for message in states.window(tick, &tick.window_hits()) {
                if let FollowMessage::State(turn) = message {
                    self.screen.states = Some(Some(turn.states));
                }
            }
        }
        let (cpu, at) = (cpu_time().unwrap_or_default(), Instant::now());
        let part = cpu.saturating_sub(self.cpu.0).as_secs_f64() / (at - self.cpu.1).as_secs_f64().max(1e-9);
        (self.screen.own, self.cpu) = (Some(part), (cpu, at));
        self.reap();
        self.note_missing_cpus();
        self.take_samples();
        self.begin_window();
        self.screen.draw();
    }
}

impl<K: Kernel> Beside for LiveTop<'_, K> {
    fn wake_descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.screen.terminal.wake_descriptor()]
    }

    fn due(&self) -> Option<Instant> {
        let chosen = self.chosen.as_ref()?;
        match &chosen.who {
            Some(who) => [who.due(), chosen.look_at].into_iter().flatten().min(),
            None => Some(chosen.since + REST),
        }
    }

    fn act(&mut self) -> bool {
        let has_keys = self.screen.take_keys();
        if has_keys {
            self.follow_cursor();
        }
        if self.act_on_samples() || has_keys {
            self.screen.draw();
        }
        !self.screen.quits
    }
}
