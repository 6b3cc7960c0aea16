//! The options of figures for a paper.

use crate::plot::PlotFormat;
use crate::plot::paper::{Paper, PaperRows, PaperTitle, SIZES};

/// The size of a figure in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    width: f64,
    height: Option<f64>,
}

/// The look of figures for a paper. `None` without any of these options.
pub(super) fn paper(
    size: Option<Size>,
    rows: Option<PaperRows>,
    title: Option<String>,
    no_title: bool,
) -> Option<Paper> {
    let is_asked = size.is_some() || rows.is_some() || title.is_some() || no_title;
    is_asked.then(|| Paper {
        width: size.map(|size| size.width),
        height: size.and_then(|size| size.height),
        rows: rows.unwrap_or_default(),
        title: match title {
            Some(title) => PaperTitle::Own(title),
            None if no_title => PaperTitle::None,
            None => PaperTitle::Subject,
        },
    })
}

/// Parses the name of a format.
pub(super) fn plot_format(name: &str) -> Result<PlotFormat, String> {
    let all = PlotFormat::ALL.into_iter();
    all.clone().find(|format| format.name() == name).ok_or_else(|| {
        let names: Vec<&str> = all.map(PlotFormat::name).collect();
        format!("the formats are {}", names.join(", "))
    })
}

/// Parses `all`, or `top:N`.
pub(super) fn rows(text: &str) -> Result<PaperRows, String> {
    let top = text.strip_prefix("top:").and_then(|number| number.parse().ok()).filter(|number| *number > 0);
    match text {
        "all" => Ok(PaperRows::All),
        _ => top
            .map(PaperRows::Top)
            .ok_or_else(|| "write `top:20` for the 20 rows with the most hits, or `all`".to_owned()),
    }
}

/// Parses a width, or a width and a height: `3.5in`, `3.5x2in`, `9cm x 6cm`.
pub(super) fn size(text: &str) -> Result<Size, String> {
    let example = || "write the width, or the width and the height, as in `3.5in`, `9cm`, or `3.5x2in`".to_owned();
    let (width, height) = match text.split_once(['x', '×']) {
        Some((width, height)) => (width.trim(), Some(height.trim())),
        None => (text.trim(), None),
    };
    // A width without a unit has that of the height.
    let unit = height.and_then(split_unit).map(|(_, unit)| unit);
    let points = |length: &str| {
        let (number, points) = split_unit(length).or_else(|| Some((length, unit?)))?;
        let points = number.trim().parse::<f64>().ok()? * points;
        points.is_finite().then_some(points)
    };
    let width = points(width).ok_or_else(example)?;
    let height = height.map(|height| points(height).ok_or_else(example)).transpose()?;
    let [least, most] = SIZES;
    let inches = |points: f64| points / 72.0;
    match [Some(width), height].into_iter().flatten().find(|length| !(least..=most).contains(length)) {
        Some(length) => {
            Err(format!("{:.2} inches are not between {} and {}", inches(length), inches(least), inches(most)))
        }
        None => Ok(Size { width, height }),
    }
}

/// A number before its unit, and the points of the unit.
fn split_unit(length: &str) -> Option<(&str, f64)> {
    [("in", 72.0), ("cm", 72.0 / 2.54), ("mm", 72.0 / 25.4), ("pt", 1.0)]
        .into_iter()
        .find_map(|(unit, points)| Some((length.strip_suffix(unit)?, points)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_and_bounds() {
        let read = |text| size(text).map(|size| (size.width, size.height));
        assert_eq!(read("3.5in"), Ok((252.0, None)));
        assert_eq!(read("3.5x2in"), Ok((252.0, Some(144.0))));
        assert_eq!(read("7 x 5in"), Ok((504.0, Some(360.0))));
        assert!((read("7in x 127mm").unwrap().1.unwrap() - 360.0).abs() < 1e-9);
        assert_eq!(read("254pt"), Ok((254.0, None)));
        assert!((read("9cm").unwrap().0 - 255.118).abs() < 1e-3);
        for wrong in
            ["", "3.5", "in", "3.5inch", "x2in", "3.5inx", "nanin", "-3in", "1e300in", "0.1in", "99in", "3.5in x 1mm"]
        {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rows_and_formats_are_named() {
        assert_eq!((rows("top:7"), rows("all")), (Ok(PaperRows::Top(7)), Ok(PaperRows::All)));
        assert!(["7", "top:", "top:0", "top:-1", "bottom:3"].iter().all(|wrong| rows(wrong).is_err()));
        assert_eq!((plot_format("pdf"), plot_format("gif").is_err()), (Ok(PlotFormat::Pdf), true));
    }

    #[test]
    fn any_of_the_options_makes_figures_for_a_paper() {
        assert_eq!(paper(None, None, None, false), None);
        assert_eq!(paper(None, None, None, true).unwrap().title, PaperTitle::None);
        assert_eq!(paper(None, Some(PaperRows::All), None, false).unwrap().rows, PaperRows::All);
    }
}
