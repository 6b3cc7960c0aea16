//! Hits by process or cgroup, estimated from a thinned recording.
//!
//! The kernel counts all hits of a tracepoint, and records one in N of them with its process. Of `n` recorded hits, a part
//! belongs to a process. The same part of all `R` hits is the estimate for this process. Its 95 % interval is the normal
//! approximation of the binomial distribution, with two more hits on either side (Agresti and Coull, 1998), and narrower by the part
//! that was recorded (sampling without replacement). A tracepoint that was recorded hit by hit adds nothing to the interval.

use super::{ProcessKind, ProcessRanking, RankedProcess};
use crate::recording::Summary;
use crate::text::{CsvCell, json_pretty};
use crate::tracefs::{Table, Tpid};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::io;

/// The version of the JSON.
const SCHEMA: u32 = 1;

/// 95 % of a normal distribution lie within so many standard deviations.
const DEVIATIONS: f64 = 1.96;

/// The rows of such a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum CountBy {
    /// Count by the name of the process
    Process,
    /// Count by cgroup, that is, by service or container
    Cgroup,
}

impl CountBy {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            CountBy::Process => "process",
            CountBy::Cgroup => "cgroup",
        }
    }
}

/// Hits by process or cgroup.
#[derive(Debug, Clone, Serialize)]
pub struct HitsByProcess {
    schema: u32,
    /// The rows.
    pub by: CountBy,
    /// The rows, the most hits first.
    pub rows: Vec<ByRow>,
    /// The hits whose process is not known: those that were lost or unaccounted.
    pub unknown: u64,
    /// The facts about the recording. Its counts are exact.
    pub summary: Summary,
}

/// The hits of the processes of a name, or of a cgroup.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ByRow {
    /// The name, or the path of the cgroup; `None` if it is not known.
    pub name: Option<String>,
    /// The kind of the processes; `None` for a cgroup.
    pub kind: Option<ProcessKind>,
    /// The name for people.
    #[serde(skip)]
    pub words: String,
    /// How many processes.
    pub processes: usize,
    /// The hits.
    pub hits: f64,
    /// The ends of the 95 % interval, or the hits if they are exact.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// The share of the hits of all rows, from 0 to 1.
    pub share: f64,
    /// The hits of each tracepoint (`group:name`), the most first.
    pub tracepoints: Vec<(String, f64)>,
    /// The hits of each process (by name), the most first. Only for a cgroup.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<(String, f64)>,
}

impl ByRow {
    /// Whether the hits are estimated.
    pub fn is_estimate(&self) -> bool {
        self.high > self.low
    }
}

/// What is known of the hits of a tracepoint.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SampledHits {
    /// The hits that samples stand for: recorded and thinned ones.
    pub hits: f64,
    /// The recorded ones among them.
    pub recorded: f64,
    /// The sum of the hits over all processes, as far as the samples tell.
    pub sampled: f64,
}

impl SampledHits {
    /// The hits of which the samples of a process stand for `sampled`, and the variance of that number.
    pub fn of(&self, sampled: f64) -> (f64, f64) {
        let part = sampled / self.sampled.max(1.0);
        if self.recorded >= self.hits {
            return (sampled, 0.0);
        }
        let likely = (part * self.recorded + 2.0) / (self.recorded + 4.0);
        let left = 1.0 - self.recorded / self.hits;
        (self.hits * part, self.hits * self.hits * likely * (1.0 - likely) / (self.recorded + 4.0) * left)
    }
}

/// A row in the making.
#[derive(Default)]
struct Sum {
    processes: usize,
    sampled: HashMap<Tpid, f64>,
    names: HashMap<String, HashMap<Tpid, f64>>,
}

