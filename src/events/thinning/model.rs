//! How many samples the kernel takes of how many hits of an event, through the steps of its tracepoint. See
//! [`thinning`](super) for what the kernel does.

use super::{EarlierHits, OPENED_WITH, StepOnCpu};

/// The number of hits of an event that became no samples because it was thinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThinnedHits {
    /// At least so many.
    pub least: u64,
    /// At most so many. It differs from `least` if hits came in the microseconds of a step.
    pub most: u64,
}

impl ThinnedHits {
    /// The number that fits best if the samples lack so many of the hits that were counted.
    pub fn of_missing(self, missing: u64) -> u64 {
        missing.clamp(self.least, self.most)
    }
}

/// Follows one event of a tracepoint on one CPU through the steps of its tracepoint. Before the first step, each hit is
/// recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thinning {
    /// The counter at the last step, just before and just after it.
    from: (u64, u64),
    /// The period since then; 0 if the event is closed.
    one_in: u64,
    /// The period before, which still rules the first interval: at least and at most. They differ if a hit came in the
    /// microseconds of a step and may be the only one since the step before.
    last: (u64, u64),
    /// The hits thinned before the last step.
    before: ThinnedHits,
    /// The hits between the last sample and the last step.
    rest: u64,
    /// The hits between the last step and the begin of the recording: the least number, and how many more may be. 0 unless the
    /// recording began on this rung.
    earlier: (u64, u64),
}

impl Default for Thinning {
    fn default() -> Self {
        let last = (OPENED_WITH, OPENED_WITH);
        Thinning { from: (0, 0), one_in: 1, last, before: ThinnedHits::default(), rest: 0, earlier: (0, 0) }
    }
}

impl Thinning {
    /// The recording begins on a rung.
    pub fn begun(one_in: u64, step: StepOnCpu, earlier: EarlierHits) -> Self {
        let EarlierHits { hits, unsure, period: (least, most) } = earlier;
        // A damaged file can have any periods.
        let last = (least.max(OPENED_WITH), most.max(least).max(OPENED_WITH));
        Thinning { from: (step.before, step.after), one_in, last, earlier: (hits, unsure), ..Thinning::default() }
    }

    /// The tracepoint moved, or the recording begins on this rung with these hits before.
    pub fn take(&mut self, one_in: u64, on: StepOnCpu, earlier: Option<EarlierHits>) {
        match earlier {
            Some(earlier) => *self = Thinning::begun(one_in, on, earlier),
            None => self.step(one_in, on),
        }
    }

    /// The tracepoint moved.
    pub fn step(&mut self, one_in: u64, StepOnCpu { before, after, .. }: StepOnCpu) {
        let (surely_hit, perhaps_hit) = (before > self.from.1, after > self.from.0);
        let (surely_hit, perhaps_hit) = (surely_hit || self.earlier.0 > 0, perhaps_hit || self.earlier.1 > 0);
        let last = match (self.one_in, self.last) {
            // With period 1, and without hits, the kernel leaves the old period as it is.
            (0 | 1, last) => last,
            (period, _) if surely_hit => (period, period),
            (period, (least, most)) if perhaps_hit => (least.min(period), most.max(period)),
            (_, last) => last,
        };
        let (thinned, rest) = (self.up_to(before, after), self.rest_at(before));
        *self = Thinning { from: (before, after), one_in, last, before: thinned, rest, earlier: (0, 0) };
    }

    /// The hits thinned until the counter is between these values.
    pub fn up_to(&self, before: u64, after: u64) -> ThinnedHits {
        let thinned = |hits, last| if self.one_in == 0 { 0 } else { hits - self.samples_since(hits, last) };
        let (least, most) = (before.saturating_sub(self.from.1), after.saturating_sub(self.from.0));
        let (mut least, mut most) = (thinned(least, self.last.0), thinned(most, self.last.1));
        if self.earlier.1 > 0 && self.one_in > 1 {
            // The sample of the first interval may have come before the begin, or after it.
            (least, most) = (least.saturating_sub(1), most.saturating_add(1).min(after.saturating_sub(self.from.0)));
        }
        let (least, most) = (self.before.least.saturating_add(least), self.before.most.saturating_add(most));
        // The counters of a damaged file can go backwards.
        ThinnedHits { least, most: most.max(least) }
    }

