use super::*;
use crate::events::{Estimated, Ns, Partly, Rung, Slot};
use crate::metrics::shares::{FIXED, LEAST_SERIES};
use crate::metrics::testing::{example, slot, table, tick_of};

/// What the process used when the texts of the tests were made.
fn usage() -> OwnUsage {
    OwnUsage {
        cpu: Some(Duration::from_nanos(1_234_567_890)),
        resident: Some(12 << 20),
        descriptors: Some(3_200),
        most_descriptors: 65_536,
        started: Some(Duration::from_millis(1_700_000_000_120)),
        to_unix_ns: Some(1_700_000_000_000_000_000),
    }
}

/// Metrics with a series of every family.
fn everything() -> Metrics {
    let mut metrics = example();
    metrics.set_state(Some("web \"eu\""));
    metrics.set_alarms("kmem:* > 1M/s for 10s", AlarmFigures { raised: 3, active: 1 });
    metrics.set_alarms("state web", AlarmFigures::default());
    metrics.set_history(WrittenHistory { windows: 3_600, waiting: 2, lost: 1, bytes: 1 << 20, files: 2 });
    metrics.set_flight(FlightFigures {
        events: 123_456,
        bytes: 3 << 20,
        span: Duration::from_millis(29_500),
        lost: 7,
        recorded: 1_500,
        thinned: 68,
        dumps: 2,
        failures: 1,
        merged: 4,
    });
    metrics.set_server(ServerFigures { requests: 10, refused: 2, overdue: 1 });
    metrics.set_cpus_unwatched(Duration::from_millis(1_500));
    let estimated = Some(Estimated { hits: 40.5, variance: 1.0 });
    let partly = [Partly { tpid: Tpid::new(1), rung: Rung::Visited, watched: 0.25, estimated }];
    metrics.tick(&Tick { cost: Some(0.0025), ..tick_of(&[1, 2, 3]) });
    metrics.tick(&Tick {
        from: Ns(1_000_000_000),
        to: Ns(2_000_250_000),
        late_ns: 250_000,
        partly: &partly,
        cost: Some(0.0075),
        ..tick_of(&[10, 0, 0])
    });
    metrics
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

#[test]
fn the_text_of_openmetrics() {
    insta::assert_snapshot!("openmetrics", everything().text(MetricsFormat::OpenMetrics, &usage(), true));
}

#[test]
fn the_text_of_prometheus() {
    insta::assert_snapshot!("prometheus", everything().text(MetricsFormat::Prometheus, &usage(), true));
}

#[test]
fn before_the_first_window_only_what_is_known_is_shown() {
    let usage = OwnUsage { most_descriptors: 1_024, ..OwnUsage::default() };
    insta::assert_snapshot!("at_the_start", example().text(MetricsFormat::Prometheus, &usage, true));
}

#[test]
fn the_families_of_a_fixed_number_of_series_are_as_many_as_reserved() {
    let metrics = everything();
    let text = metrics.text(MetricsFormat::Prometheus, &usage(), true);
    let families = ["hits_total{", "alarms", "open_failed{", "watched_ratio", "group_hits"];
    let fixed = lines(&text).filter(|line| !families.iter().any(|family| line.contains(family))).count();
    assert!(fixed <= FIXED, "{fixed} series, but {FIXED} are reserved");
}

#[test]
fn a_scrape_has_at_most_the_chosen_number_of_series_on_any_number_of_cpus() {
    let names: Vec<_> = (0..3_000).map(|n| (format!("g{}", n % 300), format!("t{n}"))).collect();
    let names: Vec<_> = names.iter().map(|(group, name)| (group.as_str(), name.as_str())).collect();
    let table = table(&names);
    let refused = (2_001..=3_000).map(|tpid| (Tpid::new(tpid), Status::Refused { reason: "no \"\\\n".to_owned() }));
    let selection = Selection::of_statuses(&table, refused);
    for series in [0, LEAST_SERIES, 500, 2_000] {
        let options =
            MetricsOptions { every: Duration::from_secs(1), budget: Some(0.01), series, by: None, version: "1" };
        let mut metrics = Metrics::new(&table, &selection, &options);
        // The selection has them already.
        (2_001..=3_000).for_each(|tpid| metrics.add_failure(&table, Tpid::new(tpid), "again"));
        let of = everything();
        metrics.set = of.set;
        metrics.set.limit_rules(SeriesShares::new(series, 0, 0).rules);
        (0..300).for_each(|rule| metrics.set_alarms(&format!("rule {rule}"), AlarmFigures::default()));
        let slots: Vec<Slot> = (1..=2_000).flat_map(|tpid| (0..8).map(move |cpu| slot(tpid, cpu))).collect();
        let hits = vec![1; slots.len()];
        let partly: Vec<_> = (1..=2_000)
            .map(|tpid| Partly { tpid: Tpid::new(tpid), rung: Rung::Detached, watched: 0.0, estimated: None })
            .collect();
        metrics.tick(&Tick { slots: &slots, hits: &hits, partly: &partly, cost: Some(0.1), ..tick_of(&[]) });
        for format in [MetricsFormat::OpenMetrics, MetricsFormat::Prometheus] {
            let text = metrics.text(format, &usage(), true);
            let number = lines(&text).count();
            let most = series.max(LEAST_SERIES);
            assert!(number <= most && number > most * 3 / 4, "{number} of {series}");
            let mut all: Vec<_> = lines(&text).map(|line| line.rsplit_once(' ').unwrap().0).collect();
            all.sort_unstable();
            assert!(all.windows(2).all(|two| two[0] != two[1]), "a series is there twice");
            let sum: u64 = lines(&text)
                .filter(|line| line.starts_with("tpperf_hits_total{"))
                .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
                .sum();
            assert_eq!(sum, 16_000);
            assert!(text.contains("\ntpperf_tracepoints_open_failed 1000\n"));
        }
    }
}

#[test]
fn counters_that_other_parts_set_never_fall() {
    let mut metrics = everything();
    metrics.set_alarms("state web", AlarmFigures { raised: 5, active: 2 });
    metrics.set_alarms("state web", AlarmFigures { raised: 4, active: 0 });
    metrics.set_history(WrittenHistory { bytes: 5, ..WrittenHistory::default() });
    metrics.set_flight(FlightFigures::default());
    metrics.set_cpus_unwatched(Duration::ZERO);
    let text = metrics.text(MetricsFormat::Prometheus, &usage(), true);
    for line in [
        "tpperf_alarms_total{rule=\"state web\"} 5",
        "tpperf_alarms_active{rule=\"state web\"} 0",
        "tpperf_history_windows_total 3600",
        "tpperf_history_size_bytes 5",
        "tpperf_lost_events_total 7",
        "tpperf_flight_events 0",
        "tpperf_cpus_unwatched_seconds_total 1.5",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
    }
}

#[test]
fn the_rules_beyond_the_cap_share_their_series() {
    let mut metrics = example();
    for number in 0..60 {
        metrics.set_alarms(&format!("rule {number:02}"), AlarmFigures { raised: number, active: 1 });
    }
    metrics.set_alarms("(other)", AlarmFigures { raised: 1_000, active: 0 });
    metrics.set_alarms("rule 59", AlarmFigures { raised: 60, active: 0 });
    let text = metrics.text(MetricsFormat::Prometheus, &usage(), true);
    for line in [
        "tpperf_alarms_total{rule=\"rule 49\"} 49",
        "tpperf_alarms_total{rule=\"(other)\"} 1546",
        "tpperf_alarms_active{rule=\"(other)\"} 9",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("rule 50"), "{text}");
}

#[test]
fn a_state_can_become_unknown_and_long_names_are_cut() {
    let mut metrics = example();
    metrics.set_state(Some(&"x".repeat(10_000)));
    let text = metrics.text(MetricsFormat::Prometheus, &usage(), true);
    assert!(text.contains("…\"} 1\n") && text.len() < 10_000, "{text}");
    metrics.set_state(None);
    assert!(!metrics.text(MetricsFormat::Prometheus, &usage(), true).contains("tpperf_state"));
}

#[test]
fn a_scrape_is_made_again_only_after_a_change() {
    let mut metrics = example();
    let [first, again] = [0, 1].map(|_| metrics.scrape(MetricsFormat::Prometheus));
    // A second may pass between them, but not between all of a few.
    let is_shared = Rc::ptr_eq(&first, &again) || {
        let next = metrics.scrape(MetricsFormat::Prometheus);
        Rc::ptr_eq(&next, &metrics.scrape(MetricsFormat::Prometheus))
    };
    assert!(is_shared);
    metrics.tick(&tick_of(&[1]));
    let changed = metrics.scrape(MetricsFormat::Prometheus);
    assert!(std::str::from_utf8(&changed).unwrap().contains("\ntpperf_windows_total 1\n"));
    let other = metrics.scrape(MetricsFormat::OpenMetrics);
    assert!(other.ends_with(b"# EOF\n") && !changed.ends_with(b"# EOF\n"));
}

#[test]
fn families_follow_the_rules_of_both_formats() {
    let text = everything().text(MetricsFormat::OpenMetrics, &usage(), true);
    let mut names = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("# HELP ")) {
        let (name, help) = line["# HELP ".len()..].split_once(' ').unwrap();
        assert!(help.ends_with('.') && !help.contains(['"', '\\']), "{line}");
        names.push(name);
    }
    let units = text.lines().filter_map(|line| line.strip_prefix("# UNIT ")?.split_once(' '));
    for (name, unit) in units.clone() {
        assert!(name.ends_with(&format!("_{unit}")), "{name} {unit}");
    }
    // A family whose name ends with a unit declares the unit.
    let with_unit: Vec<_> = units.map(|(name, _)| name).collect();
    for name in &names {
        let ends = ["_seconds", "_bytes", "_ratio"].iter().any(|unit| name.ends_with(unit));
        assert_eq!(ends, with_unit.contains(name), "{name}");
        assert!(!name.ends_with("_total") && !name.ends_with("_info"), "{name}");
    }
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "the series of a family are together: {names:?}");
}

