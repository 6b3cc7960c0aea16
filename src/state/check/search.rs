//! Searches a source for differences from the learned states, tracepoint by tracepoint.

use super::blocks::Blocks;
use super::dating::Dating;
use super::spread::{Measure, Spread, Test, Usual};
use super::{Finding, FindingKind};
use crate::state::Name;
use crate::state::identify::Identification;

/// The input of a search.
pub(super) struct Search<'a> {
    pub identification: &'a Identification,
    /// The states in which the source should be.
    pub allowed: &'a [usize],
    /// By allowed state.
    pub spreads: &'a [Spread],
    pub blocks: &'a Blocks,
    /// A test whose p-value is above this level is within the learned range.
    pub level: f64,
    /// Consecutive blocks that an alarm needs.
    pub in_a_row: usize,
}

impl Search<'_> {
    /// The finding for a tracepoint. If its rate and its share are both outside their learned ranges, it is about the rate.
    pub fn of_tracepoint(&self, name: Name) -> Option<Finding> {
        let found = [Measure::Rate, Measure::Share].into_iter().find_map(|measure| self.persisting(name, measure))?;
        let Persisting { first, last, least: Tested { state, measure, test, .. } } = found;
        let allowed = &self.identification.states.states[self.allowed[state]];
        let dating = Dating { windows: &self.identification.windows, block: self.blocks.size, name, measure };
        let windows = dating.windows_of(first, last, allowed.parts().iter().map(|part| &part.windows[..]));
        let kind = match (test.learned[2] == 0.0, dating.value(&windows, Measure::Rate) == 0.0, measure) {
            (true, ..) => FindingKind::New,
            (_, true, _) => FindingKind::Vanished,
            (.., Measure::Rate) => FindingKind::Rate,
            (.., Measure::Share) => FindingKind::Share,
        };
        // New and vanished tracepoints are reported with their rates.
        let told = if kind == FindingKind::Share { Measure::Share } else { Measure::Rate };
        Some(Finding {
            kind,
            tracepoint: Some(self.identification.names.name(name).unwrap_or_default().to_owned()),
            state: allowed.name.clone(),
            looks_like: None,
            nearest: None,
            because: Vec::new(),
            from: windows.start,
            to: windows.end,
            here: dating.value(&windows, told),
            learned: Some(self.spreads[state].of_tracepoint(name, told).learned()),
            p: test.p,
        })
    }

    /// The consecutive blocks in which one measure of a tracepoint stays outside its learned range long
    /// enough for an alarm.
    fn persisting(&self, name: Name, measure: Measure) -> Option<Persisting> {
        let usual: Vec<Usual> = self.spreads.iter().map(|spread| spread.of_tracepoint(name, measure)).collect();
        let test = |&(index, state): &(usize, usize)| {
            let test = usual[state].test(&self.blocks.all[index]);
            Tested { index, state, measure, test }
        };
        let tested: Vec<Tested> = self.blocks.held.iter().map(test).collect();
        persisting(&tested, self.level, self.in_a_row)
    }
}

/// The test of one block against its nearest state.
#[derive(Clone, Copy)]
struct Tested {
    index: usize,
    state: usize,
    measure: Measure,
    test: Test,
}

/// Consecutive blocks that deviate from one state in the same direction.
struct Persisting {
    first: usize,
    last: usize,
    /// The block with the smallest deviation.
    least: Tested,
}

/// The least likely run of blocks that is long enough for an alarm. All its blocks deviate from the same
/// state in the same direction. Blocks that lost too many events are missing from `tested`, so they do not
/// interrupt a run.
fn persisting(tested: &[Tested], level: f64, in_a_row: usize) -> Option<Persisting> {
    let side = |Tested { state, test, .. }: &Tested| (test.p <= level).then_some((test.is_more, *state));
    let out = tested.chunk_by(|a, b| side(a) == side(b)).filter(|run| side(&run[0]).is_some() && run.len() >= in_a_row);
    let persisting = out.map(|run| Persisting {
        first: run[0].index,
        last: run[run.len() - 1].index,
        least: *run.iter().max_by(|a, b| a.test.p.total_cmp(&b.test.p)).expect("a run has blocks"),
    });
    persisting.min_by(|a, b| a.least.test.p.total_cmp(&b.least.test.p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_two_states_are_no_run() {
        let run = |blocks: [(usize, usize); 4]| {
            let tested = blocks.iter().zip([0.9, 1e-9, 1e-7, 0.9]).map(|((index, state), p)| Tested {
                index: *index,
                state: *state,
                measure: Measure::Rate,
                test: Test { learned: [1.0; 3], is_more: true, p },
            });
            let found = persisting(&tested.collect::<Vec<_>>(), 1e-6, 2);
            found.map(|found| (found.first, found.last, found.least.test.p))
        };
        assert_eq!(run([(0, 0), (1, 0), (2, 0), (3, 1)]), Some((1, 2, 1e-7)));
        assert_eq!(run([(0, 0), (1, 0), (2, 1), (3, 1)]), None);
        assert_eq!(
            run([(0, 0), (1, 0), (3, 0), (4, 0)]),
            Some((1, 3, 1e-7)),
            "a block that is missing does not end the run"
        );
    }
}