    /// The state with which a recording begins that starts when the counter has this value. `None` if nothing differs from a
    /// recording that starts with all its hits recorded.
    pub fn earlier_than(&self, counter: u64) -> Option<(u64, EarlierHits)> {
        let sure = counter.saturating_sub(self.from.1);
        let unsure = counter.saturating_sub(self.from.0).saturating_sub(sure);
        let earlier = EarlierHits {
            hits: sure.saturating_add(self.earlier.0),
            unsure: unsure.saturating_add(self.earlier.1),
            period: self.last,
        };
        let is_usual = self.one_in == 1 && self.last == Thinning::default().last;
        (!is_usual).then_some((self.one_in, earlier))
    }

    /// The hits until this number of samples has come, since the last step.
    pub fn hits_until(&self, samples: u64) -> u64 {
        match (self.one_in, samples) {
            (0, _) | (_, 0) => 0,
            (1 | OPENED_WITH, samples) => samples.saturating_mul(self.one_in),
            (_, 1) => 1,
            (one_in, samples) => self.last.0.saturating_add((samples - 2).saturating_mul(one_in)),
        }
    }

    /// The samples that the kernel takes of so many hits since the last step, or since the begin of a recording that began on
    /// this rung.
    fn samples_since(&self, hits: u64, last: u64) -> u64 {
        let earlier = self.earlier.0;
        self.samples(hits.saturating_add(earlier), last) - self.samples(earlier, last)
    }

    /// The hits thinned before the last step.
    pub fn so_far(&self) -> ThinnedHits {
        self.before
    }

    /// The samples that the kernel takes of so many hits since the last step.
    pub fn samples_of(&self, hits: u64) -> u64 {
        self.samples(hits, self.last.0)
    }

    /// The same, with this period for the first interval.
    fn samples(&self, hits: u64, last: u64) -> u64 {
        match (self.one_in, hits) {
            (1, hits) => hits,
            // The event was just opened, so there was no other period before.
            (OPENED_WITH, hits) => hits / OPENED_WITH,
            (_, 0) => 0,
            (_, hits) if hits < last => 1,
            (one_in, hits) => 2 + (hits - last) / one_in.max(1),
        }
    }

    /// The hits since the last sample, when the counter has this value.
    fn rest_at(&self, counter: u64) -> u64 {
        let (last, hits) = (self.last.0, counter.saturating_sub(self.from.1).saturating_add(self.earlier.0));
        match self.one_in {
            _ if hits == 0 => self.rest,
            OPENED_WITH => hits % OPENED_WITH,
            0 | 1 => 0,
            _ if hits < last => hits - 1,
            one_in => (hits - last) % one_in,
        }
    }

    /// The hits that a sample usually stands for.
    pub fn usual_hits(&self) -> u64 {
        self.one_in.max(1)
    }

