//! Test results in JUnit's XML, which CI systems read.

use crate::text::is_obeyed;
use std::fmt::{self, Write as _};
use std::io::{self, Write};

/// A suite of tests.
#[derive(Debug, Clone)]
pub struct Suite {
    pub(super) name: String,
    pub(super) cases: Vec<Case>,
    /// Text that accompanies the results. If it is empty, the element is omitted.
    pub(super) output: String,
}

/// A test.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub name: &'static str,
    pub failure: Option<Failure>,
}

/// How a test failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// Whether the test could not run.
    pub is_error: bool,
    pub kind: String,
    pub message: String,
    pub description: String,
}

/// Writes suites as a complete XML document. `tool` runs the tests. It is also the class of each test case.
pub(super) fn write_suites(tool: &str, suites: &[Suite], out: &mut dyn Write) -> io::Result<()> {
    let sum = |of: fn(&Suite) -> usize| suites.iter().map(of).sum::<usize>();
    let (tests, failures, errors) = (sum(|suite| suite.cases.len()), sum(Suite::failures), sum(Suite::errors));
    let tool = Attribute(tool);
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<testsuites name="{tool}" tests="{tests}" skipped="0" failures="{failures}" errors="{errors}">"#)?;
    suites.iter().try_for_each(|suite| suite.write(&tool, out))?;
    writeln!(out, "</testsuites>")
}

impl Suite {
    fn errors(&self) -> usize {
        self.cases.iter().filter(|case| case.failure.as_ref().is_some_and(|failure| failure.is_error)).count()
    }

    fn failures(&self) -> usize {
        self.cases.iter().filter(|case| case.failure.is_some()).count() - self.errors()
    }

    fn write(&self, tool: &Attribute<'_>, out: &mut dyn Write) -> io::Result<()> {
        let (name, tests) = (Attribute(&self.name), self.cases.len());
        let (failures, errors) = (self.failures(), self.errors());
        writeln!(
            out,
            r#"    <testsuite name="{name}" tests="{tests}" skipped="0" errors="{errors}" failures="{failures}">"#
        )?;
        for Case { name, failure } in &self.cases {
            write!(out, r#"        <testcase name="{}" classname="{tool}""#, Attribute(name))?;
            let Some(Failure { is_error, kind, message, description }) = failure else {
                writeln!(out, "/>")?;
                continue;
            };
            let tag = if *is_error { "error" } else { "failure" };
            let (message, kind, description) = (Attribute(message), Attribute(kind), Content(description));
            writeln!(
                out,
                r#">
            <{tag} message="{message}" type="{kind}">{description}</{tag}>
        </testcase>"#
            )?;
        }
        if !self.output.is_empty() {
            writeln!(out, "        <system-out>{}</system-out>", Content(&self.output))?;
        }
        writeln!(out, "    </testsuite>")
    }
}

/// A text between tags, on any number of lines.
struct Content<'a>(&'a str);

/// A text in an attribute. A parser would turn line ends and tabs into spaces, so they are escaped.
struct Attribute<'a>(&'a str);

impl fmt::Display for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\n' => f.write_char(c),
            c => escaped(c, f),
        })
    }
}

impl fmt::Display for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| escaped(c, f))
    }
}

