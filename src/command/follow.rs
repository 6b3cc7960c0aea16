//! `identify --follow` and `check --follow`: reports changes while sources or this machine are watched.

use super::context::Context;
use super::detach::finish_detach;
use super::observe::{begin_reading, read_source, unless_closed};
use super::seen::SeenOfTick;
use super::sources::worse;
use super::stop::{compare, end_at_second_signal};
use super::wait::wait_for_command;
use super::watch::{PLACE, count_options, machine_origin, over_budget, rfc3339};
use crate::capture::CaptureOptions;
use crate::control::{Manner, NoticesOnly, Progress, Streams};
use crate::counting::{Counters, EachWindow, NoBeside, RunWith};
use crate::drain::Problem;
use crate::engine::{Kernel, Live};
use crate::events::{Ns, Tick};
use crate::observation::Observation;
use crate::recording::missed_cpus;
use crate::state::{
    self, ALPHA, Alarm, Follow, FollowMessage, HOLD, Known, Length, Library, Session, SessionOrigin, Window,
};
use crate::terminal::{Extent, FollowedFrom, Stdout, TerminalProgress, messages, print_followed, print_message};
use crate::tracefs::{Selection, Table};
use crate::units::{Plural, nanoseconds};
use anyhow::Context as _;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::time::{Duration, SystemTime};

/// The exit code if an alarm was raised, or if the state was unknown and that is a failure.
const FOUND: u8 = 3;
/// At most this many windows of an alarm are kept.
const KEPT: usize = 3_600;

/// What the windows are followed for.
pub enum FollowTask {
    /// The states, at a level.
    Identify {
        /// The level.
        alpha: f64,
        /// Whether an unknown state is a failure.
        fail_unknown: bool,
    },
    /// Alarms.
    Check {
        /// The allowed states.
        against: Vec<String>,
        /// Allowed false alarms of single tracepoints in a day.
        per_day: f64,
        /// An alarm that comes again this soon is not reported.
        silence: Duration,
        /// The library that keeps the windows of alarms.
        save: Option<Library>,
    },
}

impl FollowTask {
    fn begin<'a>(&self, known: &'a Known) -> Result<Follow<'a>, state::Error> {
        match self {
            FollowTask::Identify { .. } if !known.states().know_spread() => Err(state::Error::NoSpread),
            FollowTask::Identify { alpha, .. } => Follow::identify(known, *alpha),
            FollowTask::Check { against, per_day, silence, .. } => {
                Follow::check(known, against, ALPHA, *per_day, nanoseconds(*silence))
            }
        }
    }
}

/// How the messages are printed.
#[derive(Debug, Clone, Copy)]
pub struct FollowForm {
    /// As lines of JSON.
    pub is_json: bool,
    /// How much text shows.
    pub extent: Extent,
    /// Whether text shows nothing but alarms and errors.
    pub is_quiet: bool,
}

/// Follows each source, or this machine, and returns the exit code.
pub fn follow(
    task: &FollowTask,
    known: Known,
    observation: &Observation,
    form: FollowForm,
    manner: &Manner,
    context: &mut Context,
) -> anyhow::Result<u8> {
    match observation {
        Observation::Machine(options) => follow_machine(&Live, task, known, options, form, manner, context),
        Observation::Source { places, part } => {
            begin_reading(manner, context)?;
            let mut worst = 0;
            for (number, place) in places.iter().enumerate() {
                if number > 0 && !form.is_json {
                    unless_closed(context.out.print(b"\n"))?;
                }
                let followed = match read_source(place, part, Some(known.length()), context) {
                    Ok(Err(stopped)) => return Ok(stopped),
                    Ok(Ok((place, session))) => {
                        let out = &mut context.out;
                        compare(|| follow_source(task, &known, &place, &session, form, out)).context(place)
                    }
                    Err(error) => Err(error),
                };
                worst = match followed {
                    Ok(code) => worse(worst, code),
                    Err(error) if places.len() > 1 => {
                        messages::say_failure(error.chain());
                        if form.is_json {
                            let line = state::follow_error_json(&place.to_string(), &messages::causes(error.chain()));
                            unless_closed(context.out.print_data(&line))?;
                        }
                        worse(worst, 1)
                    }
                    Err(error) => return Err(error),
                };
            }
            Ok(worst)
        }
    }
}

fn follow_source(
    task: &FollowTask,
    known: &Known,
    place: &str,
    session: &Session,
    form: FollowForm,
    out: &mut Stdout,
) -> anyhow::Result<u8> {
    let known = known.clone().to_follow(session)?;
    let windows = known.windows_of(session)?;
    let begin = windows.first().map_or(Ns(0), |(begin, _)| *begin);
    let mut printer = Printer { form, from: FollowedFrom::Source { begin }, found: false, task };
    let mut follow = task.begin(&known)?;
    unless_closed(printer.begin(place, &known, session, out))?;
    for (begin, seen) in windows {
        for message in follow.window(begin, seen) {
            unless_closed(printer.print(&message, out))?;
        }
    }
    unless_closed(printer.end(&follow, out))?;
    printer.code(&follow)
}

