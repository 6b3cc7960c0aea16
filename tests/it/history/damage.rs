//! Damaged files, and files of other programs.

use super::host::{BEGIN, Host, S};
use std::fs;
use std::path::{Path, PathBuf};
use tp_perf::events::{Estimated, Ns, Partly, Rung, Tpid};
use tp_perf::history::{Error, History, HistoryChoice, HistoryLevel};
use tp_perf::memory::apart;

const TRACEPOINTS: u32 = 30;
const MEMORY: u64 = 16 << 20;

/// A history of three hours, the last of which is a journal.
pub fn three_hours(root: &Path) {
    let mut host = Host::start(root, 0, TRACEPOINTS);
    for n in 0..180 {
        if n == 130 {
            host.writer.note("mark", "here".into());
        }
        let hits: Vec<u64> =
            (0..u64::from(TRACEPOINTS)).map(|place| if n % 7 == place % 5 { 0 } else { n + place }).collect();
        let estimated = (n % 3 > 0).then_some(Estimated { hits: 70.0, variance: 9.0 });
        let rung = if estimated.is_some() { Rung::Visited } else { Rung::Detached };
        host.window(60 * S, &hits, &[Partly { tpid: Tpid::new(3), rung, watched: 0.25, estimated }]);
        host.work();
    }
}

pub fn path_of(root: &Path, name: &str) -> PathBuf {
    root.join("windows/host=here/date=2026-11-30").join(name)
}

fn open(path: &Path) -> Result<History, Error> {
    apart(MEMORY, || History::open(path, HistoryChoice::default()))
}

/// The numbers of windows and of errors.
fn read(history: &History) -> (usize, usize) {
    let windows: Vec<_> = apart(MEMORY, || history.windows().collect());
    let errors = windows.iter().filter(|window| window.is_err()).count();
    (windows.len() - errors, errors + history.problems().len())
}

pub fn damaged_files() {
    let folder = tempfile::tempdir().unwrap();
    three_hours(folder.path());
    assert_eq!(read(&open(folder.path()).unwrap()), (180, 0));
    let path = path_of(folder.path(), "15.parquet");
    let bytes = fs::read(&path).unwrap();
    let check = |changed: &[u8], what: &str| {
        fs::write(&path, changed).unwrap();
        let (windows, errors) = read(&open(folder.path()).unwrap());
        // Two hours are whole. A change that no checksum sees can leave all windows.
        assert!((120..=180).contains(&windows), "{what}: {windows}");
        assert!(windows == 180 || errors == 1, "{what}: {windows} windows, {errors} errors");
        if let Err(error) = open(&path) {
            assert!(error.to_string().contains("15.parquet"), "{error}");
        }
    };
    let mut random = fastrand::Rng::with_seed(4);
    let mut places: Vec<usize> = (0..40).chain(bytes.len() - 40..bytes.len()).collect();
    places.extend((0..250).map(|_| random.usize(..bytes.len())));
    for place in places {
        check(&bytes[..place], &format!("cut at {place}"));
        let mut changed = bytes.clone();
        changed[place] ^= 1 << random.u32(..8);
        check(&changed, &format!("changed at {place}"));
    }
    // A read of the range without the hour does not need it.
    fs::write(&path, b"PAR1").unwrap();
    let range = HistoryChoice { from: Some(Ns(BEGIN + 7_200 * S)), ..HistoryChoice::default() };
    assert_eq!(read(&History::open(folder.path(), range).unwrap()), (60, 0));
}

pub fn other_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let fails = |path: &Path, words: &str| {
        let error = open(path).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(path.file_name().unwrap().to_str().unwrap()), "{error}");
    };
    fails(root, "is not a history of tp-perf");
    fails(&root.join("nothing"), "failed to open");
    let file = root.join("x.parquet");
    for bytes in [&b""[..], b"PAR1", b"PAR1PAR1", b"PAR1\0\0\0\0PAR1", &[0; 5_000]] {
        fs::write(&file, bytes).unwrap();
        fails(&file, "is damaged");
    }
    // A footer that promises more than the file has, or more than tp-perf reads.
    fs::write(&file, [&[0; 5_000][..], &5_001_u32.to_le_bytes(), b"PAR1"].concat()).unwrap();
    fails(&file, "does not end as a Parquet file does");
    let sparse = fs::File::create(&file).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, &[&(8_u32 << 20).to_le_bytes()[..], b"PAR1"].concat(), 9 << 20)
        .unwrap();
    fails(&file, "its footer has 8388608 bytes");
    fs::write(root.join("x.txt"), "x").unwrap();
    fails(&root.join("x.txt"), "is not a history of tp-perf");
    fs::write(root.join(".x.journal"), "x").unwrap();
    assert_eq!(open(&root.join(".x.journal")).unwrap().span(), None);
    nix::unistd::mkfifo(&root.join("f.parquet"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fails(&root.join("f.parquet"), "it is not a regular file");

    let history = root.join("history");
    three_hours(&history);
    // Files with other names, and links, are not read.
    fs::write(path_of(&history, "notes.txt"), "x").unwrap();
    std::os::unix::fs::symlink("14.parquet", path_of(&history, "16.parquet")).unwrap();
    assert_eq!(read(&open(&history).unwrap()), (180, 0));
    // Each way into a history leads to the same windows.
    for (part, windows) in [("windows", 180), ("windows/host=here", 180), ("windows/host=here/date=2026-11-30", 180)] {
        assert_eq!(read(&open(&history.join(part)).unwrap()), (windows, 0), "{part}");
    }
    assert_eq!(read(&open(&path_of(&history, "14.parquet")).unwrap()), (60, 0));
    assert_eq!(read(&open(&path_of(&history, ".16.journal")).unwrap()), (60, 0));
    let minutes = HistoryChoice { level: HistoryLevel::Minutes, ..HistoryChoice::default() };
    assert_eq!(read(&History::open(&history, minutes).unwrap()), (120, 0));

    // A second host.
    fs::create_dir(history.join("windows/host=there")).unwrap();
    assert!(open(&history).unwrap_err().to_string().ends_with("has the histories of 2 hosts: here, there"));
    let of = |host: &str| HistoryChoice { host: Some(host.to_owned()), ..HistoryChoice::default() };
    assert_eq!(read(&History::open(&history, of("here")).unwrap()), (180, 0));
    let error = History::open(&history, of("elsewhere")).unwrap_err().to_string();
    assert!(error.ends_with("does not have the host `elsewhere`; it has here, there"), "{error}");
}
