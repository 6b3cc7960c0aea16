//! The other output of `report`: the recording that it took, the files that it wrote, and how to open the page.

use crate::page::WrittenFile;
use crate::source::Newest;
use crate::text::OneLine;
use crate::units::{Bytes, Plural};
use std::fmt::Write;
use std::path::Path;

/// Why no browser was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unopened {
    /// tp-perf runs under sudo, so it lacks the user's session, in which a browser runs.
    UnderSudo,
    /// No program to open the page was found.
    NoBrowser,
}

/// A line for each file, with its size.
pub fn written_files(files: &[WrittenFile]) -> String {
    let mut text = String::new();
    let mut before = "";
    for WrittenFile { is_page, path, bytes } in files {
        let kind = if *is_page { "page" } else { "plots" };
        let label = if kind == before { "" } else { kind };
        writeln!(text, "{label:<12}{} ({})", OneLine(path.display()), Bytes(*bytes))
            .expect("text is written into memory");
        before = kind;
    }
    text
}

/// Names the recording that a report without SOURCE took.
pub fn newest_recording(newest: &Newest) -> String {
    let name = OneLine(newest.name.display());
    match newest.of {
        1 => format!("this is the report of `{name}`, the only recording in the current directory"),
        of => format!("this is the report of `{name}`, the newest of {} in the current directory", recordings(of)),
    }
}

fn recordings(number: usize) -> Plural {
    Plural(number as u64, "recording")
}

/// How the user can open a page that tp-perf did not open.
pub fn how_to_open(page: &Path, why: Unopened) -> String {
    let page = std::path::absolute(page).unwrap_or_else(|_| page.to_owned());
    let page = OneLine(page.display());
    match why {
        Unopened::UnderSudo => {
            format!("under sudo, tp-perf opens no browser; open the page as yourself: `xdg-open {page}`")
        }
        Unopened::NoBrowser => {
            format!("no browser was found; open `{page}` in a browser, or name one, as in `BROWSER=firefox`")
        }
    }
}

/// The note about a library without states, with the command that learns one.
pub fn no_states(library: &Path) -> String {
    format!(
        "the library `{}` has no states, so the report shows none; `tp-perf learn STATE SOURCE` adds one",
        OneLine(library.display())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_a_line_and_each_kind_is_named_once() {
        let file = |is_page, path: &str, bytes| WrittenFile { is_page, path: path.into(), bytes };
        let files =
            [file(true, "a.html", 412_000), file(false, "d/a.svg", 900), file(false, "d/\u{1b}[31m.png", 3 << 20)];
        assert_eq!(
            written_files(&files),
            "page        a.html (402.3 KiB)\nplots       d/a.svg (900 bytes)\n            d/\\u{1b}[31m.png (3 MiB)\n"
        );
        assert_eq!(written_files(&[]), "");
    }

    #[test]
    fn the_newest_recording_is_named_with_what_it_was_chosen_from() {
        let note = |of| newest_recording(&Newest { name: "idle".into(), of });
        assert_eq!(note(1), "this is the report of `idle`, the only recording in the current directory");
        assert_eq!(note(3), "this is the report of `idle`, the newest of 3 recordings in the current directory");
    }
}
