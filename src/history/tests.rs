//! Histories as a whole: what was counted is what is read, whatever happens in between.

use super::testing::{BEGIN, Host, S, TestClock, copy, files_in, sums, windows_in};
use super::*;
use crate::events::{Ns, Tpid};
use std::fs;
use std::time::Duration;

const HOUR: u64 = 3_600;

/// The hits of a window: some tracepoints always, some now and then, some in bursts.
fn hits(random: &mut fastrand::Rng) -> Vec<(u32, u64)> {
    let mut hits = Vec::new();
    for tpid in 1..=12_u32 {
        if tpid <= 4 || random.u32(..tpid) == 0 {
            hits.push((tpid, random.u64(1..=10_u64.pow(tpid / 2))));
        }
    }
    if random.u32(..50) == 0 { Vec::new() } else { hits }
}

fn reports_of(host: &Host, kind: fn(&HistoryReport) -> bool) -> usize {
    host.reports.iter().filter(|report| kind(report)).count()
}

#[test]
fn a_day_is_read_as_it_was_counted() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(BEGIN + 123_456_789);
    let mut host = Host::start(folder.path(), &clock, 12);
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..24 * HOUR {
        let hits = hits(&mut random);
        host.window(S + random.u64(..3_000), &hits);
    }
    assert_eq!(reports_of(&host, |report| matches!(report, HistoryReport::Closed { .. })), 23);
    // The current hour is a journal.
    assert_eq!(windows_in(folder.path(), HistoryLevel::Windows), host.truth);
    host.writer.finish();
    let windows = windows_in(folder.path(), HistoryLevel::Windows);
    assert_eq!(windows.len(), host.truth.len());
    assert!(windows == host.truth);
    let minutes = windows_in(folder.path(), HistoryLevel::Minutes);
    assert_eq!(sums(&minutes), sums(&host.truth));
    assert!((24 * 60..=24 * 60 + 2).contains(&(minutes.len() as u64)), "{}", minutes.len());
    let length = |windows: &[HistoryWindow]| windows.iter().map(|window| window.length_ns).sum::<u64>();
    assert_eq!(length(&minutes), length(&host.truth));
    // Most windows begin where the last one ended.
    let is_next = |pair: &[HistoryWindow]| pair[1].start.0.abs_diff(pair[0].end().0) <= 1_000;
    assert!(host.truth.windows(2).all(is_next));
    let range = BEGIN + 5 * HOUR * S + 600 * S..BEGIN + 6 * HOUR * S;
    let part =
        HistoryChoice { from: Some(Ns(range.start)), to: Some(Ns(range.end - 900 * S)), ..HistoryChoice::default() };
    let range = range.start..range.end - 900 * S;
    let hour = History::open(folder.path(), part).unwrap();
    let is_in = |window: &&HistoryWindow| range.contains(&window.start.0);
    assert!(hour.windows().map(|window| window.unwrap().0).eq(host.truth.iter().filter(is_in).cloned()));
    assert_eq!(hour.files.len(), 1);
}

#[test]
fn a_kill_between_any_two_steps_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("h");
    let clock = TestClock::at(BEGIN + (HOUR - 300) * S);
    let mut host = Host::start(&root, &clock, 12);
    let mut random = fastrand::Rng::with_seed(2);
    for n in 0..300 {
        if n == 100 {
            host.writer.note("mark", "here".into());
        }
        host.window(S, &hits(&mut random));
    }
    host.window_of(S, &[(1, 1)], &[(2, Some((0.25, 70.2, 9.0))), (3, None)]);
    let mut kills = 0;
    for step in 0.. {
        let killed = folder.path().join(format!("killed-{step}"));
        copy(&root, &killed);
        // Readers see the same before the next start, ...
        assert!(windows_in(&killed, HistoryLevel::Windows) == host.truth, "step {step}");
        let mut next = Host::start(&killed, &clock, 12);
        next.window(S, &[(9, 9)]);
        next.writer.finish();
        // ... and after it.
        let mut expected = host.truth.clone();
        expected.extend(next.truth);
        assert!(windows_in(&killed, HistoryLevel::Windows) == expected, "step {step}");
        assert_eq!(
            sums(&windows_in(&killed, HistoryLevel::Minutes)).get(&Tpid::new(9)),
            sums(&expected).get(&Tpid::new(9))
        );
        assert!(files_in(&killed).iter().all(|name| name.ends_with(".parquet") || name.ends_with(".lock")));
        let marks = History::open(&killed, HistoryChoice::default()).unwrap().events().unwrap();
        assert_eq!(marks.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["mark"], "step {step}");
        // Only ticks let the disk settle.
        (0..3).for_each(|_| host.window_of(S, &[], &[]));
        if !host.writer.has_work() {
            break;
        }
        host.writer.step();
        kills += 1;
    }
    assert!(kills >= 8, "{kills} steps");
}

