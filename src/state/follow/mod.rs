//! Follows a source window by window, without end: `identify --follow` and `check --follow`.
//!
//! ```text
//!  window ──> newest windows ──> answer for five windows ──> turns     identify: the state changes
//!                  │                       └───────────────> alarms    check: unlike all allowed states
//!                  └──> block of ten windows ──> tracepoints ──┘       check: tracepoints outside their range
//! ```
//!
//! Each window is judged together with the four before it. Windows of one session depend on each other, so a single
//! answer is weak evidence. tp-perf reports a change once [`HOLD`] answers in a row show it, and the end of an alarm once
//! [`CALM`] windows in a row are as learned. So what goes to and fro makes one alarm, and not many.

mod alarms;
mod newest;
mod onset;
mod runs;
mod tracepoints;
mod turns;

pub use alarms::{Alarm, AlarmKind, AllClear, CALM};
pub use onset::Onset;
pub use turns::StateTurn;

use super::answer::Answer;
use super::known::Known;
use super::model::{Judge, LEAST_WINDOWS};
use super::{Error, Seen};
use crate::memory::{Held, MemoryOf};
use crate::units::{Elapsed, Ns, Plural};
use alarms::Alarms;
use newest::{KEPT, NewestWindows};
use serde::Serialize;
use std::time::Duration;
use turns::Turns;

/// Answers in a row that must differ from what tp-perf reported before it reports something else.
pub const HOLD: usize = 8;

/// The memory in bytes of a tracepoint in a kept window, and of what is learned about it in each session.
const OF_CELL: u64 = 16;
const OF_LEARNED: u64 = 512;

/// Follows the windows of a source.
pub struct Follow<'a> {
    alpha: f64,
    judge: Judge<'a>,
    newest: NewestWindows<'a>,
    task: Task<'a>,
    /// Windows that could not be judged with the four before them.
    not_judged: usize,
    _held: Held,
}

/// What the windows are compared for.
enum Task<'a> {
    Identify(Turns),
    Check(Box<Alarms<'a>>),
}

/// Something to report. Its serialized form is a line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FollowMessage {
    /// The source is in another state.
    State(StateTurn),
    /// The source is not as learned.
    Alarm(Alarm),
    /// The source is as learned again.
    AllClear(AllClear),
}

impl<'a> Follow<'a> {
    /// Reports the states of a source. `known` was made by [`Known::to_follow`].
    ///
    /// # Errors
    /// If it takes too much memory.
    pub fn identify(known: &'a Known, alpha: f64) -> Result<Self, Error> {
        Self::of(known, alpha, Task::Identify(Turns::default()))
    }

    /// Raises alarms when a source is not in one of the states `against`. Of single tracepoints, `per_day` false alarms a
    /// day are allowed. An alarm that comes again less than `silence_ns` after its end is not reported, only counted.
    ///
    /// # Errors
    /// If one of these states has fewer than two sessions of at least one block, or if it takes too much memory.
    pub fn check(
        known: &'a Known,
        against: &[String],
        alpha: f64,
        per_day: f64,
        silence_ns: u64,
    ) -> Result<Self, Error> {
        let alarms = Alarms::of(known, against, alpha, per_day, silence_ns)?;
        Self::of(known, alpha, Task::Check(Box::new(alarms)))
    }

    fn of(known: &'a Known, alpha: f64, task: Task<'a>) -> Result<Self, Error> {
        let sessions: usize = known.states().states.iter().map(|state| state.sessions).sum();
        let of_name = 2 * KEPT as u64 * OF_CELL + sessions as u64 * OF_LEARNED;
        let held = Held::take(MemoryOf::Sessions, of_name.saturating_mul(known.names().len() as u64))?;
        let judge = Judge::of(known.states());
        Ok(Follow { alpha, judge, newest: NewestWindows::of(known), task, not_judged: 0, _held: held })
    }

