//! One run of `tp-perf monitor`: takes the ticks of a count, and reports what happens.

use super::followed_states::FollowedStates;
use super::monitor_alarms::AlarmNumbers;
use super::monitor_events::{Begin, ByRule, MonitorEvent, rfc3339_millis, wall_time};
use super::monitor_flight::{MonitorFlight, NO_RECORDER};
use super::monitor_options::NextOptions;
use super::monitor_outputs::Outputs;
use crate::alarms::{AlarmHook, RuleMessage, RuleWatch};
use crate::capture::CpuChanges;
use crate::control::{OwnSignal, Progress};
use crate::counting::Beside;
use crate::engine::{Detaching, Kernel};
use crate::events::{Sink, Tick};
use crate::metrics::FlightAnswer;
use crate::os::cpus::CpuList;
use crate::processes::HitShare;
use crate::recording::TriggerKind;
use crate::state::FollowMessage;
use crate::terminal::messages;
use crate::tracefs::Tpid;
use sd_notify::NotifyState;
use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

/// CPUs that have come online are watched after so many windows: several may come one after the other.
const SETTLE: u32 = 3;

/// Notes of a count, which become events.
#[derive(Clone, Default)]
pub(super) struct MonitorNotes(Rc<RefCell<Vec<String>>>);

impl Progress for MonitorNotes {
    fn note(&mut self, message: &str) {
        self.0.borrow_mut().push(message.to_owned());
    }
}

/// Why a run ends, if neither a signal nor its duration ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndOfRun {
    /// SIGHUP: read the options again.
    Reload,
    /// CPUs came online: attach again.
    Attach,
    /// Nobody reads the results any more.
    Closed,
}

/// What a run works with.
pub(super) struct MonitorRun<'a, 'k, K: Kernel> {
    pub kernel: &'k K,
    /// The CPUs that are watched, and those that the user chose.
    pub watched: CpuList,
    pub chosen: Option<CpuList>,
    pub outputs: &'a mut Outputs,
    pub rules: &'a mut RuleWatch,
    pub states: Option<FollowedStates<'a>>,
    pub numbers: &'a mut AlarmNumbers,
    pub hook: &'a mut Option<AlarmHook>,
    pub flight: &'a mut Option<MonitorFlight<K::Sampling>>,
    pub reload: &'a mut OwnSignal,
    /// SIGUSR2.
    pub dump: &'a mut OwnSignal,
    pub notes: MonitorNotes,
    /// The CPUs that went offline or came online, and how many of these changes are noted.
    pub changes: CpuChanges,
    pub noted: usize,
    /// The watched CPUs that are offline, or were.
    pub offline: CpuList,
    /// Windows since CPUs came online.
    pub came_online: u32,
    /// What is being detached in the background.
    pub detaching: &'a mut Vec<Detaching>,
    /// What to report once the events are on.
    pub begin: Option<Begin>,
    /// Whether systemd knows that the events are on.
    pub is_ready: bool,
    pub end: Option<EndOfRun>,
    /// Reads the options again, and what was read.
    pub reread: &'a dyn Fn() -> anyhow::Result<NextOptions>,
    pub next: Option<NextOptions>,
}

impl<K: Kernel> MonitorRun<'_, '_, K> {
    fn report(&mut self, event: &MonitorEvent) {
        self.outputs.report(event);
    }

