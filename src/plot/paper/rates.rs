//! The events per second of each source over time: panels above each other, with the same axes.

use super::{
    GAP, LETTERS, LINE, MARGIN, NoRoom, Paper, PaperFigure, apart, fitting, frame, line, short_rate, text, width,
};
use crate::plot::Subject;
use crate::plot::scene::{Anchor, Area, Item, Scene, spans};
use crate::plot::ticks::ticks;

/// The height of a panel, unless the user chose that of the figure, and the least one.
const PANEL: f64 = 44.0;
const LOWEST: f64 = 16.0;
/// How far a column reaches into the next one.
const OVERLAP: f64 = 0.25;

pub(super) fn scene(paper: &Paper, figure: PaperFigure, subjects: &[Subject<'_>]) -> Result<Option<Scene>, NoRoom> {
    let span = |subject: &Subject<'_>| subject.activity.span().map_or(0, |(first, last)| last - first);
    let longest = subjects.iter().map(span).max().unwrap_or(0);
    if longest == 0 {
        return Ok(None);
    }
    let (mut items, top) = paper.title(figure);
    // Above each panel is the label of its source, if there are several, and above the first one the unit.
    let above = if subjects.len() > 1 { LINE } else { 0.0 };
    let top = if above > 0.0 { top } else { top + LINE };
    let unit = "recorded events per second";
    let number = subjects.len() as f64;
    let below = 2.0 * LINE + MARGIN;
    let around = top + below + (above + GAP) * number - GAP;
    let panel = paper.height.map_or(PANEL, |height| (height - around) / number);
    if panel < LOWEST {
        return Err(NoRoom::Height { height: around + panel * number, figure: figure.name() });
    }
    // As wide as the longest label of a rate.
    let left = MARGIN + width("88.8M", LETTERS) + 4.0;
    let wide = paper.width() - left - 3.0 * MARGIN;
    // About the same time for each column of each source.
    let columns = (wide / 1.5) as usize;
    let rates: Vec<Vec<f64>> = subjects
        .iter()
        .map(|subject| {
            let of_source = ((span(subject) as f64 / longest as f64 * columns as f64).ceil() as usize).max(1);
            let time = if span(subject) > 0 {
                span(subject) as f64 / of_source as f64
            } else {
                longest as f64 / columns as f64
            };
            let seconds = time / 1e9;
            let mut rates = vec![0.0; of_source];
            subject.activity.tracepoints.spread(of_source, |_, column, events| rates[column] += events / seconds);
            rates
        })
        .collect();
    let most = rates.iter().flatten().copied().fold(0.0, f64::max);
    let step = round_step(most / if panel < 30.0 { 1.0 } else { 2.0 });
    let end = (most / step).ceil().max(1.0) * step;
    items.push(text(left + wide, top + above - 2.5, Anchor::End, unit));
    let mut y = top;
    for (subject, rates) in subjects.iter().zip(&rates) {
        y += above;
        if above > 0.0 {
            let room = if y == top + above { wide - width(unit, LETTERS) - GAP } else { wide };
            items.push(text(left, y - 2.5, Anchor::Start, fitting(subject.label, LETTERS, room)));
        }
        let x = |ns: u64| left + ns as f64 / longest as f64 * wide;
        let lost = subject.activity.losses().into_iter().map(|loss| (x(loss.from.0), x(loss.to.0)));
        items.extend(spans(lost).into_iter().map(|run| Item::rect("lost", run.x, y, run.length, panel)));
        let column = (x(span(subject)) - left) / rates.len() as f64;
        for (place, rate) in rates.iter().enumerate().filter(|(_, rate)| **rate > 0.0) {
            let height = rate / end * panel;
            // Neighbours overlap a little, so that no pale line is between them.
            let width = if place + 1 < rates.len() { column + OVERLAP } else { column };
            let area = Area { x: left + place as f64 * column, y: y + panel - height, width, height };
            items.push(Item::Rect { class: "bar".into(), area });
        }
        items.extend(frame(left, y, wide, panel));
        for number in 0..=(end / step).round() as usize {
            let rate = number as f64 * step;
            let at = y + panel - rate / end * panel;
            items.push(line("edge", left - 2.0, at, false, 2.0));
            items.push(text(left - 3.5, at + 2.2, Anchor::End, short_rate(rate)));
        }
        y += panel + GAP;
    }
    let bottom = y - GAP;
    let labels =
        ticks(longest, 6).into_iter().map(|tick| (left + tick.at_ns as f64 / longest as f64 * wide, tick.label));
    for (at, label) in apart(labels.collect(), (left - 10.0, paper.width() - 1.0)) {
        items.push(line("edge", at, bottom, true, 2.0));
        items.push(text(at, bottom + LINE, Anchor::Middle, label));
    }
    items.push(text(left + wide / 2.0, bottom + 2.0 * LINE - 1.0, Anchor::Middle, "seconds from the start"));
    let labels: Vec<&str> = subjects.iter().map(|subject| subject.label).collect();
    Ok(Some(paper.scene(figure, &labels.join(", "), bottom + below, items)))
}

/// The largest of 1, 2, and 5 times a power of ten that is at most this. It is at least 1, because events are whole.
fn round_step(most: f64) -> f64 {
    let power = 10f64.powf(most.max(1.0).log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|digit| digit * power).find(|step| *step <= most).unwrap_or(1.0)
}
