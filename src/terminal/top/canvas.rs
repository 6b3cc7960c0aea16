//! Text and colours on the screen.

use crate::report::sparkline;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Headlines.
pub const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
/// What is less important.
pub const DIM: Style = Style::new().add_modifier(Modifier::DIM);
/// What needs attention.
pub const WARNING: Style = Style::new().fg(Color::Yellow);
/// What the user has chosen.
pub const ACCENT: Style = Style::new().fg(Color::Cyan);
/// More than usual.
pub const MORE: Style = Style::new().fg(Color::Red);
/// Less than usual.
pub const LESS: Style = Style::new().fg(Color::Blue);
/// The row under the cursor.
pub const CURSOR: Style = Style::new().add_modifier(Modifier::REVERSED);
/// The heads of columns.
pub const HEAD: Style = Style::new().add_modifier(Modifier::UNDERLINED);

/// The screen to draw on.
pub struct TopCanvas<'a> {
    /// Its place and size.
    pub area: Rect,
    pub buffer: &'a mut Buffer,
    /// Without colours, styles keep only their modifiers.
    pub has_colours: bool,
}

impl TopCanvas<'_> {
    /// Writes text from a column on, as far as it fits before `end`. Returns the column behind it.
    pub fn text(&mut self, x: u16, y: u16, end: u16, text: &str, style: Style) -> u16 {
        let end = end.min(self.area.width);
        if x >= end || y >= self.area.height {
            return x;
        }
        let style = self.allowed(style);
        let room = usize::from(end - x);
        let (behind, _) = self.buffer.set_stringn(self.area.x + x, self.area.y + y, text, room, style);
        behind - self.area.x
    }

    /// Writes texts one behind another. Those from the first one on that does not fit as a whole are left out.
    pub fn parts(&mut self, mut x: u16, y: u16, end: u16, parts: &[(String, Style)]) {
        for (text, style) in parts {
            if x + self.width_of(text) > end {
                return;
            }
            x = self.text(x, y, end, text, *style);
        }
    }

    /// Writes text that ends before a column. If it is too long, its end is cut.
    pub fn right(&mut self, end: u16, y: u16, width: u16, text: &str, style: Style) {
        let start = end.saturating_sub(self.width_of(text).min(width));
        self.text(start, y, end, text, style);
    }

    /// Writes text into a column. If it is too long, an ellipsis takes the place of its middle, because tracepoints often differ
    /// in their ends.
    pub fn name(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) {
        self.text(x, y, x + width, &shortened(text, usize::from(width)), style);
    }

    /// Draws an empty frame with a title.
    pub fn frame(&mut self, x: u16, y: u16, width: u16, height: u16, title: &str) {
        let room = usize::from(width.saturating_sub(2));
        for line in y..y + height {
            let (left, inner, right) = match line - y {
                0 => ('┌', '─', '┐'),
                last if last + 1 == height => ('└', '─', '┘'),
                _ => ('│', ' ', '│'),
            };
            let text: String = [left].into_iter().chain(std::iter::repeat_n(inner, room)).chain([right]).collect();
            if let Some(row) = (line < self.area.height).then_some(line) {
                let place = Rect { x: self.area.x + x, y: self.area.y + row, width, height: 1 };
                // The styles of what was there would shine through.
                self.buffer.set_style(place, Style::reset());
            }
            self.text(x, line, x + width, &text, Style::new());
        }
        self.text(x + 1, y, x + width, title, BOLD);
    }

    /// Changes the style of a line.
    pub fn restyle(&mut self, y: u16, style: Style) {
        let style = self.allowed(style);
        let line = Rect { x: self.area.x, y: self.area.y + y, width: self.area.width, height: 1 };
        self.buffer.set_style(line, style);
    }

    /// The columns that a text takes.
    pub fn width_of(&self, text: &str) -> u16 {
        u16::try_from(text.width()).unwrap_or(u16::MAX)
    }

    fn allowed(&self, style: Style) -> Style {
        if self.has_colours { style } else { Style { fg: None, bg: None, ..style } }
    }
}

/// A text in at most so many columns, with an ellipsis in place of its middle.
pub fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let of_end = width.saturating_sub(1) / 2;
    let of_begin = width.saturating_sub(1) - of_end;
    /// As many of these letters as fit.
    fn fitting(letters: impl Iterator<Item = char>, room: usize) -> Vec<char> {
        let mut used = 0;
        let fits = |letter: &char| {
            used += letter.width().unwrap_or(0);
            used <= room
        };
        letters.take_while(fits).collect()
    }
    let (begin, end) = (fitting(text.chars(), of_begin), fitting(text.chars().rev(), of_end));
    let ellipsis = (width > 0).then_some('…');
    begin.into_iter().chain(ellipsis).chain(end.into_iter().rev()).collect()
}

/// Numbers as bars of one column each. `None` is unknown.
pub fn bars(numbers: &[Option<f64>]) -> String {
    let known: Vec<f64> = numbers.iter().map(|number| number.unwrap_or(0.0)).collect();
    let bars = sparkline(&known);
    bars.chars().zip(numbers).map(|(bar, number)| if number.is_none() { '?' } else { bar }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_middle() {
        assert_eq!(shortened("kmem:mm_page_alloc", 18), "kmem:mm_page_alloc");
        assert_eq!(shortened("kmem:mm_page_alloc", 11), "kmem:…alloc");
        assert_eq!(shortened("中中中中中", 6), "中…中");
        assert_eq!((shortened("abc", 1), shortened("abc", 0)), ("…".to_owned(), String::new()));
    }

    #[test]
    fn bars_show_zero_and_the_unknown() {
        assert_eq!(bars(&[Some(0.0), Some(1.0), None, Some(8.0)]), " ▁?█");
    }
}
