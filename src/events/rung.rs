//! How closely a tracepoint is watched, and the estimate of its hits if it is watched a part of the time.

use serde::{Deserialize, Serialize};

/// How a tracepoint is watched at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// Each hit is counted.
    Counted,
    /// Hits are counted in short visits at random times.
    Visited,
    /// Hits are not counted, and cost nothing.
    Detached,
}

impl Rung {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Rung::Counted => "counted",
            Rung::Visited => "visited",
            Rung::Detached => "detached",
        }
    }
}

/// Visits in a window: times at which hits were counted, and the hits in each.
///
/// The estimate of the rate is the ratio of all hits to all time. Its variance comes from the differences between the
/// visits (the ratio estimator; Cochran, *Sampling Techniques*, 1977, chapter 6). The visits of one window may all miss a
/// rare burst, so the variance is at least that of the earlier visits, and at least that of a Poisson process.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Visits {
    number: f64,
    /// The sums over the visits: of the time in nanoseconds, of the hits, and of their squares and product.
    time: f64,
    hits: f64,
    time_squared: f64,
    hits_squared: f64,
    product: f64,
}

/// An estimated number of hits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimated {
    /// The estimate.
    pub hits: f64,
    /// Its variance; infinite if one visit or none was made.
    pub variance: f64,
}

impl Visits {
    /// Adds a visit of `time` nanoseconds, in which `hits` were counted.
    pub fn add(&mut self, time: u64, hits: u64) {
        let (time, hits) = (time as f64, hits as f64);
        self.number += 1.0;
        self.time += time;
        self.hits += hits;
        self.time_squared += time * time;
        self.hits_squared += hits * hits;
        self.product += time * hits;
    }

    /// The time of all visits in nanoseconds.
    pub fn time(&self) -> f64 {
        self.time
    }

    /// Adds these visits to earlier ones, of which only this part counts.
    pub fn after(&self, earlier: Visits, part: f64) -> Visits {
        Visits {
            number: self.number + part * earlier.number,
            time: self.time + part * earlier.time,
            hits: self.hits + part * earlier.hits,
            time_squared: self.time_squared + part * earlier.time_squared,
            hits_squared: self.hits_squared + part * earlier.hits_squared,
            product: self.product + part * earlier.product,
        }
    }

    /// The variance of the hits in a visit beside the usual number for its time.
    fn between(&self) -> f64 {
        if self.number < 2.0 || self.time <= 0.0 {
            return 0.0;
        }
        let rate = self.hits / self.time;
        let residuals = self.hits_squared - 2.0 * rate * self.product + rate * rate * self.time_squared;
        residuals.max(0.0) / (self.number - 1.0)
    }

    /// The hits to expect in a window without visits of its own.
    fn expected(&self, window: f64) -> Estimated {
        if self.number < 2.0 || self.time <= 0.0 {
            let rate = if self.time > 0.0 { self.hits / self.time } else { 0.0 };
            return Estimated { hits: rate * window, variance: f64::INFINITY };
        }
        let hits = self.hits / self.time * window;
        // The rate is uncertain, and so are the hits of the window itself.
        let of_rate = self.number * self.between() / (self.time * self.time) * window * window;
        let of_window = self.between() * window * self.number / self.time;
        Estimated { hits, variance: 4.0 * (of_rate + of_window) + hits + 1.0 }
    }

    /// Estimates the hits in a window of this many nanoseconds, in which these visits were made. `earlier` are visits
    /// before the window.
    pub fn estimate(&self, window: u64, earlier: Visits) -> Estimated {
        let (window, number) = (window as f64, self.number);
        if number < 2.0 || self.time <= 0.0 {
            return self.after(earlier, 1.0).expected(window);
        }
        let rate = self.hits / self.time;
        let between = number * self.between().max(earlier.between()) / (self.time * self.time);
        let poisson = (self.hits + 1.0) / (self.time * self.time);
        // Student's t is wider than the normal distribution that users of the variance assume: by the squared ratio of
        // their quantiles for 95 %, of which the ratio of the variances is a good approximation from four visits on.
        let few = match number {
            number if number > 3.5 => (number - 1.0) / (number - 3.0),
            number if number > 2.5 => 4.9,
            _ => 42.0,
        };
        // The visits are a part of the window, and that part is known.
        let unknown = (1.0 - self.time / window).max(0.0);
        Estimated { hits: rate * window, variance: between.max(poisson) * few * unknown * window * window }
    }
}

impl Estimated {
    /// The 95 % interval of the hits, as far as the normal distribution describes them.
    pub fn interval(&self) -> (f64, f64) {
        let half = 1.96 * self.variance.sqrt();
        ((self.hits - half).max(0.0), self.hits + half)
    }