#[test]
fn a_kill_between_the_two_names_makes_the_minutes_again() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(BEGIN);
    let mut host = Host::start(folder.path(), &clock, 12);
    (0..100).for_each(|_| host.window(S, &[(1, 1)]));
    let killed = tempfile::tempdir().unwrap();
    copy(folder.path(), killed.path());
    host.writer.finish();
    // The minutes have their name, and the windows do not.
    let minutes = "minutes/host=here/date=2026-11-30";
    copy(&folder.path().join(minutes), &killed.path().join(minutes));
    clock.pass(2 * HOUR * S);
    let mut next = Host::start(killed.path(), &clock, 12);
    next.writer.finish();
    assert_eq!(files_in(killed.path()), [".host=here.lock", "14.parquet", "14.parquet"]);
    assert!(windows_in(killed.path(), HistoryLevel::Windows) == host.truth);
    assert_eq!(sums(&windows_in(killed.path(), HistoryLevel::Minutes)), sums(&host.truth));
}

#[test]
fn a_kill_before_the_journal_is_removed_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(BEGIN);
    let mut host = Host::start(folder.path(), &clock, 12);
    (0..100).for_each(|_| host.window(S, &[(1, 1)]));
    let killed = tempfile::tempdir().unwrap();
    copy(folder.path(), killed.path());
    host.writer.finish();
    copy(folder.path(), killed.path());
    // A kill of an earlier version of the same hour, whose journal somebody removed.
    let date = killed.path().join("windows/host=here/date=2026-11-30");
    fs::write(date.join(".03.parquet.partial"), "PAR1").unwrap();
    assert_eq!(files_in(&date), [".03.parquet.partial", ".14.journal", "14.parquet"]);
    assert!(windows_in(killed.path(), HistoryLevel::Windows) == host.truth);
    let mut next = Host::start(killed.path(), &clock, 12);
    next.writer.finish();
    assert_eq!(files_in(&date), ["14.parquet"]);
    assert!(windows_in(killed.path(), HistoryLevel::Windows) == host.truth);
    drop(next);
    // A file that came from elsewhere has another number, so the journal is another part.
    copy(folder.path(), killed.path());
    let other = tempfile::tempdir().unwrap();
    let mut host = Host::start(other.path(), &TestClock::at(BEGIN + 200 * S), 12);
    (0..10).for_each(|_| host.window(S, &[(1, 1)]));
    let path = "windows/host=here/date=2026-11-30/.14.journal";
    fs::copy(other.path().join(path), killed.path().join(path)).unwrap();
    Host::start(killed.path(), &clock, 12).writer.finish();
    assert_eq!(files_in(&date), ["14-2.parquet", "14.parquet"]);
    assert_eq!(windows_in(killed.path(), HistoryLevel::Windows).len(), 110);
}

#[test]
fn a_monitor_that_was_killed_goes_on_in_the_same_journal() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(BEGIN);
    let mut truth = Vec::new();
    for run in 0..3_u64 {
        let mut host = Host::start(folder.path(), &clock, 12);
        let recovered = host.reports.iter().filter_map(|report| match report {
            HistoryReport::Recovered { windows, .. } => Some(*windows),
            _ => None,
        });
        assert_eq!(recovered.collect::<Vec<_>>(), if run == 0 { vec![] } else { vec![run * 10] });
        (0..10).for_each(|n| host.window(S, &[(1, n + 1)]));
        truth.append(&mut host.truth);
        // Dropping it does no more than a kill.
        drop(host);
        let [journal] = &files_in(folder.path().join("windows").as_path())[..] else { panic!("one journal") };
        assert_eq!(journal, ".14.journal");
        // A kill in the middle of a write.
        let path = folder.path().join("windows/host=here/date=2026-11-30/.14.journal");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, [&bytes[..], &bytes[bytes.len() - 9..]].concat()).unwrap();
        clock.pass(5 * S);
    }
    assert!(windows_in(folder.path(), HistoryLevel::Windows) == truth);
    // Other tracepoints need another file.
    let mut other = Host::start(folder.path(), &clock, 11);
    other.window(S, &[(1, 5)]);
    truth.append(&mut other.truth);
    other.writer.finish();
    assert_eq!(files_in(&folder.path().join("windows")), ["14-2.parquet", "14.parquet"]);
    assert!(windows_in(folder.path(), HistoryLevel::Windows) == truth);
}