/// Prints messages, and remembers whether one was a finding.
struct Printer<'a> {
    form: FollowForm,
    from: FollowedFrom,
    found: bool,
    task: &'a FollowTask,
}

impl Printer<'_> {
    fn begin(&self, place: &str, known: &Known, source: &Session, out: &mut Stdout) -> io::Result<()> {
        let against = match self.task {
            FollowTask::Identify { .. } => &[][..],
            FollowTask::Check { against, .. } => against,
        };
        let limits = known.limits_of(source);
        match self.form {
            FollowForm { is_json: true, .. } => {
                out.print_data(&state::follow_begin_json(place, known, against, &limits))
            }
            FollowForm { is_quiet: true, .. } => Ok(()),
            _ => {
                let mut text = Vec::new();
                print_followed(place, known, against, &limits, out.width(), &mut text)?;
                out.print(&text)
            }
        }
    }

    fn print(&mut self, message: &FollowMessage, out: &mut Stdout) -> io::Result<()> {
        self.found |= match (message, self.task) {
            (FollowMessage::Alarm(_), _) => true,
            (FollowMessage::State(turn), FollowTask::Identify { fail_unknown: true, .. }) => turn.states.is_empty(),
            _ => false,
        };
        let now = SystemTime::now();
        if self.form.is_json {
            return out.print_data(&state::follow_message_json(message, self.from.time(now)));
        }
        let mut text = Vec::new();
        print_message(message, self.from, now, self.form.extent, out.width(), &mut text)?;
        out.print(&text)
    }

    fn end(&self, follow: &Follow<'_>, out: &mut Stdout) -> io::Result<()> {
        let end = follow.end();
        match self.form {
            FollowForm { is_json: true, .. } => out.print_data(&state::follow_end_json(&end)),
            FollowForm { is_quiet: true, .. } => Ok(()),
            _ => out.print(format!("{}\n", end.sentence(matches!(self.task, FollowTask::Check { .. }))).as_bytes()),
        }
    }

    /// The exit code.
    ///
    /// # Errors
    /// If there were too few windows for an answer.
    fn code(&self, follow: &Follow<'_>) -> anyhow::Result<u8> {
        match follow.end().windows {
            windows if windows < HOLD => {
                let windows = Plural(windows as u64, "window");
                anyhow::bail!("{windows} cannot be judged; at least {HOLD} are needed, so watch for longer")
            }
            _ => Ok(if self.found { FOUND } else { 0 }),
        }
    }
}

fn follow_machine(
    kernel: &impl Kernel,
    task: &FollowTask,
    known: Known,
    options: &CaptureOptions,
    form: FollowForm,
    manner: &Manner,
    context: &mut Context,
) -> anyhow::Result<u8> {
    let Length::Ns(every) = known.length() else {
        anyhow::bail!(
            "the sessions of the library have windows of {}, and --follow needs windows of a length in time; learn sessions without --window",
            known.length()
        );
    };
    if let FollowTask::Check { save: Some(library), against, .. } = task {
        for state in against {
            messages::say_left_out(&library.may_add(&alarm_state(state))?);
        }
    }
    context.begin(TerminalProgress::new(options.rules, manner.quiet), manner)?;
    let budget = options.attach.budget;
    let options = count_options(options, Duration::from_nanos(every));
    let mut counters = Counters::attach(kernel, &options, &mut context.signals, &mut context.progress)?;
    let mut running = None;
    let result = (|| {
        let (table, selection) = (counters.table.clone(), counters.selection.clone());
        let origin = machine_origin(&counters, SystemTime::now());
        let nothing_yet = Session::without_windows(origin.clone(), &table, &selection, Length::Ns(every));
        let known = known.to_follow(&nothing_yet)?;
        let mut follow = task.begin(&known)?;
        let mut printer = Printer { form, from: FollowedFrom::Machine, found: false, task };
        let Context { signals, progress, out } = context;
        progress.phase_ends();
        unless_closed(printer.begin(PLACE, &known, &nothing_yet, out))?;
        let mut seen = SeenOfTick::of(known.names(), &table);
        let mut alarms =
            AlarmWindows { task, origin, table: &table, selection: &selection, every, windows: VecDeque::new() };
        let least = state::least_of(every);
        let mut windows = EachWindow::new(|_, tick| {
            // The last tick may have come early.
            if tick.to.since(tick.from) < least {
                return Ok(());
            }
            alarms.keep(tick);
            for message in follow.window(tick.from, seen.of_hits(tick, &tick.window_hits())) {
                printer.print(&message, out)?;
                if let Some(text) = alarms.save(&message) {
                    messages::say(text);
                }
            }
            Ok(())
        });
        let launch = counters.launch(&options, Streams::Own, true);
        let with = RunWith {
            command: launch,
            sinks: &mut [&mut windows],
            running: &mut running,
            signals,
            progress: &mut NoticesOnly(progress),
            beside: &mut NoBeside,
        };
        let run = counters.run(kernel, &options, with)?;
        let failed = windows.failed.take();
        unless_closed(failed.map_or(Ok(()), Err))?;
        unless_closed(printer.end(&follow, out))?;
        if let Some(text) = over_budget(budget, run.cost) {
            messages::say(text);
        }
        if let Some(text) = alarms.save_at_end(follow.going_on()) {
            messages::say(text);
        }
        if let Some(problem) = run.problem {
            return Err(anyhow::Error::new(problem).context("failed to read the counters"));
        }
        match missed_cpus(&run.unwatched) {
            cpus if cpus.is_empty() => Ok((printer.code(&follow)?, run.command_exit)),
            cpus => Err(Problem::Unwatched { cpus }.into()),
        }
    })();
    let code = match running.filter(|_| !matches!(&result, Ok((_, Some(_))))) {
        None => result.map(|(code, _)| code),
        Some(command) => {
            if let Err(error) = &result {
                // COMMAND may run for long. The user should see the failure before that.
                messages::say_failure(error.chain());
            }
            wait_for_command(command, context)?;
            Ok(result.map_or(1, |(code, _)| code))
        }
    };
    end_at_second_signal()?;
    finish_detach(&mut counters.detach(), manner.wait_detach, context)?;
    code
}