fn escaped(c: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match c {
        '<' => f.write_str("&lt;"),
        '>' => f.write_str("&gt;"),
        '&' => f.write_str("&amp;"),
        '"' => f.write_str("&quot;"),
        '\'' => f.write_str("&apos;"),
        '\t' | '\n' | '\r' => write!(f, "&#{};", u32::from(c)),
        // XML 1.0 cannot represent these characters.
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => f.write_char(char::REPLACEMENT_CHARACTER),
        // A terminal would obey these, and a parser reads the same text.
        c if is_obeyed(c) => write!(f, "&#{};", u32::from(c)),
        c => f.write_char(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(suites: &[Suite]) -> String {
        let mut out = Vec::new();
        write_suites("tp-perf check", suites, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn failure(is_error: bool, text: &str) -> Option<Failure> {
        let [kind, message, description] = ["new", text, text].map(str::to_owned);
        Some(Failure { is_error, kind, message, description })
    }

    fn suite(name: &str, text: &str) -> String {
        let cases = vec![Case { name: "good", failure: None }, Case { name: "bad", failure: failure(false, text) }];
        written(&[Suite { name: name.to_owned(), cases, output: text.to_owned() }])
    }

    #[test]
    fn a_report_is_as_ci_systems_know_it() {
        assert_eq!(
            suite("a \"source\"", "1 < 2\n\tit's so"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites name=\"tp-perf check\" tests=\"2\" skipped=\"0\" failures=\"1\" errors=\"0\">
    <testsuite name=\"a &quot;source&quot;\" tests=\"2\" skipped=\"0\" errors=\"0\" failures=\"1\">
        <testcase name=\"good\" classname=\"tp-perf check\"/>
        <testcase name=\"bad\" classname=\"tp-perf check\">
            <failure message=\"1 &lt; 2&#10;&#9;it&apos;s so\" type=\"new\">1 &lt; 2\n&#9;it&apos;s so</failure>
        </testcase>
        <system-out>1 &lt; 2\n&#9;it&apos;s so</system-out>
    </testsuite>
</testsuites>
"
        );
        let nothing = written(&[Suite { name: "n".to_owned(), cases: Vec::new(), output: String::new() }]);
        assert!(!nothing.contains("system-out"));
    }

    #[test]
    fn each_source_is_a_suite_and_an_error_is_no_failure() {
        let of = |name: &str, failure| Suite {
            name: name.to_owned(),
            cases: vec![Case { name: "it", failure }],
            output: String::new(),
        };
        let xml = written(&[of("a", None), of("b", failure(false, "x")), of("c", failure(true, "y"))]);
        let document = roxmltree::Document::parse(&xml).unwrap();
        let numbers = |node: roxmltree::Node<'_, '_>| {
            ["tests", "failures", "errors"].map(|name| node.attribute(name).unwrap().to_owned())
        };
        assert_eq!(numbers(document.root_element()), ["3", "1", "1"]);
        let suites = document.descendants().filter(|node| node.has_tag_name("testsuite"));
        assert_eq!(suites.map(numbers).collect::<Vec<_>>(), [["1", "0", "0"], ["1", "1", "0"], ["1", "0", "1"]]);
        let error = document.descendants().find(|node| node.has_tag_name("error")).unwrap();
        assert_eq!(error.attribute("message"), Some("y"));
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert!(suite("a", "\u{1b}[31m\0\u{fffe}").contains(">\u{fffd}[31m\u{fffd}\u{fffd}<"));
    }

    proptest! {
        /// A parser reads back each text as it was written.
        #[test]
        fn texts_are_read_as_written(name in "[\\t\\n\\r -~ß\u{2028}\u{85}\u{7f}]{0,20}", text in "[\\t\\n\\r -~ß\u{2028}\u{85}\u{7f}]{1,20}") {
            let xml = suite(&name, &text);
            let document = roxmltree::Document::parse(&xml).unwrap();
            let element = |tag: &str| document.descendants().find(|node| node.has_tag_name(tag)).unwrap();
            prop_assert_eq!(element("testsuite").attribute("name"), Some(name.as_str()));
            prop_assert_eq!(element("failure").attribute("message"), Some(text.as_str()));
            prop_assert_eq!(element("failure").text(), Some(text.as_str()));
            prop_assert_eq!(element("system-out").text(), Some(text.as_str()));
        }

        /// Any text gives well-formed XML.
        #[test]
        fn any_text_makes_a_report_that_can_be_read(text in any::<String>()) {
            prop_assert!(roxmltree::Document::parse(&suite(&text, &text)).is_ok());
        }
    }
}
