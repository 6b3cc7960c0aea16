//! How a rate changes from one side of a comparison to another, and how sure that is.
//!
//! The measure is the logarithm of the ratio of two rates, with its interval. Hits come in bursts, so the samples (the recordings of
//! a side, or windows within recordings) show how much a rate varies. Nothing assumes that hits are independent, which makes
//! the variance only larger: it is at least that of independent hits.

use super::moderation::{Variance, moderated};
use crate::stats::{discoveries, mean};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The share of the listed changes that may be false, on average.
pub const FALSE_SHARE: f64 = 0.05;

/// The level of the tests. Half of the promised share is kept back, because the logarithms of few and rare hits are not normal.
const LEVEL: f64 = FALSE_SHARE / 2.0;

/// The change of a rate from one side to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateChange {
    /// The sides, by their place.
    pub from: usize,
    /// The side to compare with `from`.
    pub to: usize,
    /// The difference of the rates, in hits per second.
    pub difference: f64,
    /// The ratio of the rates. `None` (in JSON null) if there are no hits in `from`.
    pub times: Option<f64>,
    /// The interval of the ratio, with half a hit added to each sample. Of the intervals of all listed changes, at least 95 % contain
    /// the truth.
    pub interval: [f64; 2],
    /// The probability of so large a change by chance, of this row alone.
    pub p: f64,
    /// Whether it is beyond the variation of the samples: its interval does not contain 1.
    pub is_sure: bool,
}

impl RateChange {
    /// The end of the interval that is nearer to 1, but not beyond the ratio itself: the change is at least as large.
    pub fn at_least(&self) -> f64 {
        let [low, high] = self.interval;
        match self.times {
            _ if low <= 1.0 && high >= 1.0 => 1.0,
            None => low,
            Some(times) if low > 1.0 => low.min(times),
            Some(times) => high.max(times),
        }
    }

    /// How surprising it is: the distance of `at_least` from 1, on a scale on which doubling is as much as halving.
    pub fn surprise(&self) -> f64 {
        if self.is_sure { self.at_least().ln().abs() } else { 0.0 }
    }
}

/// The rate of a row in one recording, or in one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// The logarithm of the hits per second, to which half a hit is added.
    pub log: f64,
    /// The variance that the logarithm has at least: that of independent hits.
    pub least: f64,
}

/// A row: the samples and the rate of each side. A side has no samples if the row was not captured there.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples {
    pub sides: Vec<Vec<Sample>>,
    pub rates: Vec<f64>,
}

/// The largest change of each row, corrected for changes by chance. `between` is the standard deviation that sides usually have.
/// `None` for rows that have no two sides with samples, or only one sample in each.
pub(super) fn changes(rows: &[Samples], between: f64) -> Vec<Option<RateChange>> {
    let variances: Vec<Variance> = rows.iter().map(variance).collect();
    let moderated = moderated(&variances);
    let rows = || rows.iter().zip(&moderated);
    let tests: Vec<Vec<Test>> = rows().map(|(row, variance)| tests(row, *variance, between)).collect();
    // Of several pairs of sides, the surest one counts. So each pair gets a part of the level.
    let p = |tests: &[Test]| tests.iter().map(|test| test.p * tests.len() as f64).fold(1.0, f64::min);
    let tested = || tests.iter().filter(|tests| !tests.is_empty());
    let (all, found) = (tested().count(), discoveries(tested().map(|tests| p(tests)), LEVEL));
    // The intervals at this level do not contain 1 exactly if the change is a discovery (Benjamini and Yekutieli, "False discovery
    // rate–adjusted multiple confidence intervals for selected parameters", J. Am. Stat. Assoc. 100, 2005).
    let level = LEVEL * found.max(1) as f64 / all.max(1) as f64;
    let change = |(tests, (row, _)): (&Vec<Test>, (&Samples, _))| {
        let changes = tests.iter().map(|test| test.change(row, level / tests.len() as f64));
        changes.max_by(|a, b| a.surprise().total_cmp(&b.surprise()).then(b.p.total_cmp(&a.p)))
    };
    tests.iter().zip(rows()).map(change).collect()
}

/// A comparison of two sides.
struct Test {
    from: usize,
    to: usize,
    /// The difference of the logarithms, and its standard error.
    difference: f64,
    error: f64,
    distribution: StudentsT,
    p: f64,
}

impl Test {
    /// The change, with its interval at this level.
    fn change(&self, row: &Samples, level: f64) -> RateChange {
        let &Test { from, to, difference, error, ref distribution, p } = self;
        let within = -distribution.inverse_cdf(level / 2.0) * error;
        let (before, after) = (row.rates[from], row.rates[to]);
        // Windows with bursts can go one way, and their sum the other. Then neither is sure.
        let is_sure = p <= level && (after - before) * difference > 0.0;
        RateChange {
            from,
            to,
            difference: after - before,
            times: (before > 0.0).then(|| after / before),
            interval: [(difference - within).exp(), (difference + within).exp()],
            p,
            is_sure,
        }
    }
}

