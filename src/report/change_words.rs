//! Changes in words, for people.

use super::{Compared, Differences, Presence, mark};
use crate::text::{OneLine, shortened};
use crate::units::{Factor, Grouped, Plural, Rate};

/// The most letters of a side's name within a cell.
const NAME: usize = 16;

/// The cells that show a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeWords {
    /// The two sides. Empty if there are only two.
    pub between: String,
    /// The difference of the rates.
    pub difference: String,
    /// The ratio of the rates, the only side that has hits, or the one of the two that has none.
    pub times: String,
    /// The ratio that it is at least.
    pub at_least: String,
}

impl Differences {
    /// The rows whose change is sure, the most surprising one first.
    pub fn sure(all: &[Compared]) -> impl Iterator<Item = &Compared> {
        all.iter().filter(|compared| compared.change.as_ref().is_some_and(|change| change.is_sure))
    }

    /// The sentence above the changes: how many rows change, and how many cannot be judged.
    pub fn verdict(&self, what: &'static str, all: &[Compared]) -> String {
        let unknown = all.iter().filter(|compared| compared.change.is_none()).count() as u64;
        let judged = all.len() as u64 - unknown;
        let sure = Self::sure(all).count() as u64;
        let not = match unknown {
            0 => String::new(),
            _ => format!("; no verdict on {}: not captured on all sides, or no recorded events", Grouped(unknown)),
        };
        format!("{} of {} {}{not}", Grouped(sure), Plural(judged, what), if sure == 1 { "changes" } else { "change" })
    }

    /// A rate on one side.
    pub fn rate(presence: &Presence) -> String {
        match presence {
            Presence::Hit { rate, is_estimate, .. } => {
                rate.map(|rate| format!("{}{}/s", mark(*is_estimate), Rate(rate))).unwrap_or_default()
            }
            other => other.word().to_owned(),
        }
    }

    /// The change of a row. It is empty if the row cannot be judged.
    pub fn words(&self, compared: &Compared) -> ChangeWords {
        let Some(change) = &compared.change else { return ChangeWords::default() };
        let name = |side: usize| shortened(&OneLine(&self.sides[side]).to_string(), NAME);
        // A third side can have hits, too.
        let none_in = |hit: usize, silent: usize| match compared.is_only_in(hit) {
            true => format!("only {}", name(hit)),
            false => format!("none in {}", name(silent)),
        };
        let sign = if change.difference < 0.0 { "−" } else { "+" };
        ChangeWords {
            between: if self.sides.len() > 2 {
                format!("{} → {}", name(change.from), name(change.to))
            } else {
                String::new()
            },
            difference: format!("{sign}{}/s", Rate(change.difference.abs())),
            times: match change.times {
                None => none_in(change.to, change.from),
                Some(0.0) => none_in(change.from, change.to),
                Some(times) => Factor(times).to_string(),
            },
            at_least: Factor(change.at_least()).to_string(),
        }
    }
}
