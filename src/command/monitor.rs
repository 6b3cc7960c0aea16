//! `tp-perf monitor`: counts for weeks, keeps a history, serves metrics, and raises alarms.

use super::context::Context;
use super::detach::finish_detaches;
use super::followed_states::{FollowedStates, nothing_yet, read_states};
use super::monitor_alarms::AlarmNumbers;
use super::monitor_events::{Begin, End, MonitorEvent};
use super::monitor_flight::MonitorFlight;
use super::monitor_options::{NextOptions, needs_restart, rule_watch};
use super::monitor_outputs::Outputs;
use super::monitor_run::{EndOfRun, MonitorNotes, MonitorRun};
use super::watch::machine_origin;
use crate::alarms::{AlarmHook, RuleWatch};
use crate::capture::{self, CpuChanges, StopRules};
use crate::cli::{MonitorArgs, monitor_request_again, own_arguments};
use crate::control::{OwnSignal, Progress};
use crate::counting::{CountRun, Counters, RunWith};
use crate::engine::{self, Counting, Detaching, Kernel, Live, Sampling};
use crate::metrics::ServerAddress;
use crate::monitor::MonitorRequest;
use crate::os::cpus::CpuList;
use crate::os::landlock::forbid_changes_outside;
use crate::os::machine::{has_seccomp, hostname, kernel_release};
use crate::os::privileges::{self, Starts};
use crate::os::seccomp;
use crate::recording::Tool;
use crate::state::Known;
use crate::terminal::{TerminalProgress, messages};
use crate::units::{Grouped, Percent, nanoseconds};
use anyhow::Context as _;
use nix::libc::{ENOSYS, SIGHUP, SIGUSR2};
use sd_notify::NotifyState;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Counts until somebody stops it.
pub fn run(args: MonitorArgs, context: &mut Context) -> anyhow::Result<u8> {
    let request = args.request()?;
    match request.only_check {
        true => check(&request, context),
        false => monitor(&Live, request, context),
    }
}

/// Says that the options are fine, as far as this can be known without watching.
fn check(request: &MonitorRequest, context: &mut Context) -> anyhow::Result<u8> {
    if let Some(states) = &request.states {
        let read = states.library.states()?;
        messages::say_left_out(&read.left_out);
        states.against.iter().try_for_each(|name| states.library.state(name).map(drop))?;
    }
    context.out.print(b"the options are valid; whether their patterns match tracepoints is checked at the start\n")?;
    Ok(0)
}

/// What the monitor works with, over all its runs.
struct Monitor<S> {
    request: MonitorRequest,
    outputs: Outputs,
    rules: RuleWatch,
    numbers: AlarmNumbers,
    hook: Option<AlarmHook>,
    flight: Option<MonitorFlight<S>>,
    reload: OwnSignal,
    dump: OwnSignal,
    known: Option<Known>,
    is_restricted: bool,
    /// When the monitor ends, over all runs.
    deadline: Option<Instant>,
    /// Whether the next run has attached.
    has_attached: bool,
    /// What is being detached in the background.
    detaching: Vec<Detaching>,
    total: End,
    /// The sum of the costs of all windows, each with its length in nanoseconds as its weight.
    cost: (f64, f64),
}