    /// Takes the next window, and returns what is to be reported.
    pub fn window(&mut self, begin: Ns, seen: Seen) -> Vec<FollowMessage> {
        self.newest.push(begin, seen);
        let end = self.newest.number();
        let range = end.saturating_sub(LEAST_WINDOWS)..end;
        let answer = Answer::of(&mut self.judge, &self.newest.logs(&range), &(0..range.len()), self.alpha);
        // The first answer is the one for five windows.
        self.not_judged += usize::from(end >= LEAST_WINDOWS && !answer.is_judged());
        match &mut self.task {
            Task::Identify(turns) => {
                if !turns.take(&answer, end) {
                    return Vec::new();
                }
                let range = end.saturating_sub(HOLD)..end;
                let answer = Answer::of(&mut self.judge, &self.newest.logs(&range), &(0..range.len()), self.alpha);
                turns.turn(&self.newest, &answer).map(FollowMessage::State).into_iter().collect()
            }
            Task::Check(alarms) => alarms.take(&self.newest, &answer),
        }
    }

    /// What was followed so far.
    pub fn end(&self) -> FollowedEnd {
        let (alarms, not_reported) = match &self.task {
            Task::Identify(_) => (0, 0),
            Task::Check(alarms) => alarms.numbers(),
        };
        FollowedEnd {
            windows: self.newest.number(),
            not_judged: self.not_judged,
            length_ns: self.newest.length_ns(),
            alarms,
            not_reported,
            goes_on: self.going_on().is_some(),
        }
    }

    /// The alarm that goes on.
    pub fn going_on(&self) -> Option<&Alarm> {
        match &self.task {
            Task::Identify(_) => None,
            Task::Check(alarms) => alarms.going_on(),
        }
    }
}

/// What was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FollowedEnd {
    /// The windows.
    pub windows: usize,
    /// Windows that could not be judged, because too many of the five up to them lost much.
    pub not_judged: usize,
    /// Their length together, in nanoseconds.
    pub length_ns: u64,
    /// The alarms.
    pub alarms: u64,
    /// How often an alarm came again within the silence, and was not reported.
    pub not_reported: u64,
    /// Whether an alarm goes on.
    pub goes_on: bool,
}

impl FollowedEnd {
    /// In a sentence, with the alarms if there could be any.
    pub fn sentence(&self, with_alarms: bool) -> String {
        let time = Elapsed(Duration::from_nanos(self.length_ns));
        let windows = Plural(self.windows as u64, "window");
        let again = match self.not_reported {
            0 => String::new(),
            again => format!("; {again} more within --silence, not reported"),
        };
        let goes_on = if self.goes_on { "; the last one goes on" } else { "" };
        let alarms = match (with_alarms, self.alarms) {
            (false, _) => String::new(),
            (true, 0) => ": no alarm".to_owned(),
            (true, alarms) => format!(": {}{again}{goes_on}", Plural(alarms, "alarm")),
        };
        let not_judged = match self.not_judged {
            0 => String::new(),
            not_judged => format!(" ({not_judged} of them could not be judged)"),
        };
        format!("followed {time} in {windows}{not_judged}{alarms}")
    }
}

