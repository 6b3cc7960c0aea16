//! A measurement as JSON, for programs.

use crate::overhead::{Figures, Overhead};
use crate::text::json_pretty;
use serde::Serialize;
use std::io::{self, Write};

/// Writes the measurement and all its figures as one object.
pub fn write_json(overhead: &Overhead, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct OverheadJson<'a> {
        #[serde(flatten)]
        overhead: &'a Overhead,
        #[serde(flatten)]
        figures: Figures,
    }
    out.write_all(json_pretty(&OverheadJson { overhead, figures: overhead.figures() }).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overhead::formats::tests::text;

    #[test]
    fn the_json_form_has_figures_and_runs() {
        let json: serde_json::Value = serde_json::from_str(&text(write_json, &[(2_000, 3_000); 5])).unwrap();
        assert_eq!((&json["schema"], &json["pairs"], &json["events"]), (&1.into(), &5.into(), &5_000_000.into()));
        assert_eq!(json["wall"]["verdict"], "difference");
        assert_eq!(json["wall"]["without"]["median_ns"], 2_000_000_000_u64);
        assert_eq!(json["runs"].as_array().unwrap().len(), 10);
        assert_eq!(json["runs"][0]["events"], 1_000_000);
        assert_eq!(json["runs"][0]["own_cpu_ns"], 1_000_000);
        assert!(json["runs"][1]["events"].is_null() && json["detach_ns"].is_null());
    }
}