fn monitor<K: Kernel>(kernel: &K, request: MonitorRequest, context: &mut Context) -> anyhow::Result<u8> {
    let mut apart = |signal| context.signals.set_apart(signal).context("failed to take over signals");
    let (reload, dump) = (apart(SIGHUP)?, apart(SIGUSR2)?);
    let rules = StopRules { events: None, duration: request.count.duration };
    context.begin(TerminalProgress::new(rules, request.manner.quiet), &request.manner)?;
    let states = request.states.as_ref();
    let known = states.map(|states| read_states(kernel, states, &request.count)).transpose()?;
    let outputs = Outputs::open(&request)?;
    let Context { signals, progress, .. } = context;
    let mut flight = MonitorFlight::attach(kernel, &request, own_arguments(), signals, progress)?;
    let counters = Counters::attach(kernel, &request.count, &mut context.signals, &mut context.progress)?;
    context.progress.phase_ends();
    let rules = rule_watch(&request, &counters.table, &counters.selection)?;
    let nofile_limit = counters.attached().descriptor_limit;
    let hook = request.on_alarm.clone().map(|(command, timeout)| AlarmHook::new(command, timeout, nofile_limit));
    if let Some(flight) = &mut flight {
        flight.start().context("failed to switch on the flight recorder")?;
    }
    let mut monitor = Monitor {
        request,
        outputs,
        rules,
        numbers: AlarmNumbers::default(),
        hook,
        flight,
        reload,
        dump,
        known,
        is_restricted: false,
        deadline: None,
        has_attached: true,
        detaching: Vec::new(),
        total: End::default(),
        cost: (0.0, 0.0),
    };
    let (counters, result) = monitor.runs(kernel, counters, context);
    monitor.end(&result);
    let mut detaching = std::mem::take(&mut monitor.detaching);
    detaching.extend(monitor.flight.take().and_then(MonitorFlight::detach));
    privileges::keep_opening(false);
    privileges::give_up(Starts::Nothing)?;
    detaching.extend(counters.map(Counters::detach));
    finish_detaches(&mut detaching, monitor.request.manner.wait_detach, context)?;
    result
}

/// Forbids changes of files outside the monitor's own folders, and system calls that it does not need. A monitor that will run commands
/// is not restricted, because they would be restricted too. An older kernel cannot forbid these things.
fn restrict(request: &MonitorRequest, context: &mut Context) {
    let above = |path: &'_ Path| match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let sockets = request.metrics.iter().filter_map(|address| match address {
        ServerAddress::Unix(path) => Some(above(path)),
        ServerAddress::Tcp(_) => None,
    });
    let history = request.history.iter().map(|(folder, _)| folder.clone());
    let flight = request.flight_folder().map(|folder| folder.path.clone());
    let textfile = request.textfile.iter().map(|path| above(path));
    let folders: Vec<PathBuf> =
        history.chain(flight).chain(textfile).chain(sockets).filter(|folder| folder.is_dir()).collect();
    let folders: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
    if request.on_alarm.is_some() {
        return;
    }
    if let Err(error) = forbid_changes_outside(&folders)
        && error.raw_os_error() != Some(ENOSYS)
    {
        context.progress.note(&format!("the kernel does not restrict this process to its own folders: {error}"));
    }
    if has_seccomp()
        && let Err(error) = seccomp::forbid_calls()
    {
        context.progress.note(&format!("failed to restrict the system calls of this process: {error}"));
    }
}

impl<S: Sampling> Monitor<S> {
    /// Counts until the monitor is to end. Returns the counters, unless attaching again has failed.
    fn runs<K: Kernel<Sampling = S>>(
        &mut self,
        kernel: &K,
        mut counters: Counters<K::Counting>,
        context: &mut Context,
    ) -> (Option<Counters<K::Counting>>, anyhow::Result<u8>) {
        loop {
            match self.count(kernel, &mut counters, context) {
                Ok(Some(EndOfRun::Reload)) => {}
                Ok(Some(EndOfRun::Attach)) => {
                    let Context { signals, progress, .. } = context;
                    let (detaching, again) = counters.attach_again(kernel, &self.request.count, signals, progress);
                    self.detaching.push(detaching);
                    if let Some(flight) = &mut self.flight {
                        // What waits to be written would be lost.
                        flight.finish(&mut self.outputs);
                        self.detaching.extend(flight.attach_again(kernel, true, &mut self.outputs));
                    }
                    match again.context("failed to attach again after CPUs came online") {
                        Ok(again) => {
                            self.has_attached = true;
                            self.drop_alarms_of_states("tp-perf attached again");
                            counters = again;
                        }
                        Err(_) if context.signals.asked() > 0 => return (None, Ok(0)),
                        Err(error) => return (None, Err(error)),
                    }
                }
                Ok(Some(EndOfRun::Closed) | None) => return (Some(counters), Ok(0)),
                Err(error) => return (Some(counters), Err(error)),
            }
        }
    }