fn mean_of(samples: &[Sample]) -> f64 {
    mean(&samples.iter().map(|sample| sample.log).collect::<Vec<_>>())
}

fn variance(row: &Samples) -> Variance {
    let sides = || row.sides.iter().filter(|side| !side.is_empty());
    let squares = |side: &Vec<Sample>| {
        let mean = mean_of(side);
        side.iter().map(|sample| (sample.log - mean).powi(2)).sum::<f64>()
    };
    let freedom: usize = sides().map(|side| side.len() - 1).sum();
    let all: Vec<f64> = sides().flatten().map(|sample| sample.log).collect();
    let variance = if freedom > 0 { sides().map(squares).sum::<f64>() / freedom as f64 } else { 0.0 };
    Variance { rate: mean(&all), variance, freedom: freedom as f64 }
}

/// The mean logarithm of a side, with the variance of this mean.
struct SideMean {
    place: usize,
    log: f64,
    variance: f64,
}

fn tests(row: &Samples, variance: Variance, between: f64) -> Vec<Test> {
    let Ok(distribution) = StudentsT::new(0.0, 1.0, variance.freedom) else { return Vec::new() };
    let of_side = |(place, side): (usize, &Vec<Sample>)| {
        let least = mean(&side.iter().map(|sample| sample.least).collect::<Vec<_>>());
        SideMean { place, log: mean_of(side), variance: variance.variance.max(least) / side.len() as f64 }
    };
    let sides = row.sides.iter().enumerate().filter(|(_, side)| !side.is_empty());
    let sides: Vec<SideMean> = sides.map(of_side).collect();
    let pairs =
        sides.iter().enumerate().flat_map(|(number, from)| sides[number + 1..].iter().map(move |to| (from, to)));
    let test = |(from, to): (&SideMean, &SideMean)| {
        let difference = to.log - from.log;
        let error = (from.variance + to.variance + 2.0 * between * between).sqrt();
        let p = 2.0 * distribution.cdf(-(difference / error).abs());
        Test { from: from.place, to: to.place, difference, error, distribution, p }
    };
    pairs.map(test).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;

    /// Recordings of tracepoints whose hits come in bursts, and whose rates vary.
    struct Machine {
        random: Rng,
    }

    /// A tracepoint: the bursts in a sample, the hits of a burst, and the standard deviation of the logarithm of its rate between samples.
    #[derive(Clone, Copy)]
    struct Source {
        bursts: f64,
        burst: f64,
        deviation: f64,
    }

    impl Machine {
        fn normal(&mut self) -> f64 {
            (0..12).map(|_| self.random.f64()).sum::<f64>() - 6.0
        }

        fn poisson(&mut self, mean: f64) -> f64 {
            if mean > 50.0 {
                return (mean + mean.sqrt() * self.normal()).round().max(0.0);
            }
            let (mut number, mut product, limit) = (0.0, self.random.f64(), (-mean).exp());
            while product > limit {
                number += 1.0;
                product *= self.random.f64();
            }
            number
        }

        fn sources(&mut self, number: usize) -> Vec<Source> {
            let any = |random: &mut Rng, from: f64, to: f64| (from.ln() + (to / from).ln() * random.f64()).exp();
            let random = &mut self.random;
            let source = |_| Source {
                bursts: any(random, 0.3, 3_000.0),
                burst: any(random, 1.0, 100.0),
                deviation: any(random, 0.02, 0.5),
            };
            (0..number).map(source).collect()
        }

        /// The hits in one sample, which lasts for a second.
        fn hits(&mut self, source: Source, times: f64) -> f64 {
            let rate = times * source.bursts * (source.deviation * self.normal()).exp();
            // The lengths of bursts vary as much as their mean.
            let bursts = self.poisson(rate);
            if bursts > 50.0 {
                return (source.burst * (bursts + bursts.sqrt() * self.normal())).ceil().max(0.0);
            }
            (0..bursts as usize).map(|_| (-source.burst * self.random.f64().max(1e-12).ln()).ceil()).sum()
        }

        /// A row with so many samples on each side, where the rate is `times` as high on the last side.
        fn row(&mut self, source: Source, sides: &[usize], times: f64) -> Samples {
            let mut row = Samples::default();
            for (side, samples) in sides.iter().enumerate() {
                let times = if side + 1 == sides.len() { times } else { 1.0 };
                let hits: Vec<f64> = (0..*samples).map(|_| self.hits(source, times)).collect();
                let sample = |hits: &f64| Sample { log: (hits + 0.5).ln(), least: 1.0 / (hits + 0.5) };
                row.rates.push(mean(&hits));
                row.sides.push(hits.iter().map(sample).collect());
            }
            row
        }
    }

    fn sure(changes: &[Option<RateChange>]) -> Vec<usize> {
        (0..changes.len()).filter(|row| changes[*row].as_ref().is_some_and(|change| change.is_sure)).collect()
    }

    /// In how many of 100 comparisons of equal recordings any row changes.
    fn false_alarms(sides: &[usize], between: f64, seed: u64) -> usize {
        let mut machine = Machine { random: Rng::with_seed(seed) };
        let has_change = |_: &i32| {
            let sources = machine.sources(150);
            let rows: Vec<Samples> = sources.into_iter().map(|source| machine.row(source, sides, 1.0)).collect();
            !sure(&changes(&rows, between)).is_empty()
        };
        (0..100).filter(has_change).count()
    }

    #[test]
    fn of_100_equal_pairs_at_most_the_promised_share_shows_any_change() {
        let promised = (100.0 * FALSE_SHARE) as usize;
        // Repeats on both sides, more of them on one, and windows within two recordings or within three.
        for (sides, between) in
            [(&[5, 5][..], 0.0), (&[3, 3], 0.0), (&[2, 2], 0.0), (&[2, 6], 0.0), (&[10, 10], 0.1), (&[10, 20, 10], 0.1)]
        {
            let alarms = false_alarms(sides, between, 25);
            assert!(alarms <= promised, "{sides:?}: {alarms}");
        }
    }

    #[test]
    fn a_fifth_more_is_found_in_five_repeats_and_little_else() {
        let mut machine = Machine { random: Rng::with_seed(3) };
        let (mut found, mut others) = (0, 0);
        for _ in 0..20 {
            let mut sources = machine.sources(150);
            // A machine that is steadier than above.
            sources.iter_mut().for_each(|source| source.deviation /= 5.0);
            // The planted ones: a frequent tracepoint, whose rate varies by 3 %.
            let planted = Source { bursts: 20_000.0, burst: 1.0, deviation: 0.03 };
            sources[..5].fill(planted);
            let times = |row: usize| if row < 5 { 1.2 } else { 1.0 };
            let rows: Vec<Samples> =
                sources.into_iter().enumerate().map(|(row, source)| machine.row(source, &[5, 5], times(row))).collect();
            let sure = sure(&changes(&rows, 0.0));
            found += sure.iter().filter(|row| **row < 5).count();
            others += sure.iter().filter(|row| **row >= 5).count();
        }
        assert!(found >= 90, "{found} of 100");
        assert!(others as f64 <= FALSE_SHARE * (found + others) as f64, "{others} of {}", found + others);
    }

    #[test]
    fn the_interval_excludes_1_exactly_if_the_change_is_sure_and_contains_the_truth() {
        let mut machine = Machine { random: Rng::with_seed(4) };
        let source = Source { bursts: 500.0, burst: 10.0, deviation: 0.1 };
        let rows: Vec<Samples> = (0..200).map(|row| machine.row(source, &[4, 4], 1.0 + row as f64 / 100.0)).collect();
        let changes = changes(&rows, 0.0);
        let mut contained = 0;
        for (row, change) in changes.iter().enumerate() {
            let RateChange { interval: [low, high], is_sure, .. } = change.clone().unwrap();
            assert_eq!(low > 1.0 || high < 1.0, is_sure, "{change:?}");
            contained += usize::from(low < 1.0 + row as f64 / 100.0 && 1.0 + row as f64 / 100.0 < high);
        }
        assert!((185..=200).contains(&contained), "{contained}");
    }

    #[test]
    fn hits_on_one_side_only_come_first_unless_they_are_one_burst() {
        let sample = |hits: f64| Sample { log: (hits + 0.5f64).ln(), least: 1.0 / (hits + 0.5) };
        let row = |before: [f64; 10], after: [f64; 10]| Samples {
            rates: vec![mean(&before), mean(&after)],
            sides: [before, after].map(|side| side.map(sample).to_vec()).to_vec(),
        };
        let mut burst = [0.0; 10];
        burst[3] = 9_000.0;
        let rows = [
            row([0.0; 10], [300.0; 10]),
            row([0.0; 10], burst),
            row([100.0; 10], [300.0; 10]),
            row([300.0; 10], [0.0; 10]),
            row([100.0; 10], [101.0; 10]),
        ];
        let changes: Vec<RateChange> = changes(&rows, 0.1).into_iter().flatten().collect();
        assert_eq!(changes.iter().map(|change| change.is_sure).collect::<Vec<_>>(), [true, false, true, true, false]);
        assert_eq!((changes[0].times, changes[3].times), (None, Some(0.0)));
        assert!(changes[0].surprise() > changes[2].surprise() && changes[2].at_least() > 1.5, "{changes:?}");
        assert!((changes[0].surprise() - changes[3].surprise()).abs() < 1e-9, "none and all are as surprising");
        assert_eq!((changes[1].at_least(), changes[4].surprise()), (1.0, 0.0));
    }

    #[test]
    fn a_row_without_samples_on_a_side_is_not_judged() {
        let sample = Sample { log: 3.0, least: 0.1 };
        let row = |sides: [usize; 2]| Samples {
            rates: vec![1.0, 1.0],
            sides: sides.map(|samples| vec![sample; samples]).to_vec(),
        };
        let judged = changes(&[row([0, 5]), row([1, 1]), row([1, 2])], 0.0);
        assert_eq!(judged.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, true]);
    }
}
