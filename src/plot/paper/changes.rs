//! The changes between sources: a bar for each ratio, with its interval.

use super::{LETTERS, LINE, MARGIN, NoRoom, Paper, PaperFigure, apart, fitting, frame, line, row_names, text, width};
use crate::plot::scene::{Anchor, Item, Scene};
use crate::report::{Compared, Differences, RateChange};
use crate::units::Factor;

/// Names take at most this part of the width.
const NAMES: f64 = 0.5;
/// The kinds of bars.
const CLASSES: usize = 3;

pub(super) fn scene(paper: &Paper, figure: PaperFigure, differences: &Differences) -> Result<Option<Scene>, NoRoom> {
    let sure: Vec<(&Compared, &RateChange)> =
        Differences::sure(&differences.tracepoints).filter_map(|row| Some((row, row.change.as_ref()?))).collect();
    if sure.is_empty() {
        return Ok(None);
    }
    let (mut items, top) = paper.title(figure);
    // The numbers, the axis, and the key.
    let below = |key: usize| LINE * (2.0 + key as f64) + MARGIN;
    let (number, row) = paper.rows(sure.len(), top + below(CLASSES) + MARGIN, figure)?;
    let sure = &sure[..number];
    let key = key(differences, sure);
    let below = below(key.len());
    let room = NAMES * paper.width();
    let names = row_names(sure.iter().map(|(row, _)| row.name.as_str()), room);
    let sides = &differences.sides;
    let with_sides = |(name, (_, change)): (String, &(&Compared, &RateChange))| match sides.len() {
        2 => name,
        _ => fitting(&format!("{name} ({}/{})", sides[change.to], sides[change.from]), LETTERS, room),
    };
    let names: Vec<String> = names.into_iter().zip(sure).map(with_sides).collect();
    let left = MARGIN + names.iter().map(|name| width(name, LETTERS)).fold(0.0, f64::max) + 4.0;
    let wide = paper.width() - left - 3.0 * MARGIN;
    // The logarithms of the axis, which has 1 in it.
    let ends = sure.iter().flat_map(|(_, change)| change.interval.map(f64::log10)).chain([0.0]);
    let (low, high) = crate::stats::extremes(ends);
    let (low, high) = (low - 0.03 * (high - low), high + 0.03 * (high - low));
    let x = |log: f64| left + (log - low) / (high - low) * wide;
    let height = row * number as f64;
    let powers: Vec<i32> = (low.ceil() as i32..=high.floor() as i32).collect();
    let every = powers.len().div_ceil(6).max(1) as i32;
    let labels = powers.into_iter().filter(|power| power % every == 0);
    let labels = labels.map(|power| (x(f64::from(power)), power_of_ten(power)));
    for (at, label) in apart(labels.collect(), (left - 15.0, paper.width() - 1.0)) {
        items.push(line("grid", at, top, true, height));
        items.push(line("edge", at, top + height, true, 2.0));
        items.push(text(at, top + height + LINE, Anchor::Middle, label));
    }
    for (place, ((row_of, change), name)) in sure.iter().zip(names).enumerate() {
        let middle = top + (place as f64 + 0.5) * row;
        items.push(text(left - 3.0, middle + 2.2, Anchor::End, name));
        let [from, to] = change.interval.map(|end| x(end.log10()));
        // The ratio with half a hit added to each sample, because that without it can be 0 or none.
        let ratio = f64::midpoint(from, to);
        let (start, end) = (x(0.0).min(ratio), x(0.0).max(ratio));
        items.push(Item::rect(class(row_of, change), start, middle - 0.3 * row, end - start, 0.6 * row));
        items.push(line("edge", from, middle, false, to - from));
        items.extend([from, to].map(|end| line("edge", end, middle - 1.5, true, 3.0)));
    }
    items.push(line("edge", x(0.0), top, true, height));
    items.extend(frame(left, top, wide, height));
    let bottom = top + height;
    let axis = match differences.sides.len() {
        2 => format!("rate in {} / rate in {}", differences.sides[1], differences.sides[0]),
        _ => "ratio of the rates".to_owned(),
    };
    let axis = fitting(&axis, LETTERS, paper.width() - 2.0 * MARGIN);
    let half = width(&axis, LETTERS) / 2.0;
    let middle = (left + wide / 2.0).min(paper.width() - MARGIN - half).max(MARGIN + half);
    items.push(text(middle, bottom + 2.0 * LINE - 1.0, Anchor::Middle, axis));
    for (place, (class, words)) in key.into_iter().enumerate() {
        let y = bottom + (place as f64 + 3.0) * LINE;
        items.push(Item::rect(class, MARGIN, y - 5.0, 8.0, 5.0));
        items.push(text(
            MARGIN + 11.0,
            y,
            Anchor::Start,
            fitting(&words, LETTERS, paper.width() - 2.0 * MARGIN - 11.0),
        ));
    }
    Ok(Some(paper.scene(figure, &differences.sides.join(", "), bottom + below + MARGIN, items)))
}

fn class(row: &Compared, change: &RateChange) -> &'static str {
    let is_only = (0..row.sides.len()).any(|side| row.is_only_in(side));
    match () {
        () if is_only => "only",
        () if change.difference > 0.0 => "more",
        () => "less",
    }
}

/// The classes in use, with their words.
fn key(differences: &Differences, sure: &[(&Compared, &RateChange)]) -> Vec<(&'static str, String)> {
    let after = match &differences.sides[..] {
        [_, after] => format!(" in {after}"),
        _ => String::new(),
    };
    let words = [
        ("only", "hit in one source only".to_owned()),
        ("more", format!("more{after}")),
        ("less", format!("less{after}")),
    ];
    let is_used = |class_of: &str| sure.iter().any(|(row, change)| class(row, change) == class_of);
    words.into_iter().filter(|(class, _)| is_used(class)).collect()
}

fn power_of_ten(power: i32) -> String {
    match power {
        0 => "1×".to_owned(),
        -3..=5 => Factor(10f64.powi(power)).to_string().replace(".00×", "×"),
        _ => format!("1e{power}×"),
    }
}
