//! `tp-perf top`: shows the hits of this machine live.

use super::context::Context;
use super::detach::finish_detach;
use crate::capture::{self, Choice, StopRules};
use crate::cli::TopArgs;
use crate::control::Progress;
use crate::counting::{Beside, CountOptions, CountRun, Counters, RunWith};
use crate::drain::Problem;
use crate::engine::{self, Detaching, Kernel, Live, ProcessFields};
use crate::events::{Sink, Tick};
use crate::live::{self, KeyRequest, LiveRow, LiveWindows, RowName, View, Who, WhoBy, WhoTarget};
use crate::os::machine::{hostname, kernel_release};
use crate::os::privileges::{self, Starts};
use crate::os::thread::cpu_time;
use crate::recording::missed_cpus;
use crate::terminal::{TerminalProgress, TopFacts, TopScreen, TopTerminal, WhoShown};
use crate::tracefs::Table;
use anyhow::Context as _;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use std::cell::RefCell;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

/// The cursor rests for this time before tp-perf looks who hits the row.
const REST: Duration = Duration::from_millis(250);
/// An answer with fewer samples is looked at again after this time, without waiting for the end of the window.
const FEW_SAMPLES: u64 = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// A row of a group is looked at through its hottest tracepoints.
const MOST_TRACEPOINTS: usize = 4;

/// Shows the hits until the user quits.
pub fn run(args: TopArgs, context: &mut Context) -> anyhow::Result<u8> {
    let (options, manner) = args.request()?;
    TopTerminal::check()?;
    let rules = StopRules { events: None, duration: options.duration };
    context.begin(TerminalProgress::new(rules, manner.quiet), &manner)?;
    let mut counters = Counters::attach(&Live, &options, &mut context.signals, &mut context.progress)?;
    context.progress.phase_ends();
    let ran = show(&Live, &mut counters, &options, context);
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
    context: &mut Context,
) -> anyhow::Result<Option<CountRun>> {
    let notes = ScreenNotes::default();
    let terminal = TopTerminal::enter().context("failed to take over the terminal")?;
    let mut top = Top::new(kernel, counters, options, terminal, notes.clone());
    top.draw();
    let with = RunWith {
        command: None,
        sinks: &mut [],
        running: &mut None,
        signals: &mut context.signals,
        progress: &mut notes.clone(),
        beside: &mut top,
    };
    let run = counters.run(kernel, options, with);
    let failed = top.end();
    // The screen is gone, so messages can be read again.
    match (failed, run) {
        (Some(error), _) => Err(anyhow::Error::new(error).context("failed to draw on the terminal")),
        (None, Err(capture::Error::Perf(engine::Error::Interrupted))) => Ok(None),
        (None, run) => Ok(Some(run?)),
    }
}

/// The notes of a run. The screen shows the last one.
#[derive(Clone, Default)]
struct ScreenNotes(Rc<RefCell<Option<String>>>);

impl Progress for ScreenNotes {
    fn note(&mut self, message: &str) {
        *self.0.borrow_mut() = Some(message.to_owned());
    }

    fn note_failure(&mut self, what: &str, cause: &(dyn Error + 'static)) {
        self.note(&format!("{what}: {cause}"));
    }
}

/// The row that the user has chosen, and who hits it.
struct ChosenRow<E> {
    row: RowName,
    /// When the cursor came to it.
    since: Instant,
    who: Option<Who<E>>,
    /// When to look at the samples before the window ends.
    look_at: Option<Instant>,
}

/// The live view.
struct Top<'k, K: Kernel> {
    kernel: &'k K,
    choice: Choice,
    table: Table,
    facts: TopFacts,
    windows: LiveWindows,
    view: View,
    terminal: TopTerminal,
    chosen: Option<ChosenRow<K::Sampling>>,
    who: WhoShown,
    /// Samples that are being detached.
    detaching: Vec<Detaching>,
    notes: ScreenNotes,
    /// tp-perf's own CPU time at the last tick, and its part of a CPU since the one before.
    cpu: (Duration, Instant),
    own: Option<f64>,
    quits: bool,
    failed: Option<io::Error>,
}

