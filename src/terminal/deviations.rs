//! The tracepoints that deviate from a state, for people: by group, and in a group those that deviate most.

use super::layout::{Screen, TextColumn, TextTable};
use crate::state::GroupDeviation;
use crate::text::OneLine;
use crate::units::{Plural, Rate, Share};
use anstyle::Style;
use std::io;

/// At most this many groups are shown, and in each this many tracepoints.
const GROUPS: usize = 5;
const TRACEPOINTS: usize = 3;

/// How much of a report is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What is most important.
    Brief,
    /// Everything.
    Full,
}

impl Extent {
    /// So many of a list are shown, or all.
    pub(super) fn most(self, usual: usize) -> usize {
        match self {
            Extent::Brief => usual,
            Extent::Full => usize::MAX,
        }
    }
}

/// Prints how the groups deviate from a state, each with its tracepoints.
pub(super) fn print_deviations(
    state: &str,
    groups: &[GroupDeviation],
    extent: Extent,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let number = TextColumn::RIGHT;
    let mut table = TextTable::new([TextColumn::NAME, number, number, number.optional()]).indented(2);
    table.head([&format!("against {state}"), "times", "here", "learned"]);
    let mut row = |style: Style, name: String, factor: String, [here, learned]: [f64; 2], is_share: bool| {
        let [here, learned] = [here, learned].map(|value| match is_share {
            true => Share(value).to_string(),
            false => format!("{}/s", Rate(value)),
        });
        table.row(style, [OneLine(name).into(), factor.into(), here.into(), learned.into()]);
    };
    let group_style = Style::new().bold();
    for group in groups.iter().take(extent.most(GROUPS)) {
        row(group_style, group.name(), group.factor(), [group.here, group.learned], group.is_share);
        if let [_] = &group.tracepoints[..] {
            continue;
        }
        for its in group.tracepoints.iter().take(extent.most(TRACEPOINTS)) {
            row(Style::new(), format!("  {}", its.tracepoint), its.factor(), [its.here, its.learned], its.is_share);
        }
    }
    screen.table(&table)?;
    let more = groups.len().saturating_sub(extent.most(GROUPS));
    if more > 0 {
        screen.hanging(
            "  ",
            "    ",
            format_args!("and {} (`--verbose` shows all)", Plural(more as u64, "more group")),
        )?;
    }
    Ok(())
}