/// The state under which the windows of alarms against a state are kept.
fn alarm_state(state: &str) -> String {
    format!("not-{state}")
}

/// Keeps the newest windows, and saves those of an alarm when it ends.
struct AlarmWindows<'a> {
    task: &'a FollowTask,
    origin: SessionOrigin,
    table: &'a Table,
    selection: &'a Selection,
    every: u64,
    windows: VecDeque<Window>,
}

impl AlarmWindows<'_> {
    fn keep(&mut self, tick: &Tick<'_>) {
        if !matches!(self.task, FollowTask::Check { save: Some(_), .. }) {
            return;
        }
        if self.windows.len() == KEPT {
            self.windows.pop_front();
        }
        let mut counts = tick.by_tracepoint();
        counts.sort_unstable();
        self.windows.push_back(Window { begin: tick.from, ns: tick.to.since(tick.from), counts, lost: 0 });
    }

    /// Saves the windows of an alarm that has ended. Returns a sentence about it.
    fn save(&self, message: &FollowMessage) -> Option<String> {
        let FollowMessage::AllClear(clear) = message else { return None };
        let begin = clear.since_ns.saturating_sub(clear.lasted_ns);
        self.save_windows(clear.number, &clear.state, begin..clear.since_ns, clear.at_ns)
    }

    /// Saves the windows of an alarm that goes on at the end.
    fn save_at_end(&self, alarm: Option<&Alarm>) -> Option<String> {
        let (alarm, last) = (alarm?, self.windows.back()?);
        let end = last.begin.saturating_add(last.ns);
        self.save_windows(alarm.number, &alarm.state, alarm.since_ns..end, end)
    }

    /// Saves the windows that begin in this time. `now` is the present.
    fn save_windows(&self, number: u64, state: &str, time: Range<Ns>, now: Ns) -> Option<String> {
        let FollowTask::Check { save: Some(library), .. } = self.task else { return None };
        let windows: Vec<Window> = self.windows.iter().filter(|window| time.contains(&window.begin)).cloned().collect();
        let ago = Duration::from_nanos(now.since(windows.first()?.begin));
        let started = SystemTime::now().checked_sub(ago)?;
        let origin = SessionOrigin { started: Some(rfc3339(started)), ..self.origin.clone() };
        let length = Length::Ns(self.every);
        let session = Session::of_counted(PLACE, origin, self.table, self.selection, length, &windows);
        let saved = session.map_err(|error| messages::sentence(&error)).and_then(|session| {
            let added = library.add(&alarm_state(state), &[(PLACE.to_owned(), session)]);
            added.map_err(|error| messages::sentence(&error))
        });
        Some(match saved {
            Ok(paths) => {
                let path = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
                format!("if alarm {number} was fine: `tp-perf learn {state} {path}`")
            }
            Err(error) => format!("the windows of alarm {number} could not be saved: {error}"),
        })
    }
}
