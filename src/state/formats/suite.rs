//! Test results in JUnit's XML, which CI systems read.

use crate::text::is_obeyed;
use std::fmt::{self, Write as _};
use std::io::{self, Write};

/// A suite of tests.
pub(super) struct Suite<'a> {
    /// The tool that runs the tests. It is also the class of each test case.
    pub tool: &'a str,
    pub name: &'a str,
    pub cases: Vec<Case>,
    /// Text that accompanies the results. If it is empty, the element is omitted.
    pub output: String,
}

/// A test.
pub(super) struct Case {
    pub name: &'static str,
    pub failure: Option<Failure>,
}

/// How a test failed.
pub(super) struct Failure {
    pub kind: String,
    pub message: String,
    pub description: String,
}

impl Suite<'_> {
    /// Writes the suite as a complete XML document.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (tool, name) = (Attribute(self.tool), Attribute(self.name));
        let (tests, failures) = (self.cases.len(), self.cases.iter().filter(|case| case.failure.is_some()).count());
        writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        writeln!(
            out,
            r#"<testsuites name="{tool}" tests="{tests}" skipped="0" failures="{failures}" errors="0">
    <testsuite name="{name}" tests="{tests}" skipped="0" errors="0" failures="{failures}">"#
        )?;
        for Case { name, failure } in &self.cases {
            write!(out, r#"        <testcase name="{}" classname="{tool}""#, Attribute(name))?;
            let Some(Failure { kind, message, description }) = failure else {
                writeln!(out, "/>")?;
                continue;
            };
            let (message, kind, description) = (Attribute(message), Attribute(kind), Content(description));
            writeln!(
                out,
                r#">
            <failure message="{message}" type="{kind}">{description}</failure>
        </testcase>"#
            )?;
        }
        if !self.output.is_empty() {
            writeln!(out, "        <system-out>{}</system-out>", Content(&self.output))?;
        }
        writeln!(out, "    </testsuite>\n</testsuites>")
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

    fn written(suite: &Suite<'_>) -> String {
        let mut out = Vec::new();
        suite.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn suite(name: &str, text: &str) -> String {
        let failure = Failure { kind: "new".to_owned(), message: text.to_owned(), description: text.to_owned() };
        written(&Suite {
            tool: "tp-perf check",
            name,
            cases: vec![Case { name: "good", failure: None }, Case { name: "bad", failure: Some(failure) }],
            output: text.to_owned(),
        })
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
        let nothing = written(&Suite { tool: "t", name: "n", cases: Vec::new(), output: String::new() });
        assert!(!nothing.contains("system-out"));
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