    /// The sum of estimates of the same time. The same visits made them, so their errors may all have the same sign.
    pub fn together_with(self, other: Estimated) -> Estimated {
        let deviation = self.variance.sqrt() + other.variance.sqrt();
        Estimated { hits: self.hits + other.hits, variance: deviation * deviation }
    }

    /// The sum of independent estimates, such as those of different times.
    pub fn plus(self, other: Estimated) -> Estimated {
        Estimated { hits: self.hits + other.hits, variance: self.variance + other.variance }
    }
}

/// A tracepoint that was watched a part of a window, or not at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Partly {
    /// The tracepoint.
    pub tpid: crate::tracefs::Tpid,
    /// How it was watched.
    pub rung: Rung,
    /// The part of the window in which it was watched, from 0 to 1.
    pub watched: f64,
    /// Its hits in the whole window. `None` if it was not watched.
    pub estimated: Option<Estimated>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;

    /// A window of a second, in steps of 10 µs. The process comes in bursts: about every 3 ms, it is busy or calm.
    fn process(random: &mut Rng) -> Vec<u16> {
        let mut rate = 0.2;
        let hit = |_| {
            if random.f64() < 1.0 / 300.0 {
                rate = if random.bool() { 0.02 } else { 0.5 };
            }
            u16::from(random.f64() < rate)
        };
        (0..100_000).map(hit).collect()
    }

    #[test]
    fn the_interval_contains_the_truth_nineteen_times_in_twenty() {
        let mut random = Rng::with_seed(7);
        let (mut within, mut windows, mut bias) = (0, 0, 0.0);
        for _ in 0..600 {
            let hits = process(&mut random);
            let truth: u64 = hits.iter().map(|hit| u64::from(*hit)).sum();
            let mut visits = Visits::default();
            // Twenty visits of 2 ms, each at a random time in a twentieth of the window.
            for stratum in 0..20 {
                let from = stratum * 5_000 + random.usize(..4_800);
                let counted = hits[from..from + 200].iter().map(|hit| u64::from(*hit)).sum();
                visits.add(2_000_000, counted);
            }
            let estimated = visits.estimate(1_000_000_000, Visits::default());
            let (low, high) = estimated.interval();
            within += u32::from((low..=high).contains(&(truth as f64)));
            bias += estimated.hits / truth as f64 - 1.0;
            windows += 1;
        }
        assert!(within * 100 >= windows * 93, "{within} of {windows}");
        assert!((bias / f64::from(windows)).abs() < 0.025, "{bias}");
    }

    #[test]
    fn few_visits_say_little() {
        let mut visits = Visits::default();
        assert_eq!(visits.estimate(1_000, Visits::default()), Estimated { hits: 0.0, variance: f64::INFINITY });
        visits.add(100, 5);
        assert_eq!(visits.estimate(1_000, Visits::default()), Estimated { hits: 50.0, variance: f64::INFINITY });
        assert_eq!(visits.estimate(1_000, Visits::default()).interval(), (0.0, f64::INFINITY));
        let mut none = Visits::default();
        (0..10).for_each(|_| none.add(100, 0));
        // Nothing in a tenth of the time does not prove that nothing came in the rest.
        let (low, high) = none.estimate(10_000, Visits::default()).interval();
        assert!(low == 0.0 && high > 10.0, "{high}");
        // Earlier visits show that bursts come.
        let mut bursts = Visits::default();
        (0..30).for_each(|number| bursts.add(100, if number % 10 == 0 { 5_000 } else { 0 }));
        assert!(none.estimate(10_000, bursts).interval().1 > 10.0 * high);
        let half = bursts.after(bursts, 0.5);
        assert!((half.hits - 1.5 * bursts.hits).abs() < 1e-9 && (half.between() / bursts.between() - 1.0).abs() < 0.05);
        // Without visits of its own, a window is expected to be as the earlier ones.
        let (low, high) = Visits::default().estimate(1_000, half).interval();
        let expected = 1_000.0 * bursts.hits / bursts.time;
        assert!(low <= expected && expected < high && high.is_finite(), "{low} to {high}");
        let one = Estimated { hits: 5.0, variance: 4.0 };
        assert_eq!(one.together_with(one), Estimated { hits: 10.0, variance: 16.0 });
        assert_eq!(one.plus(one), Estimated { hits: 10.0, variance: 8.0 });
        // What was watched all the time is known.
        assert_eq!(none.estimate(1_000, Visits::default()).variance, 0.0);
    }
}
