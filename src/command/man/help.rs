//! The text below the options of a help, taken apart for a manual page.

use std::iter::Peekable;
use std::str::Lines;

/// The text that stands below the options.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Below {
    /// Lists under a heading, such as the examples.
    pub lists: Vec<List>,
    /// The rest. What it has of exit codes is left out: pages have a section for them.
    pub paragraphs: Vec<String>,
}

/// A heading and the rows below it.
#[derive(Debug, PartialEq, Eq)]
pub struct List {
    /// Without its colon.
    pub heading: String,
    /// In the order of the help.
    pub rows: Vec<Row>,
}

/// What stands on the left of a list, such as a command line, and its explanation.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// On the left.
    pub term: String,
    /// On the right, or in the comment above. It can be empty.
    pub explanation: String,
}

impl Below {
    /// Takes a text apart: `HEADING:` with indented rows below, and paragraphs.
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
        below
    }
}

impl Row {
    /// The first two spaces in a row part the term from its explanation.
    fn parse(line: &str) -> Self {
        let line = line.trim();
        let (term, explanation) = line.split_once("  ").unwrap_or((line, ""));
        Row { term: term.to_owned(), explanation: explanation.trim().to_owned() }
    }
}

fn rows_follow(lines: &mut Peekable<Lines>) -> bool {
    lines.peek().is_some_and(|line| line.starts_with(' ') && !line.trim().is_empty())
}

/// Takes the rows that follow. A comment explains the row below it.
fn rows(lines: &mut Peekable<Lines>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut comment = None;
    while rows_follow(lines) {
        let line = lines.next().expect("one was seen").trim();
        match (line.strip_prefix("# "), comment.take()) {
            (Some(text), _) => comment = Some(text.to_owned()),
            (None, Some(explanation)) => rows.push(Row { term: line.to_owned(), explanation }),
            (None, None) => rows.push(Row::parse(line)),
        }
    }
    rows
}

/// Takes the lines up to an empty one. Gives nothing if they have exit codes only.
fn paragraph(first: &str, lines: &mut Peekable<Lines>) -> Option<String> {
    let mut text = first.trim().to_owned();
    while let Some(line) = lines.next_if(|line| !line.trim().is_empty()) {
        text = format!("{text} {}", line.trim());
    }
    let text = text.split("Exit codes:").next().unwrap_or_default().trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(term: &str, explanation: &str) -> Row {
        Row { term: term.to_owned(), explanation: explanation.to_owned() }
    }

    #[test]
    fn examples_and_paragraphs_are_told_apart() {
        let text = "\
Examples:
  # Print the same results
  tp-perf replay idle
  tp-perf list | wc -l

One sentence, which goes
on. Exit codes: 0 done.

Codes:
  0  done

Exit codes: 0 done, 1 failed.";
        let rows = vec![row("tp-perf replay idle", "Print the same results"), row("tp-perf list | wc -l", "")];
        let lists = vec![
            List { heading: "Examples".to_owned(), rows },
            List { heading: "Codes".to_owned(), rows: vec![row("0", "done")] },
        ];
        let paragraphs = vec!["One sentence, which goes on.".to_owned()];
        assert_eq!(Below::parse(text), Below { lists, paragraphs });
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
