//! A check in JUnit's XML, which CI systems read as test results.

use super::suite::{Case, Failure, Suite};
use crate::state::{Check, FindingKind, said_beside};
use crate::text::OneLine;
use std::io::{self, Write};

/// Writes a check in JUnit's XML, with one test case for each kind of finding.
pub fn write_junit(check: &Check, source: &str, out: &mut dyn Write) -> io::Result<()> {
    // CI systems show the message first, and often only that of the first failure.
    let headline = check.headline();
    let case = |kind: FindingKind| {
        let findings = check.findings.iter().filter(|finding| finding.kind == kind);
        let sentences: Vec<String> = findings.map(|finding| finding.sentence(check)).collect();
        if sentences.is_empty() {
            return Case { name: kind.words(), failure: None };
        }
        let kind_name = format!("{kind:?}").to_lowercase();
        let failure = Failure { kind: kind_name, message: headline.clone(), description: one_each(&sentences) };
        Case { name: kind.words(), failure: Some(failure) }
    };
    let cases = FindingKind::ALL.map(case).into();
    Suite { tool: "tp-perf check", name: source, cases, output: one_each(&said_beside(check)) }.write(out)
}

/// One line for each sentence.
fn one_each(sentences: &[String]) -> String {
    sentences.iter().map(|sentence| OneLine(sentence).to_string()).collect::<Vec<_>>().join("\n")
}
