//! What packages have beside the program: manual pages, completions, the changelog, and the crate's own files.
//!
//! `packaging/test-deb` and `packaging/test-tarball` test the packages themselves.

use crate::common::{Test, nothing_more};
use clap::CommandFactory;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use tp_perf::cli::Cli;

pub const TESTS: &[Test] = &[
    ("the_version_has_a_date_in_the_changelog_and_on_the_pages", nothing_more, dates),
    ("the_manual_has_a_page_for_each_subcommand", nothing_more, pages),
    ("pages_have_the_usual_sections", nothing_more, sections),
    ("pages_that_cannot_be_written_leave_nothing", nothing_more, no_directory),
    ("an_unknown_page_is_wrong_usage", nothing_more, unknown_page),
    ("man_has_no_warnings_for_a_page", has_man, man_has_no_warnings),
    ("mandoc_has_no_warnings_for_a_page", has_mandoc, mandoc_has_no_warnings),
    ("bash_completes_subcommands_and_options", has_bash, bash),
    ("fish_completes_subcommands_and_options", has_fish, fish),
    ("zsh_finds_the_completions", has_zsh, zsh),
    ("the_crate_holds_what_the_build_reads_and_no_more", nothing_more, crate_files),
];

const PROGRAM: &str = env!("CARGO_BIN_EXE_tp-perf");

/// A program that a test needs, as asked for its version.
fn needs(program: &str, version: &str, package: &str) -> Result<(), String> {
    let output = Command::new(program).arg(version).output();
    output.is_ok().then_some(()).ok_or_else(|| format!("{program} (apt-get install {package})"))
}

fn has_man() -> Result<(), String> {
    needs("man", "--version", "man-db")?;
    needs("groff", "--version", "groff-base")
}

fn has_mandoc() -> Result<(), String> {
    // mandoc knows no option for its version, and ends.
    needs("mandoc", "-T?", "mandoc")
}

fn has_bash() -> Result<(), String> {
    needs("bash", "--version", "bash")
}

fn has_fish() -> Result<(), String> {
    needs("fish", "--version", "fish")
}

fn has_zsh() -> Result<(), String> {
    needs("zsh", "--version", "zsh")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tp_perf(words: &[&str]) -> Output {
    Command::new(PROGRAM).args(words).output().unwrap()
}

/// What a command prints that ends well.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn page(subcommand: Option<&str>) -> String {
    printed(Command::new(PROGRAM).arg("man").args(subcommand))
}

fn subcommands() -> Vec<String> {
    let program = Cli::command();
    let shown = program.get_subcommands().filter(|command| !command.is_hide_set());
    shown.map(|command| command.get_name().to_owned()).collect()
}

fn dates() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let heading = format!("## [{}] - ", env!("CARGO_PKG_VERSION"));
    let dates = changelog.lines().filter_map(|line| line.strip_prefix(&heading)).collect::<Vec<_>>();
    let [date] = dates[..] else { panic!("CHANGELOG.md has {} lines `{heading}YYYY-MM-DD`", dates.len()) };
    let title = format!(".TH TP-PERF 1 {date} \"tp-perf {}\" \"User Commands\"", env!("CARGO_PKG_VERSION"));
    assert!(page(None).lines().any(|line| line == title), "src/command/man/text.rs must have the date {date}");
}

fn pages() {
    let dir = tempfile::tempdir().unwrap();
    let listed = printed(Command::new(PROGRAM).args(["man", "--dir"]).arg(dir.path()));
    let mut expected = BTreeSet::from(["tp-perf.1".to_owned()]);
    expected.extend(subcommands().iter().map(|name| format!("tp-perf-{name}.1")));
    let files: BTreeSet<String> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, expected);
    let paths: BTreeSet<String> = expected.iter().map(|name| dir.path().join(name).display().to_string()).collect();
    assert_eq!(listed.lines().map(str::to_owned).collect::<BTreeSet<_>>(), paths);
    for name in subcommands() {
        let path = dir.path().join(format!("tp-perf-{name}.1"));
        assert_eq!(fs::read_to_string(&path).unwrap(), page(Some(&name)), "{name}");
        // Everybody may read what root installs.
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o444, 0o444, "{name}");
    }
    // A second call replaces the pages.
    printed(Command::new(PROGRAM).args(["man", "--dir"]).arg(dir.path()));
}

fn sections() {
    let names = subcommands();
    for name in std::iter::once(None).chain(names.iter().map(|name| Some(name.as_str()))) {
        let page = page(name);
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        for needed in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "\"EXIT STATUS\"", "\"SEE ALSO\""] {
            assert_eq!(headings.iter().filter(|heading| **heading == needed).count(), 1, "{name:?}: {headings:?}");
        }
        assert!(
            !headings.contains(&"EXTRA") && !page.contains("Example"),
            "{name:?}: the examples are no list\n{page}"
        );
        assert!(!page.contains('`'), "{name:?}: a backtick is left in\n{page}");
        // The pages that it refers to are there.
        for reference in page.replace("\\-", "-").replace("\\fR", "").split("\\fBtp-perf-").skip(1) {
            let reference = reference.split_once("(1)").map(|(reference, _)| reference.to_owned());
            let reference = reference.filter(|reference| reference.chars().all(|c| c.is_ascii_lowercase()));
            assert!(reference.is_none_or(|reference| names.contains(&reference)), "{name:?}");
        }
    }
    let page = page(None);
    for heading in ["COMMANDS", "EXAMPLES", "FILES", "ENVIRONMENT"] {
        assert!(page.contains(&format!("\n.SH {heading}\n")), "{heading}: {page}");
    }
}

