//! The stage of a golden screen: a folder in which commands run, and what they show there.

use crate::common::library::{IDLE, WEB, session};
use crate::common::report::fixture;
use crate::common::screen::{assert_screen, on_terminal, visible};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use unicode_width::UnicodeWidthStr;

pub const COLUMNS: [u16; 4] = [60, 80, 120, 200];

/// A folder in which commands run. It has the fixtures as `fixtures`.
pub struct Stage {
    folder: TempDir,
}

impl Stage {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(fixture(""), folder.path().join("fixtures")).unwrap();
        Stage { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Writes the first `percent` % of a compressed fixture.
    pub fn cut(&self, name: &str, of: &str, percent: usize) {
        let whole = zstd::decode_all(fs::File::open(fixture(of)).unwrap()).unwrap();
        self.write(name, &whole[..whole.len() * percent / 100]);
    }

    /// Writes sessions of two states, `idle` and `web`, each half a minute long, and a few other sessions.
    pub fn sessions(&self) {
        for (state, shares) in [("idle", IDLE), ("web", WEB)] {
            (1..=5).for_each(|number| self.session(&format!("{state}{number}"), &[(30, shares)], number + shares[0]));
        }
        self.session("evening", &[(10, IDLE), (12, WEB), (9, [10, 80, 10]), (10, IDLE)], 99);
        self.session("same", &[(40, IDLE)], 77);
        self.session("silent", &[(30, [0, 0, 0])], 7);
        let mut new = session(&[(40, IDLE)], 78);
        new["counts"]["block:rq_issue"] = (0..40).map(|_| 50u64).collect::<Vec<_>>().into();
        self.write("new.json", new.to_string());
        let mut lossy = session(&[(45, IDLE)], 79);
        lossy["lost"] = (0..45).map(|window| if window < 10 { 50_000 } else { 0u64 }).collect::<Vec<_>>().into();
        self.write("lossy.json", lossy.to_string());
    }

    pub fn session(&self, name: &str, stretches: &[(usize, [u64; 3])], seed: u64) {
        let mut session = session(stretches, seed);
        // A library names the session by this time.
        session["origin"]["started"] = format!("2026-01-02T03:{:02}:{:02}Z", seed / 60, seed % 60).into();
        self.write(&format!("{name}.json"), session.to_string());
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        command.args(line.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        alone(&mut command);
        command.env("HOME", self.folder.path());
        command
    }
}

/// Removes settings of the tester that would change the output.
pub fn alone(command: &mut Command) {
    command.env("NO_COLOR", "1");
    for name in ["CLICOLOR_FORCE", "COLUMNS", "LINES", "TP_PERF_STATES", "XDG_DATA_HOME"] {
        command.env_remove(name);
    }
}

/// The screen of these commands, run one after another. Each width has its own folder, made by `prepare`.
pub fn screen(prepare: impl Fn(&Stage), lines: &[&str]) -> String {
    let outputs = COLUMNS.map(|columns| {
        let stage = Stage::new();
        prepare(&stage);
        // The path of the folder is not part of the screen.
        let folder = stage.folder.path().to_str().unwrap();
        let placeless = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(folder, "[folder]").into_bytes();
        let output = |line: &&str| {
            let Output { status, stdout, stderr } = on_terminal(stage.command(line), columns);
            Output { status, stdout: placeless(stdout), stderr: placeless(stderr) }
        };
        lines.iter().map(output).collect::<Vec<_>>()
    });
    let of_line = |(number, line): (usize, &&str)| shown(line, outputs.each_ref().map(|outputs| &outputs[number]));
    lines.iter().enumerate().map(of_line).collect::<Vec<_>>().join("\n")
}

/// What one command shows at each width.
pub fn shown(line: &str, outputs: [&Output; COLUMNS.len()]) -> String {
    let first = outputs[0];
    let error = visible(&first.stderr);
    for output in outputs {
        assert_eq!(output.status, first.status, "{line}: {error}{}", visible(&output.stderr));
        assert_eq!(visible(&output.stderr), error, "{line}: messages have no width");
    }
    let texts = outputs.map(|output| visible(&output.stdout));
    // What is for programs has the lines that they expect.
    if !["--format", "-o -", "--help"].iter().any(|option| line.contains(option)) {
        texts.iter().zip(COLUMNS).for_each(|(text, columns)| assert_fits(line, text, columns));
    }
    let mut screen = format!("$ tp-perf {}\n{}", visible(line.as_bytes()), by_width(&texts));
    if !error.is_empty() {
        write!(screen, "[stderr]\n{error}").unwrap();
    }
    match first.status.code() {
        Some(0) => {}
        code => writeln!(screen, "[exit code] {}", code.unwrap()).unwrap(),
    }
    screen
}

/// A text at each width, once if it is the same at all.
fn by_width(texts: &[String; COLUMNS.len()]) -> String {
    if texts.iter().all(|text| *text == texts[0]) {
        return texts[0].clone();
    }
    let mut screen = String::new();
    for (number, (text, columns)) in texts.iter().zip(COLUMNS).enumerate() {
        writeln!(screen, "[{columns} columns]").unwrap();
        match texts[..number].iter().zip(COLUMNS).find(|(other, _)| *other == text) {
            Some((_, same)) => writeln!(screen, "as on {same} columns").unwrap(),
            None => screen += text,
        }
    }
    screen
}

/// That no line is longer than the terminal is wide, but for a single word.
fn assert_fits(what: &str, text: &str, columns: u16) {
    for line in text.lines() {
        let is_word = line.split_whitespace().count() < 2;
        assert!(line.width() <= usize::from(columns) || is_word, "{what}: more than {columns} columns: {line}");
    }
}

/// What this prints at each width.
pub fn printed(what: &str, print: impl Fn(usize, &mut Vec<u8>)) -> String {
    let texts = COLUMNS.map(|columns| {
        let mut out = Vec::new();
        print(usize::from(columns), &mut out);
        let text = plain(&out);
        assert_fits(what, &text, columns);
        text
    });
    by_width(&texts)
}

/// The first lines of what each of these prints into a pipe.
pub fn heads(stage: &Stage, lines: &[(&str, usize)]) -> String {
    let heads = lines.iter().map(|(line, number)| {
        let output = stage.command(line).output().unwrap();
        let text = visible(&output.stdout);
        let first: Vec<&str> = text.lines().take(*number).collect();
        let code = match output.status.code() {
            Some(0) => String::new(),
            code => format!("[exit code] {}\n", code.unwrap()),
        };
        format!("$ tp-perf {line} | head -n {number}\n{}\n{code}", first.join("\n"))
    });
    heads.collect::<Vec<_>>().join("\n")
}

/// Pins a screen of commands in a folder that has only the fixtures.
pub fn pinned(name: &str, lines: &[&str]) {
    assert_screen(name, &screen(|_| {}, lines));
}

/// The text without colours.
pub fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    visible(anstream::adapter::strip_str(&text).to_string().as_bytes())
}
