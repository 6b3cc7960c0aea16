use super::*;

const SECOND: Duration = Duration::from_secs(1);
const COST: HitCost = HitCost { counted_ns: 150.0, off_ns: 20.0, switch_ns: 30_000.0, measured: true };

/// A machine with two CPUs and these rates, under a budget.
struct BudgetedMachine {
    budget: Budget,
    rungs: BTreeMap<Tpid, Rung>,
    moves: usize,
    part: f64,
}

impl BudgetedMachine {
    fn new(part: f64) -> Self {
        BudgetedMachine { budget: Budget::new(Some(part), 2, COST), rungs: BTreeMap::new(), moves: 0, part }
    }

    /// A second with these rates. Returns its cost, as a part of the budget.
    fn second(&mut self, rates: &[f64]) -> f64 {
        let seen: Vec<SeenHits> = (1..)
            .map(Tpid::new)
            .zip(rates)
            .map(|(tpid, rate)| {
                let rung = self.rungs.get(&tpid).copied().unwrap_or(Rung::Counted);
                SeenHits { tpid, hits: (rung != Rung::Detached).then_some(*rate), rung }
            })
            .collect();
        let own = Duration::from_micros(400);
        let visited = self.budget.visited();
        let with_visits =
            own + Duration::from_nanos((self.budget.cost.switching() / 2.0) as u64) * u32::from(visited > 0.0);
        let cost = self.budget.cost.of_window(seen.iter().map(SeenHits::known), SECOND, visited, with_visits);
        let moves = self.budget.decide(&seen, SECOND, own);
        self.moves += moves.len();
        moves.into_iter().for_each(|it| {
            self.rungs.insert(it.tpid, it.to);
        });
        cost / self.part
    }

    fn on(&self, rung: Rung) -> usize {
        self.rungs.values().filter(|it| **it == rung).count()
    }
}

/// A build: the ten hottest tracepoints make most of the hits.
fn build() -> Vec<f64> {
    (0..300).map(|n| 190_000.0 * 0.7f64.powi(n) + 20.0).collect()
}

/// Ten times as many hits as in a build.
fn storm() -> Vec<f64> {
    build().iter().map(|rate| rate * 10.0).collect()
}

#[test]
fn an_idle_machine_is_counted_as_a_whole() {
    let mut machine = BudgetedMachine::new(0.01);
    for _ in 0..100 {
        assert!(machine.second(&[100.0; 300]) < 1.0);
    }
    assert_eq!((machine.moves, machine.budget.visited()), (0, 0.0));
}

#[test]
fn after_a_step_the_cost_is_within_the_budget_in_the_second_window() {
    let mut machine = BudgetedMachine::new(0.01);
    for _ in 0..20 {
        machine.second(&[5.0; 300]);
    }
    let first = machine.second(&build());
    assert!(first > 3.0, "the step costs {first} times the budget");
    for second in 0..600 {
        let cost = machine.second(&build());
        assert!(cost <= 1.0, "in second {second}, the cost is {cost} times the budget");
    }
    assert!((1..25).contains(&machine.on(Rung::Visited)) && machine.on(Rung::Detached) == 0);
    assert!(machine.budget.visited() >= LEAST_VISITED);
    // Nothing moves to and fro in ten minutes of the same load.
    assert!(machine.moves < 60, "{} moves", machine.moves);
}

#[test]
fn when_the_load_ends_all_tracepoints_return_one_after_another() {
    let mut machine = BudgetedMachine::new(0.01);
    for _ in 0..10 {
        machine.second(&build());
    }
    assert!(machine.on(Rung::Visited) > 0);
    for _ in 0..300 {
        // Some are silent, and return too.
        let calm: Vec<f64> = (0..300).map(|n| f64::from(n % 3)).collect();
        assert!(machine.second(&calm) < 1.0);
    }
    assert_eq!((machine.on(Rung::Visited), machine.on(Rung::Detached)), (0, 0));
}

#[test]
fn a_budget_that_visits_cannot_hold_detaches_the_hottest() {
    let mut machine = BudgetedMachine::new(0.001);
    let storm = storm();
    for _ in 0..3 {
        machine.second(&storm);
    }
    assert!(machine.on(Rung::Detached) > 0);
    // It is tried again from time to time, and leaves at once.
    let over = (0..600).filter(|_| machine.second(&storm) > 1.0).count();
    assert!(over < 60, "{over} of 600 seconds are over the budget");
}

#[test]
fn a_budget_below_the_cost_of_ticks_still_limits_the_cost_of_hits() {
    let mut machine = BudgetedMachine::new(0.0001);
    for _ in 0..60 {
        machine.second(&build());
    }
    // The ticks alone cost twice the budget.
    assert!((2.0..2.5).contains(&machine.second(&build())), "{} detached", machine.on(Rung::Detached));
    assert!(machine.on(Rung::Detached) > 0);
}

#[test]
fn after_a_storm_the_detached_ones_return_within_minutes() {
    let mut machine = BudgetedMachine::new(0.001);
    let storm = storm();
    for _ in 0..20 {
        machine.second(&storm);
    }
    let detached = machine.on(Rung::Detached);
    assert!(detached > 12, "only {detached} are detached");
    for _ in 0..600 {
        machine.second(&[0.1; 300]);
    }
    assert!(machine.on(Rung::Detached) < detached / 4, "{} of {detached} are detached", machine.on(Rung::Detached));
}

#[test]
fn one_storm_does_not_take_the_others_with_it() {
    let mut machine = BudgetedMachine::new(0.01);
    let mut rates = vec![4_000.0; 20];
    rates[7] = 2_000_000.0;
    (0..5).for_each(|_| {
        machine.second(&rates);
    });
    let expected = [(Tpid::new(8), Rung::Detached)];
    assert_eq!(machine.rungs.into_iter().collect::<Vec<_>>(), expected, "even off, it costs more than the budget");
}

#[test]
fn a_load_that_comes_and_goes_does_not_make_tracepoints_flap() {
    let mut machine = BudgetedMachine::new(0.01);
    let (busy, calm) = (build(), vec![5.0; 300]);
    for second in 0..1_200 {
        machine.second(if second / 7 % 2 == 0 { &busy } else { &calm });
    }
    assert!(machine.moves < 20 * 60, "{} moves in twenty minutes", machine.moves);
}
