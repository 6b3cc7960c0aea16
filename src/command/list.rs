//! `tp-perf list`: the tracepoints, and why a capture would select each or not.

use super::context::Context;
use crate::cli::{ListArgs, ListFormat, ListRequest};
use crate::os::privileges::{Starts, give_up, raised};
use crate::recording::encode_tracepoints;
use crate::terminal::{print_default_exclusions, print_list, write_list_json};
use crate::tracefs::{self, Selection, Tracepoint};

/// Prints the list.
pub fn run(args: ListArgs, context: &mut Context) -> anyhow::Result<u8> {
    let ListRequest { patterns, mut selection, format } = args.request();
    selection.only.extend(patterns.iter().cloned());
    let (table, selection) = raised(|| tracefs::choose(&selection))?;
    give_up(Starts::Nothing)?;
    let is_shown =
        |tracepoint: &&Tracepoint| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(tracepoint));
    let shown: Vec<&Tracepoint> = table.tracepoints().iter().filter(is_shown).collect();
    let mut out = Vec::new();
    match format {
        ListFormat::Table => {
            print_list(&shown, &table, &selection, context.out.width(), &mut out)?;
            if !patterns.is_empty() {
                print_default_exclusions(&shown, &Selection::by_default(&table)?, context.out.width(), &mut out)?;
            }
        }
        ListFormat::Csv => out = encode_tracepoints(&shown, &selection)?,
        ListFormat::Json => write_list_json(&shown, &selection, &mut out)?,
    }
    context.out.print(&out)?;
    Ok(0)
}