#[test]
#[ignore = "measures time: run it by hand with --nocapture"]
fn time_of_a_scrape() {
    let names: Vec<_> = (0..2_000).map(|n| (format!("group_{}", n % 100), format!("tracepoint_number_{n}"))).collect();
    let names: Vec<_> = names.iter().map(|(group, name)| (group.as_str(), name.as_str())).collect();
    let table = table(&names);
    let selection = Selection::of_statuses(&table, std::iter::empty());
    let options = MetricsOptions { every: Duration::from_secs(1), budget: None, series: 2_000, by: None, version: "1" };
    let mut metrics = Metrics::new(&table, &selection, &options);
    for cpus in [2, 128] {
        let slots: Vec<Slot> = (1..=2_000).flat_map(|tpid| (0..cpus).map(move |cpu| slot(tpid, cpu))).collect();
        let hits = vec![123_456; slots.len()];
        let tick = Tick { slots: &slots, hits: &hits, ..tick_of(&[]) };
        let mut least = [Duration::MAX; 2];
        let mut size = (0, 0);
        for _ in 0..50 {
            let begin = Instant::now();
            metrics.tick(&tick);
            least[0] = least[0].min(begin.elapsed());
            let begin = Instant::now();
            let text = metrics.scrape(MetricsFormat::OpenMetrics);
            least[1] = least[1].min(begin.elapsed());
            size = (text.len(), lines(std::str::from_utf8(&text).unwrap()).count());
        }
        println!("{cpus} CPUs: a tick {:?}, a text {:?}, {size:?} (bytes, series)", least[0], least[1]);
    }
}