    /// Counts until a signal, the duration, or an event ends the run. `None` if the monitor is to end.
    fn count<K: Kernel<Sampling = S>>(
        &mut self,
        kernel: &K,
        counters: &mut Counters<K::Counting>,
        context: &mut Context,
    ) -> anyhow::Result<Option<EndOfRun>> {
        let every = nanoseconds(self.request.count.every);
        let known = match &self.known {
            None => None,
            Some(known) => {
                let origin = machine_origin(counters, SystemTime::now());
                Some(known.clone().to_follow(&nothing_yet(origin, &counters.table, &counters.selection, every))?)
            }
        };
        let states = match (&known, &self.request.states) {
            (Some(known), Some(states)) => Some(FollowedStates::new(known, states, &counters.table, every)?),
            _ => None,
        };
        self.outputs.begin(counters, &self.request)?;
        let (count, table, selection) =
            (self.request.count.clone(), counters.table.clone(), counters.selection.clone());
        let reread = || NextOptions::of(kernel, monitor_request_again()?, &count, &table, &selection);
        if !std::mem::replace(&mut self.is_restricted, true) {
            restrict(&self.request, context);
        }
        let begin = std::mem::take(&mut self.has_attached).then(|| self.begin_event(counters));
        if let Some(begin) = &begin {
            self.say_ready(begin, context);
        }
        let mut options = self.request.count.clone();
        if let Some(duration) = options.duration {
            let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + duration);
            options.duration = Some(deadline.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1)));
        }
        let notes = MonitorNotes::default();
        let mut beside = MonitorRun {
            kernel,
            watched: counters.attached().cpus.clone(),
            chosen: self.request.count.choice.cpus.clone(),
            outputs: &mut self.outputs,
            rules: &mut self.rules,
            states,
            numbers: &mut self.numbers,
            hook: &mut self.hook,
            flight: &mut self.flight,
            reload: &mut self.reload,
            dump: &mut self.dump,
            notes: notes.clone(),
            changes: CpuChanges::watch(),
            noted: 0,
            offline: CpuList::default(),
            came_online: 0,
            detaching: &mut self.detaching,
            begin,
            is_ready: false,
            end: None,
            reread: &reread,
            next: None,
        };
        let with = RunWith {
            command: None,
            sinks: &mut [],
            running: &mut None,
            signals: &mut context.signals,
            progress: &mut notes.clone(),
            beside: &mut beside,
        };
        let run = match counters.run(kernel, &options, with) {
            // A signal came before the first window.
            Err(capture::Error::Perf(engine::Error::Interrupted)) => return Ok(None),
            run => run?,
        };
        let (end, next) = (beside.end, beside.next.take());
        self.add(&run);
        match run.problem {
            Some(problem) => Err(anyhow::Error::new(problem).context("failed to read the counters")),
            None => {
                next.into_iter().for_each(|next| self.reload(next));
                Ok(end)
            }
        }
    }

    fn begin_event<E: Counting>(&self, counters: &Counters<E>) -> Begin {
        let MonitorRequest { count, history, rules, states, .. } = &self.request;
        let attached = counters.attached();
        Begin {
            schema: Begin::SCHEMA,
            tool: Tool::this(),
            hostname: hostname(),
            kernel: kernel_release(),
            cpus: attached.cpus.to_string(),
            tracepoints: counters.selection.tracepoints(&counters.table).len() - attached.refused.len(),
            of: counters.table.tracepoints().len(),
            refused: attached.refused.len(),
            window_ns: nanoseconds(count.every),
            budget: count.budget,
            history: history.as_ref().map(|(folder, _)| folder.display().to_string()),
            metrics: self.outputs.addresses(),
            flight: self.request.flight_folder().map(|folder| folder.path.display().to_string()),
            by: self.request.by(),
            rules: rules.iter().map(ToString::to_string).collect(),
            against: states.as_ref().map(|states| states.against.clone()).unwrap_or_default(),
        }
    }

    /// Tells a person what runs now.
    fn say_ready(&self, begin: &Begin, context: &mut Context) {
        let budget =
            begin.budget.map_or_else(|| "no budget".to_owned(), |budget| format!("budget {}", Percent(budget)));
        let history = begin.history.iter().map(|folder| format!("; history in {folder}")).collect::<String>();
        let metrics = begin.metrics.iter().map(|address| format!("; metrics at {address}")).collect::<String>();
        let flight = begin.flight.iter().map(|folder| format!("; the last seconds go to {folder}")).collect::<String>();
        context.progress.note(&format!(
            "watching {} of {} tracepoints on CPUs {}; {budget}{history}{metrics}{flight}; Ctrl-C ends it",
            Grouped(begin.tracepoints as u64),
            Grouped(begin.of as u64),
            begin.cpus
        ));
    }

    /// Adds what a run found.
    fn add(&mut self, run: &CountRun) {
        let total = &mut self.total;
        total.reason = serde_json::to_value(run.stop_reason)
            .ok()
            .and_then(|reason| reason.as_str().map(str::to_owned))
            .unwrap_or_default();
        total.windows += run.windows;
        total.skipped += run.skipped;
        total.most_late_ns = total.most_late_ns.max(nanoseconds(run.most_late));
        if let Some(cost) = run.cost {
            let length = run.length.as_secs_f64();
            self.cost = (self.cost.0 + cost.part * length, self.cost.1 + length);
        }
    }

    /// Takes over options that were read again.
    fn reload(&mut self, next: NextOptions) {
        let NextOptions { request, mut rules, known } = next;
        let needs_restart = needs_restart(&self.request, &request);
        rules.continue_from(std::mem::take(&mut self.rules));
        self.end_alarms(&request);
        (self.rules, self.known) = (rules, known);
        match (&mut self.hook, &request.on_alarm) {
            (Some(hook), Some((command, timeout))) => hook.change(command.clone(), *timeout),
            (None, Some(_)) => {}
            (hook, None) => {
                hook.iter_mut().for_each(AlarmHook::end);
                *hook = None;
            }
        }
        self.outputs.change(&request);
        // These need a restart, so the old values stay.
        let MonitorRequest { count, history, metrics, textfile, flight, .. } = self.request.clone();
        let keep = request.history.as_ref().map(|(_, keep)| *keep);
        let history = history.map(|(folder, old)| (folder, keep.unwrap_or(old)));
        self.request = MonitorRequest { count, history, metrics, textfile, flight, ..request };
        self.outputs.report(&MonitorEvent::Reload { needs_restart });
    }

    /// Ends the alarms of rules that are gone, and of states, which begin anew.
    fn end_alarms(&mut self, request: &MonitorRequest) {
        let rules: Vec<String> = request.rules.iter().map(ToString::to_string).collect();
        for (rule, number) in self.numbers.keep_rules(&rules) {
            self.outputs.set_active(&rule, 0);
            let reason = format!("the rule `{rule}` is gone");
            self.outputs.report(&MonitorEvent::AlarmDropped { number, reason });
        }
        self.drop_alarms_of_states("the states were read again");
    }

    /// Ends the alarms of states, whose windows begin anew.
    fn drop_alarms_of_states(&mut self, reason: &str) {
        for number in self.numbers.forget_states() {
            self.outputs.set_active("state", 0);
            self.outputs.report(&MonitorEvent::AlarmDropped { number, reason: reason.to_owned() });
        }
    }

    /// Ends all outputs.
    fn end(&mut self, result: &anyhow::Result<u8>) {
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        self.hook.iter_mut().for_each(AlarmHook::end);
        if let Err(error) = result {
            self.total.reason = "error".to_owned();
            let error = messages::causes(error.chain());
            self.outputs.report(&MonitorEvent::Fault { what: "monitor", error });
        }
        if let Some(flight) = &mut self.flight {
            flight.finish(&mut self.outputs);
        }
        let alarms = self.numbers.raised();
        let cost = (self.cost.1 > 0.0).then(|| self.cost.0 / self.cost.1);
        let mut total = std::mem::take(&mut self.total);
        if total.reason.is_empty() {
            total.reason = "signal".to_owned();
        }
        self.outputs.end(&MonitorEvent::End(End { alarms, cost, ..total }));
    }
}
