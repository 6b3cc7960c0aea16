//! Checks that imports in `src` follow the floors in ARCHITECTURE.md. Rust does not check this within one
//! crate.

use crate::common::{Test, tests};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

pub const TESTS: &[Test] =
    tests![modules_import_only_what_is_below_them, files_of_a_folder_have_no_circle, each_broken_rule_is_seen,];

/// The only modules that may contain `unsafe`.
const UNSAFE: [&str; 3] = ["os", "perf", "engine"];

/// The only modules that may contain `anyhow`.
const ANYHOW: [&str; 1] = ["command"];

/// The begin of the unit tests of a file. They may import anything, and they come last in the file.
const TESTS_BEGIN: &str = "#[cfg(test)]\nmod tests {";

/// A file of `src`: its path below `src`, and its text without comments and unit tests.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let text = text.split(TESTS_BEGIN).next().unwrap_or_default();
        let is_comment = |line: &&str| line.trim_start().starts_with("//");
        let lines = text.lines().filter(|line| !is_comment(line));
        let lines = lines.map(|line| line.split(" // ").next().unwrap_or_default());
        Source { path: path.to_owned(), text: lines.collect::<Vec<_>>().join("\n") }
    }

    /// The module of `src` that it belongs to.
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    /// How many `super::` lead from the file to the crate's root.
    fn depth(&self) -> usize {
        let stem = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        stem.split('/').count()
    }

    /// The modules that the file imports: by `crate::module`, by `crate::{…}`, or by as many `super::` as
    /// lead to the root.
    fn imports(&self) -> BTreeSet<String> {
        let up = "super::".repeat(self.depth());
        let above = self.text.match_indices(&up).filter(|(place, _)| !self.text[..*place].ends_with("super::"));
        let above = above.map(|(place, _)| &self.text[place + up.len()..]);
        let names = self.text.split("crate::").skip(1).chain(above).flat_map(|rest| match rest.strip_prefix('{') {
            Some(tree) => branches(tree).iter().map(|branch| first_word(branch)).collect(),
            None => vec![first_word(rest)],
        });
        names.filter(|name| !name.is_empty() && name != "super").collect()
    }
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Splits at commas up to the closing brace. Commas within inner braces do not split.
fn branches(tree: &str) -> Vec<String> {
    let mut branches = vec![String::new()];
    let mut depth = 0;
    for c in tree.chars().filter(|c| !c.is_whitespace()) {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => branches.push(String::new()),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                branches.last_mut().expect("there is one from the start").push(c);
            }
        }
    }
    branches
}

