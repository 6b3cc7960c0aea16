//! Applies rules to the windows of a count.

use super::rule::RuleError;
use super::rule::{Condition, Rule};
use crate::events::{Ns, Tick, Tpid, WindowHits};
use crate::tracefs::{Selection, Table, Tracepoint, check_matches};
use crate::units::nanoseconds;
use serde::Serialize;
use std::time::Duration;

/// After an alarm, the rate must be within the limit for at least this time before the alarm ends.
const LEAST_CALM: Duration = Duration::from_secs(10);
/// More nanoseconds between two windows are a gap.
const MOST_BETWEEN: u64 = 50_000_000;
/// An alarm names so many tracepoints.
const NAMED: usize = 5;

/// A tracepoint of an alarm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HitTracepoint {
    /// `group:name`.
    pub tracepoint: String,
    /// Its hits per second.
    pub per_second: f64,
}

/// A rule is true. Its serialized form is a part of a line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleAlarm {
    /// The rule.
    pub rule: String,
    /// Since when, by CLOCK_MONOTONIC.
    pub since_ns: Ns,
    /// The end of the window that raised it.
    pub at_ns: Ns,
    /// The hits per second since then. `None` for a rule about new tracepoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// Whether some of the hits are estimates.
    pub is_estimate: bool,
    /// The tracepoints with the most hits in the last window, at most five.
    pub tracepoints: Vec<HitTracepoint>,
    /// How many more tracepoints of the rule were hit in the last window.
    pub more: usize,
}

/// A rule is false again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleClear {
    /// The rule.
    pub rule: String,
    /// Since when it is false.
    pub since_ns: Ns,
    /// The end of the window that ended the alarm.
    pub at_ns: Ns,
    /// How long it was true, in nanoseconds.
    pub lasted_ns: u64,
}

/// What a rule reports.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleMessage {
    /// An alarm.
    Alarm(RuleAlarm),
    /// The end of an alarm.
    Clear(RuleClear),
}

/// Applies rules to windows.
#[derive(Debug, Default)]
pub struct RuleWatch {
    rules: Vec<WatchedRule>,
    names: Vec<String>,
    /// By the number of a tracepoint, whether it was ever hit.
    was_hit: Vec<bool>,
    begin: Option<Ns>,
    /// The end of the last window.
    last: Option<Ns>,
    /// Whether CPUs are offline that should be watched: their hits are unknown.
    pub is_partial: bool,
}

#[derive(Debug)]
struct WatchedRule {
    rule: Rule,
    /// By the number of a tracepoint, whether the rule is about it.
    is_about: Vec<bool>,
    /// Since when it is broken without a break, and the hits since then.
    broken: Option<(Ns, f64)>,
    /// Whether an alarm goes on, and since when.
    alarm: Option<Ns>,
    /// Since when it has been kept, while an alarm goes on.
    calm: Option<Ns>,
}

impl RuleWatch {
    /// The tracepoints that this rule is about.
    pub fn tracepoints_of(&self, rule: &str) -> Vec<Tpid> {
        let of_rule = self.rules.iter().find(|watched| watched.rule.to_string() == rule);
        let is_about = of_rule.map(|watched| watched.is_about.as_slice()).unwrap_or_default();
        (0..).zip(is_about).filter(|(_, is_about)| **is_about).map(|(number, _)| Tpid::new(number)).collect()
    }

    /// Applies these rules to the watched tracepoints of a table. `was_hit` tells whether a tracepoint was ever hit before the start.
    ///
    /// # Errors
    /// If a pattern matches no tracepoint, with the nearest names, or none that is watched.
    pub fn new(
        rules: &[Rule],
        table: &Table,
        selection: &Selection,
        was_hit: impl Fn(&Tracepoint) -> bool,
    ) -> Result<Self, RuleError> {
        let end = table.tracepoints().iter().map(|tracepoint| tracepoint.tpid.index() + 1).max().unwrap_or(0);
        let mut watch = RuleWatch { names: vec![String::new(); end], was_hit: vec![false; end], ..Self::default() };
        for tracepoint in table.tracepoints() {
            watch.names[tracepoint.tpid.index()] = tracepoint.full_name();
            watch.was_hit[tracepoint.tpid.index()] = was_hit(tracepoint);
        }
        for rule in rules {
            rule.patterns.iter().try_for_each(|pattern| check_matches(table, pattern))?;
            let mut is_about = vec![false; end];
            for tracepoint in table.tracepoints() {
                is_about[tracepoint.tpid.index()] = rule.patterns.iter().any(|pattern| pattern.matches(tracepoint));
            }
            let is_watched = |tracepoint: &&Tracepoint| selection.status(tracepoint.tpid).is_captured();
            let of_rule = |tracepoint: &&Tracepoint| is_about[tracepoint.tpid.index()];
            if !table.tracepoints().iter().filter(is_watched).any(|tracepoint| of_rule(&tracepoint)) {
                return Err(RuleError::NotWatched { rule: rule.to_string() });
            }
            watch.rules.push(WatchedRule { rule: rule.clone(), is_about, broken: None, alarm: None, calm: None });
        }
        Ok(watch)
    }

