//! The selection of tracepoints for a capture.

use super::{Error, Exclusion, Pattern, Status, Table, Tpid, Tracepoint, check_matches};

// The default exclusions: these groups, and the tracepoints with these names in any group. The thesis excludes them "because
// eBPF does not support them or because they are hit so often that they get in the way of the others".
const EXCLUDED_GROUPS: [&str; 3] = ["ftrace", "syscalls", "raw_syscalls"];
const EXCLUDED_TRACEPOINTS: [&str; 15] = [
    "irq_work_entry",
    "irq_work_exit",
    "write_msr",
    "cpu_idle",
    "rcu_utilization",
    "sched_switch",
    "sched_stat_runtime",
    "sched_waking",
    "sched_wakeup",
    "rseq_update",
    "x86_fpu_regs_deactivated",
    "hrtimer_cancel",
    "hrtimer_start",
    "tlb_flush",
    "tick_stop",
];

/// The tracepoints that the user asked for. By default these are all except the default exclusions.
#[derive(Debug, Clone, Default)]
pub struct SelectionRequest {
    /// Selects only these (`-t`), even if they are excluded by default. If empty, selects the default selection.
    pub only: Vec<Pattern>,
    /// Adds these (`--also`), even if they are excluded by default.
    pub also: Vec<Pattern>,
    /// Excludes these (`-x`), even if another option selects them.
    pub exclude: Vec<Pattern>,
    /// Turns off the default exclusions (`--all`).
    pub all: bool,
}

/// The status of every tracepoint of a table, in the order of tpid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The status of tpid `i` is at index `i`. Index 0 is unused.
    statuses: Vec<Status>,
}

impl Selection {
    /// Chooses from the table.
    ///
    /// # Errors
    /// A pattern matches nothing (with the nearest names), or no tracepoint is left.
    pub fn choose(table: &Table, request: &SelectionRequest) -> Result<Self, Error> {
        let patterns = [&request.only, &request.also, &request.exclude];
        patterns.into_iter().flatten().try_for_each(|pattern| check_matches(table, pattern))?;
        let mut selection = Selection::nothing(table);
        for tracepoint in table.tracepoints() {
            selection.statuses[tracepoint.tpid.index()] = request.status(tracepoint);
        }
        if !selection.statuses.contains(&Status::Captured) {
            return Err(Error::NothingSelected);
        }
        Ok(selection)
    }

    /// The default selection: all tracepoints except the default exclusions.
    ///
    /// # Errors
    /// No tracepoint is left.
    pub fn by_default(table: &Table) -> Result<Self, Error> {
        Self::choose(table, &SelectionRequest::default())
    }

    /// Tracepoints without a status here are captured. Skips a tpid that is not in the table.
    pub fn of_statuses(table: &Table, others: impl Iterator<Item = (Tpid, Status)>) -> Self {
        let mut selection = Selection::nothing(table);
        for tracepoint in table.tracepoints() {
            selection.statuses[tracepoint.tpid.index()] = Status::Captured;
        }
        for (tpid, status) in others {
            if let Some(place) = selection.statuses.get_mut(tpid.index()) {
                *place = status;
            }
        }
        selection
    }

    fn nothing(table: &Table) -> Self {
        let most = table.tracepoints().iter().map(|tracepoint| tracepoint.tpid.index()).max().unwrap_or(0);
        Selection { statuses: vec![Status::Excluded(Exclusion::NotChosen); most + 1] }
    }

    /// The status of a tracepoint.
    pub fn status(&self, tpid: Tpid) -> &Status {
        &self.statuses[tpid.index()]
    }

    /// Notes that the kernel refused to open a selected tracepoint.
    pub fn refuse(&mut self, tpid: Tpid, reason: String) {
        self.statuses[tpid.index()] = Status::Refused { reason };
    }

    /// Excludes a captured tracepoint afterwards.
    pub fn exclude(&mut self, tpid: Tpid, why: Exclusion) {
        let status = &mut self.statuses[tpid.index()];
        if status.is_captured() {
            *status = Status::Excluded(why);
        }
    }

    /// The tpids of all captured tracepoints, ascending.
    pub fn captured(&self) -> impl Iterator<Item = Tpid> {
        (0..).zip(&self.statuses).filter(|(_, status)| status.is_captured()).map(|(tpid, _)| Tpid::new(tpid))
    }

    /// All captured tracepoints by tpid, in the form that engines take. `table` must be the table of this selection.
    pub fn tracepoints<'t>(&self, table: &'t Table) -> Vec<&'t Tracepoint> {
        self.captured().map(|tpid| table.get(tpid)).collect()
    }

    /// The number of tracepoints that the default exclusions left out.
    pub fn excluded_by_default(&self, table: &Table) -> usize {
        let statuses = table.tracepoints().iter().map(|tracepoint| self.status(tracepoint.tpid));
        statuses.filter(|status| status.is_excluded_by_default()).count()
    }

    /// The numbers of tracepoints that are (captured, excluded, refused).
    pub fn counts(&self, table: &Table) -> (usize, usize, usize) {
        let statuses = table.tracepoints().iter().map(|tracepoint| self.status(tracepoint.tpid));
        statuses.fold((0, 0, 0), |(captured, excluded, refused), status| match status {
            Status::Captured => (captured + 1, excluded, refused),
            Status::Excluded(_) => (captured, excluded + 1, refused),
            Status::Refused { .. } => (captured, excluded, refused + 1),
        })
    }
}

