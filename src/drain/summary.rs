//! Makes the summary of a drained source.

use crate::events::accounting::Accounting;
use crate::events::stream::Decoded;
use crate::events::thinning::Periods;
use crate::events::{Cpu, Filter, Tpid};
use crate::os::cpus::CpuList;
use crate::recording::{BudgetSummary, Ending, EventsSummary, Facts, RestrictionSummary, SCHEMA, SelfSummary, Summary};
use crate::recording::{
    OtherHits, OthersSummary, ThinnedStretch, TimingSummary, Tool, TracepointSummary, TracepointsSummary, Trigger,
    Unwatched, accounts,
};
use crate::source::About;
use crate::tracefs::{Exclusion, Pattern, Selection, Table};
use crate::units::{Moment, Ns, nanoseconds};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// The status of each tracepoint: from the source, and then restricted by the filter.
pub(super) fn selection(about: &About, accounting: &Accounting, table: &Table, filter: &Filter) -> Selection {
    let mut selection = match about {
        About::Capture(facts) => facts.selection(table),
        _ => Selection::of_statuses(table, std::iter::empty()),
    };
    if let About::Perf { not_sampled, .. } = about {
        let accounts = accounting.per_tracepoint();
        // A damaged file can have samples of such a tracepoint after all.
        let is_hit = |tpid| accounts.get(tpid).is_some_and(|account| account.recorded > 0);
        not_sampled
            .iter()
            .filter(|tpid| !is_hit(tpid))
            .for_each(|tpid| selection.exclude(*tpid, Exclusion::NotSampled));
    }
    for tracepoint in table.tracepoints().iter().filter(|tracepoint| !filter.takes(tracepoint)) {
        selection.exclude(tracepoint.tpid, Exclusion::Replay);
    }
    selection
}

pub(super) fn restriction_summary(filter: &Filter, first: Option<Ns>) -> RestrictionSummary {
    let texts = |patterns: &[Pattern]| patterns.iter().map(ToString::to_string).collect();
    let absolute = |moment: Option<Moment>| moment.map(|moment| moment.absolute(first.unwrap_or_default()));
    RestrictionSummary {
        tracepoint: texts(&filter.only),
        exclude: texts(&filter.exclude),
        cpus: filter.cpus.as_ref().map(|cpus| cpus.as_slice().to_vec()),
        from: absolute(filter.from),
        to: absolute(filter.to),
        events: filter.events,
        pids: filter.processes.pids.iter().map(|pid| pid.get()).collect(),
        comms: filter.processes.names.iter().map(ToString::to_string).collect(),
        cgroups: filter.processes.cgroups.iter().map(ToString::to_string).collect(),
    }
}

/// The data for a summary.
pub(super) struct Parts<'a> {
    pub about: &'a About,
    /// Whether the events may stand for several hits each.
    pub has_hits: bool,
    pub ending: Option<&'a Ending>,
    pub accounting: &'a Accounting,
    pub decoded: &'a Decoded,
    pub table: &'a Table,
    pub selection: &'a Selection,
    pub filter: &'a Filter,
    pub restricted: Option<RestrictionSummary>,
    /// The time of the first event, whether or not the filter keeps it.
    pub origin: Option<Ns>,
    /// The times of the first and the last event.
    pub span: Option<(Ns, Ns)>,
    pub logged: u64,
    pub log_complete: bool,
    pub begin: Instant,
}

