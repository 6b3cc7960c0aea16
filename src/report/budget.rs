//! A recording with a budget, in words: its cost, and what it left out.

use crate::events::thinning::OPENED_WITH;
use crate::recording::{BudgetSummary, CostOfRecording, ThinnedStretch};
use crate::text::shortened;
use crate::tracefs::Tpid;
use crate::units::{Grouped, Ns, Plural, Seconds, Share};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most tracepoints that a fact names.
const MOST_NAMED: usize = 3;
/// The most characters of a name.
const LONGEST_NAME: usize = 80;

/// A fact about a recording with a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetFact {
    /// Its name.
    pub name: &'static str,
    /// The fact.
    pub text: String,
    /// Whether the budget was not kept, or hits were not counted.
    pub is_warning: bool,
}

/// The cost of the recording, and the tracepoints that were thinned and detached.
pub fn budget_facts(summary: &BudgetSummary) -> Vec<BudgetFact> {
    let mut facts: Vec<BudgetFact> = summary.budget.map(|budget| cost(budget, summary.cost)).into_iter().collect();
    let thinned = firsts(summary, |stretch| stretch.one_in > OPENED_WITH);
    if let [first, ..] = thinned.as_slice() {
        let periods = || summary.stretches.iter().map(|stretch| stretch.one_in).filter(|one_in| *one_in > OPENED_WITH);
        let one_in = match (periods().min().unwrap_or_default(), periods().max().unwrap_or_default()) {
            (least, most) if least == most => format!("one in {}", Grouped(least)),
            (least, most) => format!("one in {} to one in {}", Grouped(least), Grouped(most)),
        };
        facts.push(BudgetFact {
            name: "thinned",
            text: format!(
                "{}, from {} on: {one_in} hits was recorded",
                Plural(thinned.len() as u64, "tracepoint"),
                after(first.from_ns),
            ),
            is_warning: false,
        });
    }
    if summary.budget.is_none() && !thinned.is_empty() {
        facts.push(BudgetFact {
            name: "detached",
            text: "a log does not show which tracepoints were detached; events.perf does".to_owned(),
            is_warning: false,
        });
    }
    let detached = firsts(summary, ThinnedStretch::is_detached);
    if let [first, ..] = detached.as_slice() {
        let named: Vec<_> =
            detached.iter().take(MOST_NAMED).map(|stretch| shortened(&stretch.name, LONGEST_NAME)).collect();
        let more = match detached.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {} more", Grouped(more as u64)),
        };
        facts.push(BudgetFact {
            name: "detached",
            text: format!(
                "{}{more}, from {} on: even thinned, they exceeded the budget, so nobody counted their later hits",
                named.join(", "),
                after(first.from_ns)
            ),
            is_warning: true,
        });
    }
    facts
}

/// The first such stretch of each tracepoint, in time order.
fn firsts(summary: &BudgetSummary, is_wanted: fn(&ThinnedStretch) -> bool) -> Vec<&ThinnedStretch> {
    let mut first = BTreeMap::<Tpid, &ThinnedStretch>::new();
    summary.stretches.iter().filter(|stretch| is_wanted(stretch)).for_each(|stretch| {
        first.entry(stretch.tpid).or_insert(stretch);
    });
    let mut first: Vec<_> = first.into_values().collect();
    first.sort_by_key(|stretch| stretch.from_ns);
    first
}

fn after(time: Ns) -> Seconds {
    Seconds(Duration::from_nanos(time.0))
}

