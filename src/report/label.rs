//! Short names for sources: for headings and files.

use crate::recording::{EVENTS, LOG};
use crate::source::Place;
use std::collections::HashSet;
use std::path::Path;

/// Letters of a label, so that a file's name has room for it and for what stands behind it, whatever the letters.
const LONGEST: usize = 50;

/// A short name for each source, no two alike.
pub fn labels(places: &[Place]) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut label = |place: &Place| {
        let short: String = match place {
            Place::Path(path) => short_name(path),
            Place::Stdin => "stdin".to_owned(),
            Place::Example => "example".to_owned(),
        }
        .chars()
        .take(LONGEST)
        .collect();
        let numbered = (2..).map(|number| format!("{short}-{number}"));
        let mut names = std::iter::once(short.clone()).chain(numbered);
        names.find(|name| taken.insert(file_name(name))).expect("numbers do not end")
    };
    places.iter().map(&mut label).collect()
}

/// The last part of a path that says something: of `idle/events.perf` it is `idle`.
fn short_name(path: &Path) -> String {
    let parts: Vec<String> = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .filter(|part| part != ".")
        .collect();
    let says_nothing =
        |part: &&String| [EVENTS, LOG, "perf.data"].contains(&part.as_str()) || *part == ".." || *part == "/";
    let absolute = || std::path::absolute(path).ok()?.file_name().map(|name| name.to_string_lossy().into_owned());
    match parts.iter().rev().find(|part| !says_nothing(part)) {
        Some(part) => {
            let endings = [".zst", ".csv", ".log", ".perf", ".data"];
            let stem = endings.iter().fold(part.as_str(), |stem, ending| stem.strip_suffix(ending).unwrap_or(stem));
            if stem.is_empty() { part.clone() } else { stem.to_owned() }
        }
        None => parts
            .last()
            .filter(|part| *part != "/" && *part != "..")
            .cloned()
            .or_else(absolute)
            .unwrap_or("source".to_owned()),
    }
}

/// A label as a part of a file's name.
pub fn file_name(label: &str) -> String {
    let safe = label.chars().map(|c| if c.is_alphanumeric() || "._-+=@,".contains(c) { c } else { '_' });
    match safe.collect::<String>().trim_start_matches('.') {
        "" => "source".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_no_two_are_alike() {
        let places = [
            "idle/",
            "/tmp/x/idle/events.perf",
            "build/log.csv",
            "make.perf.zst",
            "perf.data",
            "a b",
            "a/b\nc",
            "a_b",
            "…",
        ];
        let places: Vec<_> = places.into_iter().map(|path| Place::Path(path.into())).collect();
        let labels = labels(&places);
        assert_eq!(labels, ["idle", "idle-2", "build", "make", "perf.data", "a b", "b\nc", "a_b-2", "…"]);
        let long = Place::Path("x".repeat(200).into());
        let labels = super::labels(&[long.clone(), long.clone(), long]);
        assert_eq!(labels.iter().collect::<HashSet<_>>().len(), 3, "{labels:?}");
        assert_eq!(file_name("../a/b\u{1b}[2J"), "_a_b__2J");
    }
}
