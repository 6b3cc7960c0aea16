//! Tracepoints or groups over time: a panel for each source, with the same rows and the same colours.

use super::{
    GAP, LETTERS, LINE, MARGIN, NoRoom, Paper, PaperFigure, apart, fitting, frame, line, row_names, short_rate, text,
    width,
};
use crate::plot::density::Density;
use crate::plot::scene::{Anchor, Area, Item, Scene};
use crate::plot::ticks::ticks;
use crate::plot::{Figure, Subject};
use crate::tracefs::Tpid;
use std::collections::HashMap;

/// Names take at most this part of the width.
const NAMES: f64 = 0.45;
/// A panel has at least this width.
const NARROWEST: f64 = 36.0;
/// Columns per point.
const COLUMNS: f64 = 2.0;

pub(super) fn scene(
    paper: &Paper,
    figure: PaperFigure,
    of: Figure,
    subjects: &[Subject<'_>],
) -> Result<Option<Scene>, NoRoom> {
    let hits = by_hits(of, subjects);
    if hits.is_empty() {
        return Ok(None);
    }
    let (mut items, top) = paper.title(figure);
    let top = top + if subjects.len() > 1 { LINE } else { 0.0 };
    // Below the panels: the times, their unit, the colours, their numbers, and their unit.
    let below = 5.0 * LINE + GAP;
    let (number, row) = paper.rows(hits.len(), top + below + MARGIN, figure)?;
    let names: Vec<&str> = hits.iter().take(number).map(|(name, _)| name.as_str()).collect();
    let shown = row_names(names.iter().copied(), NAMES * paper.width());
    let widest = shown.iter().map(|name| width(name, LETTERS)).fold(0.0, f64::max);
    let left = MARGIN + widest + 4.0;
    let all = paper.width() - left - 2.0 * MARGIN;
    let panel = (all + GAP) / subjects.len() as f64 - GAP;
    if panel < NARROWEST {
        // Names get all the room that they need, or their part of the width.
        let others = MARGIN + 4.0 + 2.0 * MARGIN + (NARROWEST + GAP) * subjects.len() as f64;
        let whole = names.iter().map(|name| width(name, LETTERS)).fold(0.0, f64::max);
        let points = (others + whole).min(others / (1.0 - NAMES));
        let inches = (points / 7.2).ceil() / 10.0;
        return Err(NoRoom::Width { width: paper.width(), sources: subjects.len(), inches });
    }
    let height = row * number as f64;
    for (place, name) in shown.into_iter().enumerate() {
        items.push(text(left - 3.0, top + (place as f64 + 0.5) * row + 2.2, Anchor::End, name));
    }
    let columns = (panel * COLUMNS) as usize;
    let rates: Vec<Vec<f64>> = subjects.iter().map(|subject| rates(of, subject, &names, columns)).collect();
    let scale = Scale::of(rates.iter().flatten().copied());
    for (place, (subject, rates)) in subjects.iter().zip(&rates).enumerate() {
        let x = left + place as f64 * (panel + GAP);
        if subjects.len() > 1 {
            items.push(text(x + panel / 2.0, top - 3.0, Anchor::Middle, fitting(subject.label, LETTERS, panel)));
        }
        let area = Area { x, y: top, width: panel, height };
        let levels = rates.iter().map(|rate| scale.level(*rate)).collect();
        items.push(Item::Density { area, columns, levels });
        items.extend(frame(x, top, panel, height));
        let span = subject.activity.span().map_or(0, |(first, last)| last - first);
        let at = |ns: u64| x + ns as f64 / span.max(1) as f64 * panel;
        let labels = ticks(span, 4).into_iter().map(|tick| (at(tick.at_ns), tick.label));
        let ends = (x - GAP / 2.0, x + panel + GAP / 2.0);
        for (at, label) in apart(labels.collect(), ends) {
            items.push(line("edge", at, top + height, true, 2.0));
            items.push(text(at, top + height + LINE, Anchor::Middle, label));
        }
    }
    let bottom = top + height;
    items.push(text(left + all / 2.0, bottom + 2.0 * LINE - 1.0, Anchor::Middle, "seconds from the start"));
    scale.draw((left, left + all), bottom + 2.0 * LINE + 4.0, &mut items);
    let labels: Vec<&str> = subjects.iter().map(|subject| subject.label).collect();
    Ok(Some(paper.scene(figure, &labels.join(", "), bottom + below + MARGIN, items)))
}

/// The rows with their events in all sources, the most events first.
fn by_hits(figure: Figure, subjects: &[Subject<'_>]) -> Vec<(String, u64)> {
    let mut hits = HashMap::<String, u64>::new();
    for subject in subjects {
        for (tpid, events) in subject.activity.tracepoints.hit() {
            *hits.entry(figure.row(subject.table.get(Tpid::new(tpid))).0).or_default() += events;
        }
    }
    let mut hits: Vec<_> = hits.into_iter().collect();
    hits.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    hits
}

/// The events per second of each row and column, row by row.
fn rates(figure: Figure, subject: &Subject<'_>, names: &[&str], columns: usize) -> Vec<f64> {
    let places: HashMap<&str, usize> = names.iter().enumerate().map(|(place, name)| (*name, place)).collect();
    let row_of = |tpid: u32| places.get(figure.row(subject.table.get(Tpid::new(tpid))).0.as_str()).copied();
    let row_of: HashMap<u32, Option<usize>> =
        subject.activity.tracepoints.hit().map(|(tpid, _)| (tpid, row_of(tpid))).collect();
    let mut rates = vec![0.0; names.len() * columns];
    let seconds = subject.activity.span().map_or(0.0, |(first, last)| (last - first) as f64 / 1e9) / columns as f64;
    subject.activity.tracepoints.spread(columns, |tpid, column, events| {
        if let Some(row) = row_of[&tpid] {
            // Without a duration, the numbers of events are as good as rates.
            rates[row * columns + column] += if seconds > 0.0 { events / seconds } else { events };
        }
    });
    rates
}

/// The colours of rates, by their logarithm.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(rates: impl Iterator<Item = f64>) -> Self {
        let (least, most) = crate::stats::extremes(rates.filter(|rate| *rate > 0.0));
        Scale { least, most }
    }

    /// Where a rate is, from 0 to 1.
    fn part(&self, rate: f64) -> f64 {
        let span = (self.most / self.least).ln();
        if span > 0.0 { ((rate / self.least).ln() / span).clamp(0.0, 1.0) } else { 1.0 }
    }

    fn level(&self, rate: f64) -> u8 {
        if rate > 0.0 { 1 + (254.0 * self.part(rate)) as u8 } else { 0 }
    }

    /// The ramp of colours with ticks at the powers of ten.
    fn draw(&self, (from, to): (f64, f64), y: f64, items: &mut Vec<Item>) {
        let area = Area { x: from, y, width: to - from, height: 5.0 };
        let colours = (0..=254u8).map(|level| Density::colour(1 + level)).collect();
        items.push(Item::Ramp { area, colours });
        items.extend(frame(from, y, to - from, 5.0));
        let powers =
            (self.least.log10().ceil() as i32..=self.most.log10().floor() as i32).map(|power| 10f64.powi(power));
        // With no power of ten between them, the ends are the ticks.
        let mut at: Vec<f64> = powers.collect();
        if at.len() < 2 {
            at = vec![self.least, self.most];
            at.dedup();
        }
        let labels = at.into_iter().map(|rate| (from + self.part(rate) * (to - from), short_rate(rate))).collect();
        for (x, label) in apart(labels, (from - 20.0, to + 5.0)) {
            items.push(line("edge", x, y + 5.0, true, 2.0));
            items.push(text(x, y + 6.0 + LINE, Anchor::Middle, label));
        }
        items.push(text((from + to) / 2.0, y + 5.0 + 2.0 * LINE, Anchor::Middle, "recorded events per second"));
    }
}
