//! Counts as a row of bars.

/// A row of bars, one for each count. The largest count has the highest bar; only a count of 0 is blank.
pub fn sparkline(counts: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let bar = |count: &f64| match *count {
        0.0 => ' ',
        // One eighth of the largest count is the lowest bar.
        count => BARS[((count / most * 8.0).round() as usize).clamp(1, 8) - 1],
    };
    counts.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_count_of_0_is_blank() {
        assert_eq!(sparkline(&[0.0, 0.01, 4.0, 8.0, 1e6]), " ▁▁▁█");
        assert_eq!(sparkline(&[1.0, 2.0, 4.0, 8.0]), "▁▂▄█");
        assert_eq!(sparkline(&[0.0, 0.0]), "  ");
        assert_eq!(sparkline(&[1e300, 1e-300]), "█▁");
    }
}