    /// Reports an alarm, triggers the flight recorder, and runs the command of alarms.
    fn raise(&mut self, number: u64, event: &MonitorEvent, (kind, text): (TriggerKind, &str)) {
        let line = self.outputs.report(event);
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.writes()) {
            flight.trigger(kind, &format!("alarm {number}: {text}"), self.outputs);
        }
        if let Some(report) = self.hook.as_mut().and_then(|hook| hook.run(number, &line)) {
            self.outputs.report(&MonitorEvent::Hook(report));
        }
    }

    /// The processes or cgroups with the most hits of these tracepoints in the last seconds, or of all.
    fn top(&self, tracepoints: Option<&[Tpid]>) -> Vec<HitShare> {
        self.flight.as_ref().map(|flight| flight.shares_of(tracepoints)).unwrap_or_default()
    }

    fn rule(&mut self, message: RuleMessage, tick: &Tick<'_>, wall: SystemTime) {
        let number = self.numbers.of_rule(&message);
        let since = |since| rfc3339_millis(wall_time(since, tick.to, wall));
        match message {
            RuleMessage::Alarm(alarm) => {
                self.outputs.count_alarm(&alarm.rule);
                self.outputs.set_active(&alarm.rule, u64::from(alarm.per_second.is_some()));
                let (since, rule) = (since(alarm.since_ns), alarm.rule.clone());
                let top = self.top(Some(&self.rules.tracepoints_of(&alarm.rule)));
                let event = MonitorEvent::RuleAlarm { number, by: ByRule::Rule, alarm, since, top };
                self.raise(number, &event, (TriggerKind::Rule, &rule));
            }
            RuleMessage::Clear(clear) => {
                self.outputs.set_active(&clear.rule, 0);
                let since = since(clear.since_ns);
                self.report(&MonitorEvent::RuleClear { number, by: ByRule::Rule, clear, since });
            }
        }
    }

    fn state(&mut self, mut message: FollowMessage, tick: &Tick<'_>, wall: SystemTime) {
        self.numbers.number(&mut message);
        let since = |since| rfc3339_millis(wall_time(since, tick.to, wall));
        match message {
            FollowMessage::State(turn) => {
                self.outputs.set_states(&turn.states);
                let since = since(turn.since_ns);
                self.report(&MonitorEvent::State { turn, since });
            }
            FollowMessage::Alarm(alarm) => {
                self.outputs.count_alarm("state");
                self.outputs.set_active("state", self.numbers.of_states());
                let (number, since) = (alarm.number, since(alarm.since_ns));
                let text = format!("unlike {}", alarm.state);
                let top = self.top(None);
                self.raise(number, &MonitorEvent::StateAlarm { alarm, since, top }, (TriggerKind::Alarm, &text));
            }
            FollowMessage::AllClear(clear) => {
                self.outputs.set_active("state", self.numbers.of_states());
                let since = since(clear.since_ns);
                self.report(&MonitorEvent::StateClear { clear, since });
            }
        }
    }

    /// Notes CPUs that go or come. The kernel removes the events of a CPU that goes offline, and they do not return with it.
    fn note_cpus(&mut self) {
        let Ok(online) = self.kernel.online() else { return };
        let missing = self.watched.without(&online);
        // A CPU that was offline only between two ticks has lost its events too.
        self.changes.note();
        let seen = self.changes.seen().unwrap_or_default();
        let went = seen.iter().skip(self.noted).filter(|change| !change.online).map(|change| change.cpu);
        let went: CpuList = went.filter(|cpu| self.watched.as_slice().contains(cpu)).collect();
        self.noted = seen.len();
        let missing: CpuList = missing.as_slice().iter().chain(went.as_slice()).copied().collect();
        let gone = missing.without(&self.offline);
        if !gone.is_empty() {
            self.report(&MonitorEvent::CpusOffline { cpus: gone.to_string() });
        }
        let missing = missing.without(&online);
        let returned = self.offline.without(&missing);
        let returned: CpuList = returned.as_slice().iter().chain(gone.without(&missing).as_slice()).copied().collect();
        self.offline = missing.as_slice().iter().chain(returned.as_slice()).copied().collect();
        let unwatched = match &self.chosen {
            Some(chosen) => online.without(&online.without(chosen)).without(&self.watched),
            None => online.without(&self.watched),
        };
        if returned.is_empty() && unwatched.is_empty() {
            self.came_online = 0;
            return;
        }
        self.came_online += 1;
        if self.came_online == SETTLE {
            let cpus: CpuList = returned.as_slice().iter().chain(unwatched.as_slice()).copied().collect();
            self.report(&MonitorEvent::CpusOnline { cpus: cpus.to_string() });
            self.end = Some(EndOfRun::Attach);
        }
    }
}

impl<K: Kernel> MonitorRun<'_, '_, K> {
    /// Reads the options again while the count goes on. Options that cannot be read change nothing.
    fn read_again(&mut self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            let _ = sd_notify::notify(&[NotifyState::Reloading, now]);
        }
        match (self.reread)() {
            Ok(next) => {
                self.outputs.answer("reload", Ok(()));
                self.next = Some(next);
                self.end = Some(EndOfRun::Reload);
            }
            Err(error) => {
                let causes = messages::causes(error.chain());
                let error = format!("the old options stay: {}", causes.trim_start_matches("error: "));
                self.outputs.answer("reload", Err(error));
                let _ = sd_notify::notify(&[NotifyState::Ready]);
            }
        }
    }
}