fn no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let output = tp_perf(&["man", "--dir", missing.to_str().unwrap()]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(output.stdout.is_empty() && message.contains(&format!("mkdir -p {}", missing.display())), "{message}");
    // A page that cannot get its name leaves no other file.
    fs::create_dir(dir.path().join("tp-perf.1")).unwrap();
    let output = tp_perf(&["man", "--dir", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

fn unknown_page() {
    let output = tp_perf(&["man", "nosuch"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(output.stdout.is_empty() && message.contains("nosuch") && message.contains("report"), "{message}");
}

/// Writes the pages, and gives what a checker complains of.
fn complaints(check: impl Fn(&Path) -> Command) -> String {
    let dir = tempfile::tempdir().unwrap();
    printed(Command::new(PROGRAM).args(["man", "--dir"]).arg(dir.path()));
    let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let outputs = files.map(|file| check(&file).output().unwrap());
    outputs.map(|output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()).collect()
}

fn man_has_no_warnings() {
    let complaints = complaints(|file| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "man --warnings -l \"$1\" > /dev/null", "sh"]).arg(file).env("LC_ALL", "C");
        shell
    });
    assert_eq!(complaints, "");
}

fn mandoc_has_no_warnings() {
    let complaints = complaints(|file| {
        let mut mandoc = Command::new("mandoc");
        mandoc.args(["-T", "lint", "-W", "warning"]).arg(file);
        mandoc
    });
    assert_eq!(complaints, "");
}

/// Checks the candidates of a shell for words that are not yet complete.
fn completes(candidates: impl Fn(&[&str]) -> String) {
    let offered = |words: &[&str], expected: &str| {
        let candidates = candidates(words);
        assert!(candidates.split_whitespace().any(|word| word == expected), "{words:?} {expected}: {candidates}");
    };
    offered(&["tp-perf", "rep"], "report");
    offered(&["tp-perf", "rep"], "replay");
    offered(&["tp-perf", "report", "--ht"], "--html");
    offered(&["tp-perf", "report", "--format", ""], "markdown");
    assert!(!candidates(&["tp-perf", "report", "--ht"]).contains("--plots"));
}

fn bash() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("tp-perf");
    fs::write(&script, printed(Command::new(PROGRAM).args(["completions", "bash"]))).unwrap();
    // Bash calls the function that `complete` has registered, with the program, the word, and the word before it.
    let ask = r#"
        set -e
        . "$1"
        shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
        function=$(complete -p tp-perf | sed 's/.* -F \([^ ]*\) .*/\1/')
        "$function" tp-perf "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    completes(|words| {
        printed(Command::new("bash").args(["--norc", "--noprofile", "-c", ask, "bash"]).arg(&script).args(words))
    });
}

fn fish() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("tp-perf.fish");
    fs::write(&script, printed(Command::new(PROGRAM).args(["completions", "fish"]))).unwrap();
    completes(|words| {
        let ask = format!("source {}; complete --do-complete '{}'", script.display(), words.join(" "));
        printed(Command::new("fish").args(["--no-config", "--command", &ask]).env("HOME", dir.path()))
    });
}

fn zsh() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("_tp-perf"), printed(Command::new(PROGRAM).args(["completions", "zsh"]))).unwrap();
    let ask = r#"fpath=("$1" $fpath); autoload -Uz compinit; compinit -u -d "$1/dump"; print $_comps[tp-perf]
        autoload -Uz +X _tp-perf"#;
    let known = printed(Command::new("zsh").args(["--no-rcs", "-c", ask, "zsh"]).arg(dir.path()));
    assert_eq!(known.trim(), "_tp-perf");
    printed(Command::new("zsh").args(["--no-rcs", "-n"]).arg(dir.path().join("_tp-perf")));
}

/// The files that `include_str!` and `include_bytes!` in `src` name, from the crate's root.
fn included() -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let names = ["include_str!(\"", "include_bytes!(\""]
                    .into_iter()
                    .flat_map(|start| text.split(start).skip(1).map(|rest| rest.split('"').next().unwrap_or_default()));
                for name in names {
                    let file = path.parent().unwrap().join(name).canonicalize().expect(name);
                    found.insert(file.strip_prefix(root().canonicalize().unwrap()).unwrap().display().to_string());
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(&root().join("src"), &mut found);
    found
}

fn crate_files() {
    let cargo = std::env::var("CARGO").unwrap_or("cargo".to_owned());
    let output = Command::new(cargo)
        .args(["package", "--list", "--allow-dirty", "--locked", "--offline", "--quiet", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let files: BTreeSet<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    for file in included() {
        assert!(files.contains(&file), "{file}: the build reads it, so `include` in Cargo.toml must have it");
    }
    for file in
        ["Cargo.lock", "README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "src/main.rs", "askama.toml"]
    {
        assert!(files.contains(file), "{file} is not in the crate");
    }
    let is_wanted = |file: &&String| {
        let needed = included().contains(*file);
        needed || ["src/", "docs/", "examples/"].iter().any(|folder| file.starts_with(folder)) || !file.contains('/')
    };
    let rest: Vec<&String> = files.iter().filter(|file| !is_wanted(file)).collect();
    assert!(rest.is_empty(), "nobody who installs the crate needs {rest:?}");
}
