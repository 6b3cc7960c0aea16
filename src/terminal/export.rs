//! What `export` wrote.

use super::layout::Screen;
use super::width::Width;
use crate::export::{ExportFormat, Exported, MOST_INSTANTS, Number, PerfettoFacts};
use crate::text::OneLine;
use crate::units::{Bytes, Grouped, Plural, Seconds};
use std::io;
use std::time::Duration;

/// At most this many tracepoints are named.
const MOST_NAMED: usize = 5;

/// The message about an export, on lines of `width` columns.
pub fn exported(export: &Exported, width: impl Into<Width>) -> String {
    let mut text = Vec::new();
    print(export, width.into(), &mut text).expect("text is written into memory");
    String::from_utf8_lossy(&text).into_owned()
}

fn print(export: &Exported, width: Width, out: &mut dyn io::Write) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let Exported { path, format, number, bytes, perfetto, lost, detached, .. } = export;
    let number = match number {
        Number::Events(events) => Plural(*events, "event"),
        Number::Windows(windows) => Plural(*windows, "window"),
    };
    screen.fact("wrote", format_args!("{} ({number}, {})", OneLine(path.display()), Bytes(*bytes)))?;
    if let Some(facts) = perfetto.as_ref().filter(|facts| !facts.counters.is_empty()) {
        screen.fact("counters", counters(facts))?;
    }
    if *lost > 0 {
        let lost = Plural(*lost, "event");
        screen.fact("lost", format_args!("the kernel lost {lost} while recording; the export lacks them"))?;
    }
    if *detached > 0 {
        let text =
            "tracepoints were detached to keep the budget; their hits are missing from then on, and are not zero";
        screen.fact("detached", text)?;
    }
    if *format == ExportFormat::Perfetto {
        screen.fact("open", "drop the file on https://ui.perfetto.dev, which reads it in the browser")?;
    }
    Ok(())
}

fn counters(facts: &PerfettoFacts) -> String {
    let mut most: Vec<&(String, u64)> = facts.counters.iter().collect();
    most.sort_by_key(|(name, events)| (std::cmp::Reverse(*events), name));
    let named = most.iter().take(MOST_NAMED).map(|(name, events)| format!("{} ({})", OneLine(name), Grouped(*events)));
    let named: Vec<String> = named.collect();
    let more = match most.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let became = match most.len() {
        1 => "1 tracepoint became a counter".to_owned(),
        number => format!("{number} tracepoints became counters"),
    };
    format!(
        "a trace has at most {} events, so {became} of the hits in each {}: {}{more}",
        Grouped(MOST_INSTANTS as u64),
        Seconds(Duration::from_nanos(facts.interval_ns)),
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_what_became_counters_and_what_is_missing() {
        let counter = |number: u64| (format!("g:t{number}"), 1_000 * number);
        let facts = PerfettoFacts { instants: 9, counters: (1..=7).map(counter).collect(), interval_ns: 16_777_216 };
        let export = Exported {
            path: "a\u{1b}.pftrace".into(),
            format: ExportFormat::Perfetto,
            number: Number::Events(28_009),
            bytes: 3 << 20,
            perfetto: Some(facts),
            lost: 1,
            detached: 0,
            problem: None,
        };
        let expected = "\
wrote       a\\u{1b}.pftrace (28,009 events, 3 MiB)
counters    a trace has at most 1,000,000 events, so 7 tracepoints became counters of the hits in each 17 ms:
            g:t7 (7,000), g:t6 (6,000), g:t5 (5,000), g:t4 (4,000), g:t3 (3,000), and 2 more
lost        the kernel lost 1 event while recording; the export lacks them
open        drop the file on https://ui.perfetto.dev, which reads it in the browser
";
        assert_eq!(exported(&export, 110), expected);
        let csv = Exported { format: ExportFormat::Csv, perfetto: None, lost: 0, ..export };
        assert_eq!(exported(&csv, 110).lines().count(), 1);
    }
}