impl<'k, K: Kernel> Top<'k, K> {
    fn new(
        kernel: &'k K,
        counters: &Counters<K::Counting>,
        options: &CountOptions,
        terminal: TopTerminal,
        notes: ScreenNotes,
    ) -> Self {
        let attached = counters.attached();
        let facts = TopFacts {
            hostname: hostname(),
            kernel: kernel_release(),
            tracepoints: counters.selection.tracepoints(&counters.table).len(),
            cpus: attached.cpus.clone(),
            budget: options.budget,
            has_colours: TopTerminal::has_colours(),
        };
        Top {
            kernel,
            choice: options.choice.clone(),
            table: counters.table.clone(),
            facts,
            windows: LiveWindows::default(),
            view: View::default(),
            terminal,
            chosen: None,
            who: WhoShown::Nothing,
            detaching: Vec::new(),
            notes,
            cpu: (cpu_time().unwrap_or_default(), Instant::now()),
            own: None,
            quits: false,
            failed: None,
        }
    }

    /// Gives the terminal back. Returns the error that ended the view, if there was one.
    fn end(mut self) -> Option<io::Error> {
        self.forget_chosen();
        self.failed.take()
    }

    fn draw(&mut self) {
        let Top { view, terminal, facts, windows, table, who, own, notes, .. } = self;
        let notes = notes.0.borrow();
        let screen = TopScreen { facts, windows, table, who, own: *own, note: notes.as_deref() };
        let drawn = terminal.draw(|area: Rect, buffer: &mut Buffer| screen.draw(view, area, buffer));
        drop(notes);
        self.note_failure(drawn);
    }

    fn note_failure(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.failed.get_or_insert(error);
            self.quits = true;
        }
    }

    /// The rows of the screen, and how many of them have room.
    fn rows(&self) -> (Vec<LiveRow>, usize) {
        let Top { view, facts, windows, table, who, .. } = self;
        let (width, height) = self.terminal.size();
        let screen = TopScreen { facts, windows, table, who, own: None, note: None };
        (screen.rows(view, width), usize::from(screen.height(view, height)))
    }

    /// Takes the keys that wait. Returns whether the screen changes.
    fn take_keys(&mut self) -> bool {
        let (keys, is_resized) = match self.terminal.keys() {
            Ok(keys) => keys,
            Err(error) => {
                self.note_failure(Err(error));
                return false;
            }
        };
        for key in &keys {
            let (rows, height) = self.rows();
            match self.view.key(*key, &rows, height, &self.windows) {
                KeyRequest::None => {}
                KeyRequest::Quit => self.quits = true,
                KeyRequest::Suspend => {
                    let resumed = self.terminal.suspend();
                    self.note_failure(resumed);
                }
                KeyRequest::Write => self.view.message = Some(self.write()),
            }
            self.notes.0.borrow_mut().take();
        }
        !keys.is_empty() || is_resized
    }

    /// Writes the windows into a new file. Returns a message.
    fn write(&self) -> String {
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let path = format!("tp-perf-top-{}.csv", now.replace(['-', ':'], ""));
        let write = || {
            let bytes = live::csv(&self.windows, &self.table, &self.view.marks)?;
            let mut file = File::create_new(&path)?;
            file.write_all(&bytes).inspect_err(|_| drop(fs::remove_file(&path)))
        };
        match write() {
            Ok(()) => format!("wrote {path}"),
            Err(error) => format!("failed to write {path}: {error}"),
        }
    }

    /// Follows the cursor: forgets who hit the row before, and begins to look at the new one after a while.
    fn follow_cursor(&mut self) {
        let wanted = self.view.chosen().filter(|_| self.view.who != WhoBy::Nobody).cloned();
        if self.chosen.as_ref().map(|chosen| &chosen.row) != wanted.as_ref() {
            self.forget_chosen();
            self.who = if wanted.is_some() { WhoShown::Waiting } else { WhoShown::Nothing };
            self.chosen = wanted.map(|row| ChosenRow { row, since: Instant::now(), who: None, look_at: None });
        }
        self.answer();
    }

    fn forget_chosen(&mut self) {
        if let Some(ChosenRow { who: Some(who), .. }) = self.chosen.take() {
            self.detaching.push(who.detach());
        }
    }

    /// Begins to look who hits the chosen row, if the cursor has rested on it.
    fn look(&mut self) {
        let (kernel, cpus) = (self.kernel, self.facts.cpus.clone());
        let is_due = |chosen: &&mut ChosenRow<_>| chosen.who.is_none() && chosen.since.elapsed() >= REST;
        if matches!(self.who, WhoShown::Failed(_)) || self.chosen.as_mut().filter(is_due).is_none() {
            return;
        }
        let rows = self.rows().0;
        let Some(chosen) = &mut self.chosen else { return };
        let tracepoints = rows.into_iter().find(|row| row.name == chosen.row).map_or(Vec::new(), |row| row.tracepoints);
        let target = WhoTarget { tracepoints: tracepoints.into_iter().take(MOST_TRACEPOINTS).collect(), cpus };
        if target.tracepoints.is_empty() {
            self.who = WhoShown::Failed("it is detached, so nobody knows who hits it".to_owned());
            return;
        }
        let attach = |fields| Who::attach(kernel, &self.table, target.clone(), &self.choice, fields);
        // Linux before 5.7, and systems without mounted cgroups, have only threads.
        match attach(ProcessFields::Cgroup).or_else(|_| attach(ProcessFields::Thread)) {
            Ok(who) => {
                chosen.who = Some(who);
                chosen.look_at = Some(Instant::now() + LOOK_AGAIN);
            }
            Err(error) => self.who = WhoShown::Failed(format!("failed to look who hits it: {error}")),
        }
    }

    /// Takes the samples of the chosen row.
    fn take_samples(&mut self) {
        let Some(ChosenRow { who: Some(who), .. }) = &mut self.chosen else { return };
        if let Err(error) = who.round() {
            self.who = WhoShown::Failed(format!("failed to take samples: {error}"));
            self.forget_who();
            return;
        }
        self.answer();
    }

    fn forget_who(&mut self) {
        if let Some(who) = self.chosen.as_mut().and_then(|chosen| chosen.who.take()) {
            self.detaching.push(who.detach());
        }
    }

    /// Answers from the samples so far.
    fn answer(&mut self) {
        if let Some(ChosenRow { who: Some(who), .. }) = &self.chosen {
            self.who = WhoShown::Answer(who.answer(self.view.who));
        }
    }

    /// Waits for the children that have detached samples.
    fn reap(&mut self) {
        self.detaching.retain_mut(|detaching| {
            let is_ready = detaching.has_news();
            // An error means that somebody else has waited for the child.
            !is_ready || detaching.wait_for_more().is_ok_and(|more| more > 0)
        });
    }

    /// What is to be done with the samples now. Returns whether the screen changes.
    fn act_on_samples(&mut self) -> bool {
        self.look();
        let Some(chosen) = &mut self.chosen else { return false };
        let Some(who) = &mut chosen.who else { return false };
        if let Err(error) = who.act() {
            self.who = WhoShown::Failed(format!("failed to switch samples off: {error}"));
            self.forget_who();
            return true;
        }
        if chosen.look_at.is_none_or(|at| Instant::now() < at) {
            return false;
        }
        chosen.look_at = None;
        self.take_samples();
        if let (WhoShown::Answer(answer), Some(chosen)) = (&self.who, &mut self.chosen) {
            chosen.look_at = (answer.samples < FEW_SAMPLES).then(|| Instant::now() + LOOK_AGAIN);
        }
        true
    }
}