/// All files of `src`.
fn sources() -> Vec<Source> {
    fn walk(folder: &Path, root: &Path, sources: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, sources);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                let text = fs::read_to_string(&path).unwrap();
                let behind = text.split(TESTS_BEGIN).nth(1).and_then(|tests| tests.split("\n}\n").nth(1));
                assert!(behind.is_none_or(str::is_empty), "{name}: the unit tests are not at the end");
                sources.push(Source::new(&name, &text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    walk(&root, &root, &mut sources);
    sources
}

/// The modules in the block `floors` of ARCHITECTURE.md, each with the number of its floor, counted from the
/// ground.
fn floors(architecture: &str) -> Vec<(String, usize)> {
    let block = architecture.split("```floors\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
    let floors = block.lines().map(|line| line.split('—').next().unwrap_or_default()).enumerate();
    floors.flat_map(|(floor, names)| names.split_whitespace().map(move |name| (name.to_owned(), floor))).collect()
}

/// The imports (from, to) that the table of nevers in ARCHITECTURE.md forbids, whatever the floors are.
fn nevers(architecture: &str) -> Vec<(String, String)> {
    let table =
        architecture.split("\n## The nevers\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let arrows = table.lines().filter_map(|row| row.split('|').nth(1)?.split_once('→'));
    let arrows = arrows.filter(|(from, _)| from.trim_start().starts_with('`'));
    arrows
        .flat_map(|(from, to)| {
            names(from).into_iter().flat_map(move |from| names(to).into_iter().map(move |to| (from.clone(), to)))
        })
        .collect()
}

/// For each module, all modules that it imports, directly or through others.
fn reach(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let mut reach = BTreeMap::<String, BTreeSet<String>>::new();
    for source in sources {
        reach.entry(source.module().to_owned()).or_default().extend(source.imports());
    }
    loop {
        let longer: BTreeMap<_, BTreeSet<String>> = reach
            .iter()
            .map(|(module, there)| {
                let further = there.iter().filter_map(|name| reach.get(name)).flatten().cloned();
                (module.clone(), there.iter().cloned().chain(further).collect())
            })
            .collect();
        if longer == reach {
            return reach;
        }
        reach = longer;
    }
}

/// All violations of the rules.
fn broken(sources: &[Source], architecture: &str) -> Vec<String> {
    let floors = floors(architecture);
    let floor: BTreeMap<&str, usize> = floors.iter().map(|(name, floor)| (name.as_str(), *floor)).collect();
    let mut broken = Vec::new();
    for source in sources {
        let (path, module) = (&source.path, source.module());
        let words: BTreeSet<&str> = source.text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        if words.contains("unsafe") && !UNSAFE.contains(&module) {
            broken.push(format!("{path}: `unsafe` outside {}", UNSAFE.join(", ")));
        }
        if words.contains("anyhow") && !ANYHOW.contains(&module) {
            broken.push(format!("{path}: `anyhow` below the commands"));
        }
        if source.text.contains("crate as ") || source.text.contains("crate ::") {
            broken.push(format!("{path}: this test does not follow another name for the crate"));
        }
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let Some(own) = floor.get(module) else {
            broken.push(format!("{path}: ARCHITECTURE.md has no floor for {module}"));
            continue;
        };
        for import in source.imports().iter().filter(|import| *import != module) {
            if floor.get(import.as_str()).is_some_and(|floor| floor >= own) {
                broken.push(format!("{path}: {module} imports {import}, which is not below it"));
            }
            // A file of `command` without `run` has helpers for several subcommands.
            if module == "command" && import == "cli" && !source.text.contains("pub fn run(") {
                broken.push(format!("{path}: a helper of several subcommands must not know their arguments"));
            }
        }
    }
    let reach = reach(sources);
    for (from, to) in nevers(architecture) {
        if reach.get(&from).is_some_and(|there| there.contains(&to)) {
            broken.push(format!("{from} must never import {to}, not even through other modules"));
        }
    }
    let there: BTreeSet<&str> = sources.iter().map(Source::module).collect();
    for (name, _) in floors.iter().filter(|(name, _)| !there.contains(name.as_str())) {
        broken.push(format!("ARCHITECTURE.md has a floor for {name}, but there is no such module"));
    }
    if floor.len() != floors.len() {
        broken.push("ARCHITECTURE.md names a module twice".to_owned());
    }
    broken
}

fn modules_import_only_what_is_below_them() {
    let architecture = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    assert!(nevers(&architecture).contains(&("events".to_owned(), "engine".to_owned())), "the table was not read");
    let broken = broken(&sources(), &architecture);
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// For each file of a folder, the files in the same folder that it imports. `mod.rs` is left out, because it
/// imports all of them.
fn beside(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let stem = |source: &Source| source.path.trim_end_matches(".rs").to_owned();
    let all: BTreeSet<String> = sources.iter().map(stem).filter(|stem| !stem.ends_with("/mod")).collect();
    let mut arrows = BTreeMap::<String, BTreeSet<String>>::new();
    for source in sources.iter().filter(|source| !source.path.ends_with("/mod.rs")) {
        let own = stem(source);
        let Some((folder, _)) = own.rsplit_once('/') else { continue };
        for name in source.text.split("super::").skip(1) {
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let other = format!("{folder}/{name}");
            if all.contains(&other) {
                arrows.entry(own.clone()).or_default().insert(other);
            }
        }
    }
    arrows
}

/// A chain of imports that leads from a file back to itself.
fn circle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    arrows.keys().find_map(|start| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = arrows[start].iter().collect();
        while let Some(file) = next.pop() {
            if file == start {
                return Some(format!("{start} imports itself through {seen:?}"));
            }
            if seen.insert(file) {
                next.extend(arrows.get(file).into_iter().flatten());
            }
        }
        None
    })
}

fn files_of_a_folder_have_no_circle() {
    assert_eq!(circle(&beside(&sources())), None);
}

fn each_broken_rule_is_seen() {
    let architecture = "```floors\nos — the machine\nperf\nactivity events engine\nspool state report — and more\ncapture cli\ncommand\n```\n\
                        \n## The nevers\n\n| never | because |\n|---|---|\n| `events` → `engine` | of a reason |\n\
                        | `perf` → `spool` | … |\n| `state`, `report` → `capture` | … |\n| helpers of `command` → `cli` | … |\n\n## More\n";
    let names = "os perf activity events engine spool state report capture cli command";
    assert!(floors(architecture).iter().map(|(name, _)| name.as_str()).eq(names.split(' ')));
    assert_eq!(nevers(architecture).len(), 4);
    let good = || names.split(' ').map(|name| Source::new(&format!("{name}/a.rs"), ""));
    for (path, text, said) in [
        ("os/b.rs", "use crate::cli::A;", Some("os imports cli")),
        ("os/b.rs", "use crate::{perf::A, os::B};", Some("os imports perf")),
        ("os/b.rs", "fn f() -> crate::cli::A {}", Some("os imports cli")),
        ("os/b.rs", "use super::super::cli::A;", Some("os imports cli")),
        ("os/mod.rs", "use super::cli::A;", Some("os imports cli")),
        ("os/deep/b.rs", "use super::super::super::{cli::A, perf};", Some("os imports cli")),
        ("os/deep/b.rs", "use super::super::cli;", None),
        ("os/b.rs", "use super::cli;", None),
        ("os/b.rs", "use crate as other;", Some("does not follow")),
        ("os/b.rs", "const A: &str = \"http://a\"; use crate::cli;", Some("os imports cli")),
        ("capture/b.rs", "use crate::cli;", Some("capture imports cli")),
        ("events/b.rs", "use crate::engine;", Some("events must never import engine")),
        ("perf/b.rs", "use crate::spool::Spool;", Some("perf must never import spool")),
        ("state/b.rs", "use crate::capture;", Some("state must never import capture")),
        ("report/b.rs", "use crate::{os::A, capture::B};", Some("report must never import capture")),
        ("command/b.rs", "use crate::cli::A;\nfn help() {}", Some("must not know their arguments")),
        ("command/b.rs", "use crate::cli::A;\npub fn run() {}", None),
        ("spool/b.rs", "unsafe { f() }", Some("`unsafe` outside")),
        ("main.rs", "unsafe { f() }", Some("`unsafe` outside")),
        ("perf/b.rs", "unsafe { f() }", None),
        ("cli/b.rs", "use anyhow::Context;", Some("`anyhow` below")),
        ("new/b.rs", "", Some("no floor for new")),
        ("cli/b.rs", "use crate::os::A; // crate::command\n#[cfg(test)]\nmod tests {\n use crate::command;\n}", None),
    ] {
        let sources: Vec<_> = good().chain([Source::new(path, text)]).collect();
        let broken = broken(&sources, architecture).join("\n");
        match said {
            Some(said) => assert!(broken.contains(said), "{path} with {text:?} gave {broken:?}"),
            None => assert_eq!(broken, "", "{path} with {text:?}"),
        }
    }
    // A forbidden import through a third module is found too.
    let third = [("state/b.rs", "use crate::activity;"), ("activity/b.rs", "use crate::capture;")];
    let sources: Vec<_> = good().chain(third.map(|(path, text)| Source::new(path, text))).collect();
    assert!(broken(&sources, architecture).join("\n").contains("state must never import capture"));
    let circular = [("a", "use super::b::B;"), ("b", "use super::c::C;"), ("c", "fn f() { super::a::g() }")];
    let sources = circular.map(|(name, text)| Source::new(&format!("cli/{name}.rs"), text));
    assert!(circle(&beside(&sources)).is_some());
    assert!(circle(&beside(&sources[..2])).is_none());
}
