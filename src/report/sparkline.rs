//! Counts as a row of bars.

/// A row of bars, as high as the counts, the highest as high as can be. Only nothing is blank.
pub fn sparkline(counts: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let bar = |count: &f64| match *count {
        0.0 => ' ',
        // An eighth is one bar, all is eight.
        count => BARS[((count / most * 8.0).round() as usize).clamp(1, 8) - 1],
    };
    counts.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_blank_only_where_nothing_is() {
        assert_eq!(sparkline(&[0.0, 0.01, 4.0, 8.0, 1e6]), " ▁▁▁█");
        assert_eq!(sparkline(&[1.0, 2.0, 4.0, 8.0]), "▁▂▄█");
        assert_eq!(sparkline(&[0.0, 0.0]), "  ");
        assert_eq!(sparkline(&[1e300, 1e-300]), "█▁");
    }
}
