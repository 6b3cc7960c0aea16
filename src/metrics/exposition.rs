//! Writes metrics as text. Both formats have the same series; they differ in the heads of the families, and in the end.

use super::MetricsFormat;
use std::fmt::Write;

/// The kind of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FamilyKind {
    /// A sum that never falls. Its series end in `_total`.
    Counter,
    /// A value that rises and falls.
    Gauge,
    /// Facts as labels of a series with the value 1. The series end in `_info`.
    Info,
}

/// A family of metrics: the series that differ only in their labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    /// The name, without the ending that its kind adds.
    pub name: &'static str,
    pub kind: FamilyKind,
    /// The unit, with which the name ends.
    pub unit: Option<&'static str>,
    /// What it is: a sentence without quotes, backslashes and line ends, which would have to be escaped.
    pub help: &'static str,
}

impl Family {
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Family { name, kind: FamilyKind::Counter, unit: None, help }
    }

    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Family { name, kind: FamilyKind::Gauge, unit: None, help }
    }

    pub const fn info(name: &'static str, help: &'static str) -> Self {
        Family { name, kind: FamilyKind::Info, unit: None, help }
    }

    pub const fn in_unit(self, unit: &'static str) -> Self {
        Family { unit: Some(unit), ..self }
    }

    /// What its kind adds to its name.
    fn ending(&self) -> &'static str {
        match self.kind {
            FamilyKind::Counter => "_total",
            FamilyKind::Gauge => "",
            FamilyKind::Info => "_info",
        }
    }
}

/// A value of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum MetricValue {
    Whole(u64),
    /// A time in nanoseconds, written in seconds without rounding.
    Nanoseconds(u64),
    /// A number that is not NaN and not infinite. Otherwise the series is left out.
    Real(f64),
}

/// Labels, as they are written between the braces. They are made once, and written at each scrape.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Labels(Box<str>);

impl Labels {
    /// Labels of these names and values. The values may be any text.
    pub fn new<const N: usize>(labels: [(&str, &str); N]) -> Self {
        let mut text = String::new();
        for (name, value) in labels {
            let comma = if text.is_empty() { "" } else { "," };
            text.extend([comma, name, "=\""]);
            push_escaped(&mut text, value);
            text.push('"');
        }
        Labels(text.into())
    }
}

/// Appends the value of a label. A NUL ends the text for some readers, so another character replaces it.
fn push_escaped(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            '\0' => text.push('\u{fffd}'),
            c => text.push(c),
        }
    }
}

/// The text of a scrape, as it grows.
pub(super) struct Exposition {
    text: String,
    format: MetricsFormat,
    /// The family of the last series.
    last: Option<&'static str>,
    digits: itoa::Buffer,
}

impl Exposition {
    /// An empty text with room for this many bytes.
    pub fn new(format: MetricsFormat, bytes: usize) -> Self {
        Exposition { text: String::with_capacity(bytes), format, last: None, digits: itoa::Buffer::new() }
    }

    /// Appends a series without labels.
    pub fn alone(&mut self, family: &Family, figure: MetricValue) {
        self.series(family, None, figure);
    }

    /// Appends a series without labels, if there is a figure.
    pub fn known(&mut self, family: &Family, figure: Option<MetricValue>) {
        figure.into_iter().for_each(|figure| self.alone(family, figure));
    }

    /// Appends a series with labels.
    pub fn labelled(&mut self, family: &Family, labels: &Labels, figure: MetricValue) {
        self.series(family, Some(labels), figure);
    }

    /// Appends a series. All series of a family must follow each other.
    fn series(&mut self, family: &Family, labels: Option<&Labels>, figure: MetricValue) {
        if matches!(figure, MetricValue::Real(number) if !number.is_finite()) {
            return;
        }
        if self.last != Some(family.name) {
            self.last = Some(family.name);
            self.head(family);
        }
        self.text.extend([family.name, family.ending()]);
        if let Some(Labels(labels)) = labels {
            self.text.extend(["{", labels, "}"]);
        }
        self.text.push(' ');
        self.figure(figure);
        self.text.push('\n');
    }

