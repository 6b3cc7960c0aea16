//! Splits the text below the options of a help, for a manual page.

use std::iter::Peekable;
use std::str::Lines;

const EXIT_CODES: &str = "Exit codes";

/// The text that stands below the options.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Below {
    /// Lists under a heading, such as the examples.
    pub lists: Vec<List>,
    /// The paragraphs, without their sentences on exit codes: pages have a section for these.
    pub paragraphs: Vec<String>,
}

/// A heading and the rows below it.
#[derive(Debug, PartialEq, Eq)]
pub struct List {
    /// The heading, without its colon.
    pub heading: String,
    /// The rows, in the order of the help.
    pub rows: Vec<Example>,
}

/// Command lines, or another term, with their explanation.
#[derive(Debug, PartialEq, Eq)]
pub struct Example {
    /// The command lines or terms, at least one.
    pub terms: Vec<String>,
    /// The explanation. Empty if there is none.
    pub explanation: String,
}

impl Below {
    /// Splits a text into lists and paragraphs. A list is `HEADING:` with indented rows below it.
    pub fn parse(text: &str) -> Self {
        let mut below = Below::default();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if let Some(heading) = line.strip_suffix(':').filter(|_| rows_follow(&mut lines)) {
                below.lists.push(List { heading: heading.to_owned(), rows: rows(&mut lines) });
            } else if !line.trim().is_empty() {
                below.paragraphs.extend(paragraph(line, &mut lines));
            }
        }
        below.lists.retain(|list| list.heading != EXIT_CODES);
        below
    }
}

fn rows_follow(lines: &mut Peekable<Lines>) -> bool {
    lines.peek().is_some_and(|line| line.starts_with(' ') && !line.trim().is_empty())
}

/// Takes the rows that follow. A line with `#` explains the rows below it.
fn rows(lines: &mut Peekable<Lines>) -> Vec<Example> {
    let mut rows: Vec<Example> = Vec::new();
    while rows_follow(lines) {
        let line = lines.next().expect("one was seen").trim();
        match (line.strip_prefix("# "), rows.last_mut()) {
            (Some(text), Some(row)) if row.terms.is_empty() => row.explanation = format!("{} {text}", row.explanation),
            (Some(text), _) => rows.push(Example { terms: Vec::new(), explanation: text.to_owned() }),
            (None, Some(row)) => row.terms.push(line.to_owned()),
            (None, None) => rows.push(Example { terms: vec![line.to_owned()], explanation: String::new() }),
        }
    }
    rows
}

/// Takes the lines up to an empty one. Returns nothing if they contain only exit codes.
fn paragraph(first: &str, lines: &mut Peekable<Lines>) -> Option<String> {
    let mut text = first.trim().to_owned();
    while let Some(line) = lines.next_if(|line| !line.trim().is_empty()) {
        text = format!("{text} {}", line.trim());
    }
    let text = text.split(&format!("{EXIT_CODES}:")).next().unwrap_or_default().trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(terms: &[&str], explanation: &str) -> Example {
        Example { terms: terms.iter().map(|term| (*term).to_owned()).collect(), explanation: explanation.to_owned() }
    }

    #[test]
    fn examples_and_paragraphs_are_told_apart() {
        let text = "\
Examples:
  # The same results
  tp-perf replay idle
  # A part: from one second, or
  # from two
  tp-perf replay idle --from 1s
  tp-perf replay idle --from 2s

One sentence, which goes
on. Exit codes: 0 done.

Exit codes:
  0  done

Exit codes: 0 done, 1 failed.";
        let rows = vec![
            row(&["tp-perf replay idle"], "The same results"),
            row(
                &["tp-perf replay idle --from 1s", "tp-perf replay idle --from 2s"],
                "A part: from one second, or from two",
            ),
        ];
        let lists = vec![List { heading: "Examples".to_owned(), rows }];
        let paragraphs = vec!["One sentence, which goes on.".to_owned()];
        assert_eq!(Below::parse(text), Below { lists, paragraphs });
    }

    #[test]
    fn rows_need_no_explanation() {
        let lists = vec![List { heading: "See also".to_owned(), rows: vec![row(&["one", "two"], "")] }];
        assert_eq!(Below::parse("See also:\n  one\n  two"), Below { lists, paragraphs: Vec::new() });
    }

    #[test]
    fn a_colon_without_rows_is_a_sentence() {
        let paragraphs = vec!["Note: there are no rows".to_owned(), "Here neither:".to_owned()];
        assert_eq!(
            Below::parse("Note: there are no rows\n\nHere neither:\n\n"),
            Below { lists: Vec::new(), paragraphs }
        );
    }
}
