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
    use crate::overhead::figures::tests::overhead;
    use crate::overhead::formats::tests::text;
    use crate::overhead::{Arm, Way};

    #[test]
    fn the_json_form_has_figures_and_runs() {
        let arms = [Arm::On(Way::Record), Arm::Off, Arm::On(Way::Count), Arm::Nothing];
        let measured = overhead(arms, &[[3_000, 2_000, 2_500, 1_000]; 5]);
        let json: serde_json::Value = serde_json::from_str(&text(write_json, &measured)).unwrap();
        assert_eq!((&json["schema"], &json["pairs"], &json["pairs_asked"]), (&2.into(), &5.into(), &5.into()));
        assert_eq!(json["arms"], serde_json::json!(["record", "off", "count", "nothing"]));
        let [record, count] = [0, 1].map(|way| &json["ways"][way]);
        assert_eq!((&record["way"], &record["events"]), (&"record".into(), &5_000_000.into()));
        assert_eq!(record["wall"]["verdict"], "difference");
        assert_eq!(record["wall"]["without"]["median_ns"], 2_000_000_000_u64);
        assert_eq!(record["against_nothing"]["wall"]["without"]["median_ns"], 1_000_000_000_u64);
        assert_eq!((&count["way"], &count["lost"]), (&"count".into(), &0.into()));
        assert_eq!(count["wall"]["with"]["median_ns"], 2_500_000_000_u64);
        assert_eq!(json["attached_off"]["wall"]["with"]["median_ns"], 2_000_000_000_u64);
        assert_eq!(json["runs"].as_array().unwrap().len(), 20);
        assert_eq!((&json["runs"][4]["pair"], &json["runs"][4]["arm"]), (&2.into(), &"record".into()));
        assert_eq!(
            (&json["runs"][0]["events"], &json["runs"][0]["own_cpu_ns"]),
            (&1_000_000.into(), &1_000_000.into())
        );
        assert!(json["runs"][1]["events"].is_null() && json["detach_ns"].is_null());
    }
}