impl HitsByProcess {
    /// Estimates the hits of each row.
    pub fn of(by: CountBy, summary: Summary, ranking: &ProcessRanking, table: &Table) -> Self {
        let mut of = HashMap::<Tpid, SampledHits>::new();
        for account in &summary.per_tracepoint {
            let hits = account.recorded.saturating_add(account.thinned) as f64;
            of.insert(account.tpid, SampledHits { hits, recorded: account.recorded as f64, sampled: 0.0 });
        }
        let mut sums = BTreeMap::<(Option<String>, Option<ProcessKind>, String), Sum>::new();
        for RankedProcess { process, tracepoints, .. } in &ranking.processes {
            let key = match by {
                CountBy::Process => (process.name.as_deref().map(str::to_owned), Some(process.kind), process.words()),
                CountBy::Cgroup => {
                    let path = process.cgroup.as_deref().map(str::to_owned);
                    let words = path.clone().unwrap_or_else(|| "no cgroup".to_owned());
                    (path, None, words)
                }
            };
            let sum = sums.entry(key).or_default();
            sum.processes += 1;
            for (tpid, hits) in tracepoints {
                of.entry(*tpid).or_default().sampled += *hits as f64;
                *sum.sampled.entry(*tpid).or_default() += *hits as f64;
                if by == CountBy::Cgroup {
                    *sum.names.entry(process.words()).or_default().entry(*tpid).or_default() += *hits as f64;
                }
            }
        }
        let estimate = |tpid: &Tpid, sampled: &f64| of.get(tpid).copied().unwrap_or_default().of(*sampled);
        let rows = sums.into_iter().map(|((name, kind, words), sum)| {
            let (mut hits, mut variance) = (0.0, 0.0);
            let mut tracepoints = Vec::new();
            for (tpid, sampled) in &sum.sampled {
                let (its, its_variance) = estimate(tpid, sampled);
                hits += its;
                variance += its_variance;
                tracepoints.push((table.get(*tpid).full_name(), its));
            }
            let names = sum.names.into_iter().map(|(name, sampled)| {
                (name, sampled.iter().map(|(tpid, sampled)| estimate(tpid, sampled).0).sum::<f64>())
            });
            let mut names: Vec<_> = names.collect();
            most_first(&mut tracepoints);
            most_first(&mut names);
            let within = DEVIATIONS * variance.sqrt();
            let (low, high) = ((hits - within).max(0.0), hits + within);
            ByRow { name, kind, words, processes: sum.processes, hits, low, high, share: 0.0, tracepoints, names }
        });
        let mut rows: Vec<ByRow> = rows.collect();
        rows.sort_by(|one, other| other.hits.total_cmp(&one.hits).then_with(|| one.words.cmp(&other.words)));
        let all = rows.iter().map(|row| row.hits).sum::<f64>().max(1.0);
        rows.iter_mut().for_each(|row| row.share = row.hits / all);
        let unknown = summary.events.lost.saturating_add_signed(summary.events.unaccounted.unwrap_or(0));
        HitsByProcess { schema: SCHEMA, by, rows, unknown, summary }
    }

    /// As JSON, one object.
    pub fn json(&self) -> String {
        json_pretty(self)
    }

    /// As CSV, a row for each process or cgroup and tracepoint. The interval is that of the process or cgroup.
    pub fn csv(&self) -> io::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record([
            self.by.word(),
            "kind",
            "processes",
            "hits",
            "low",
            "high",
            "tracepoint",
            "tracepoint hits",
        ])?;
        for row in &self.rows {
            for (tracepoint, hits) in &row.tracepoints {
                writer.write_record([
                    CsvCell(row.name.as_deref().unwrap_or_default()).to_string(),
                    row.kind.map_or("", ProcessKind::word).to_owned(),
                    row.processes.to_string(),
                    format!("{:.1}", row.hits),
                    format!("{:.1}", row.low),
                    format!("{:.1}", row.high),
                    CsvCell(tracepoint).to_string(),
                    format!("{hits:.1}"),
                ])?;
            }
        }
        writer.into_inner().map_err(|error| error.into_error())
    }
}

fn most_first(sums: &mut [(String, f64)]) {
    sums.sort_by(|(name, one), (other_name, other)| other.total_cmp(one).then_with(|| name.cmp(other_name)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracepoint_that_is_recorded_hit_by_hit_is_exact() {
        let of = SampledHits { hits: 100.0, recorded: 100.0, sampled: 100.0 };
        assert_eq!(of.of(30.0), (30.0, 0.0));
    }

    /// A process has a third of the hits, and one in 17 is recorded. The interval has the truth in 95 of 100 trials.
    #[test]
    fn the_interval_has_the_truth_nineteen_times_in_twenty() {
        let mut random = fastrand::Rng::with_seed(7);
        let (hits, trials) = (20_000, 400);
        let mut within = 0;
        for _ in 0..trials {
            let (mut own, mut recorded, mut own_recorded) = (0.0, 0.0, 0.0);
            for _ in 0..hits {
                let is_own = random.u32(0..3) == 0;
                own += f64::from(u8::from(is_own));
                if random.u32(0..17) == 0 {
                    recorded += 1.0;
                    own_recorded += f64::from(u8::from(is_own));
                }
            }
            let of = SampledHits { hits: f64::from(hits), recorded, sampled: 17.0 * recorded };
            let (estimate, variance) = of.of(17.0 * own_recorded);
            within += u32::from((estimate - own).abs() <= DEVIATIONS * variance.sqrt());
        }
        assert!((trials * 92 / 100..=trials * 98 / 100).contains(&within), "{within} of {trials}");
    }

    #[test]
    fn no_sample_is_no_certainty() {
        let of = SampledHits { hits: 10_000.0, recorded: 588.0, sampled: 9_996.0 };
        let (estimate, variance) = of.of(0.0);
        assert!(estimate == 0.0 && variance.sqrt() > 10.0);
    }
}
