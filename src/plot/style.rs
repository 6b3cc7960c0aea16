//! Reads the rules of the style sheets, for pictures that cannot use style sheets.

use std::collections::HashMap;

/// The colours on a light background.
pub(super) const PLOT: &str = include_str!("plot.css");
/// The colours of states. The page uses them too.
pub(super) const STATES: &str = include_str!("states.css");
/// The colours on a dark background.
pub(super) const DARK: &str = include_str!("dark.css");

/// The distance between stripes, to the right and down.
pub(super) const HATCH: f64 = 6.0;

/// The default size of letters.
pub(super) const FONT_SIZE: f64 = 11.0;

/// The class of a number after a name.
pub(super) const NUMBER: &str = "dim";

/// The look of a class on a light background.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Style {
    pub fill: Option<[u8; 3]>,
    pub stroke: Option<[u8; 3]>,
    pub fill_opacity: Option<f32>,
    pub font_size: Option<f64>,
}

/// The style of every class.
pub(super) fn styles() -> HashMap<&'static str, Style> {
    let rules = [PLOT, STATES].into_iter().flat_map(|css| css.split('}'));
    rules
        .filter_map(|rule| {
            let (class, declarations) = rule.split_once('{')?;
            Some((class.trim().trim_start_matches('.'), style(declarations)))
        })
        .collect()
}

fn style(declarations: &str) -> Style {
    let mut style = Style::default();
    for (property, value) in declarations.split(';').filter_map(|declaration| declaration.split_once(':')) {
        let value = value.trim();
        match property.trim() {
            "fill" => style.fill = colour(value),
            "stroke" => style.stroke = colour(value),
            "fill-opacity" => style.fill_opacity = value.parse().ok(),
            "font-size" => style.font_size = value.trim_end_matches("px").parse().ok(),
            _ => {}
        }
    }
    style
}

/// Parses `#rrggbb`. Other values have no colour.
fn colour(value: &str) -> Option<[u8; 3]> {
    let [_, red, green, blue] = u32::from_str_radix(value.strip_prefix('#')?, 16).ok()?.to_be_bytes();
    Some([red, green, blue])
}

#[cfg(test)]
mod tests {
    use super::super::STATE_COLOURS;
    use super::*;

    #[test]
    fn every_rule_is_read() {
        let styles = styles();
        let with_fill = |class: &str| styles[class].fill.expect(class);
        assert_eq!((with_fill("paper"), with_fill("shade")), ([255; 3], [0xf1, 0xf4, 0xf8]));
        assert_eq!((styles["frame"].fill, styles["frame"].stroke), (None, Some([0x9a, 0xa4, 0xb2])));
        assert_eq!((styles["title"].font_size, styles["text"].font_size), (Some(17.0), None));
        assert_eq!((styles["lost"].fill_opacity, styles["gap"].fill_opacity), (Some(0.3), Some(0.28)));
        for state in 0..STATE_COLOURS {
            with_fill(&format!("state-{state}"));
        }
        with_fill("state-unknown");
        with_fill("detached");
        assert!(styles["thinned"].stroke.is_some());
        assert_eq!(styles.len(), PLOT.matches('{').count() + STATES.matches('{').count());
    }
}
