//! Lines of text as outlines. The font is built in, so pictures look the same on every machine.

use ab_glyph_rasterizer::{Point, Rasterizer, point};
use std::sync::LazyLock;
use ttf_parser::gpos::{PairAdjustment, PositioningSubtable};
use ttf_parser::{Face, GlyphId, OutlineBuilder, Tag};

/// The file of the font.
pub(super) const FONT: &[u8] = include_bytes!("font/RobotoCondensed-Regular.ttf");

pub(super) static ROBOTO: LazyLock<Font> = LazyLock::new(Font::new);

/// A font that sets lines of text.
pub(super) struct Font {
    face: Face<'static>,
    /// The kerning: how much closer or further apart some pairs of letters are.
    kerning: Vec<PairAdjustment<'static>>,
}

/// The sizes of a font, in thousandths of the size of its letters.
pub(super) struct FontShape {
    /// The left, lower, right, and upper end of all glyphs.
    pub bounds: [f32; 4],
    pub ascent: f32,
    pub descent: f32,
    /// The height of capital letters.
    pub capitals: f32,
}

/// A line of text after typesetting: its glyphs and their positions.
pub(super) struct SetLine {
    glyphs: Vec<(GlyphId, f32)>,
    /// Its width.
    pub width: f32,
}

impl SetLine {
    /// The glyphs, each with its distance from the start of the line.
    pub fn glyphs(&self) -> impl Iterator<Item = (GlyphId, f32)> {
        self.glyphs.iter().copied()
    }
}

impl Font {
    fn new() -> Self {
        let face = Face::parse(FONT, 0).expect("the font is built in");
        let kerning = face.tables().gpos.map(|table| {
            let features = table.features.into_iter().filter(|feature| feature.tag == Tag::from_bytes(b"kern"));
            let mut lookups: Vec<u16> = features.flat_map(|feature| feature.lookup_indices).collect();
            lookups.sort_unstable();
            lookups.dedup();
            let lookups = lookups.into_iter().filter_map(|index| table.lookups.get(index));
            let subtables = lookups.flat_map(|lookup| lookup.subtables.into_iter::<PositioningSubtable<'_>>());
            let pairs = subtables.filter_map(|subtable| match subtable {
                PositioningSubtable::Pair(pairs) => Some(pairs),
                _ => None,
            });
            pairs.collect()
        });
        Font { face, kerning: kerning.unwrap_or_default() }
    }

    /// Sets a line in letters of this size in pixels. Consecutive spaces become one, as in SVG.
    pub fn set(&self, text: &str, size: f32) -> SetLine {
        let scale = self.scale(size);
        let mut glyphs: Vec<(GlyphId, f32)> = Vec::new();
        let mut width = 0.0;
        let mut before = None;
        for c in text.chars() {
            if c == ' ' && before == Some(' ') {
                continue;
            }
            before = Some(c);
            // A character that the font lacks becomes the font's box for missing glyphs.
            let glyph = self.face.glyph_index(c).unwrap_or_default();
            if let Some((last, _)) = glyphs.last() {
                width += f32::from(self.kern(*last, glyph)) * scale;
            }
            glyphs.push((glyph, width));
            width += f32::from(self.face.glyph_hor_advance(glyph).unwrap_or(0)) * scale;
        }
        SetLine { glyphs, width }
    }

    /// The sizes of the font.
    pub fn shape(&self) -> FontShape {
        let face = &self.face;
        let thousandths = |length: i16| 1_000.0 * self.scale(1.0) * f32::from(length);
        let bounds = face.global_bounding_box();
        FontShape {
            bounds: [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(thousandths),
            ascent: thousandths(face.ascender()),
            descent: thousandths(face.descender()),
            capitals: thousandths(face.capital_height().unwrap_or(face.ascender())),
        }
    }

    /// The width of a glyph in letters of size 1.
    pub fn advance(&self, glyph: GlyphId) -> f32 {
        f32::from(self.face.glyph_hor_advance(glyph).unwrap_or(0)) * self.scale(1.0)
    }

    /// The glyphs of a text, each with its character.
    pub fn characters(&self, text: &str) -> impl Iterator<Item = (u16, char)> {
        text.chars().filter_map(|c| Some((self.face.glyph_index(c)?.0, c)))
    }

    /// Draws a line of this size that begins at this point.
    pub fn draw(&self, line: &SetLine, size: f32, at: Point, into: &mut Rasterizer) {
        for (glyph, x) in &line.glyphs {
            let mut pen = Pen::new(point(at.x + x, at.y), self.scale(size), into);
            // Spaces have no outline.
            self.face.outline_glyph(*glyph, &mut pen);
        }
    }

    fn scale(&self, size: f32) -> f32 {
        size / f32::from(self.face.units_per_em())
    }

    /// The space to add between two glyphs, in the font's units.
    fn kern(&self, left: GlyphId, right: GlyphId) -> i16 {
        let of_table = |table: &PairAdjustment<'_>| match table {
            PairAdjustment::Format1 { coverage, sets } => Some(sets.get(coverage.get(left)?)?.get(right)?.0.x_advance),
            PairAdjustment::Format2 { coverage, classes, matrix } => {
                coverage.get(left)?;
                Some(matrix.get((classes.0.get(left), classes.1.get(right)))?.0.x_advance)
            }
        };
        self.kerning.iter().find_map(of_table).unwrap_or(0)
    }
}

/// Draws a glyph. In a font, y points up.
struct Pen<'a> {
    origin: Point,
    scale: f32,
    into: &'a mut Rasterizer,
    start: Point,
    at: Point,
}

impl<'a> Pen<'a> {
    fn new(origin: Point, scale: f32, into: &'a mut Rasterizer) -> Self {
        Pen { origin, scale, into, start: origin, at: origin }
    }

    fn place(&self, x: f32, y: f32) -> Point {
        point(self.origin.x + x * self.scale, self.origin.y - y * self.scale)
    }
}

impl OutlineBuilder for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        self.start = self.place(x, y);
        self.at = self.start;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let to = self.place(x, y);
        self.into.draw_line(self.at, to);
        self.at = to;
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let to = self.place(x, y);
        self.into.draw_quad(self.at, self.place(x1, y1), to);
        self.at = to;
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let to = self.place(x, y);
        self.into.draw_cubic(self.at, self.place(x1, y1), self.place(x2, y2), to);
        self.at = to;
    }

    fn close(&mut self) {
        self.into.draw_line(self.at, self.start);
        self.at = self.start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn width(text: &str) -> f32 {
        ROBOTO.set(text, 100.0).width
    }

    #[test]
    fn letters_stand_as_the_font_says() {
        assert!((width("AA") - 2.0 * width("A")).abs() < 1e-3, "no kerning between these");
        assert!(width("AV") < width("A") + width("V") - 1.0, "A and V are closer together");
        assert_eq!(width("a  b"), width("a b"));
        assert_eq!(width(""), 0.0);
        assert_eq!(width("漢"), width("字"), "a character that the font lacks is drawn as a box");
        assert!(width("漢") > 10.0);
    }
}