impl SelectionRequest {
    fn status(&self, tracepoint: &Tracepoint) -> Status {
        let matches = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(tracepoint));
        if let Some(pattern) = self.exclude.iter().find(|pattern| pattern.matches(tracepoint)) {
            return Status::Excluded(Exclusion::Pattern { pattern: pattern.to_string() });
        }
        if matches(&self.only) || matches(&self.also) {
            return Status::Captured;
        }
        if !self.only.is_empty() {
            return Status::Excluded(Exclusion::NotChosen);
        }
        match default_exclusion(tracepoint) {
            Some(why) if !self.all => Status::Excluded(why),
            _ => Status::Captured,
        }
    }
}

/// Why a tracepoint is not in the default selection; `None` if it is.
fn default_exclusion(tracepoint: &Tracepoint) -> Option<Exclusion> {
    if EXCLUDED_GROUPS.contains(&tracepoint.group.as_str()) {
        Some(Exclusion::Group { group: tracepoint.group.clone() })
    } else if EXCLUDED_TRACEPOINTS.contains(&tracepoint.name.as_str()) {
        Some(Exclusion::TooOften)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let names = [
            ("ftrace", "function"),
            ("irq", "softirq_entry"),
            ("irq", "softirq_exit"),
            ("sched", "sched_process_fork"),
            ("sched", "sched_switch"),
            ("syscalls", "sys_enter_read"),
            ("task", "task_rename"),
        ];
        Table::from_entries(names.iter().zip(1..).map(|((g, n), id)| (g.to_string(), n.to_string(), id)).collect())
    }

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::new(text).unwrap()).collect()
    }

    fn captured(request: SelectionRequest) -> Vec<String> {
        let table = table();
        let selection = Selection::choose(&table, &request).unwrap();
        selection.tracepoints(&table).iter().map(|tracepoint| tracepoint.full_name()).collect()
    }

    #[test]
    fn by_default_the_exclusions_of_the_thesis_apply() {
        let expected = ["irq:softirq_entry", "irq:softirq_exit", "sched:sched_process_fork", "task:task_rename"];
        assert_eq!(captured(SelectionRequest::default()), expected);
    }

    #[test]
    fn all_turns_off_the_default_exclusions() {
        assert_eq!(captured(SelectionRequest { all: true, ..Default::default() }).len(), 7);
    }

    #[test]
    fn also_adds_to_the_default_selection_or_to_the_chosen_ones() {
        let request = SelectionRequest { also: patterns(&["sched_switch"]), ..Default::default() };
        let expected = [
            "irq:softirq_entry",
            "irq:softirq_exit",
            "sched:sched_process_fork",
            "sched:sched_switch",
            "task:task_rename",
        ];
        assert_eq!(captured(request), expected);
        let request = SelectionRequest { only: patterns(&["irq"]), also: patterns(&["task"]), ..Default::default() };
        assert_eq!(captured(request), ["irq:softirq_entry", "irq:softirq_exit", "task:task_rename"]);
        let request = SelectionRequest {
            also: patterns(&["sched"]),
            exclude: patterns(&["sched_switch", "irq"]),
            ..Default::default()
        };
        assert_eq!(captured(request), ["sched:sched_process_fork", "task:task_rename"], "-x has the last word");
    }

    #[test]
    fn chosen_tracepoints_ignore_the_defaults_but_not_an_exclusion() {
        let request = SelectionRequest {
            only: patterns(&["sched:*", "soft*", "sys_enter_read"]),
            exclude: patterns(&["softirq_exit"]),
            ..Default::default()
        };
        let expected =
            ["irq:softirq_entry", "sched:sched_process_fork", "sched:sched_switch", "syscalls:sys_enter_read"];
        assert_eq!(captured(request), expected);
    }

    #[test]
    fn a_pattern_without_a_match_names_the_nearest() {
        for (pattern, expected) in [
            ("task_renam", "task:task_rename"),
            ("task:task_rename_", "task:task_rename"),
            ("shced:*", "sched:*"),
            ("shced", "sched:*"),
            ("irq:softirq_entr", "irq:softirq_entry"),
        ] {
            let request = SelectionRequest { only: patterns(&[pattern]), ..Default::default() };
            match Selection::choose(&table(), &request) {
                Err(Error::NoMatch { nearest, .. }) => assert_eq!(nearest[0], expected, "for {pattern}"),
                other => panic!("{pattern} gave {other:?}"),
            }
        }
    }

    #[test]
    fn an_exclusion_without_a_match_is_an_error_too() {
        let request = SelectionRequest { exclude: patterns(&["zzz"]), ..Default::default() };
        assert!(matches!(Selection::choose(&table(), &request), Err(Error::NoMatch { .. })));
    }

    #[test]
    fn excluding_everything_is_an_error() {
        let request = SelectionRequest { exclude: patterns(&["*"]), ..Default::default() };
        assert!(matches!(Selection::choose(&table(), &request), Err(Error::NothingSelected)));
    }

    #[test]
    fn bad_globs_are_refused() {
        for text in ["", "a[", "{a"] {
            assert!(matches!(Pattern::new(text), Err(Error::BadPattern { .. })), "{text:?}");
        }
    }

    #[test]
    fn a_refusal_changes_the_counts() {
        let mut selection = Selection::choose(&table(), &SelectionRequest::default()).unwrap();
        assert_eq!(selection.counts(&table()), (4, 3, 0));
        selection.refuse(Tpid::new(2), "EINVAL".to_owned());
        assert_eq!(selection.counts(&table()), (3, 3, 1));
        assert_eq!(selection.status(Tpid::new(2)).to_string(), "refused: EINVAL");
    }
}
