//! The formats of metrics, and the choice between them.

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsFormat {
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// The quality of a media type in a header `Accept`, in thousandths.
type Thousandths = u16;

impl MetricsFormat {
    /// The media type for the header `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            MetricsFormat::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            MetricsFormat::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that the value of a header `Accept` prefers (RFC 9110, section 12.5.1). Programs that accept neither format
    /// or both alike, and values that cannot be read, get the format of Prometheus.
    pub fn of_accept(accept: &str) -> Self {
        let quality = |format: MetricsFormat| {
            let ranges = accept.split(',').filter_map(MediaRange::of);
            ranges.filter_map(|range| Some((range.fits(format)?, range.quality))).max_by_key(|(exact, _)| *exact)
        };
        let quality = |format| quality(format).map_or(0, |(_, quality)| quality);
        match quality(MetricsFormat::OpenMetrics) > quality(MetricsFormat::Prometheus) {
            true => MetricsFormat::OpenMetrics,
            false => MetricsFormat::Prometheus,
        }
    }

    /// The type, the subtype, and the version.
    fn names(self) -> [&'static str; 3] {
        match self {
            MetricsFormat::Prometheus => ["text", "plain", "0.0.4"],
            MetricsFormat::OpenMetrics => ["application", "openmetrics-text", "1.0.0"],
        }
    }
}

/// A part of a header `Accept`.
struct MediaRange {
    of_type: String,
    subtype: String,
    version: Option<String>,
    quality: Thousandths,
}

impl MediaRange {
    /// Reads a part such as `text/plain; version=0.0.4; q=0.5`. `None` if it cannot be read.
    fn of(part: &str) -> Option<Self> {
        let mut pieces = part.split(';').map(|piece| piece.trim().to_ascii_lowercase());
        let media = pieces.next()?;
        let (of_type, subtype) = media.split_once('/')?;
        let mut range =
            MediaRange { of_type: of_type.to_owned(), subtype: subtype.to_owned(), version: None, quality: 1_000 };
        for (name, value) in pieces.filter_map(|piece| Some(owned(piece.split_once('=')?))) {
            match name.as_str() {
                "version" => range.version = Some(value),
                "q" => range.quality = quality_of(&value)?,
                _ => {}
            }
        }
        Some(range)
    }

    /// How exactly the range names the format; `None` if the range does not include it.
    fn fits(&self, format: MetricsFormat) -> Option<u8> {
        let [of_type, subtype, version] = format.names();
        match (self.of_type.as_str(), self.subtype.as_str(), self.version.as_deref()) {
            (own, sub, Some(of_version)) if own == of_type && sub == subtype => (of_version == version).then_some(3),
            (own, sub, None) if own == of_type && sub == subtype => Some(2),
            (own, "*", None) if own == of_type => Some(1),
            ("*", "*", None) => Some(0),
            _ => None,
        }
    }
}

/// The name and the value of a parameter, without spaces and quotes.
fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.trim().to_owned(), value.trim().trim_matches('"').to_owned())
}

/// Reads a quality such as `0.75`.
fn quality_of(text: &str) -> Option<Thousandths> {
    let number: f64 = text.parse().ok().filter(|number| (0.0..=1.0).contains(number))?;
    Some((number * 1_000.0).round() as Thousandths)
}

#[cfg(test)]
mod tests {
    use super::MetricsFormat::{self, OpenMetrics, Prometheus};
    use proptest::prelude::*;

    #[test]
    fn the_preferred_format_is_served() {
        for (accept, expected) in [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", Prometheus),
            // Prometheus 2.42.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            // Prometheus 3.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                 text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                OpenMetrics,
            ),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.9 , text/plain;q=0.8", OpenMetrics),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.3", Prometheus),
            ("application/openmetrics-text;q=0.2,text/*;q=0.3", Prometheus),
            ("application/openmetrics-text;q=0.2,*/*;q=0.3", Prometheus),
            // The most exact range decides, and not the first or the last one.
            ("*/*,application/openmetrics-text;q=0.2", Prometheus),
            ("text/plain;q=0.1,*/*", OpenMetrics),
            ("application/*,text/plain;q=0.999", OpenMetrics),
            // tp-perf does not know this version.
            ("application/openmetrics-text;version=2.0.0", Prometheus),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=2,text/plain;q=0.1", Prometheus),
            ("application/openmetrics-text;q=", Prometheus),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", Prometheus),
            (";;,,/=,q=1", Prometheus),
        ] {
            assert_eq!(MetricsFormat::of_accept(accept), expected, "{accept}");
        }
    }

    proptest! {
        #[test]
        fn any_header_gets_a_format(accept in "\\PC{0,80}|[a-z*/;=.,0-9q \"]{0,80}") {
            MetricsFormat::of_accept(&accept);
        }
    }
}