pub(super) fn summary(parts: Parts<'_>) -> Summary {
    let Parts { about, ending, accounting, decoded, table, selection, .. } = parts;
    let Parts { origin, span, logged, log_complete, begin, .. } = parts;
    let restricted = parts.restricted.clone();
    let facts: Option<&Facts> = match about {
        About::Capture(facts) => Some(facts),
        _ => None,
    };
    let (tool, kernel, hostname, clock, command) = match about {
        About::Capture(facts) => (
            facts.tool.clone(),
            Some(facts.kernel.clone()),
            Some(facts.hostname.clone()),
            Some(facts.clock.to_string()),
            facts.command.clone(),
        ),
        About::Perf { features, clock, .. } => (
            Tool { name: "perf".to_owned(), version: features.version.clone().unwrap_or_default() },
            features.release.clone(),
            features.hostname.clone(),
            Some(clock.clone()),
            None,
        ),
        About::Log => (Tool { name: "log.csv".to_owned(), version: String::new() }, None, None, None, None),
    };
    let arguments = match about {
        About::Capture(facts) => facts.arguments.clone(),
        About::Perf { features, .. } => features.command_line.clone(),
        About::Log => Vec::new(),
    };
    let seen = || decoded.per_cpu.iter().filter_map(|cpu| cpu.cpu);
    let cpus: CpuList = match (facts, &restricted) {
        (Some(facts), Some(RestrictionSummary { cpus: Some(wanted), .. })) => {
            facts.cpus.iter().copied().filter(|cpu| wanted.contains(cpu)).collect()
        }
        (Some(facts), _) => facts.cpus.iter().copied().collect(),
        (None, _) => seen().collect(),
    };
    let unwatched = unwatched(facts, ending, origin, restricted.as_ref());
    let gone = ending.map_or(&[][..], |ending| &ending.gone_cpus).iter().copied();
    let gone = gone.chain(unwatched.iter().map(|stretch| stretch.cpu).filter(|cpu| cpus.as_slice().contains(cpu)));
    let offline: CpuList = facts.map_or(&[][..], |facts| &facts.offline_cpus).iter().copied().chain(gone).collect();
    let (captured, excluded, refused) = selection.counts(table);
    // Only a capture knows what it left out.
    let excluded_by_default = facts.map(|_| selection.excluded_by_default(table));
    let (mut per_tracepoint, per_cpu, unaccounted) = accounts(accounting, table);
    let mut events = EventsSummary::new(accounting, logged);
    if !accounting.counted {
        estimate(&mut events, &mut per_tracepoint, &decoded.more_hits);
    }
    let budget = (parts.has_hits || !decoded.steps.is_empty()).then(|| BudgetSummary {
        budget: facts.and_then(|facts| facts.budget),
        cost: ending.and_then(|ending| ending.cost),
        stretches: stretches(&parts, restricted.as_ref()),
    });
    Summary {
        schema: SCHEMA,
        tool,
        kernel,
        hostname,
        cpus: cpus.as_slice().to_vec(),
        offline_cpus: offline.as_slice().to_vec(),
        unwatched,
        clock,
        clock_offset_ns: facts.map_or(0, |facts| facts.clock_offset_ns),
        command,
        command_exit: ending.and_then(|ending| ending.command_exit),
        arguments,
        started: ending.map(|ending| &ending.started).or(facts.map(|facts| &facts.started)).cloned(),
        stop_reason: ending.map(|ending| ending.stop_reason),
        log_complete,
        ring_size: facts.map(|facts| facts.ring_size),
        budget,
        history: None,
        only: facts.and_then(|facts| facts.only.clone()),
        others: ending
            .and_then(|ending| ending.others.as_ref())
            .map(|others| others_summary(others, table, parts.filter)),
        last: facts.and_then(|facts| facts.last),
        triggers: triggers(facts, ending, origin),
        restricted,
        tracepoints: TracepointsSummary {
            listed: table.tracepoints().len(),
            excluded,
            excluded_by_default,
            captured,
            refused,
        },
        events,
        timing_ns: TimingSummary {
            attach: facts.map(|facts| facts.attach_ns),
            capture: ending.map(|ending| ending.capture_ns).or(span.map(|(first, last)| last.since(first))),
            drain: nanoseconds(begin.elapsed()),
            detach: ending.and_then(|ending| ending.detach_ns),
            detach_expected: ending.map(|ending| ending.detach_expected_ns),
        },
        own: facts.zip(ending).map(|(facts, ending)| SelfSummary {
            excluded: facts.self_excluded,
            pid: facts.pid,
            cpu_ns: ending.own_cpu_ns,
        }),
        per_tracepoint,
        per_cpu,
        unaccounted,
    }
}

/// The hits of other processes, as far as they concern the wanted tracepoints and CPUs.
fn others_summary(others: &OtherHits, table: &Table, filter: &Filter) -> OthersSummary {
    let wanted = |tpid: Tpid, cpu: Cpu| {
        table.find(tpid).is_some_and(|tracepoint| filter.takes(tracepoint)) && filter.takes_cpu(Some(cpu))
    };
    let wanted = others.of.iter().filter(|(tpid, cpu, _)| wanted(*tpid, *cpu));
    let all = wanted.fold(0u64, |sum, (.., hits)| sum.saturating_add(*hits));
    let in_interrupts = (!filter.chooses()).then_some(others.in_interrupts);
    OthersSummary { hits: all.saturating_sub(in_interrupts.unwrap_or(0)), in_interrupts }
}

