//! What this process uses: CPU time, memory, descriptors.

use super::clock::Clock;
use super::limits::DescriptorLimit;
use super::process::page_size;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};
use rustix::fs::{Dir, Mode, OFlags, open};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// The use of resources at one time. A figure that the system does not show is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnUsage {
    /// The CPU time of all threads, user and system.
    pub cpu: Option<Duration>,
    /// The resident memory in bytes.
    pub resident: Option<u64>,
    /// The number of open descriptors.
    pub descriptors: Option<u64>,
    /// The most descriptors that may be open.
    pub most_descriptors: u64,
    /// When the process started, in Unix time.
    pub started: Option<Duration>,
    /// What to add to CLOCK_MONOTONIC for Unix time, in nanoseconds.
    pub to_unix_ns: Option<i64>,
}

/// Reads the use of resources again and again. Its files stay open, so it works in a process that may open none.
#[derive(Debug)]
pub struct OwnUsageReader {
    statm: Option<File>,
    descriptors: Option<Dir>,
    started: Option<Duration>,
}

/// Reading the list of more descriptors would take too long. Linux before 6.2 has only the list.
const MOST_LISTED: u64 = 10_000;

impl OwnUsageReader {
    /// Opens the files of `/proc`.
    pub fn open() -> Self {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptors = open("/proc/self/fd", flags, Mode::empty()).and_then(Dir::new);
        OwnUsageReader { statm: File::open("/proc/self/statm").ok(), descriptors: descriptors.ok(), started: started() }
    }

    /// What the process uses now.
    pub fn read(&mut self) -> OwnUsage {
        let cpu = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
        let mut statm = [0; 128];
        let length = self.statm.as_ref().and_then(|file| file.read_at(&mut statm, 0).ok());
        let resident = length.and_then(|length| resident_pages(&statm[..length]));
        OwnUsage {
            cpu: cpu.ok().map(Duration::from),
            resident: resident.map(|pages| pages.saturating_mul(page_size() as u64)),
            descriptors: self.descriptors.as_mut().and_then(number_of),
            most_descriptors: DescriptorLimit::read().soft,
            started: self.started,
            to_unix_ns: Clock::Realtime.offset_from_sampled().ok(),
        }
    }
}

/// The number of files in `/proc/self/fd`. Since Linux 6.2, it is the size of the folder.
fn number_of(descriptors: &mut Dir) -> Option<u64> {
    let size = descriptors.stat().ok()?.st_size;
    if size > 0 {
        return u64::try_from(size).ok();
    }
    descriptors.rewind();
    let mut number = 0;
    while let Some(entry) = descriptors.read() {
        // The folder itself and the one above are no descriptors.
        number += u64::from(!matches!(entry.ok()?.file_name().to_bytes(), b"." | b".."));
        if number > MOST_LISTED {
            return None;
        }
    }
    Some(number)
}

/// The resident pages in the text of `/proc/self/statm`.
fn resident_pages(statm: &[u8]) -> Option<u64> {
    std::str::from_utf8(statm).ok()?.split_whitespace().nth(1)?.parse().ok()
}

/// When this process started, in Unix time.
fn started() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let per_second = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    let since_boot = Duration::from_millis(start_ticks(&stat)?.saturating_mul(1_000) / per_second.max(1));
    let now = |clock: Clock| clock.now_ns().ok().map(|time| Duration::from_nanos(time.0));
    let age = now(Clock::Boottime)?.saturating_sub(since_boot);
    Some(now(Clock::Realtime)?.saturating_sub(age))
}

/// The time from the boot to the start, in the text of `/proc/self/stat`. The name of the process may hold any characters, so
/// the fields are those behind its last parenthesis.
fn start_ticks(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "miri has no /proc")]
    fn this_process_uses_something() {
        let mut reader = OwnUsageReader::open();
        let before = reader.read();
        let more: Vec<File> = (0..50).map(|_| File::open("/dev/null").unwrap()).collect();
        let memory = vec![7u8; 64 << 20];
        let after = reader.read();
        // Other tests of this process open and close files meanwhile.
        assert!(after.descriptors.unwrap() >= 50, "{before:?} {after:?}");
        assert!(after.most_descriptors >= after.descriptors.unwrap());
        assert!(after.resident.unwrap() > memory.len() as u64 && after.cpu >= before.cpu, "{before:?} {after:?}");
        let now = Clock::Realtime.now_ns().unwrap();
        assert!(after.started.unwrap() <= Duration::from_nanos(now.0), "{after:?} {now}");
        assert_eq!(after.started, before.started);
        drop(more);
    }

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "7 (a) b ) S 1 7 7 0 -1 4194560 1 0 0 0 1 0 0 0 20 0 1 0 6543 1 2";
        assert_eq!(start_ticks(stat), Some(6_543));
        assert_eq!((start_ticks("7 (a) S 1"), start_ticks("")), (None, None));
        assert_eq!(
            (resident_pages(b"100 20 3 4 0 50 0\n"), resident_pages(b"\xff 1"), resident_pages(b"")),
            (Some(20), None, None)
        );
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no /proc")]
    fn descriptors_are_counted_one_by_one_where_the_folder_has_no_size() {
        // Like `fd` before Linux 6.2, this folder has no size.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let mut folder = open("/proc/self/ns", flags, Mode::empty()).and_then(Dir::new).unwrap();
        assert_eq!(folder.stat().unwrap().st_size, 0);
        let expected = fs::read_dir("/proc/self/ns").unwrap().count() as u64;
        assert_eq!([number_of(&mut folder), number_of(&mut folder)], [Some(expected); 2]);
    }
}