fn cost(budget: f64, cost: Option<CostOfRecording>) -> BudgetFact {
    let allowed = Share(budget);
    let Some(CostOfRecording { part, most, windows, over, over_later, hit, .. }) = cost else {
        let text = format!(
            "{allowed} of all CPUs' time. The source lacks the end of the recording, and with it the cost, and the number of \
             thinned hits after the last step of each tracepoint"
        );
        return BudgetFact { name: "budget", text, is_warning: false };
    };
    if windows == 0 {
        let text = format!("{allowed} of all CPUs' time. The recording was too short to measure its cost");
        return BudgetFact { name: "budget", text, is_warning: false };
    }
    // In the first windows, tp-perf cannot have acted.
    let is_warning = part > budget && over_later > 0;
    let kept = match is_warning {
        true => {
            "the budget was not kept: allow more (--budget), select fewer tracepoints (-t, -x), or count them \
             (`tp-perf count`). The recording"
        }
        false => "the recording",
    };
    let exceeded = match over {
        0 => String::new(),
        over => format!(
            "; {} of {} exceeded the budget, one of them with {}",
            Grouped(over),
            Plural(windows, "window"),
            Share(most)
        ),
    };
    let source = if hit.measured { "" } else { ", by the costs of another machine" };
    let text = format!(
        "{kept} took about {} of all CPUs' time (estimated{source}); {allowed} was allowed{exceeded}",
        Share(part)
    );
    BudgetFact { name: "budget", text, is_warning }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::RecordCost;

    fn stretch(tpid: u32, one_in: u64, from: u64) -> ThinnedStretch {
        let name = format!("kmem:t{tpid}").into();
        ThinnedStretch { tpid: Tpid::new(tpid), name, one_in, from_ns: Ns(from), to_ns: Ns(9_000_000_000) }
    }

    fn summary(part: f64, over: u64, stretches: Vec<ThinnedStretch>) -> BudgetSummary {
        let hit = RecordCost { recorded_ns: 600.0, thinned_ns: 160.0, measured: true };
        let cost =
            CostOfRecording { part, most: 0.2, windows: 40, over, over_later: over, ..CostOfRecording::new(0.05, hit) };
        BudgetSummary { budget: Some(0.05), cost: Some(cost), stretches }
    }

    #[test]
    fn a_budget_that_was_kept_says_what_it_left_out() {
        let stretches = vec![stretch(3, 2, 0), stretch(3, 257, 2_000_000_000), stretch(7, 17, 1_500_000_000)];
        let facts = budget_facts(&summary(0.031, 1, stretches));
        let texts: Vec<_> = facts.iter().map(|fact| (fact.name, fact.is_warning)).collect();
        assert_eq!(texts, [("budget", false), ("thinned", false)]);
        assert!(
            facts[0].text.starts_with("the recording took about 3.10 %") && facts[0].text.contains("1 of 40 windows")
        );
        assert!(
            facts[1].text.starts_with("2 tracepoints, from 1.50 s on")
                && facts[1].text.contains("one in 17 to one in 257 hits was")
        );
        let alike = budget_facts(&summary(0.031, 1, vec![stretch(3, 17, 0), stretch(4, 17, 1)]));
        assert!(alike[1].text.contains(": one in 17 hits was recorded"), "{alike:?}");
        assert!(alike[0].text.contains("1 of 40 windows exceeded"), "{alike:?}");
        assert_eq!(budget_facts(&summary(0.02, 0, vec![stretch(3, 2, 0)])).len(), 1, "the start is not worth a line");
    }

    #[test]
    fn what_was_not_kept_or_not_counted_is_a_warning() {
        let facts = budget_facts(&summary(0.09, 9, (1..=5).map(|tpid| stretch(tpid, 0, 1_000_000_000)).collect()));
        assert!(facts.iter().all(|fact| fact.is_warning), "{facts:?}");
        assert!(facts[0].text.starts_with("the budget was not kept: allow more (--budget)"), "{facts:?}");
        assert!(facts[1].text.starts_with("kmem:t1, kmem:t2, kmem:t3 and 2 more, from 1.00 s on"), "{facts:?}");
        let first = CostOfRecording { over_later: 0, ..summary(0.09, 1, Vec::new()).cost.unwrap() };
        let of = |cost| budget_facts(&BudgetSummary { cost: Some(cost), ..summary(0.0, 0, Vec::new()) }).remove(0);
        assert!(!of(first).is_warning && of(first).text.contains("took about 9.00 %"), "{:?}", of(first));
        let short = of(CostOfRecording { windows: 0, part: 0.42, ..first });
        assert!(!short.is_warning && short.text.contains("too short") && !short.text.contains("42"), "{short:?}");
        // A file that ends early may have been cut, by anybody.
        let cut = BudgetSummary { cost: None, ..summary(0.0, 0, Vec::new()) };
        assert!(budget_facts(&cut)[0].text.contains("lacks the end of the recording"));
        // A log knows neither the budget nor the cost.
        let log = BudgetSummary { budget: None, cost: None, stretches: vec![stretch(3, 17, 0)] };
        assert_eq!(budget_facts(&log).iter().map(|fact| fact.name).collect::<Vec<_>>(), ["thinned", "detached"]);
    }
}