impl<K: Kernel> Sink for MonitorRun<'_, '_, K> {
    fn tick(&mut self, tick: &Tick<'_>) {
        let wall = SystemTime::now();
        let hits = tick.window_hits();
        for text in self.notes.0.take() {
            self.report(&MonitorEvent::Note { text });
        }
        if let Some(flight) = self.flight.as_mut() {
            flight.end_window(self.outputs);
        }
        if let Some(totals) = self.flight.as_ref().and_then(MonitorFlight::totals) {
            self.outputs.set_totals(totals);
        }
        for message in self.rules.window(tick, &hits) {
            self.rule(message, tick, wall);
        }
        let messages = self.states.as_mut().map(|states| states.window(tick, &hits)).unwrap_or_default();
        for message in messages {
            self.state(message, tick, wall);
        }
        self.note_cpus();
        if !self.offline.is_empty() {
            self.outputs.add_unwatched(self.offline.len(), Duration::from_nanos(tick.to.since(tick.from)));
        }
        self.rules.is_partial = !self.offline.is_empty();
        if let Some(flight) = self.flight {
            self.detaching.extend(flight.attach_again(self.kernel, false, self.outputs));
            self.outputs.set_flight(flight.figures());
        }
        // An error means that somebody else has waited for the child.
        self.detaching
            .retain_mut(|detaching| !detaching.has_news() || detaching.wait_for_more().is_ok_and(|more| more > 0));
        self.outputs.window(tick);
    }
}

impl<K: Kernel> Beside for MonitorRun<'_, '_, K> {
    fn wake_descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let mut all = self.outputs.wake_descriptors();
        all.extend([self.reload.as_fd(), self.dump.as_fd()]);
        all.extend(self.flight.as_ref().and_then(MonitorFlight::wake_descriptor));
        all
    }

    fn due(&self) -> Option<Instant> {
        let hook = self.hook.as_ref().and_then(AlarmHook::due);
        let begin = (!self.is_ready).then(Instant::now);
        let flight = self.flight.as_ref().and_then(MonitorFlight::due);
        [begin, hook, flight, self.outputs.due()].into_iter().flatten().min()
    }

    fn act(&mut self) -> bool {
        if let Some(begin) = self.begin.take() {
            self.report(&MonitorEvent::Begin(begin));
        }
        if !std::mem::replace(&mut self.is_ready, true) {
            // Without systemd, this does nothing. If systemd cannot be told, it reports that itself.
            let _ = sd_notify::notify(&[NotifyState::Ready]);
        }
        if self.reload.has_arrived() {
            self.read_again();
        }
        let reports = self.hook.as_mut().map(AlarmHook::act).unwrap_or_default();
        for report in reports {
            self.report(&MonitorEvent::Hook(report));
        }
        let asked = self.dump.has_arrived();
        match self.flight.as_mut().filter(|flight| flight.writes()) {
            Some(flight) => {
                if asked {
                    flight.trigger(TriggerKind::Signal, "", self.outputs);
                }
                let mut requests = Vec::new();
                self.outputs.act(&mut |note| {
                    let taken = flight.take(TriggerKind::Request, note);
                    let answer = flight.answer(&taken);
                    requests.push((note.to_owned(), taken));
                    answer
                });
                for (note, taken) in requests {
                    flight.report(TriggerKind::Request, &note, &taken, self.outputs);
                }
            }
            None => {
                if asked {
                    let text = "SIGUSR2 came, but there is no flight recorder (--flight)".to_owned();
                    self.outputs.report(&MonitorEvent::Note { text });
                }
                self.outputs.act(&mut |_| FlightAnswer::Off(NO_RECORDER.to_owned()));
            }
        }
        if let Some(flight) = self.flight {
            flight.act(self.outputs);
        }
        if self.outputs.is_closed() {
            self.end = Some(EndOfRun::Closed);
        }
        self.end.is_none()
    }
}