impl<K: Kernel> Sink for Top<'_, K> {
    fn tick(&mut self, tick: &Tick<'_>) {
        self.windows.add(tick);
        let (cpu, at) = (cpu_time().unwrap_or_default(), Instant::now());
        let part = cpu.saturating_sub(self.cpu.0).as_secs_f64() / (at - self.cpu.1).as_secs_f64().max(1e-9);
        self.own = Some(part);
        self.cpu = (cpu, at);
        self.reap();
        self.take_samples();
        if let Some(ChosenRow { who: Some(who), .. }) = &mut self.chosen
            && let Err(error) = who.begin_window()
        {
            self.who = WhoShown::Failed(format!("failed to switch samples on: {error}"));
            self.forget_who();
        }
        self.draw();
    }
}

impl<K: Kernel> Beside for Top<'_, K> {
    fn wake_descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.terminal.wake_descriptor())
    }

    fn due(&self) -> Option<Instant> {
        let chosen = self.chosen.as_ref()?;
        match &chosen.who {
            Some(who) => [who.due(), chosen.look_at].into_iter().flatten().min(),
            None if matches!(self.who, WhoShown::Failed(_)) => None,
            None => Some(chosen.since + REST),
        }
    }

    fn act(&mut self) -> bool {
        let has_keys = self.take_keys();
        if has_keys {
            self.follow_cursor();
        }
        if self.act_on_samples() || has_keys {
            self.draw();
        }
        !self.quits
    }
}
