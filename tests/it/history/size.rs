//! The size of a history.

use super::host::{Host, S, Source, normal};
use fastrand::Rng;
use std::path::Path;
use tp_perf::events::{Estimated, Partly, Rung, Tpid};
use tp_perf::history::HistoryReport;

/// The tracepoints of a machine with the default selection.
const TRACEPOINTS: u32 = 1_568;
/// The tracepoints that are ever hit.
const ACTIVE: usize = 450;
/// The tracepoints that the budget visits.
const VISITED: u32 = 10;

/// Simulates so many windows of a second. Returns the numbers of rows and bytes of all closed hours.
fn simulate(root: &Path, from: u64, windows: u64) -> (u64, u64) {
    let mut random = Rng::with_seed(5);
    let mut host = Host::start(root, from * S, TRACEPOINTS);
    let mut sources: Vec<Source> = (0..ACTIVE).map(|_| Source::new(&mut random)).collect();
    let places: Vec<usize> = (0..ACTIVE).map(|n| n * TRACEPOINTS as usize / ACTIVE).collect();
    for _ in 0..windows {
        let mut hits = vec![0; TRACEPOINTS as usize];
        places.iter().zip(&mut sources).for_each(|(place, source)| hits[*place] = source.next(&mut random));
        let visited = |n: u32, random: &mut Rng| {
            let rate = 20_000.0 * f64::from(n + 1) * (0.2 * normal(random)).exp();
            let estimated = Some(Estimated { hits: rate, variance: (0.05 * rate * (1.0 + random.f64())).powi(2) });
            Partly { tpid: Tpid::new(7 + n * 100), rung: Rung::Visited, watched: 0.02 + random.f64() * 0.01, estimated }
        };
        let mut partly: Vec<Partly> = (0..VISITED).map(|n| visited(n, &mut random)).collect();
        partly.push(Partly { tpid: Tpid::new(60), rung: Rung::Detached, watched: 0.0, estimated: None });
        // A tick comes some microseconds late, and sometimes a millisecond.
        let late = random.u64(0..60_000) + if random.u32(..20) == 0 { random.u64(..2_000_000) } else { 0 };
        host.window(S + late, &hits, &partly);
        host.work();
    }
    host.writer.finish();
    host.reports.extend(host.writer.take_reports());
    let closed = host.reports.iter().filter_map(|report| match report {
        HistoryReport::Closed { rows, bytes, .. } => Some((*rows, *bytes)),
        _ => None,
    });
    closed.fold((0, 0), |(rows, bytes), (more, size)| (rows + more, bytes + size))
}

fn megabytes_a_day(bytes: u64, windows: u64) -> f64 {
    bytes as f64 * 86_400.0 / windows as f64 / 1e6
}

pub fn busy_host() {
    let folder = tempfile::tempdir().unwrap();
    let windows = std::env::var("TP_PERF_WINDOWS").map_or(900, |windows| windows.parse().expect("a number"));
    let (rows, bytes) = simulate(folder.path(), 0, windows);
    let minutes = size_of(&folder.path().join("minutes"));
    let day = megabytes_a_day(bytes, windows);
    println!(
        "{windows} windows of {} rows take {bytes} bytes: {:.2} bytes per row, {day:.1} MB a day; minutes: {:.2} MB a day",
        rows / windows,
        bytes as f64 / rows as f64,
        megabytes_a_day(minutes, windows),
    );
    assert!((290..330).contains(&(rows / windows)), "{} rows per window", rows / windows);
    // In a quarter of an hour, the names take four times their part.
    assert!(day <= 50.0, "{day} MB a day");
}

/// The bytes of all files below a folder.
pub fn size_of(folder: &Path) -> u64 {
    let size = |path: std::path::PathBuf| if path.is_dir() { size_of(&path) } else { path.metadata().unwrap().len() };
    std::fs::read_dir(folder).unwrap().map(|entry| size(entry.unwrap().path())).sum()
}
