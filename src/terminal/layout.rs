//! Text and tables on the columns of a terminal. A Chinese, Japanese or Korean letter takes two columns.

use super::width::Width;
use crate::text::{Coloured, OneLine};
use anstyle::Style;
use std::fmt::Display;
use std::io::{self, Write};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A narrower terminal gets lines of this many columns.
const NARROWEST: usize = 40;
/// Prose is hard to read on longer lines.
const LONGEST_LINE: usize = 110;
/// Columns of the label before a fact.
pub(super) const LABEL: usize = 12;
/// A command in backticks stays on one line up to this many columns.
const LONGEST_COMMAND: usize = 30;
/// A cut cell keeps this many columns.
const SHORTEST_CELL: usize = 8;
/// Blanks between two columns of a table.
const GAP: usize = 2;

/// How many columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// The text. If it takes more columns than this, its beginning with `…` at the end.
pub(super) fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    // An accent, or a sign that changes the letter before it, takes no column and stays with that letter.
    let letters = text.char_indices().filter(|(_, c)| c.width() != Some(0));
    let ends = letters.map(|(end, _)| end).take(most + 1);
    let end = ends.filter(|end| columns(&text[..*end]) < most).last().unwrap_or(0);
    format!("{}…", &text[..end])
}

/// The lines of a terminal, on which text and tables are laid out.
pub(super) struct Screen<'a> {
    out: &'a mut dyn Write,
    width: Width,
}

impl<'a> Screen<'a> {
    /// Lines of `width` columns.
    pub(super) fn new(width: impl Into<Width>, out: &'a mut dyn Write) -> Self {
        Screen { out, width: width.into().at_least(NARROWEST) }
    }

    /// Columns of a line.
    pub(super) fn width(&self) -> usize {
        self.width.columns()
    }

    /// An empty line.
    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// A paragraph.
    pub(super) fn prose(&mut self, text: impl Display) -> io::Result<()> {
        self.hanging("", "", text)
    }

    /// A paragraph after `first`. Each further line begins with `rest`.
    pub(super) fn hanging(&mut self, first: &str, rest: &str, text: impl Display) -> io::Result<()> {
        let options = textwrap::Options::new(self.width.columns().min(LONGEST_LINE))
            .initial_indent(first)
            .subsequent_indent(rest)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let text = textwrap::fill(&held_together(&Coloured(text).to_string()), options);
        writeln!(self.out, "{}", text.replace(HELD, " "))
    }

    /// A sentence after its label.
    pub(super) fn fact(&mut self, label: &str, text: impl Display) -> io::Result<()> {
        // A blank follows the label, however long it is.
        let blank = if label.len() < LABEL { "" } else { " " };
        self.hanging(&format!("{label:<LABEL$}{blank}"), &" ".repeat(LABEL), text)
    }

    /// A further sentence below a fact.
    pub(super) fn more(&mut self, text: impl Display) -> io::Result<()> {
        self.fact("", text)
    }

