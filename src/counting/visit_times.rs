//! When the visits of a window begin and end.

use super::budget::VISITS_PER_SECOND;
use fastrand::Rng;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The visits of a window that are still to come. The window is cut into equal parts, and each part has one visit at a
/// random time. So visits miss nothing that comes in step with them.
#[derive(Debug, Default)]
pub struct VisitTimes {
    /// The begins and ends of the visits, in turn.
    edges: VecDeque<Instant>,
    is_visiting: bool,
}

impl VisitTimes {
    /// The visits of a window. They take this `part` of it.
    pub fn of(begin: Instant, window: Duration, part: f64, random: &mut Rng) -> Self {
        if part <= 0.0 {
            return VisitTimes::default();
        }
        let visits = (window.as_secs_f64() * f64::from(VISITS_PER_SECOND)).round().clamp(2.0, 10_000.0) as u32;
        let stretch = window / visits;
        let length = stretch.mul_f64(part.clamp(0.0, 1.0));
        let mut edges = VecDeque::with_capacity(2 * visits as usize);
        for number in 0..visits {
            let from = begin + stretch * number + (stretch - length).mul_f64(random.f64());
            edges.extend([from, from + length]);
        }
        VisitTimes { edges, is_visiting: false }
    }

    /// When the next visit begins, or the current one ends.
    pub fn next(&self) -> Option<Instant> {
        self.edges.front().copied()
    }

    /// Whether a visit begins (true) or ends (false) now. `None` if nothing is due.
    pub fn due(&mut self, now: Instant) -> Option<bool> {
        self.edges.front().filter(|edge| **edge <= now)?;
        self.edges.pop_front();
        self.is_visiting = !self.is_visiting;
        Some(self.is_visiting)
    }

    /// Ends the visits early. Returns whether one was under way.
    pub fn stop(&mut self) -> bool {
        self.edges.clear();
        std::mem::take(&mut self.is_visiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_window_has_a_visit_at_a_random_time() {
        let (begin, window) = (Instant::now(), Duration::from_secs(1));
        let mut times = VisitTimes::of(begin, window, 0.1, &mut Rng::with_seed(3));
        let mut visits = Vec::new();
        while let Some(edge) = times.next() {
            assert_eq!(times.due(edge - Duration::from_nanos(1)), None);
            visits.push((edge, times.due(edge).unwrap()));
        }
        assert_eq!(visits.len(), 2 * VISITS_PER_SECOND as usize);
        let part = window / VISITS_PER_SECOND;
        for (number, visit) in (0..).zip(visits.chunks(2)) {
            let [(from, true), (to, false)] = visit else { panic!("{visit:?}") };
            assert_eq!(*to - *from, part / 10);
            assert!(*from >= begin + part * number && *to <= begin + part * (number + 1));
        }
        let offsets: Vec<_> =
            visits.chunks(2).zip(0..).map(|(visit, number)| visit[0].0 - (begin + part * number)).collect();
        assert!(offsets.windows(2).any(|two| two[0] != two[1]), "the times are random");
    }

    #[test]
    fn a_visit_under_way_is_ended() {
        let begin = Instant::now();
        let mut times = VisitTimes::of(begin, Duration::from_millis(100), 0.5, &mut Rng::with_seed(3));
        assert_eq!(times.due(times.next().unwrap()), Some(true));
        assert!(times.stop() && !times.stop() && times.next().is_none());
        assert_eq!(VisitTimes::of(begin, Duration::from_secs(1), 0.0, &mut Rng::with_seed(3)).next(), None);
    }
}
