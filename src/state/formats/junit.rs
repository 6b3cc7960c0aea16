//! A check as CI systems read test results.

use crate::state::{Check, Finding, FindingKind, said_beside};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::io::{self, Write};

/// A check as JUnit's XML, as CI systems read it: a test case for each kind of finding.
pub fn write_junit(check: &Check, source: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut suite = TestSuite::new(source);
    for kind in FindingKind::ALL {
        let findings: Vec<&Finding> = check.findings.iter().filter(|finding| finding.kind == kind).collect();
        let status = match findings.first() {
            None => TestCaseStatus::success(),
            Some(first) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                let lines: Vec<String> = findings.iter().map(|finding| finding.sentence(check)).collect();
                status.set_type(format!("{kind:?}").to_lowercase());
                status.set_message(match findings.len() {
                    1 => first.sentence(check),
                    number => format!("{number} findings"),
                });
                status.set_description(lines.join("\n"));
                status
            }
        };
        let mut case = TestCase::new(kind.words(), status);
        case.set_classname("tp-perf check");
        suite.add_test_case(case);
    }
    let said = said_beside(check);
    if !said.is_empty() {
        suite.set_system_out(said.join("\n"));
    }
    let mut report = Report::new("tp-perf check");
    report.add_test_suite(suite);
    report.serialize(&mut *out).map_err(io::Error::other)
}
