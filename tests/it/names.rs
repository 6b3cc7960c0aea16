//! Checks that no two files of the library define a type of the same name.

use crate::common::{Test, tests};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

pub const TESTS: &[Test] = tests![no_two_files_define_a_type_of_the_same_name];

/// Names that several files may define. Each module has its own `Error`, and users write the module before
/// it.
const SHARED: [&str; 1] = ["Error"];

fn no_two_files_define_a_type_of_the_same_name() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut owners: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for file in files(&source) {
        for name in types(&fs::read_to_string(&file).unwrap()) {
            owners.entry(name).or_default().insert(file.strip_prefix(&source).unwrap().to_owned());
        }
    }
    assert!(owners.len() > 100, "only {} types were found", owners.len());
    owners.retain(|_, files| files.len() > 1);
    let unused: Vec<_> = SHARED.iter().filter(|name| !owners.contains_key(**name)).collect();
    assert!(unused.is_empty(), "only one file defines each of these: {unused:?}");
    owners.retain(|name, _| !SHARED.contains(&name.as_str()));
    assert!(owners.is_empty(), "several files define: {owners:#?}");
}

/// All Rust files in a folder and below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}

/// The types that a file defines at its outermost level, which rustfmt does not indent.
fn types(source: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let (visibility, item) = match line.strip_prefix("pub") {
            Some(rest) => rest.split_at(rest.find(' ')? + 1),
            None => ("", line),
        };
        let is_visibility = visibility.trim().is_empty() || visibility.starts_with('(');
        let kinds = ["struct ", "enum ", "trait ", "type ", "union "];
        let name = kinds.iter().find_map(|kind| item.strip_prefix(kind)).filter(|_| is_visibility)?;
        Some(name.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()?.to_owned())
    };
    source.lines().filter_map(of_line).collect()
}