    fn head(&mut self, family: &Family) {
        let Family { name, kind, unit, help } = family;
        // The format of Prometheus has no units and no infos, and calls a counter by the name of its series.
        let (kind, ending, unit) = match (self.format, kind) {
            (MetricsFormat::OpenMetrics, FamilyKind::Counter) => ("counter", "", *unit),
            (MetricsFormat::OpenMetrics, FamilyKind::Gauge) => ("gauge", "", *unit),
            (MetricsFormat::OpenMetrics, FamilyKind::Info) => ("info", "", *unit),
            (MetricsFormat::Prometheus, FamilyKind::Counter) => ("counter", family.ending(), None),
            (MetricsFormat::Prometheus, _) => ("gauge", family.ending(), None),
        };
        self.text.extend(["# HELP ", name, ending, " ", help, "\n# TYPE ", name, ending, " ", kind, "\n"]);
        if let Some(unit) = unit {
            self.text.extend(["# UNIT ", name, " ", unit, "\n"]);
        }
    }

    fn figure(&mut self, figure: MetricValue) {
        match figure {
            MetricValue::Whole(number) => self.text.push_str(self.digits.format(number)),
            MetricValue::Nanoseconds(time) => {
                let (seconds, rest) = (time / 1_000_000_000, time % 1_000_000_000);
                self.text.push_str(self.digits.format(seconds));
                if rest > 0 {
                    let digits = format!("{rest:09}");
                    self.text.extend([".", digits.trim_end_matches('0')]);
                }
            }
            // Writing to a string does not fail.
            MetricValue::Real(number) => drop(write!(self.text, "{number}")),
        }
    }

    /// The whole text.
    pub fn end(mut self) -> String {
        if self.format == MetricsFormat::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HITS: Family = Family::counter("a_hits", "Hits.");
    const AGE: Family = Family::gauge("an_age_seconds", "Age.").in_unit("seconds");
    const BUILD: Family = Family::info("a_build", "Build.");

    fn text(format: MetricsFormat) -> String {
        let mut text = Exposition::new(format, 0);
        text.labelled(&HITS, &Labels::new([("a", "1"), ("b", "")]), MetricValue::Whole(u64::MAX));
        text.labelled(&HITS, &Labels::new([("a", "2"), ("b", "x")]), MetricValue::Whole(0));
        text.alone(&AGE, MetricValue::Nanoseconds(1_000_000_001));
        text.known(&AGE, None);
        text.alone(&BUILD, MetricValue::Whole(1));
        text.end()
    }

    #[test]
    fn the_formats_differ_in_heads_and_end() {
        insta::assert_snapshot!("families_openmetrics", text(MetricsFormat::OpenMetrics));
        insta::assert_snapshot!("families_prometheus", text(MetricsFormat::Prometheus));
    }

    #[test]
    fn labels_may_hold_any_text() {
        let labels = Labels::new([("a", "\"\\\n"), ("b", "é\r\u{0}\u{202e}{}=,")]);
        assert_eq!(&*labels.0, "a=\"\\\"\\\\\\n\",b=\"é\r\u{fffd}\u{202e}{}=,\"");
    }

    #[test]
    fn numbers_are_written_without_rounding_and_without_exponents() {
        let written = |figure| {
            let mut text = Exposition::new(MetricsFormat::Prometheus, 0);
            text.figure(figure);
            text.end()
        };
        for (figure, expected) in [
            (MetricValue::Whole(u64::MAX), "18446744073709551615"),
            (MetricValue::Nanoseconds(0), "0"),
            (MetricValue::Nanoseconds(1), "0.000000001"),
            (MetricValue::Nanoseconds(1_500_000_000), "1.5"),
            (MetricValue::Nanoseconds(60_000_000_000), "60"),
            (MetricValue::Nanoseconds(u64::MAX), "18446744073.709551615"),
            (MetricValue::Real(0.0), "0"),
            (MetricValue::Real(0.012_5), "0.0125"),
            (MetricValue::Real(1e-9), "0.000000001"),
            (MetricValue::Real(1e15), "1000000000000000"),
        ] {
            assert_eq!(written(figure), expected);
        }
    }

    #[test]
    fn a_series_without_a_number_is_left_out_and_so_is_its_head() {
        let mut text = Exposition::new(MetricsFormat::OpenMetrics, 0);
        [f64::NAN, f64::INFINITY].into_iter().for_each(|number| text.alone(&AGE, MetricValue::Real(number)));
        assert_eq!(text.end(), "# EOF\n");
    }
}
