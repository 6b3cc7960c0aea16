use super::*;
use crate::events::{Estimated, Ns, Slot};
use crate::metrics::MetricsFormat;
use crate::metrics::shares::{FIXED, LEAST_SERIES};
use crate::metrics::testing::{slot, table};
use proptest::prelude::*;

/// The counters of these tracepoints, all watched.
fn series_of(names: &[(&str, &str)], series: usize) -> HitSeries {
    let table = table(names);
    HitSeries::new(&table, &Selection::of_statuses(&table, std::iter::empty()), series)
}

/// Adds a window of a second.
fn add(counters: &mut HitSeries, slots: &[Slot], hits: &[u64], partly: &[Partly]) {
    let (from, to) = (Ns(0), Ns(1_000_000_000));
    counters.add(&Tick { from, to, late_ns: 0, slots, hits, partly, cost: None });
}

fn visited(tpid: u32, hits: f64) -> Partly {
    let estimated = Some(Estimated { hits, variance: 1.0 });
    Partly { tpid: Tpid::new(tpid), rung: Rung::Visited, watched: 0.25, estimated }
}

fn detached(tpid: u32) -> Partly {
    Partly { tpid: Tpid::new(tpid), rung: Rung::Detached, watched: 0.0, estimated: None }
}

fn text(counters: &HitSeries) -> String {
    let mut text = Exposition::new(MetricsFormat::Prometheus, 0);
    counters.write(&mut text);
    let text = text.end();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The value of a series.
fn value(text: &str, series: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

#[test]
fn hits_are_summed_over_cpus_and_windows() {
    let mut counters = series_of(&[("irq", "a"), ("irq", "b"), ("kmem", "a"), ("net", "never")], 2_000);
    let slots = [slot(1, 0), slot(1, 1), slot(2, 0), slot(2, 1), slot(3, 0), slot(4, 1)];
    add(&mut counters, &slots, &[1, 2, 0, 0, 0, 0], &[]);
    add(&mut counters, &slots, &[10, 0, 0, 5, u64::MAX - 1, 0], &[]);
    add(&mut counters, &slots, &[0, 0, 0, 0, 7, 0], &[]);
    insta::assert_snapshot!("sums", text(&counters));
}

#[test]
fn estimates_are_added_in_whole_hits_and_nothing_falls_on_the_way_through_the_rungs() {
    let mut counters = series_of(&[("kmem", "a"), ("kmem", "b")], 2_000);
    let slots = [slot(1, 0), slot(2, 0)];
    // Counted, visited with parts of hits, an estimate below what was counted, one that is no number, detached, counted.
    let windows: [(u64, Vec<Partly>); 7] = [
        (100, vec![]),
        (10, vec![visited(1, 40.6)]),
        (10, vec![visited(1, 40.6), detached(2)]),
        (10, vec![visited(1, 3.0), detached(2)]),
        (10, vec![visited(1, f64::NAN), visited(2, f64::INFINITY)]),
        (0, vec![detached(1)]),
        (7, vec![]),
    ];
    let hits: Vec<_> = windows
        .iter()
        .map(|(hits, partly)| {
            add(&mut counters, &slots, &[*hits, 0], partly);
            value(&text(&counters), "tpperf_hits_total{group=\"kmem\",tracepoint=\"a\"}").unwrap()
        })
        .collect();
    assert_eq!(hits, [100, 140, 181, 191, 201, 201, 208]);
    insta::assert_snapshot!("rungs", text(&counters));
}

#[test]
fn a_tracepoint_that_is_only_visited_gets_its_series_with_the_first_whole_hit() {
    let mut counters = series_of(&[("kmem", "a")], 2_000);
    let shown = [0.4, 0.4, 0.4].map(|hits| {
        add(&mut counters, &[slot(1, 0)], &[0], &[visited(1, hits)]);
        value(&text(&counters), "tpperf_hits_total{group=\"kmem\",tracepoint=\"a\"}")
    });
    assert_eq!(shown, [None, None, Some(1)]);
}

#[test]
fn what_is_not_watched_has_no_hits() {
    let table = table(&[("irq", "a"), ("sched", "sched_stat_wait")]);
    let weighted = (Tpid::new(2), crate::tracefs::Status::Excluded(crate::tracefs::Exclusion::NotCounted));
    let mut counters = HitSeries::new(&table, &Selection::of_statuses(&table, [weighted].into_iter()), 2_000);
    add(&mut counters, &[slot(1, 0), slot(2, 0), slot(3, 0)], &[1, 99, 99], &[visited(2, 1e3), visited(9, 1e3)]);
    let text = text(&counters);
    assert!(!text.contains("sched") && !text.contains("99"), "{text}");
    assert_eq!(value(&text, "tpperf_estimated_hits_total"), Some(0));
}

/// Tracepoints `t0`, `t1`, … of groups `g0`, `g1`, …
fn many(groups: usize, of_each: usize) -> Vec<(String, String)> {
    (0..groups).flat_map(|group| (0..of_each).map(move |n| (format!("g{group:03}"), format!("t{n:03}")))).collect()
}

fn borrowed(names: &[(String, String)]) -> Vec<(&str, &str)> {
    names.iter().map(|(group, name)| (group.as_str(), name.as_str())).collect()
}

#[test]
fn at_the_cap_the_hottest_new_ones_get_the_last_series_and_no_series_changes_its_meaning() {
    let names = many(2, 100);
    let mut counters = series_of(&borrowed(&names), LEAST_SERIES);
    let room = counters.left as u32;
    assert!((20..100).contains(&room), "{room}");
    // All but three of the series are taken. Then five come at once.
    let slots: Vec<Slot> = (1..=200).map(|tpid| slot(tpid, 0)).collect();
    let hits = |hit: &dyn Fn(u32) -> u64| (1..=200).map(hit).collect::<Vec<u64>>();
    add(&mut counters, &slots, &hits(&|tpid| u64::from(tpid <= room - 3)), &[]);
    let before = text(&counters);
    assert!(!before.contains(OTHER) && before.contains("\ntpperf_tracepoints_without_series 0\n"), "{before}");
    add(&mut counters, &slots, &hits(&|tpid| if (101..106).contains(&tpid) { u64::from(tpid) } else { 0 }), &[]);
    let now = text(&counters);
    for (series, hits) in [
        ("tpperf_hits_total{group=\"g001\",tracepoint=\"t002\"}", Some(103)),
        ("tpperf_hits_total{group=\"g001\",tracepoint=\"t004\"}", Some(105)),
        ("tpperf_hits_total{group=\"g001\",tracepoint=\"t001\"}", None),
        ("tpperf_hits_total{group=\"g001\",tracepoint=\"(other)\"}", Some(101 + 102)),
        ("tpperf_hits_total{group=\"g000\",tracepoint=\"(other)\"}", None),
        ("tpperf_group_hits_total{group=\"g001\"}", Some(101 + 102 + 103 + 104 + 105)),
        ("tpperf_tracepoints_without_series", Some(2)),
    ] {
        assert_eq!(value(&now, series), hits, "{series}");
    }
    // A later hit does not give them a series, even if they are the hottest then.
    add(&mut counters, &slots, &hits(&|tpid| if tpid == 101 { 1_000 } else { 0 }), &[]);
    let later = text(&counters);
    assert_eq!(value(&later, "tpperf_hits_total{group=\"g001\",tracepoint=\"(other)\"}"), Some(1_203));
    assert_eq!(value(&later, "tpperf_tracepoints_without_series"), Some(2));
}

#[test]
fn many_groups_share_a_series_too_and_names_like_that_of_the_others_are_no_trap() {
    let mut names = many(60, 1);
    names.push(("(other)".to_owned(), "a".to_owned()));
    names.push(("g000".to_owned(), "(other)".to_owned()));
    let mut counters = series_of(&borrowed(&names), LEAST_SERIES);
    let slots: Vec<Slot> = (1..=62).map(|tpid| slot(tpid, 0)).collect();
    add(&mut counters, &slots, &[1; 62], &[]);
    let text = text(&counters);
    let sum = |family: &str| -> u64 {
        let lines = text.lines().filter(|line| line.starts_with(family));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
    };
    assert_eq!((sum("tpperf_hits_total{"), sum("tpperf_group_hits_total{")), (62, 62), "{text}");
    let mut series: Vec<_> = text.lines().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert!(series.len() <= LEAST_SERIES - FIXED, "{}", series.len());
    series.sort_unstable();
    assert!(series.windows(2).all(|two| two[0] != two[1]), "{text}");
}

#[test]
fn only_the_first_ones_show_how_long_they_are_watched() {
    let names = many(1, 50);
    let mut counters = series_of(&borrowed(&names), LEAST_SERIES);
    let shown = counters.left_partly;
    let partly: Vec<_> = (1..=50).map(detached).collect();
    add(&mut counters, &[], &[], &partly);
    add(&mut counters, &[], &[], &[]);
    let text = text(&counters);
    let watched = text.lines().filter(|line| line.starts_with("tpperf_tracepoint_watched_ratio{"));
    assert!(watched.clone().count() == shown && watched.clone().all(|line| line.ends_with(" 1")), "{text}");
    assert!(text.contains("\ntpperf_tracepoints_unwatched_seconds_total 50\n"), "{text}");
}

/// A window: the hits of four tracepoints on two CPUs, and how each of them is watched.
fn any_window() -> impl Strategy<Value = ([u64; 8], [Option<(bool, f64)>; 4])> {
    let partly = prop_oneof![2 => Just(None), 1 => (any::<bool>(), -1e3..1e6f64).prop_map(Some)];
    (proptest::array::uniform8(0u64..1_000), proptest::array::uniform4(partly))
}

proptest! {
    #[test]
    fn counters_never_fall_and_groups_are_the_sums(windows in proptest::collection::vec(any_window(), 1..20)) {
        let mut counters = series_of(&[("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")], 2_000);
        let slots: Vec<Slot> = (0..8).map(|n| slot(n / 2 + 1, n % 2)).collect();
        let mut before = text(&counters);
        for (hits, partly) in windows {
            let of = |(number, how): (u32, Option<(bool, f64)>)| {
                how.map(|(is_visited, hits)| if is_visited { visited(number, hits) } else { detached(number) })
            };
            let partly: Vec<_> = (1..).zip(partly).filter_map(of).collect();
            add(&mut counters, &slots, &hits, &partly);
            let now = text(&counters);
            for line in before.lines().filter(|line| line.contains("hits_total")) {
                let (series, old) = line.rsplit_once(' ').unwrap();
                prop_assert!(value(&now, series) >= Some(old.parse().unwrap()), "{line} in\n{now}");
            }
            for group in ["a", "b"] {
                let of_one = |name| value(&now, &format!("tpperf_hits_total{{group=\"{group}\",tracepoint=\"{name}\"}}"));
                let sum = of_one("1").unwrap_or(0) + of_one("2").unwrap_or(0);
                prop_assert_eq!(value(&now, &format!("tpperf_group_hits_total{{group=\"{group}\"}}")), Some(sum));
            }
            before = now;
        }
    }
}