#[test]
fn steps_of_the_clock_change_no_length_and_lose_no_window() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(BEGIN + 1_800 * S);
    let mut host = Host::start(folder.path(), &clock, 12);
    let minutes = |host: &mut Host, number: u64| (0..number * 60).for_each(|n| host.window(S, &[(1, n + 1)]));
    minutes(&mut host, 10);
    clock.step(-1_200 * S as i64);
    minutes(&mut host, 15);
    clock.step(3 * HOUR as i64 * S as i64);
    minutes(&mut host, 5);
    clock.step(-3 * HOUR as i64 * S as i64);
    minutes(&mut host, 5);
    assert_eq!(reports_of(&host, |report| matches!(report, HistoryReport::ClockStepped { .. })), 3);
    host.writer.finish();
    let windows = windows_in(folder.path(), HistoryLevel::Windows);
    assert!(windows.is_sorted_by_key(|window| window.start));
    assert_eq!(sums(&windows), sums(&host.truth));
    assert_eq!(windows.len(), host.truth.len());
    assert!(windows.iter().all(|window| window.length_ns == S));
    let mut expected = host.truth.clone();
    expected.sort_by_key(|window| window.start);
    let starts = |windows: &[HistoryWindow]| windows.iter().map(|window| window.start).collect::<Vec<_>>();
    let off = starts(&windows).iter().zip(starts(&expected)).map(|(one, other)| one.0.abs_diff(other.0)).max();
    // The window in which the clock was set began before.
    assert!(off <= Some(S), "{off:?}");
    let history = History::open(folder.path(), HistoryChoice::default()).unwrap();
    let steps: Vec<_> = history.events().unwrap().into_iter().map(|event| (event.kind, event.facts)).collect();
    assert_eq!(steps.len(), 3);
    assert!(steps.contains(&("clock-step".to_owned(), serde_json::json!({ "by_ns": -1_200 * S as i64 }))), "{steps:?}");
    assert_eq!(files_in(&folder.path().join("windows")).len(), 4);
}

#[test]
fn a_folder_that_cannot_be_written_to_costs_nothing_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(BEGIN + (HOUR - 10) * S);
    let mut host = Host::start(folder.path(), &clock, 12);
    (0..10).for_each(|n| host.window(S, &[(1, n + 1)]));
    // In the next hour, there is no folder any more: a file has its name.
    let (windows, aside) = (folder.path().join("windows"), folder.path().join("aside"));
    fs::rename(&windows, &aside).unwrap();
    fs::write(&windows, "").unwrap();
    (0..500).for_each(|n| host.window(S, &[(1, n + 1)]));
    assert_eq!(reports_of(&host, |report| matches!(report, HistoryReport::Failing { .. })), 1, "{:?}", host.reports);
    assert_eq!((host.writer.figures().waiting, host.writer.figures().lost), (500, 0));
    fs::remove_file(&windows).unwrap();
    fs::rename(&aside, &windows).unwrap();
    (0..100).for_each(|n| host.window(S, &[(1, n + 1)]));
    let again = HistoryReport::WorksAgain { written: 501, lost: 0 };
    assert_eq!(host.reports.iter().filter(|report| **report == again).count(), 1, "{:?}", host.reports);
    host.writer.finish();
    assert!(windows_in(folder.path(), HistoryLevel::Windows) == host.truth);
    assert_eq!(host.writer.figures(), HistoryFigures { written: 610, ..HistoryFigures::default() });
}

