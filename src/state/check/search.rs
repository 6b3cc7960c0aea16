//! Searches a source for differences from the learned states, by tracepoint and by whole windows.

use super::blocks::{Blocks, nearest};
use super::dating::Dating;
use super::spread::{Measure, Spread, Test, Usual};
use super::{BLOCK, Finding, FindingKind, LEAST_IN_A_ROW};
use crate::state::identify::Identification;
use crate::state::{Answer, Name};

/// A window is unlike a state if the p-value of the five windows around it is at most this.
const UNLIKE: f64 = 0.01;

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

/// Runs of consecutive windows that are unlike all allowed states. A run needs ten windows, or two blocks if these
/// are shorter. Windows that lost too many events to be judged count as normal.
pub(super) fn unlike(identification: &Identification, allowed: &[usize], block: usize) -> Vec<Finding> {
    let least = BLOCK.min(LEAST_IN_A_ROW * block);
    let best = |answer: &Answer| match answer.is_judged() {
        true => {
            let opinions = allowed.iter().filter_map(|state| answer.opinions[*state]);
            opinions.map(|opinion| opinion.p.unwrap_or(1.0)).fold(0.0, f64::max)
        }
        false => 1.0,
    };
    let p_values: Vec<f64> = identification.answers.iter().map(best).collect();
    let is_unlike: Vec<bool> = p_values.iter().map(|p| *p <= UNLIKE).collect();
    let mut findings = Vec::new();
    let mut from = 0;
    for run in is_unlike.chunk_by(|a, b| a == b) {
        let to = from + run.len();
        if run[0] && run.len() >= least {
            let state = allowed[nearest(identification, allowed, from..to)];
            let (looks, name) =
                (identification.looks(from..to), |state: usize| identification.states.states[state].name.clone());
            let distances =
                identification.answers[from..to].iter().filter_map(|answer| answer.opinions[state].as_ref());
            findings.push(Finding {
                kind: FindingKind::Composition,
                tracepoint: None,
                state: name(state),
                looks_like: looks.states.first().copied().map(name),
                nearest: looks.nearest.map(name),
                because: identification.against(state, from..to),
                from,
                to,
                here: distances.map(|opinion| opinion.distance).sum::<f64>() / run.len() as f64,
                learned: None,
                p: p_values[from..to].iter().copied().fold(0.0, f64::max),
            });
        }
        from = to;
    }
    findings
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