    /// Takes over what `earlier` knows: the tracepoints that were hit, and the alarms of rules that both have.
    pub fn continue_from(&mut self, earlier: RuleWatch) {
        (self.begin, self.last) = (earlier.begin, earlier.last);
        for (was_hit, before) in self.was_hit.iter_mut().zip(earlier.was_hit) {
            *was_hit |= before;
        }
        for before in earlier.rules {
            let same = |watched: &&mut WatchedRule| watched.rule.to_string() == before.rule.to_string();
            if let Some(watched) = self.rules.iter_mut().find(same) {
                (watched.broken, watched.alarm, watched.calm) = (before.broken, before.alarm, before.calm);
            }
        }
    }

    /// The rules whose alarm goes on.
    pub fn going_on(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|watched| watched.alarm.is_some()).map(|watched| &watched.rule)
    }

    /// Takes a window, and returns what is to be reported. `hits` are those of the tick.
    pub fn window(&mut self, tick: &Tick<'_>, hits: &[WindowHits]) -> Vec<RuleMessage> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        let begin = *self.begin.get_or_insert(tick.from);
        // What happened between two runs is not known.
        let has_gap = self.last.is_some_and(|last| tick.from.since(last) > MOST_BETWEEN);
        self.last = Some(tick.to);
        let mut messages = Vec::new();
        for watched in &mut self.rules {
            if has_gap {
                (watched.broken, watched.calm) = (None, None);
            }
            let about = |hits: &&WindowHits| watched.is_about.get(hits.tpid.index()).copied().unwrap_or(false);
            let hits: Vec<WindowHits> = hits.iter().filter(about).copied().collect();
            messages.extend(match watched.rule.condition {
                Condition::New { after } if tick.to.since(begin) > nanoseconds(after) => {
                    let new: Vec<WindowHits> =
                        hits.into_iter().filter(|hits| is_hit(hits) && !self.was_hit[hits.tpid.index()]).collect();
                    (!new.is_empty()).then(|| {
                        let alarm = watched.alarm(tick, &new, &self.names);
                        RuleMessage::Alarm(RuleAlarm { per_second: None, since_ns: tick.from, ..alarm })
                    })
                }
                Condition::New { .. } => None,
                Condition::Above { rate, lasts } => {
                    watched.limit(tick, &hits, |seen| (seen > rate).then_some(seen), lasts, &self.names)
                }
                // Hits that are unknown may be many.
                Condition::Below { .. } if self.is_partial || hits.iter().any(|hits| hits.hits.is_none()) => {
                    (watched.broken, watched.calm) = (None, None);
                    None
                }
                Condition::Below { rate, lasts } => {
                    watched.limit(tick, &hits, |seen| (seen < rate).then_some(seen), lasts, &self.names)
                }
            });
        }
        for hits in hits.iter().filter(|hits| is_hit(hits)) {
            if let Some(was_hit) = self.was_hit.get_mut(hits.tpid.index()) {
                *was_hit = true;
            }
        }
        messages
    }
}

/// A rate for people: with two decimals.
fn rounded(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}

fn is_hit(hits: &WindowHits) -> bool {
    hits.hits.is_some_and(|hits| hits > 0.0)
}

impl WatchedRule {
    /// Applies a limit of the rate to a window. `breaks` returns the rate if it breaks the limit.
    fn limit(
        &mut self,
        tick: &Tick<'_>,
        hits: &[WindowHits],
        breaks: impl Fn(f64) -> Option<f64>,
        lasts: Duration,
        names: &[String],
    ) -> Option<RuleMessage> {
        let sum: f64 = hits.iter().filter_map(|hits| hits.hits).sum();
        let window = tick.to.since(tick.from).max(1) as f64 / 1e9;
        if breaks(sum / window).is_some() {
            self.calm = None;
            let (since, before) = self.broken.unwrap_or((tick.from, 0.0));
            self.broken = Some((since, before + sum));
            let has_lasted = tick.to.since(since) >= nanoseconds(lasts);
            if self.alarm.is_some() || !has_lasted {
                return None;
            }
            self.alarm = Some(since);
            return Some(RuleMessage::Alarm(self.alarm(tick, hits, names)));
        }
        self.broken = None;
        let since = self.alarm?;
        let calm = *self.calm.get_or_insert(tick.from);
        if tick.to.since(calm) < nanoseconds(lasts.max(LEAST_CALM)) {
            return None;
        }
        (self.alarm, self.calm) = (None, None);
        let lasted_ns = calm.since(since);
        Some(RuleMessage::Clear(RuleClear { rule: self.rule.to_string(), since_ns: calm, at_ns: tick.to, lasted_ns }))
    }