    /// The hits since the sample before, for the sample with this number since the last step. Numbers start at 0.
    pub fn hits_of_sample(&self, number: u64) -> u64 {
        let number = number.saturating_add(self.samples(self.earlier.0, self.last.0));
        match (self.one_in, number) {
            (OPENED_WITH, _) => OPENED_WITH,
            (_, 0) => self.rest.saturating_add(1),
            (_, 1) if self.one_in > 1 => self.last.0.saturating_sub(1).max(1),
            (one_in, _) => one_in.max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Cpu, Ns};

    /// Steps of (period, hits), and the samples that Linux 6.18 took of each: measured with a known number of renames.
    const MEASURED: [(u64, u64, u64); 12] = [
        (2, 7, 3),
        (1, 50_000, 50_000),
        (17, 1_000, 60),
        (257, 1_000, 5),
        (17, 1_000, 45),
        (1, 1_000, 1_000),
        (17, 1, 1),
        (1, 100, 100),
        (17, 2, 1),
        (1, 200_000, 200_000),
        (4_099, 200_000, 50),
        (1, 200_000, 200_000),
    ];

    fn on(before: u64, after: u64) -> StepOnCpu {
        StepOnCpu { cpu: Cpu::new(0), at: Ns(0), before, after }
    }

    #[test]
    fn the_model_takes_as_many_samples_as_the_kernel() {
        let (mut thinning, mut counter, mut taken) = (Thinning::default(), 0, 0);
        for (place, (one_in, hits, samples)) in MEASURED.into_iter().enumerate() {
            thinning.step(one_in, on(counter, counter));
            counter += hits;
            taken += samples;
            let thinned = thinning.up_to(counter, counter);
            assert_eq!((thinned.least, thinned.most), (counter - taken, counter - taken), "step {place}");
        }
    }

    #[test]
    fn the_samples_stand_for_all_hits_until_the_last_sample() {
        let (mut thinning, mut counter, mut stood_for) = (Thinning::default(), 0, 0);
        for (place, (one_in, hits, samples)) in MEASURED.into_iter().enumerate() {
            thinning.step(one_in, on(counter, counter));
            counter += hits;
            stood_for += (0..samples).map(|number| thinning.hits_of_sample(number)).sum::<u64>();
            assert_eq!(stood_for, counter - thinning.rest_at(counter), "step {place}");
            assert!(thinning.rest_at(counter) < one_in.max(2));
        }
    }

    /// A recording may begin at any hit, and still knows how many samples the kernel takes, and what they stand for.
    #[test]
    fn a_recording_that_begins_later_takes_the_same_samples() {
        let all: u64 = MEASURED.iter().map(|(_, hits, _)| hits).sum();
        for begin in [1, 6, 7, 8, 50_006, 50_008, 50_023, 50_024, 50_100, 51_006, 51_008, 53_100, 54_500, 300_000] {
            let (mut thinning, mut late, mut counter) = (Thinning::default(), None::<Thinning>, 0);
            let (mut thinned_before, mut stood_for) = (0, 0);
            for (one_in, hits, _) in MEASURED {
                thinning.step(one_in, on(counter, counter));
                if let Some(late) = &mut late {
                    late.step(one_in, on(counter - begin, counter - begin));
                } else if begin < counter + hits {
                    thinned_before = thinning.up_to(begin, begin).least;
                    late = Some(match thinning.earlier_than(begin) {
                        Some((one_in, earlier)) => Thinning::begun(one_in, on(0, 0), earlier),
                        None => Thinning::default(),
                    });
                }
                counter += hits;
                if let Some(late) = &late {
                    let (whole, part) =
                        (thinning.up_to(counter, counter), late.up_to(counter - begin, counter - begin));
                    assert_eq!(whole.least - thinned_before, part.least, "from {begin} to {counter}");
                    assert_eq!(part.least, part.most);
                    let since = counter.saturating_sub(hits).max(begin);
                    let samples = (counter - since) - (part.least - late.up_to(since - begin, since - begin).least);
                    stood_for += (0..samples).map(|number| late.hits_of_sample(number)).sum::<u64>();
                }
            }
            assert!(stood_for.abs_diff(all - begin) <= 4_099, "{stood_for} of {} from {begin}", all - begin);
        }
    }

    #[test]
    fn the_hits_until_a_sample_are_those_that_make_it() {
        for one_in in [1, OPENED_WITH, 17, 257] {
            let mut thinning = Thinning::default();
            thinning.step(one_in, on(0, 0));
            for samples in 1..100 {
                let hits = thinning.hits_until(samples);
                assert_eq!((thinning.samples_of(hits), thinning.samples_of(hits - 1)), (samples, samples - 1));
            }
        }
    }

    #[test]
    fn hits_in_the_moment_of_a_step_may_be_on_either_side() {
        let mut thinning = Thinning::default();
        thinning.step(1, on(0, 0));
        thinning.step(17, on(1_000, 1_004));
        // Of 996 to 1,000 hits, one in 17 is sampled.
        let ThinnedHits { least, most } = thinning.up_to(2_000, 2_000);
        assert!(least < most && most - least <= 4, "{least} to {most}");
        assert_eq!(thinning.up_to(2_000, 2_000).of_missing(least + 1), least + 1);
        assert_eq!(thinning.up_to(2_000, 2_000).of_missing(0), least);
        assert_eq!(thinning.up_to(2_000, 2_000).of_missing(u64::MAX), most);
        // After it was detached, nothing is thinned.
        thinning.step(0, on(2_000, 2_000));
        assert_eq!(thinning.up_to(9_000, 9_000), thinning.so_far());
        thinning.step(17, on(5, 3));
        thinning.step(1, on(u64::MAX, 0));
        assert!(thinning.up_to(0, u64::MAX).least <= thinning.up_to(0, u64::MAX).most);
    }

    #[test]
    fn a_lone_hit_in_the_moment_of_a_step_may_set_the_next_interval() {
        let mut thinning = Thinning::default();
        thinning.step(257, on(0, 0));
        thinning.step(17, on(0, 1));
        // If the hit came before the step, the first interval after it is 257: of 249 hits, one is a sample. If it came after
        // the step, that interval is 2: of 250 hits, 16 are samples.
        let ThinnedHits { least, most } = thinning.up_to(250, 250);
        assert!(least <= 250 - 16 && most >= 249 - 1, "{least} to {most}");
        // A hit that surely came before the step leaves no doubt.
        thinning.step(257, on(250, 250));
        let exact = thinning.up_to(260, 260);
        assert_eq!(exact.most - exact.least, most - least);
    }
}