    /// A table.
    pub(super) fn table(&mut self, table: &TextTable) -> io::Result<()> {
        let widths = table.widths(self.width.of_tables());
        for (style, cells) in &table.rows {
            let mut line = String::new();
            // Blanks are written only once something follows them.
            let mut blanks = table.indent;
            for (column, (cell, width)) in table.columns.iter().zip(cells.iter().zip(&widths)) {
                let Some(width) = *width else { continue };
                let text = cut(&cell.text, width);
                let padding = width.saturating_sub(columns(&text));
                blanks += if column.is_right { padding } else { 0 };
                if !text.is_empty() {
                    let style = cell.style.unwrap_or(*style);
                    line += &format!("{}{style}{text}{style:#}", " ".repeat(blanks));
                    blanks = 0;
                }
                blanks += GAP + if column.is_right { 0 } else { padding };
            }
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }
}

/// Stands for a blank at which no line ends.
const HELD: char = '\u{a0}';

/// Keeps these on one line: a number and the word after it, an operator and the number after it, and a short command.
fn held_together(text: &str) -> String {
    let mut held = String::with_capacity(text.len());
    for (number, part) in text.split('`').enumerate() {
        if number > 0 {
            held.push('`');
        }
        // Every other part is between backticks.
        if number % 2 == 1 && columns(part) <= LONGEST_COMMAND {
            held += &part.replace(' ', &HELD.to_string());
            continue;
        }
        for (number, word) in part.split(' ').enumerate() {
            if number > 0 {
                let before = held.rsplit([' ', HELD]).next().unwrap_or_default();
                let is_held = before.ends_with(|c: char| c.is_ascii_digit())
                    || matches!(before, "+" | "−" | "=" | "→" | "CPU" | "CPUs" | "(exit" | "code");
                held.push(if is_held { HELD } else { ' ' });
            }
            held += word;
        }
    }
    held
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextColumn {
    is_right: bool,
    /// It takes at least this many columns.
    least: usize,
    /// It is cut to this many columns if the table has no room for more.
    cut_to: Option<usize>,
    /// It is left out if the table has no room for it.
    is_optional: bool,
}

impl TextColumn {
    /// Aligned on the right, as numbers are.
    pub(super) const RIGHT: TextColumn = TextColumn { is_right: true, least: 0, cut_to: None, is_optional: false };
    /// Aligned on the left.
    pub(super) const LEFT: TextColumn = TextColumn { is_right: false, ..TextColumn::RIGHT };
    /// Names of tracepoints. They are cut only if nothing else makes enough room.
    pub(super) const NAME: TextColumn = TextColumn { cut_to: Some(48), ..TextColumn::LEFT };

    /// The same, with this many columns or more.
    pub(super) const fn at_least(self, least: usize) -> Self {
        TextColumn { least, ..self }
    }

    /// The same, cut to this many columns before another column is left out.
    pub(super) const fn cut_to(self, most: usize) -> Self {
        TextColumn { cut_to: Some(most), ..self }
    }

    /// The same, but left out if there is no room. The last such column is left out first.
    pub(super) const fn optional(self) -> Self {
        TextColumn { is_optional: true, ..self }
    }
}

/// A cell of a table.
#[derive(Debug, Clone, Default)]
pub(super) struct TextCell {
    text: String,
    /// Its own style, instead of the row's.
    style: Option<Style>,
}

impl TextCell {
    /// With a style of its own.
    pub(super) fn styled(text: impl Display, style: Style) -> Self {
        TextCell { style: Some(style), ..TextCell::from(text) }
    }
}

impl<T: Display> From<T> for TextCell {
    fn from(text: T) -> Self {
        // Most cells are names.
        TextCell { text: OneLine(text).to_string(), style: None }
    }
}

/// Rows of cells. Each column is as wide as its widest cell, as far as there is room.
#[derive(Debug, Clone)]
pub(super) struct TextTable {
    indent: usize,
    columns: Vec<TextColumn>,
    rows: Vec<(Style, Vec<TextCell>)>,
}

impl TextTable {
    /// A table without rows.
    pub(super) fn new(columns: impl Into<Vec<TextColumn>>) -> Self {
        TextTable { indent: 0, columns: columns.into(), rows: Vec::new() }
    }

    /// The same, with this many blanks before each row.
    pub(super) fn indented(self, indent: usize) -> Self {
        TextTable { indent, ..self }
    }

    /// Adds the names of the columns.
    pub(super) fn head<const N: usize>(&mut self, names: [&str; N]) {
        self.row(Style::new().bold(), names.map(TextCell::from));
    }

    /// Adds a row.
    pub(super) fn row(&mut self, style: Style, cells: impl Into<Vec<TextCell>>) {
        let cells = cells.into();
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push((style, cells));
    }

    /// How many columns a line of `width` has left beside the table.
    pub(super) fn room(&self, width: usize) -> usize {
        let used: usize = self.natural().iter().map(|width| width + GAP).sum();
        width.saturating_sub(self.indent + used)
    }

    /// Whether all columns have room, except those that can be left out, even if cells are cut.
    pub(super) fn fits(&self, width: usize) -> bool {
        let natural = self.natural().into_iter().zip(&self.columns);
        let mut widths: Vec<_> = natural.map(|(width, column)| Some(width).filter(|_| !column.is_optional)).collect();
        let room = width.saturating_sub(self.indent);
        self.cut_cells(&mut widths, room, |column| column.cut_to);
        excess(&widths, room) == 0
    }

    /// The width of each column if there is room.
    fn natural(&self) -> Vec<usize> {
        let widest = |(number, column): (usize, &TextColumn)| {
            self.rows.iter().map(|(_, cells)| columns(&cells[number].text)).max().unwrap_or(0).max(column.least)
        };
        self.columns.iter().enumerate().map(widest).collect()
    }

    /// The width of each column on lines of this width. `None` if the column is left out.
    fn widths(&self, width: usize) -> Vec<Option<usize>> {
        let room = width.saturating_sub(self.indent);
        // An empty column is left out.
        let mut widths: Vec<Option<usize>> =
            self.natural().into_iter().map(|width| Some(width).filter(|w| *w > 0)).collect();
        let natural = widths.clone();
        loop {
            self.cut_cells(&mut widths, room, |column| column.cut_to);
            if excess(&widths, room) == 0 {
                return widths;
            }
            let Some(last) = (0..widths.len()).rev().find(|n| widths[*n].is_some() && self.columns[*n].is_optional)
            else {
                self.cut_cells(&mut widths, room, |column| column.cut_to.map(|_| SHORTEST_CELL));
                return widths;
            };
            // Cut columns may have room now.
            let mut kept = natural.clone();
            kept.iter_mut().zip(&widths).filter(|(_, width)| width.is_none()).for_each(|(kept, _)| *kept = None);
            kept[last] = None;
            widths = kept;
        }
    }

    /// Narrows the widest columns until the row fits, but none below its width in `least`.
    fn cut_cells(&self, widths: &mut [Option<usize>], room: usize, least: impl Fn(&TextColumn) -> Option<usize>) {
        for _ in 0..excess(widths, room) {
            let columns = self.columns.iter().zip(widths.iter_mut());
            let cuttable = columns.filter_map(|(column, width)| {
                let (width, least) = (width.as_mut()?, least(column)?);
                (*width > least).then_some(width)
            });
            match cuttable.max_by_key(|width| **width) {
                Some(widest) => *widest -= 1,
                None => return,
            }
        }
    }
}

/// The number of columns by which a row is too wide.
fn excess(widths: &[Option<usize>], room: usize) -> usize {
    let used: usize = widths.iter().flatten().map(|width| width + GAP).sum();
    used.saturating_sub(GAP).saturating_sub(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: usize, print: impl Fn(&mut Screen<'_>)) -> Vec<String> {
        let mut out = Vec::new();
        print(&mut Screen::new(width, &mut out));
        let text = String::from_utf8(out).unwrap();
        anstream::adapter::strip_str(&text).to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_text_is_cut_by_columns() {
        let idle = "待機中";
        assert_eq!((columns(idle), columns("idle")), (6, 4));
        assert_eq!([6, 5, 4].map(|most| cut(idle, most)), ["待機中", "待機…", "待…"]);
        assert_eq!((cut("abcde", 4), cut("abcd", 4)), ("abc…".to_owned(), "abcd".to_owned()));
        // An accent stays with its letter, and a sign that makes a letter wide counts.
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut("⚠\u{fe0f}⚠\u{fe0f}⚠\u{fe0f}", 4), "⚠\u{fe0f}…");
        assert_eq!(cut(&"🦀".repeat(1000), 7), "🦀🦀🦀…");
    }

    #[test]
    fn prose_is_wrapped_between_words_and_hangs() {
        let text = "The kernel counted 1,615 hits at 12.5 % of `make --jobs 8` in a-very-long-word-that-has-hyphens-and-more of 40.0 s.";
        let lines = shown(40, |screen| screen.fact("events", text).unwrap());
        assert_eq!(
            lines,
            [
                "events      The kernel counted",
                "            1,615 hits at 12.5 % of",
                "            `make --jobs 8` in",
                "            a-very-long-word-that-has-hyphens-and-more",
                "            of 40.0 s."
            ]
        );
        // On a wide terminal, lines stay readable.
        let lines = shown(200, |screen| screen.prose("word ".repeat(60)).unwrap());
        assert!(lines.iter().all(|line| columns(line) <= LONGEST_LINE) && lines.len() == 3, "{lines:?}");
        // An extremely narrow terminal does not set the width.
        assert_eq!(shown(1, |screen| screen.prose("two words").unwrap()), ["two words"]);
    }

    #[test]
    fn cells_are_aligned_by_columns() {
        let mut table = TextTable::new([TextColumn::LEFT, TextColumn::RIGHT, TextColumn::LEFT]).indented(1);
        table.head(["state", "n", "kernel"]);
        table.row(Style::new(), ["待機中".into(), 5.into(), TextCell::styled("6.18", Style::new().bold())]);
        table.row(Style::new(), ["e\u{301}🦀".into(), 1_000.into(), TextCell::default()]);
        let lines = shown(80, |screen| screen.table(&table).unwrap());
        assert_eq!(lines, [" state      n  kernel", " 待機中     5  6.18", " e\u{301}🦀     1000"]);
    }

    #[test]
    fn a_table_makes_room_by_cutting_then_leaving_out_then_cutting_more() {
        let columns =
            [TextColumn::RIGHT, TextColumn::NAME.cut_to(20), TextColumn::LEFT.optional(), TextColumn::RIGHT.optional()];
        let mut table = TextTable::new(columns);
        table.row(Style::new(), [7.into(), "n".repeat(30).into(), "optional".into(), "last".into()]);
        let wide = |width| table.widths(width);
        assert_eq!(wide(49), [Some(1), Some(30), Some(8), Some(4)]);
        assert_eq!(wide(40), [Some(1), Some(21), Some(8), Some(4)]);
        assert_eq!(wide(38), [Some(1), Some(25), Some(8), None]);
        assert_eq!(wide(32), [Some(1), Some(29), None, None]);
        assert_eq!(wide(15), [Some(1), Some(12), None, None]);
        assert_eq!(wide(1), [Some(1), Some(SHORTEST_CELL), None, None]);
        assert_eq!((table.room(60), table.room(40)), (60 - 51, 0));
    }

    #[test]
    fn without_a_terminal_nothing_is_cut_or_left_out() {
        let name = "n".repeat(100);
        let mut table = TextTable::new([TextColumn::NAME, TextColumn::LEFT.optional()]);
        table.row(Style::new(), [name.clone().into(), "optional".into()]);
        let mut out = Vec::new();
        let screen = &mut Screen::new(Width::UNLIMITED, &mut out);
        screen.table(&table).unwrap();
        screen.prose("word ".repeat(20)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines.len()), (format!("{name}  optional").as_str(), 3), "text is wrapped: {lines:?}");
    }

    #[test]
    fn no_style_reaches_over_blanks() {
        let mut table = TextTable::new([TextColumn::LEFT, TextColumn::RIGHT]);
        let underlined = Style::new().underline();
        table.row(underlined, ["a".into(), "b".into()]);
        table.row(underlined, ["long".into(), "longer".into()]);
        let mut out = Vec::new();
        Screen::new(80, &mut out).table(&table).unwrap();
        let first = String::from_utf8(out).unwrap().lines().next().unwrap().to_owned();
        assert_eq!(first, format!("{underlined}a{underlined:#}{}{underlined}b{underlined:#}", " ".repeat(3 + 2 + 5)));
    }
}