impl FollowMessage {
    /// When tp-perf knew it, by the source's clock.
    pub fn at_ns(&self) -> Ns {
        match self {
            FollowMessage::State(turn) => turn.at_ns,
            FollowMessage::Alarm(alarm) => alarm.at_ns,
            FollowMessage::AllClear(clear) => clear.at_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::library::Learned;
    use crate::state::testing::{SECOND, drawn, learned};
    use crate::state::{Length, Session};

    const IDLE: [u64; 4] = [70, 20, 10, 0];
    const WEB: [u64; 4] = [10, 30, 60, 0];
    const NEITHER: [u64; 4] = [20, 70, 5, 5];
    /// Ten minutes.
    const SILENCE: u64 = 600 * SECOND;

    fn library() -> Vec<Learned> {
        let mut random = fastrand::Rng::with_seed(51);
        vec![learned(&mut random, "idle", IDLE, 5), learned(&mut random, "web", WEB, 5)]
    }

    fn known(source: &Session) -> Known {
        Known::of(library(), Some(Length::Ns(SECOND))).unwrap().to_follow(source).unwrap()
    }

    fn source(stretches: &[(usize, [u64; 4])]) -> Session {
        drawn(&mut fastrand::Rng::with_seed(52), stretches, 500)
    }

    fn follow_all(follow: &mut Follow<'_>, known: &Known, source: &Session) -> Vec<FollowMessage> {
        let windows = known.windows_of(source).unwrap();
        windows.into_iter().flat_map(|(begin, seen)| follow.window(begin, seen)).collect()
    }

    /// The states that `identify` reports, each with the second in which it began and that of the report.
    fn turns(stretches: &[(usize, [u64; 4])]) -> Vec<(String, u64, u64)> {
        let source = source(stretches);
        let known = known(&source);
        let messages = follow_all(&mut Follow::identify(&known, 0.02).unwrap(), &known, &source);
        let of = |message: FollowMessage| match message {
            FollowMessage::State(turn) => (turn.states.join(" or "), turn.since_ns.0 / SECOND, turn.at_ns.0 / SECOND),
            other => panic!("{other:?}"),
        };
        messages.into_iter().map(of).collect()
    }

    /// The messages of `check` against idle, and what was followed.
    fn check(source: &Session) -> (Vec<FollowMessage>, FollowedEnd) {
        let known = known(source);
        let mut follow = Follow::check(&known, &["idle".to_owned()], 0.02, 1.0, SILENCE).unwrap();
        let messages = follow_all(&mut follow, &known, source);
        (messages, follow.end())
    }

    fn alarms(messages: &[FollowMessage]) -> Vec<&Alarm> {
        let mut alarms = Vec::new();
        for message in messages {
            if let FollowMessage::Alarm(alarm) = message {
                alarms.push(alarm);
            }
        }
        alarms
    }

    #[test]
    fn each_change_of_state_is_reported_once_with_its_begin() {
        let turns = turns(&[(30, IDLE), (25, WEB), (25, NEITHER), (40, IDLE)]);
        let [first, web, unknown, last] = &turns[..] else { panic!("{turns:?}") };
        assert_eq!([&first.0, &web.0, &unknown.0, &last.0], ["idle", "web", "", "idle"]);
        assert_eq!([first.1, web.1, unknown.1, last.1], [0, 30, 55, 80]);
        for (_, since, at) in &turns[1..] {
            assert!((8..=13).contains(&(at - since)), "{turns:?}");
        }
    }

    #[test]
    fn what_passes_within_three_seconds_is_not_reported() {
        for windows in [1, 2, 3] {
            assert_eq!(turns(&[(30, IDLE), (windows, WEB), (60, IDLE)]).len(), 1);
            let (messages, _) = check(&source(&[(30, IDLE), (windows, WEB), (60, IDLE)]));
            assert_eq!(messages, []);
        }
    }

    #[test]
    fn nothing_is_reported_while_nothing_changes_and_the_memory_stays() {
        let source = source(&[(5 * KEPT / 2, IDLE)]);
        let known = known(&source);
        let mut follow = Follow::check(&known, &["idle".to_owned()], 0.02, 1.0, SILENCE).unwrap();
        assert_eq!(follow_all(&mut follow, &known, &source), []);
        assert!(follow.newest.kept().len() <= 2 * KEPT);
        let end = FollowedEnd {
            windows: 1_500,
            not_judged: 0,
            length_ns: 1_500 * SECOND,
            alarms: 0,
            not_reported: 0,
            goes_on: false,
        };
        assert_eq!((follow.end(), end.sentence(true).as_str()), (end, "followed 25m in 1,500 windows: no alarm"));
    }

    #[test]
    fn an_alarm_has_its_cause_and_its_end() {
        let (messages, end) = check(&source(&[(60, IDLE), (50, WEB), (60, IDLE)]));
        let [FollowMessage::Alarm(alarm), FollowMessage::AllClear(clear)] = &messages[..] else {
            panic!("{messages:#?}")
        };
        assert_eq!((alarm.number, alarm.by, alarm.onset), (1, AlarmKind::Windows, Onset::Step));
        assert_eq!((alarm.state.as_str(), alarm.looks_like.join(" ").as_str()), ("idle", "web"));
        assert_eq!(alarm.since_ns.0 / SECOND, 60);
        assert!(alarm.delay_ns() <= 13 * SECOND, "{alarm:?}");
        assert!(alarm.groups.iter().any(|group| group.name() == "b:z"), "{:?}", alarm.groups);
        assert_eq!(clear.since_ns.0 / SECOND, 110, "{clear:?}");
        assert_eq!(clear.lasted_ns, clear.since_ns.since(alarm.since_ns));
        assert_eq!((end.alarms, end.not_reported), (1, 0));
    }

    #[test]
    fn an_alarm_that_comes_again_soon_is_counted_and_one_that_comes_later_is_reported() {
        let twice = |between: usize| source(&[(40, IDLE), (20, WEB), (between, IDLE), (20, WEB), (40, IDLE)]);
        let (messages, end) = check(&twice(100));
        assert_eq!((messages.len(), end.alarms, end.not_reported), (2, 1, 1), "{messages:#?}");
        let (messages, end) = check(&twice(650));
        assert_eq!((messages.len(), end.alarms, end.not_reported), (4, 2, 0), "{messages:#?}");
        // Another cause is another alarm.
        let (messages, end) = check(&source(&[(40, IDLE), (20, WEB), (60, IDLE), (20, NEITHER), (40, IDLE)]));
        assert_eq!((messages.len(), end.alarms, end.not_reported), (4, 2, 0), "{messages:#?}");
    }

    #[test]
    fn going_to_and_fro_is_one_alarm() {
        let stretches: Vec<_> = (0..20).map(|n| if n % 2 == 0 { (12, WEB) } else { (12, IDLE) }).collect();
        let (messages, end) = check(&source(&[&[(40, IDLE)][..], &stretches, &[(60, IDLE)]].concat()));
        assert_eq!((messages.len(), end.alarms), (2, 1), "{messages:#?}");
    }

    #[test]
    fn a_single_tracepoint_is_an_alarm_after_a_minute() {
        // The windows as a whole stay as they are.
        let mut rare = source(&[(240, IDLE)]);
        let counts = rare.counts.get_mut("c:rare").unwrap();
        counts[95..185].fill(3);
        let (messages, _) = check(&rare);
        let found = alarms(&messages);
        let [alarm] = &found[..] else { panic!("{messages:#?}") };
        if alarm.by == AlarmKind::Tracepoints {
            assert_eq!(alarm.groups[0].tracepoints[0].tracepoint, "c:rare");
            assert_eq!((alarm.since_ns.0 / SECOND, alarm.at_ns.0 / SECOND), (95, 160));
        }
        assert!(alarm.groups.iter().any(|group| group.name() == "c:rare"), "{alarm:#?}");
        assert!(matches!(messages.last(), Some(FollowMessage::AllClear(_))), "{messages:#?}");
    }

    #[test]
    fn a_slow_change_is_a_drift_and_a_fast_one_is_a_step() {
        let shares = |part: usize| {
            let part = part as u64;
            [0, 1, 2, 3].map(|place| (IDLE[place] * (100 - part) + WEB[place] * part) / 10)
        };
        let drift: Vec<_> = (1..=30).map(|part| (30, shares(part))).collect();
        let (messages, _) = check(&source(&[&[(200, IDLE)][..], &drift].concat()));
        let first = alarms(&messages)[0];
        assert!(matches!(first.onset, Onset::Drift { over_ns } if over_ns > 30 * SECOND), "{first:?}");
    }

    #[test]
    fn windows_that_lost_much_say_nothing() {
        let mut lossy = source(&[(60, IDLE), (30, WEB), (60, IDLE)]);
        lossy.lost = (0..150).map(|window| if (60..90).contains(&window) { 500 } else { 0 }).collect();
        assert_eq!(check(&lossy).0, []);
    }

    #[test]
    fn a_tracepoint_that_nobody_learned_is_found_when_it_comes() {
        let mut source = source(&[(120, IDLE)]);
        source.counts.insert("d:never".to_owned(), [vec![0; 60], vec![80; 60]].concat());
        source.not_hit.clear();
        let begun = Session { windows: 0, counts: [].into(), not_hit: [].into(), ..source.clone() };
        let captured = Session {
            not_hit: [("a", vec!["x", "y"]), ("b", vec!["z"]), ("c", vec!["rare"]), ("d", vec!["never"])]
                .map(|(group, names)| (group.to_owned(), names.into_iter().map(str::to_owned).collect()))
                .into(),
            ..begun
        };
        let known = known(&captured);
        let mut follow = Follow::check(&known, &["idle".to_owned()], 0.02, 1.0, SILENCE).unwrap();
        let messages = follow_all(&mut follow, &known, &source);
        let alarm = alarms(&messages)[0];
        assert_eq!((alarm.groups[0].name().as_str(), alarm.groups[0].factor().as_str()), ("d:never", "new"));
        assert_eq!(alarm.since_ns.0 / SECOND, 60);
    }

    #[test]
    fn an_alarm_that_comes_again_and_stays_is_reported() {
        let (messages, end) = check(&source(&[(40, IDLE), (20, WEB), (60, IDLE), (200, WEB)]));
        let numbers: Vec<_> = alarms(&messages).iter().map(|alarm| (alarm.number, alarm.raised)).collect();
        assert_eq!((numbers, end.not_reported, end.goes_on), (vec![(1, 1), (1, 2)], 0, true), "{messages:#?}");
    }

    #[test]
    fn another_change_during_an_alarm_is_reported_with_its_own_begin() {
        let (messages, end) = check(&source(&[(40, IDLE), (40, WEB), (40, NEITHER), (60, IDLE)]));
        let of: Vec<_> = alarms(&messages)
            .iter()
            .map(|its| (its.number, its.looks_like.join(" "), its.since_ns.0 / SECOND))
            .collect();
        assert_eq!(of, [(1, "web".to_owned(), 40), (1, String::new(), 80)], "{messages:#?}");
        assert_eq!((end.alarms, end.goes_on, messages.len()), (1, false, 3));
    }

    #[test]
    fn a_block_without_the_tracepoint_ends_no_alarm_about_it() {
        let mut rare = source(&[(400, IDLE)]);
        let counts = rare.counts.get_mut("c:rare").unwrap();
        // Too rare to make whole windows unlike idle.
        (95..300).step_by(2).for_each(|window| counts[window] = 1);
        counts[190..200].fill(0);
        let known = known(&rare);
        let mut follow = Follow::check(&known, &["idle".to_owned()], 0.02, 10_000.0, SILENCE).unwrap();
        let messages = follow_all(&mut follow, &known, &rare);
        assert_eq!(alarms(&messages)[0].by, AlarmKind::Tracepoints);
        let clear =
            messages.iter().find_map(|its| if let FollowMessage::AllClear(clear) = its { Some(clear) } else { None });
        assert!(clear.unwrap().since_ns.0 / SECOND >= 300, "{messages:#?}");
    }

    #[test]
    fn windows_that_cannot_be_judged_are_counted_and_end_no_alarm() {
        let mut lossy = source(&[(60, IDLE), (140, WEB)]);
        lossy.lost = (0..200).map(|window| if (80..150).contains(&window) { 900 } else { 0 }).collect();
        let (messages, end) = check(&lossy);
        assert_eq!((messages.len(), end.alarms, end.goes_on), (1, 1, true), "{messages:#?}");
        assert!((70..=74).contains(&end.not_judged), "{end:?}");
    }
}
