//! Places the marks on a time axis.

/// A mark on the time axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AxisTick {
    /// Its time in nanoseconds from the start.
    pub at_ns: u64,
    /// Its time in seconds.
    pub label: String,
}

/// At most `most` marks from 0 to `span_ns`. Their distance is a round number: 1, 2 or 5 times a power of
/// ten.
pub(super) fn ticks(span_ns: u64, most: u64) -> Vec<AxisTick> {
    let least = span_ns / most.max(1);
    let steps = (0..19).flat_map(|power| [1, 2, 5].map(|digit| digit * 10u64.pow(power)));
    let step = steps.into_iter().find(|step| *step > least).unwrap_or(10u64.pow(19));
    (0..=span_ns / step).map(|number| AxisTick { at_ns: number * step, label: seconds(number * step, step) }).collect()
}

/// A time in seconds, with as many decimals as steps of `step` nanoseconds need.
fn seconds(ns: u64, step: u64) -> String {
    let decimals = (0..9).find(|decimals| step.is_multiple_of(10u64.pow(9 - decimals))).unwrap_or(9);
    let whole = ns / 1_000_000_000;
    match decimals {
        0 => whole.to_string(),
        _ => format!("{whole}.{}", &format!("{:09}", ns % 1_000_000_000)[..decimals as usize]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(span_ns: u64) -> Vec<String> {
        ticks(span_ns, 6).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn marks_are_round_seconds_whatever_the_span() {
        assert_eq!(labels(1_020_000_000), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(65_000_000_000), ["0", "20", "40", "60"]);
        assert_eq!(labels(3_500), ["0.000000", "0.000001", "0.000002", "0.000003"]);
        assert_eq!(labels(0), ["0.000000000"]);
        assert_eq!(labels(1), ["0.000000000", "0.000000001"]);
        for span in [7, 99, 12_345_678, u64::MAX / 3, u64::MAX] {
            let ticks = ticks(span, 6);
            assert!((2..=7).contains(&ticks.len()), "{span}: {ticks:?}");
            assert!(ticks.iter().all(|tick| tick.at_ns <= span));
        }
    }
}
