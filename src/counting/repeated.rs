//! Several runs of a COMMAND: means and their intervals.

use super::summary::full_name;
use super::{CountRow, CountSummary};
use crate::stats::mean;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::collections::BTreeMap;

/// The coverage of an interval, if the runs are independent and the hits of a run are roughly normal.
pub const CONFIDENCE: f64 = 0.95;

/// What several runs found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RepeatedCount {
    /// The version of the format.
    pub schema: u32,
    /// The first run, without its rows. The tracepoints and CPUs are those of all runs.
    pub first_run: CountSummary,
    /// The number of runs that were asked for.
    pub runs_asked: u32,
    /// Each run.
    pub runs: Vec<OneRun>,
    /// The hits of a run.
    pub run_hits: Mean,
    /// The length of a run in nanoseconds.
    pub run_ns: Mean,
    /// Each counted tracepoint, the most hits first.
    pub mean_per_tracepoint: Vec<MeanRow>,
    /// Each group with a counted tracepoint, the most hits first.
    pub mean_per_group: Vec<MeanRow>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OneRun {
    /// Its length.
    pub length_ns: u64,
    /// Its hits.
    pub hits: u64,
    /// COMMAND's exit code.
    pub command_exit: Option<i32>,
}

/// The hits of a tracepoint or of a group in several runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeanRow {
    /// The group.
    pub tracepoint_group: String,
    /// The name of the tracepoint; missing in the row of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracepoint: Option<String>,
    /// Its share of the hits of all runs, from 0 to 1.
    pub share: f64,
    /// Its hits in a run.
    pub hits: Mean,
}

impl MeanRow {
    /// `group:name`, or the group.
    pub fn full_name(&self) -> String {
        full_name(&self.tracepoint_group, self.tracepoint.as_deref())
    }
}

/// The mean over runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// The interval of the mean: Student's t over the runs, cut at 0; null with a single run.
    pub interval: Option<(f64, f64)>,
    /// The value of each run.
    pub runs: Vec<u64>,
}

impl Mean {
    /// The mean of the values of at least one run.
    pub fn of(runs: Vec<u64>) -> Self {
        let values: Vec<f64> = runs.iter().map(|value| *value as f64).collect();
        let (mean, number) = (mean(&values), values.len() as f64);
        let interval = (values.len() > 1).then(|| {
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (number - 1.0);
            let student = StudentsT::new(0.0, 1.0, number - 1.0).expect("there are at least two runs");
            let half = student.inverse_cdf(0.5 + CONFIDENCE / 2.0) * (variance / number).sqrt();
            ((mean - half).max(0.0), mean + half)
        });
        Mean { mean, interval, runs }
    }

    /// Half the length of the interval, as a part of the mean; `None` without an interval, or if the mean is 0.
    pub fn relative(&self) -> Option<f64> {
        let (_, high) = self.interval?;
        (self.mean > 0.0).then(|| (high - self.mean) / self.mean)
    }
}

impl RepeatedCount {
    /// Puts the summaries of at least one run together. All are of the same attachment.
    pub fn of(mut summaries: Vec<CountSummary>, runs_asked: u32) -> Self {
        let runs = summaries.iter();
        let runs: Vec<_> =
            runs.map(|it| OneRun { length_ns: it.length_ns, hits: it.hits, command_exit: it.command_exit }).collect();
        let all = runs.iter().map(|run| run.hits).sum::<u64>();
        let mean_per_tracepoint = means(&summaries, all, |summary| &summary.per_tracepoint);
        let mean_per_group = means(&summaries, all, |summary| &summary.per_group);
        let run_hits = Mean::of(runs.iter().map(|run| run.hits).collect());
        let run_ns = Mean::of(runs.iter().map(|run| run.length_ns).collect());
        let mut first = summaries.swap_remove(0);
        (first.per_tracepoint, first.per_group) = Default::default();
        RepeatedCount {
            schema: first.schema,
            first_run: first,
            runs_asked,
            runs,
            run_hits,
            run_ns,
            mean_per_tracepoint,
            mean_per_group,
        }
    }
}

fn means(summaries: &[CountSummary], all: u64, rows: impl Fn(&CountSummary) -> &[CountRow]) -> Vec<MeanRow> {
    let mut by_name = BTreeMap::<(&str, Option<&str>), Vec<u64>>::new();
    for summary in summaries {
        for row in rows(summary) {
            by_name.entry((&row.tracepoint_group, row.tracepoint.as_deref())).or_default().push(row.hits);
        }
    }
    let row = |((group, tracepoint), hits): ((&str, Option<&str>), Vec<u64>)| MeanRow {
        tracepoint_group: group.to_owned(),
        tracepoint: tracepoint.map(str::to_owned),
        share: hits.iter().sum::<u64>() as f64 / all.max(1) as f64,
        hits: Mean::of(hits),
    };
    let mut means: Vec<_> = by_name.into_iter().map(row).collect();
    means.sort_by(|one, other| other.share.total_cmp(&one.share));
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_has_the_interval_of_students_t() {
        // t for 4 degrees of freedom is 2.7764; the standard deviation is √2.5.
        let mean = Mean::of(vec![10, 11, 12, 13, 14]);
        let (low, high) = mean.interval.unwrap();
        let half = 2.776_445 * (2.5f64 / 5.0).sqrt();
        assert!(
            (mean.mean - 12.0).abs() < 1e-9 && (low - (12.0 - half)).abs() < 1e-4 && (high - 12.0 - half).abs() < 1e-4
        );
        assert!((mean.relative().unwrap() - half / 12.0).abs() < 1e-5);
        assert_eq!(Mean::of(vec![7]).interval, None);
        assert_eq!(Mean::of(vec![0, 0, 0]).interval, Some((0.0, 0.0)));
        assert_eq!(Mean::of(vec![0, 100]).interval.unwrap().0, 0.0, "there are no negative hits");
    }
}
