//! Searches a source for windows that are unlike all states in which it should be.

use super::blocks::nearest;
use super::{BLOCK, Finding, FindingKind, LEAST_IN_A_ROW};
use crate::state::identify::Identification;
use crate::state::{Answer, LEAST_WINDOWS};
use std::ops::Range;

/// A window is unlike a state if the p-value of the five windows around it is at most this.
pub(in crate::state) const UNLIKE: f64 = 0.01;

/// The findings of runs of consecutive windows that are unlike all allowed states. A run needs ten windows, or two blocks if
/// these are shorter. Windows that lost too many events to be judged count as normal. A run in which the source changes has
/// a finding for each stretch, because each stretch may look like another state.
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
    let begins: Vec<usize> = identification.stretches.iter().map(|stretch| stretch.from).collect();
    let mut findings = Vec::new();
    let mut from = 0;
    for run in is_unlike.chunk_by(|a, b| a == b) {
        let to = from + run.len();
        if run[0] && run.len() >= least {
            let parts = parts(from..to, &begins).into_iter();
            findings.extend(parts.map(|part| finding(identification, allowed, part, &p_values)));
        }
        from = to;
    }
    findings
}

/// Divides a run of windows where a stretch begins. No part is shorter than five windows, unless the run is.
fn parts(run: Range<usize>, begins: &[usize]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut from = run.start;
    for begin in begins {
        if *begin >= from + LEAST_WINDOWS && *begin + LEAST_WINDOWS <= run.end {
            parts.push(from..*begin);
            from = *begin;
        }
    }
    parts.push(from..run.end);
    parts
}

/// The finding of windows that are unlike all allowed states.
fn finding(identification: &Identification, allowed: &[usize], windows: Range<usize>, p_values: &[f64]) -> Finding {
    let state = allowed[nearest(identification, allowed, windows.clone())];
    let looks = identification.looks(windows.clone());
    let name = |state: usize| identification.states.states[state].name.clone();
    let opinions = identification.answers[windows.clone()].iter().filter_map(|answer| answer.opinions[state].as_ref());
    Finding {
        kind: FindingKind::Composition,
        tracepoint: None,
        state: name(state),
        looks_like: looks.states.first().copied().map(name),
        nearest: looks.nearest.map(name),
        because: identification.against(state, windows.clone()),
        from: windows.start,
        to: windows.end,
        here: opinions.map(|opinion| opinion.distance).sum::<f64>() / windows.len() as f64,
        learned: None,
        p: p_values[windows].iter().copied().fold(0.0, f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_divided_where_stretches_begin() {
        let begins = [0, 8, 20, 23, 40];
        assert_eq!(parts(10..50, &begins), [10..20, 20..40, 40..50]);
        assert_eq!(parts(17..43, &begins), [17..23, 23..43], "no part is shorter than five windows");
        assert_eq!(parts(0..18, &begins), [0..8, 8..18]);
        assert_eq!(parts(10..18, &begins).len(), 1);
    }
}
