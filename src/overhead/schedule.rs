//! The order of the runs: random and balanced.
//!
//! A drift over the runs (such as a machine that warms up), and the effects of one run on the next, must affect
//! all arms equally. So each arm takes each place in a round equally often.
//!
//! A run with nothing attached must wait until the kernel has detached all tracepoints, which can take a minute.
//! If such a run could take any place, a round would need up to two changes between attached and detached. So it is
//! the first or the last run of its round, each in half of the rounds:
//!
//! ```text
//!   attached    ─ off, count, record ┐                   ┌ record, off, count ── …
//!   detached                         └ nothing │ nothing ┘
//!                          round 1             │           round 2
//! ```

use super::Arm;

/// A step of a measurement. It begins with everything attached and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MeasureStep {
    /// Attach all ways again.
    Attach,
    /// Detach everything, and wait until the kernel has done so.
    Detach,
    /// Run COMMAND without measuring it, with all events off.
    WarmUp,
    /// Run COMMAND in this round (from 1) under this arm.
    Run { round: usize, arm: Arm },
}

/// The steps of a measurement. Each round has one run of each arm. The warm-up runs come first. They come again
/// after each wait for a detach, because the machine was idle meanwhile.
pub(super) fn schedule(arms: &[Arm], rounds: usize, warmup: usize, random: &mut fastrand::Rng) -> Vec<MeasureStep> {
    let warm_up = || std::iter::repeat_n(MeasureStep::WarmUp, warmup);
    let mut steps: Vec<_> = warm_up().collect();
    let mut is_attached = true;
    for (round, order) in (1..).zip(orders(arms, rounds, random)) {
        for arm in order {
            match (is_attached, arm == Arm::Nothing) {
                (true, true) => steps.extend([MeasureStep::Detach].into_iter().chain(warm_up())),
                (false, false) => steps.push(MeasureStep::Attach),
                (true, false) | (false, true) => {}
            }
            is_attached = arm != Arm::Nothing;
            steps.push(MeasureStep::Run { round, arm });
        }
    }
    steps
}

/// The order of the arms in each round.
fn orders(arms: &[Arm], rounds: usize, random: &mut fastrand::Rng) -> Vec<Vec<Arm>> {
    let attached: Vec<Arm> = arms.iter().copied().filter(|arm| *arm != Arm::Nothing).collect();
    let mut orders = balanced(&attached, rounds, random);
    if attached.len() < arms.len() {
        for (order, is_first) in orders.iter_mut().zip(nothing_first(rounds, random)) {
            order.insert(if is_first { 0 } else { order.len() }, Arm::Nothing);
        }
    }
    orders
}

/// Orders in which each arm takes each place equally often, or once more: the rows of random Latin squares.
fn balanced(arms: &[Arm], rounds: usize, random: &mut fastrand::Rng) -> Vec<Vec<Arm>> {
    let number = arms.len();
    let mut orders = Vec::new();
    while orders.len() < rounds {
        let (mut arms, mut places) = (arms.to_vec(), (0..number).collect::<Vec<_>>());
        random.shuffle(&mut arms);
        // Without this, each arm would always follow the same one.
        random.shuffle(&mut places);
        orders.extend((0..number).map(|row| places.iter().map(|place| arms[(row + place) % number]).collect()));
    }
    orders.truncate(rounds);
    random.shuffle(&mut orders);
    orders
}

/// For each round, whether the run with nothing attached comes first: in half of the rounds, but not in the first
/// round, because a measurement begins with everything attached. So it notices at once if it may not attach.
fn nothing_first(rounds: usize, random: &mut fastrand::Rng) -> Vec<bool> {
    let odd = random.usize(..2);
    let mut first: Vec<bool> = (0..rounds).map(|round| (round + odd).is_multiple_of(2)).collect();
    random.shuffle(&mut first);
    match first.iter().position(|first| !first) {
        Some(last) => first.swap(0, last),
        None => first.fill(false),
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overhead::Way;

    const ARMS: [Arm; 4] = [Arm::Nothing, Arm::Off, Arm::On(Way::Record), Arm::On(Way::Count)];

    fn random(seed: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(seed)
    }

    #[test]
    fn each_arm_takes_each_place_as_often_in_an_order_that_differs() {
        for arms in [&ARMS[1..], &ARMS[1..3]] {
            for rounds in [1, 6, 7] {
                let all: Vec<_> = (0..20).map(|seed| orders(arms, rounds, &mut random(seed))).collect();
                for orders in &all {
                    assert_eq!(orders.len(), rounds);
                    for (place, arm) in (0..arms.len()).flat_map(|place| arms.iter().map(move |arm| (place, arm))) {
                        let often = orders.iter().filter(|order| order[place] == *arm).count();
                        assert!((rounds / arms.len()..=rounds.div_ceil(arms.len())).contains(&often), "{orders:?}");
                    }
                }
                assert!(all.iter().any(|orders| orders != &all[0]), "the order is random");
            }
        }
    }

    #[test]
    fn each_arm_follows_each_other_one() {
        let follows = |one, other| {
            let orders = (0..20).flat_map(|seed| orders(&ARMS[1..], 3, &mut random(seed)));
            orders.filter(|order| order.windows(2).any(|two| two == [one, other])).count()
        };
        for one in &ARMS[1..] {
            for other in ARMS[1..].iter().filter(|other| *other != one) {
                assert!((10..=30).contains(&follows(*one, *other)), "{other} after {one}");
            }
        }
    }

    #[test]
    fn nothing_is_first_or_last_equally_often_and_last_in_the_first_round() {
        for (seed, rounds) in (0..20).flat_map(|seed| [1, 2, 6, 7].map(|rounds| (seed, rounds))) {
            let orders = orders(&ARMS, rounds, &mut random(seed));
            let first = orders.iter().filter(|order| order[0] == Arm::Nothing).count();
            let last = orders.iter().filter(|order| order[3] == Arm::Nothing).count();
            assert!(first + last == rounds && first.abs_diff(last) <= 1, "{orders:?}");
            assert_eq!(orders[0][3], Arm::Nothing);
        }
    }

    #[test]
    fn everything_is_attached_exactly_while_an_arm_needs_it() {
        for seed in 0..20 {
            let steps = schedule(&ARMS, 6, 2, &mut random(seed));
            let mut is_attached = true;
            let mut since_wait = 0;
            for step in &steps {
                match step {
                    MeasureStep::Attach => assert!(!std::mem::replace(&mut is_attached, true)),
                    MeasureStep::Detach => {
                        assert!(std::mem::replace(&mut is_attached, false));
                        since_wait = 0;
                    }
                    MeasureStep::WarmUp => since_wait += 1,
                    MeasureStep::Run { arm, .. } => {
                        assert_eq!(is_attached, *arm != Arm::Nothing);
                        assert_eq!(since_wait, 2, "COMMAND ran twice after the wait: {steps:?}");
                    }
                }
            }
            let waits = steps.iter().filter(|step| **step == MeasureStep::Detach).count();
            assert!((3..=6).contains(&waits), "at most one wait a round: {waits}");
        }
        let without_nothing = schedule(&ARMS[1..], 4, 1, &mut random(1));
        assert_eq!(without_nothing.len(), 13, "a warm-up, and four rounds of three runs");
        assert!(!without_nothing.contains(&MeasureStep::Attach) && !without_nothing.contains(&MeasureStep::Detach));
    }
}
