//! Writes the metrics to a file for the textfile collector of node_exporter.

use super::{Error, Metrics};
use rustix::fs::{Mode, OFlags, fchmod, open};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes the metrics to a file. node_exporter reads files that end in `.prom`. It may read at any time, so the file gets its
/// name when it is complete. Until then, it has another name in the same directory, which node_exporter does not read. If the
/// file cannot be written, the old one stays.
///
/// # Errors
/// If the path is no place for a file, or if the file cannot be written.
pub fn write_textfile(metrics: &mut Metrics, path: &Path) -> Result<(), Error> {
    let failed = |verb, path: &Path| {
        let path = path.to_owned();
        move |cause| Error::Textfile { verb, path, cause }
    };
    let new = beside(path)?;
    let written = create(&new).and_then(|mut file| file.write_all(metrics.for_textfile().as_bytes()));
    let written = written.map_err(failed("write", &new));
    let renamed = written.and_then(|()| fs::rename(&new, path).map_err(failed("replace", path)));
    if renamed.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&new);
    }
    renamed
}

/// Creates a file that everybody may read, as node_exporter usually runs as another user. A file that an earlier run left there
/// is replaced, and so is a link.
fn create(path: &Path) -> io::Result<File> {
    let readable = Mode::from_raw_mode(0o644);
    // If it cannot be removed, it cannot be created either.
    let _ = fs::remove_file(path);
    let file = open(path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC, readable)?;
    fchmod(&file, readable)?;
    Ok(file.into())
}

/// The name of the file until it is complete.
fn beside(path: &Path) -> Result<PathBuf, Error> {
    if path.extension().is_none_or(|extension| extension != "prom") {
        return Err(Error::NoTextfile { path: path.to_owned() });
    }
    Ok(path.with_extension("prom.new"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Sink;
    use crate::metrics::testing::{example, tick_of};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn the_file_is_whole_readable_for_all_and_has_no_metrics_of_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tp-perf.prom");
        let mut metrics = example();
        for hits in 1..3 {
            metrics.tick(&tick_of(&[hits]));
            write_textfile(&mut metrics, &path).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\ntpperf_windows_total 2\n") && text.ends_with('\n'), "{text}");
        assert!(!text.contains("process_") && !text.contains("# EOF"), "{text}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else stays");
    }

    #[test]
    fn a_link_in_the_place_of_the_new_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["tp-perf.prom", "other"].map(|name| folder.path().join(name));
        fs::write(&other, "kept").unwrap();
        symlink(&other, folder.path().join("tp-perf.prom.new")).unwrap();
        write_textfile(&mut example(), &path).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }

    #[test]
    fn a_failure_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tp-perf.prom");
        let fails = |path: &Path| write_textfile(&mut example(), path).unwrap_err().to_string();
        // A directory has the name.
        fs::create_dir_all(path.join("not-empty")).unwrap();
        assert_eq!(fails(&path), format!("failed to replace `{}`: Is a directory (os error 21)", path.display()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let missing = folder.path().join("missing/a.prom");
        assert!(fails(&missing).contains("No such file or directory"));
        for bad in ["a.txt", "prom", ".", "/"] {
            assert!(fails(Path::new(bad)).contains(".prom"), "{bad}");
        }
    }
}