/// Adds the estimated hits of tracepoints of which an event stands for several.
fn estimate(events: &mut EventsSummary, per_tracepoint: &mut [TracepointSummary], more_hits: &[(Tpid, u64)]) {
    for (tpid, more) in more_hits {
        if let Ok(place) = per_tracepoint.binary_search_by_key(tpid, |of| of.tpid) {
            let of = &mut per_tracepoint[place];
            of.estimated = Some(of.recorded.saturating_add(of.lost.unwrap_or(0)).saturating_add(*more));
        }
    }
    if !more_hits.is_empty() {
        let more = more_hits.iter().fold(0u64, |sum, (_, more)| sum.saturating_add(*more));
        events.estimated = Some(events.recorded.saturating_add(events.lost).saturating_add(more));
    }
}

/// The stretches in which a tracepoint was not recorded hit by hit, in nanoseconds from the first event, as far as they concern
/// the wanted tracepoints and times.
fn stretches(parts: &Parts<'_>, wanted: Option<&RestrictionSummary>) -> Vec<ThinnedStretch> {
    let Parts { decoded, origin, span, ending, table, selection, .. } = parts;
    let mut periods = Periods::default();
    periods.add(&decoded.steps);
    let first = origin.or(decoded.steps.first().map(|step| step.at)).unwrap_or_default();
    let on = ending.map_or(0, |ending| ending.capture_ns);
    let end = span.map_or(first, |(_, last)| last).max(first.saturating_add(on));
    let since_first = |time: Ns| Ns(time.since(first));
    let concerns = |from: Ns, to: Ns| {
        wanted.is_none_or(|wanted| {
            wanted.from.is_none_or(|wanted| to > wanted) && wanted.to.is_none_or(|wanted| from < wanted)
        })
    };
    let mut names = HashMap::<Tpid, Arc<str>>::new();
    let all = periods.stretches(end).into_iter();
    let wanted = all.filter(|(tpid, _, from, to)| selection.status(*tpid).is_captured() && concerns(*from, *to));
    let stretch = |(tpid, one_in, from, to)| ThinnedStretch {
        tpid,
        name: Arc::clone(names.entry(tpid).or_insert_with(|| table.get(tpid).full_name().into())),
        one_in,
        from_ns: since_first(from),
        to_ns: since_first(to),
    };
    wanted.map(stretch).collect()
}

/// The triggers, with their times in nanoseconds from the first event.
fn triggers(facts: Option<&Facts>, ending: Option<&Ending>, origin: Option<Ns>) -> Vec<Trigger> {
    let (Some(facts), Some(ending)) = (facts, ending) else { return Vec::new() };
    let since_first = |time: Ns| {
        let time = Ns(time.0.saturating_add_signed(facts.clock_offset_ns));
        Ns(time.since(origin.unwrap_or(time)))
    };
    ending.triggers.iter().map(|trigger| Trigger { at: since_first(trigger.at), ..trigger.clone() }).collect()
}

/// The stretches in which a CPU was not watched, in nanoseconds from the first event, as far as they concern the wanted
/// CPUs and times.
fn unwatched(
    facts: Option<&Facts>,
    ending: Option<&Ending>,
    origin: Option<Ns>,
    wanted: Option<&RestrictionSummary>,
) -> Vec<Unwatched> {
    let (Some(facts), Some(ending)) = (facts, ending) else { return Vec::new() };
    let in_clock = |time: Ns| Ns(time.0.saturating_add_signed(facts.clock_offset_ns));
    let concerns = |stretch: &&Unwatched| {
        wanted.is_none_or(|wanted| {
            wanted.cpus.as_ref().is_none_or(|cpus| cpus.contains(&stretch.cpu))
                && wanted.from.is_none_or(|from| in_clock(stretch.to) > from)
                && wanted.to.is_none_or(|to| in_clock(stretch.from) < to)
        })
    };
    let since_first = |time: Ns| {
        let time = in_clock(time);
        Ns(time.since(origin.unwrap_or(time)))
    };
    let stretches = ending.unwatched.iter().filter(concerns);
    stretches
        .map(|stretch| Unwatched { from: since_first(stretch.from), to: since_first(stretch.to), ..*stretch })
        .collect()
}
