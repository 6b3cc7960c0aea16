//! A check in JUnit's XML, which CI systems read as test results.

use super::suite::{Case, Failure, Suite, write_suites};
use crate::state::{Check, FindingKind, said_beside};
use crate::text::OneLine;
use std::io::{self, Write};

/// Writes the suites of all sources in JUnit's XML.
pub fn write_junit(suites: &[Suite], out: &mut dyn Write) -> io::Result<()> {
    write_suites("tp-perf check", suites, out)
}

impl Suite {
    /// The check of a source, with one test case for each kind of finding.
    pub fn of_check(check: &Check, source: &str) -> Self {
        // CI systems show the message first, and often only that of the first failure.
        let headline = check.headline();
        let case = |kind: FindingKind| {
            let findings = check.findings.iter().filter(|finding| finding.kind == kind);
            let sentences: Vec<String> = findings.map(|finding| finding.sentence(check)).collect();
            if sentences.is_empty() {
                return Case { name: kind.words(), failure: None };
            }
            let kind_name = format!("{kind:?}").to_lowercase();
            let (message, description) = (headline.clone(), one_each(&sentences));
            Case {
                name: kind.words(),
                failure: Some(Failure { is_error: false, kind: kind_name, message, description }),
            }
        };
        let cases = FindingKind::ALL.map(case).into();
        Suite { name: source.to_owned(), cases, output: one_each(&said_beside(check)) }
    }

    /// A source that could not be checked, and why.
    pub fn of_error(source: &str, error: String) -> Self {
        let failure = Failure { is_error: true, kind: "error".to_owned(), message: error.clone(), description: error };
        let case = Case { name: "source can be checked", failure: Some(failure) };
        Suite { name: source.to_owned(), cases: vec![case], output: String::new() }
    }
}

/// One line for each sentence.
fn one_each(sentences: &[String]) -> String {
    sentences.iter().map(|sentence| OneLine(sentence).to_string()).collect::<Vec<_>>().join("\n")
}