    /// The alarm in this window.
    fn alarm(&self, tick: &Tick<'_>, hits: &[WindowHits], names: &[String]) -> RuleAlarm {
        let seconds = tick.to.since(tick.from).max(1) as f64 / 1e9;
        let mut hit: Vec<(Tpid, f64)> =
            hits.iter().filter(|hits| is_hit(hits)).map(|hits| (hits.tpid, hits.hits.unwrap_or(0.0))).collect();
        hit.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let (since_ns, sum) = self.broken.unwrap_or((tick.from, 0.0));
        let of = |(tpid, hits): (Tpid, f64)| HitTracepoint {
            tracepoint: names.get(tpid.index()).cloned().unwrap_or_default(),
            per_second: rounded(hits / seconds),
        };
        RuleAlarm {
            rule: self.rule.to_string(),
            since_ns,
            at_ns: tick.to,
            per_second: Some(rounded(sum / (tick.to.since(since_ns).max(1) as f64 / 1e9))),
            is_estimate: hits.iter().any(|hits| hits.is_estimate),
            more: hit.len().saturating_sub(NAMED),
            tracepoints: hit.into_iter().take(NAMED).map(of).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Cpu, Estimated, Partly, Rung, Slot};

    const SECOND: u64 = 1_000_000_000;

    /// `irq:entry`, `irq:exit` and `sched:wakeup`, with the tpids 1 to 3.
    fn table() -> Table {
        let names = [("irq", "entry"), ("irq", "exit"), ("sched", "wakeup")];
        Table::from_entries(names.map(|(group, name)| (group.to_owned(), name.to_owned(), 1)).to_vec())
    }

    /// All of them are watched.
    fn all() -> Selection {
        Selection::of_statuses(&table(), std::iter::empty())
    }

    fn watch(rules: &[&str]) -> RuleWatch {
        let rules: Vec<Rule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        RuleWatch::new(&rules, &table(), &all(), |tracepoint| tracepoint.name == "exit").unwrap()
    }

    /// Windows of a second with these hits of the three tracepoints. Returns each message with the second at whose end it came.
    fn messages(watch: &mut RuleWatch, windows: &[[u64; 3]], partly: &[Partly]) -> Vec<(u64, RuleMessage)> {
        let slots: Vec<Slot> = (1..=3).map(|tpid| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(0)) }).collect();
        let mut all = Vec::new();
        for (number, hits) in (0..).zip(windows) {
            let (from, to) = (Ns(number * SECOND), Ns((number + 1) * SECOND));
            let tick = Tick { from, to, late_ns: 0, slots: &slots, hits, partly, cost: None };
            all.extend(watch.window(&tick, &tick.window_hits()).into_iter().map(|message| (number + 1, message)));
        }
        all
    }

    fn of(name: &str, per_second: f64) -> HitTracepoint {
        HitTracepoint { tracepoint: name.to_owned(), per_second }
    }

    fn times(messages: &[(u64, RuleMessage)]) -> Vec<(u64, &'static str, u64)> {
        let of = |(at, message): &(u64, RuleMessage)| match message {
            RuleMessage::Alarm(alarm) => (*at, "alarm", alarm.since_ns.0 / SECOND),
            RuleMessage::Clear(clear) => (*at, "clear", clear.since_ns.0 / SECOND),
        };
        messages.iter().map(of).collect()
    }

    #[test]
    fn a_rate_that_stays_too_high_is_one_alarm_with_an_end() {
        let mut watch = watch(&["irq:* > 10/s for 3s"]);
        let mut windows = vec![[5, 5, 99]; 4];
        windows.extend([[6, 5, 0]; 2]); // Too short.
        windows.push([1, 1, 0]);
        windows.extend([[20, 10, 0]; 5]); // From second 7 on.
        windows.extend([[1, 0, 0]; 4]); // Too short to be calm.
        windows.push([50, 0, 0]);
        windows.extend([[0, 0, 0]; 12]); // From second 17 on.
        let messages = messages(&mut watch, &windows, &[]);
        assert_eq!(times(&messages), [(10, "alarm", 7), (27, "clear", 17)]);
        let RuleMessage::Alarm(alarm) = &messages[0].1 else { panic!("{messages:?}") };
        assert_eq!(
            (alarm.rule.as_str(), alarm.per_second, alarm.is_estimate),
            ("irq:* > 10/s for 3s", Some(30.0), false)
        );
        let named = [("irq:entry", 20.0), ("irq:exit", 10.0)].map(|(name, rate)| of(name, rate));
        assert_eq!((alarm.tracepoints.as_slice(), alarm.more), (named.as_slice(), 0));
        let RuleMessage::Clear(clear) = &messages[1].1 else { panic!("{messages:?}") };
        assert_eq!(clear.lasted_ns, 10 * SECOND);
        assert_eq!(watch.going_on().count(), 0);
    }

    #[test]
    fn a_limit_without_a_time_is_broken_by_one_window_and_nothing_can_be_too_little() {
        let windows = [[1, 0, 5], [0, 0, 5], [1, 0, 5]];
        assert_eq!(times(&messages(&mut watch(&["irq:* > 0/h"]), &windows[1..], &[])), [(2, "alarm", 1)]);
        assert_eq!(times(&messages(&mut watch(&["irq:* < 1/s"]), &windows, &[])), [(2, "alarm", 1)]);
    }

    #[test]
    fn estimates_count_and_unknown_hits_are_not_few() {
        let visited = Partly {
            tpid: Tpid::new(1),
            rung: Rung::Visited,
            watched: 0.1,
            estimated: Some(Estimated { hits: 500.0, variance: 100.0 }),
        };
        let mut above = watch(&["irq:* > 100/s"]);
        let raised = messages(&mut above, &[[50, 0, 0]], &[visited]);
        let [(1, RuleMessage::Alarm(alarm))] = &raised[..] else { panic!("{raised:?}") };
        assert!(alarm.is_estimate && alarm.per_second == Some(500.0), "{alarm:?}");
        let detached = Partly { rung: Rung::Detached, watched: 0.0, estimated: None, ..visited };
        assert_eq!(messages(&mut watch(&["irq:* < 100/s"]), &[[0, 0, 0]; 3], &[detached]), []);
        assert_eq!(times(&messages(&mut watch(&["irq:* > 3/s"]), &[[0, 4, 0]], &[detached])), [(1, "alarm", 0)]);
    }

    #[test]
    fn each_new_tracepoint_is_an_alarm_once() {
        // `irq:exit` was hit before the start, and `sched:wakeup` is hit in the time in which tp-perf learns.
        let windows = [[0, 0, 1], [0, 0, 1], [0, 9, 1], [7, 9, 1], [7, 9, 1]];
        let raised = messages(&mut watch(&["new after 2s"]), &windows, &[]);
        let [(4, RuleMessage::Alarm(alarm))] = &raised[..] else { panic!("{raised:?}") };
        assert_eq!((alarm.tracepoints.as_slice(), alarm.per_second), ([of("irq:entry", 7.0)].as_slice(), None));
        assert_eq!(messages(&mut watch(&["new sched after 2s"]), &windows, &[]), []);
        assert_eq!(messages(&mut watch(&["new"]), &windows, &[]), [], "the first hour");
    }

    #[test]
    fn rules_that_stay_keep_their_alarms() {
        let mut before = watch(&["irq:* > 10/s", "new after 1s"]);
        messages(&mut before, &[[50, 0, 0]; 3], &[]);
        let mut after = watch(&["sched:* > 10/s", "irq:* > 10/s", "new after 1s"]);
        after.continue_from(before);
        assert_eq!(after.going_on().map(Rule::to_string).collect::<Vec<_>>(), ["irq:* > 10/s"]);
        assert_eq!(messages(&mut after, &[[50, 0, 0]; 3], &[]), [], "the alarm goes on, and the tracepoint is known");
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_an_error_with_the_nearest_name() {
        let rule: Rule = "shed:wakeup > 1/s".parse().unwrap();
        let error = RuleWatch::new(&[rule], &table(), &all(), |_| false).unwrap_err().to_string();
        assert!(error.contains("shed:wakeup"), "{error}");
        let mut without = all();
        without.exclude(Tpid::new(3), crate::tracefs::Exclusion::TooOften);
        let rule: Rule = "sched:* < 1/s".parse().unwrap();
        let error = RuleWatch::new(&[rule], &table(), &without, |_| false).unwrap_err().to_string();
        assert!(error.contains("none of its tracepoints is watched"), "{error}");
    }
}
