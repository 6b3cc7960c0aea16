//! The options of `tp-perf monitor`, and what follows from them when they are read again.

use super::followed_states::read_states;
use super::monitor_history::names_of_history;
use crate::alarms::{Condition, Rule, RuleWatch};
use crate::counting::CountOptions;
use crate::engine::Kernel;
use crate::monitor::MonitorRequest;
use crate::state::Known;
use crate::terminal::messages;
use crate::tracefs::{Selection, Table};
use anyhow::Context as _;
use std::collections::BTreeSet;

/// Options that were read again, with what follows from them.
pub(super) struct NextOptions {
    pub request: MonitorRequest,
    pub rules: RuleWatch,
    pub known: Option<Known>,
}

impl NextOptions {
    /// Reads the states of these options, and applies their rules to the watched tracepoints.
    pub fn of(
        kernel: &impl Kernel,
        request: MonitorRequest,
        count: &CountOptions,
        table: &Table,
        selection: &Selection,
    ) -> anyhow::Result<Self> {
        let known = request.states.as_ref().map(|states| read_states(kernel, states, count)).transpose()?;
        let rules = rule_watch(&request, table, selection)?;
        Ok(NextOptions { request, rules, known })
    }
}

/// The rules. A tracepoint that the history has hits of is not new.
pub(super) fn rule_watch(request: &MonitorRequest, table: &Table, selection: &Selection) -> anyhow::Result<RuleWatch> {
    let is_about_new = |rule: &Rule| matches!(rule.condition, Condition::New { .. });
    let known = match &request.history {
        Some((folder, _)) if folder.exists() && request.rules.iter().any(is_about_new) => names_of_history(folder)
            .unwrap_or_else(|error| {
                let causes = messages::causes(error.chain());
                messages::say(format!("the history cannot be read, so its tracepoints may look new: {causes}"));
                BTreeSet::new()
            }),
        _ => BTreeSet::new(),
    };
    let watch = RuleWatch::new(&request.rules, table, selection, |tracepoint| known.contains(&tracepoint.full_name()));
    watch.context("--rule")
}

/// The options that differ and take effect only after a restart.
pub(super) fn needs_restart(old: &MonitorRequest, new: &MonitorRequest) -> Vec<&'static str> {
    let selection = |request: &MonitorRequest| format!("{:?}", request.count.choice.selection);
    let folder = |request: &MonitorRequest| request.history.as_ref().map(|(folder, _)| folder.clone());
    let changed = [
        ("every", old.count.every != new.count.every),
        ("budget", old.count.budget != new.count.budget),
        ("duration", old.count.duration != new.count.duration),
        ("tracepoint, also, exclude or all", selection(old) != selection(new)),
        ("cpus", old.count.choice.cpus != new.count.choice.cpus),
        ("include-self", old.count.choice.include_self != new.count.choice.include_self),
        ("quiet", old.manner.quiet != new.manner.quiet),
        ("wait-detach", old.manner.wait_detach != new.manner.wait_detach),
        ("history", folder(old) != folder(new)),
        ("metrics", old.metrics != new.metrics),
        // This process may have forbidden itself to run commands, and to write elsewhere.
        ("on-alarm", old.on_alarm.is_none() && new.on_alarm.is_some()),
        ("textfile", old.textfile != new.textfile),
        ("flight or by", format!("{:?}", old.flight) != format!("{:?}", new.flight)),
    ];
    changed.into_iter().filter(|(_, has_changed)| *has_changed).map(|(name, _)| name).collect()
}