#[test]
fn windows_that_memory_cannot_keep_are_counted_and_reported_once() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(BEGIN);
    let mut host = Host::start(folder.path(), &clock, 900);
    fs::write(folder.path().join("windows"), "").unwrap();
    let many: Vec<(u32, u64)> = (1..=900).map(|tpid| (tpid, 1 << 40)).collect();
    (0..1_000).for_each(|_| host.window_of(S, &many, &[]));
    let (lost, waiting) = (host.writer.figures().lost, host.writer.figures().waiting);
    assert!(lost > 100 && waiting > 100 && lost + waiting == 1_000, "{lost} {waiting}");
    fs::remove_file(folder.path().join("windows")).unwrap();
    host.window(S, &[(1, 1)]);
    let works = HistoryReport::WorksAgain { written: waiting + 1, lost };
    assert!(host.reports.contains(&works), "{:?}", host.reports);
    assert_eq!(reports_of(&host, |report| matches!(report, HistoryReport::Losing { .. })), 1);
    let kept = windows_in(folder.path(), HistoryLevel::Windows);
    assert!(kept == host.truth[lost as usize..]);
}

#[test]
fn an_hour_that_cannot_be_closed_is_closed_later() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(BEGIN + (HOUR - 5) * S);
    let mut host = Host::start(folder.path(), &clock, 12);
    fs::write(folder.path().join("minutes"), "").unwrap();
    (0..200).for_each(|n| host.window(S, &[(1, n + 1)]));
    assert_eq!(reports_of(&host, |report| matches!(report, HistoryReport::NotClosed { .. })), 1, "{:?}", host.reports);
    assert!(windows_in(folder.path(), HistoryLevel::Windows) == host.truth);
    fs::remove_file(folder.path().join("minutes")).unwrap();
    (0..100).for_each(|n| host.window(S, &[(1, n + 1)]));
    assert_eq!(files_in(&folder.path().join("windows")), [".15.journal", "14.parquet"]);
    assert!(windows_in(folder.path(), HistoryLevel::Windows) == host.truth);
}

#[test]
fn a_damaged_journal_is_kept_aside_and_its_other_windows_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(BEGIN);
    let mut host = Host::start(folder.path(), &clock, 12);
    (0..50).for_each(|n| host.window(S, &[(1, n + 1)]));
    let mut truth = std::mem::take(&mut host.truth);
    drop(host);
    let path = folder.path().join("windows/host=here/date=2026-11-30/.14.journal");
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.len() - 30;
    bytes[place] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let mut host = Host::start(folder.path(), &clock, 12);
    (0..10).for_each(|n| host.window(S, &[(1, n + 1)]));
    let kept = path.with_file_name(".14.journal.damaged");
    let reported =
        host.reports.iter().any(|report| matches!(report, HistoryReport::DamagedJournal { path, .. } if *path == kept));
    assert!(reported, "{:?}", host.reports);
    assert_eq!(fs::read(&kept).unwrap(), bytes);
    let read = windows_in(folder.path(), HistoryLevel::Windows);
    assert_eq!(read.len(), 59);
    truth.retain(|window| read.contains(window));
    truth.extend(host.truth);
    assert!(read == truth);
}

#[test]
fn old_files_go_once_the_clock_can_be_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::at(BEGIN);
    let day = Duration::from_secs(24 * HOUR);
    let keep = Keep { windows_for: day, minutes_for: 3 * day, bytes: u64::MAX };
    let mut host = Host::start_with(folder.path(), &clock, 12, keep);
    // The clock of a machine without a battery is in another year for half an hour.
    (0..3 * 60).for_each(|n| host.window(60 * S, &[(1, n + 1)]));
    clock.step((400 * day).as_nanos() as i64);
    (0..30).for_each(|n| host.window(60 * S, &[(1, n + 1)]));
    clock.step(-((400 * day).as_nanos() as i64));
    let is_removal = |report: &HistoryReport| matches!(report, HistoryReport::Removed(_));
    assert_eq!(reports_of(&host, is_removal), 0);
    (0..5 * 24 * 6).for_each(|n| host.window(600 * S, &[(1, n + 1)]));
    assert!(reports_of(&host, is_removal) > 50, "{:?}", host.reports);
    let count = |level: &str| files_in(&folder.path().join(level)).len();
    assert!((24..=28).contains(&count("windows")), "{}", count("windows"));
    assert!((72..=76).contains(&count("minutes")), "{}", count("minutes"));
}
