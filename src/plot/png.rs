//! Draws a scene as PNG, in the light colours and at a fixed scale.

use super::density::Density;
use super::font::{ROBOTO, SetLine};
use super::scene::{Anchor, Area, Item, Line, Scene, Stroke, Text};
use super::style::{self, HATCH, Style};
use ab_glyph_rasterizer::{Rasterizer, point};
use std::collections::HashMap;

/// Why a picture cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The picture cannot be encoded as PNG.
    #[error("the picture cannot be encoded as PNG: {0}")]
    Png(#[from] ::png::EncodingError),
}

impl Scene {
    /// The scene as PNG, with the same bytes on every machine.
    ///
    /// # Errors
    /// Fails if it is too large for a PNG.
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        let styles = style::styles();
        let paper = styles.get("paper").and_then(|style| style.fill).unwrap_or([255; 3]);
        let (scale, per_inch) = self.pixels();
        let mut canvas =
            Canvas::new((self.width * scale).round() as usize, (self.height * scale).round() as usize, paper);
        let mut painter = Painter { canvas: &mut canvas, styles, scale };
        self.items.iter().for_each(|item| painter.draw(item, (0.0, 0.0)));
        canvas.encode(per_inch)
    }
}

/// Draws items on a canvas.
struct Painter<'a> {
    canvas: &'a mut Canvas,
    styles: HashMap<&'static str, Style>,
    /// Pixels per unit of the scene.
    scale: f64,
}

impl Painter<'_> {
    fn pixels(&self, area: Area, origin: (f64, f64)) -> Bounds {
        let (x, y) = (area.x + origin.0, area.y + origin.1);
        let scaled = |length: f64| (length * self.scale) as f32;
        Bounds { left: scaled(x), top: scaled(y), right: scaled(x + area.width), bottom: scaled(y + area.height) }
    }

    fn style(&self, class: &str) -> Style {
        self.styles.get(class).copied().unwrap_or_default()
    }

    fn draw(&mut self, item: &Item, origin: (f64, f64)) {
        match item {
            Item::Group { x, y, items } => {
                let origin = (origin.0 + x, origin.1 + y);
                items.iter().for_each(|item| self.draw(item, origin));
            }
            Item::Rect { class, area } => {
                let style = self.style(class);
                if let Some(colour) = style.fill {
                    let opacity = style.fill_opacity.unwrap_or(1.0);
                    let bounds = self.pixels(*area, origin);
                    self.canvas.fill(bounds, opacity, |_, _| Some(colour));
                }
                if let Some(colour) = style.stroke {
                    let Area { x, y, width, height } = *area;
                    let side = |x, y, width, height| Area { x: x - 0.5, y: y - 0.5, width, height };
                    for side in [
                        side(x, y, width + 1.0, 1.0),
                        side(x, y + height, width + 1.0, 1.0),
                        side(x, y + 1.0, 1.0, height - 1.0),
                        side(x + width, y + 1.0, 1.0, height - 1.0),
                    ] {
                        let bounds = self.pixels(side, origin);
                        self.canvas.fill(bounds, 1.0, |_, _| Some(colour));
                    }
                }
            }
            Item::Hatch { class, areas } => {
                let Some(colour) = self.style(class).stroke else { return };
                for area in areas {
                    // As a scene has them in an SVG.
                    let (apart, thickness) = ((HATCH * self.scale) as usize, (1.5 * self.scale) as usize);
                    let is_stripe = |x, y| (x + y) % apart < thickness;
                    let bounds = self.pixels(*area, origin);
                    self.canvas.fill(bounds, 1.0, |x, y| is_stripe(x, y).then_some(colour));
                }
            }
            Item::Line(line) => self.line(line, origin),
            Item::Text(text) => self.text(text, origin),
            Item::Points { class, size, rows } => {
                let Some(colour) = self.style(class).stroke else { return };
                for (y, runs) in rows {
                    for Stroke { x, length } in joined(runs) {
                        let area = Area { x, y: y - size / 2.0, width: length, height: *size };
                        let bounds = self.pixels(area, origin);
                        self.canvas.fill(bounds, 1.0, |_, _| Some(colour));
                    }
                }
            }
            Item::Density { area, columns, levels } => {
                let bounds = self.pixels(*area, origin);
                let rows = levels.len() / columns;
                let place = |at: usize, from: f32, length: f32, places: usize| {
                    ((at as f32 + 0.5 - from) / length * places as f32).clamp(0.0, places as f32 - 1.0) as usize
                };
                self.canvas.fill(bounds, 1.0, |x, y| {
                    let column = place(x, bounds.left, bounds.right - bounds.left, *columns);
                    let row = place(y, bounds.top, bounds.bottom - bounds.top, rows);
                    match levels[row * columns + column] {
                        0 => None,
                        level => Some(Density::colour(level)),
                    }
                });
            }
            Item::Ramp { area, colours } => {
                let bounds = self.pixels(*area, origin);
                let parts = colours.len().saturating_sub(1) as f32;
                self.canvas.fill(bounds, 1.0, |x, _| {
                    let place = ((x as f32 + 0.5 - bounds.left) / (bounds.right - bounds.left)).clamp(0.0, 1.0) * parts;
                    let (from, to) = (colours.get(place as usize)?, colours.get(place.ceil() as usize)?);
                    Some(std::array::from_fn(|n| mixed(from[n], to[n], place.fract())))
                });
            }
        }
    }

    fn line(&mut self, line: &Line, origin: (f64, f64)) {
        let Some(colour) = self.style(&line.class).stroke else { return };
        let Line { x, y, length, .. } = *line;
        let thickness = line.thickness.unwrap_or(1.0);
        let area = match line.is_down {
            true => Area { x: x - thickness / 2.0, y, width: thickness, height: length },
            false => Area { x, y: y - thickness / 2.0, width: length, height: thickness },
        };
        let bounds = self.pixels(area, origin);
        self.canvas.fill(bounds, 1.0, |_, _| Some(colour));
    }

    fn text(&mut self, text: &Text, origin: (f64, f64)) {
        let style = self.style(&text.class);
        let size = (text.size_in(style) * self.scale) as f32;
        let (name, number) = text.parts();
        let (name, number) = (ROBOTO.set(&name, size), ROBOTO.set(number, size));
        let (x, y) = (((text.x + origin.0) * self.scale) as f32, ((text.y + origin.1) * self.scale) as f32);
        let start = match text.anchor {
            Anchor::Start => x,
            Anchor::Middle => x - (name.width + number.width) / 2.0,
            Anchor::End => x - (name.width + number.width),
        };
        let behind = start + name.width;
        self.set_line(&name, size, (start, y), style);
        self.set_line(&number, size, (behind, y), self.style(style::NUMBER));
    }

    fn set_line(&mut self, line: &SetLine, size: f32, (x, y): (f32, f32), style: Style) {
        let Some(colour) = style.fill else { return };
        // Letters extend above, below, and a little beside the line, but by less than their size.
        let (left, top) = ((x - size).floor(), (y - 1.5 * size).floor());
        let mut coverage = Rasterizer::new((line.width + 2.0 * size) as usize + 2, (2.5 * size) as usize + 2);
        ROBOTO.draw(line, size, point(x - left, y - top), &mut coverage);
        coverage.for_each_pixel_2d(|x, y, part| {
            if part > 0.0 {
                self.canvas.mix(left as i64 + i64::from(x), top as i64 + i64::from(y), colour, part.min(1.0));
            }
        });
    }
}

/// Joins runs that overlap or touch. Drawn separately, a pixel in which two runs meet would be pale.
fn joined(runs: &[Stroke]) -> Vec<Stroke> {
    let mut joined = Vec::<Stroke>::new();
    for run in runs {
        match joined.last_mut() {
            Some(last) if run.x <= last.x + last.length => last.length = last.length.max(run.x + run.length - last.x),
            _ => joined.push(*run),
        }
    }
    joined
}

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

/// Mixes two values of a colour channel. `part` is the share of `above`, from 0 to 1.
fn mixed(below: u8, above: u8, part: f32) -> u8 {
    (f32::from(below) + (f32::from(above) - f32::from(below)) * part).round() as u8
}

/// Pixels.
struct Canvas {
    width: usize,
    height: usize,
    /// Row by row, starting at the top.
    pixels: Vec<[u8; 3]>,
}

impl Canvas {
    fn new(width: usize, height: usize, paper: [u8; 3]) -> Self {
        Canvas { width, height, pixels: vec![paper; width * height] }
    }

    /// Fills a rectangle. A pixel that it covers in part gets that part of the colour.
    fn fill(&mut self, bounds: Bounds, opacity: f32, colour: impl Fn(usize, usize) -> Option<[u8; 3]>) {
        let columns: Vec<_> = covered(bounds.left, bounds.right, self.width).collect();
        for (y, of_row) in covered(bounds.top, bounds.bottom, self.height) {
            for (x, of_column) in &columns {
                if let Some(colour) = colour(*x, y) {
                    self.mix(*x as i64, y as i64, colour, of_row * of_column * opacity);
                }
            }
        }
    }

    fn mix(&mut self, x: i64, y: i64, colour: [u8; 3], part: f32) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x < self.width && y < self.height {
            let pixel = &mut self.pixels[y * self.width + x];
            *pixel = std::array::from_fn(|n| mixed(pixel[n], colour[n], part));
        }
    }

    /// The PNG, with so many pixels per inch.
    fn encode(&self, per_inch: f64) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        let mut encoder = ::png::Encoder::new(&mut out, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let per_metre = (per_inch / 0.0254).round() as u32;
        let unit = png::Unit::Meter;
        encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit }));
        let mut writer = encoder.write_header()?;
        writer.write_image_data(self.pixels.as_flattened())?;
        writer.finish()?;
        Ok(out)
    }
}

/// The pixels of a stretch, each with the part of it that the stretch covers.
fn covered(from: f32, to: f32, most: usize) -> impl Iterator<Item = (usize, f32)> {
    let (first, end) = (from.floor().max(0.0) as usize, (to.ceil().max(0.0) as usize).min(most));
    (first..end).map(move |at| (at, to.min(at as f32 + 1.0) - from.max(at as f32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: [u8; 3] = [255; 3];
    const BLACK: [u8; 3] = [0; 3];

    fn drawn(items: Vec<Item>) -> Canvas {
        let mut canvas = Canvas::new(30, 30, WHITE);
        let mut painter = Painter { canvas: &mut canvas, styles: style::styles(), scale: 1.5 };
        painter
            .styles
            .insert("black", Style { fill: Some(BLACK), stroke: None, fill_opacity: Some(0.5), font_size: None });
        painter.styles.insert("pen", Style { stroke: Some(BLACK), ..Style::default() });
        items.iter().for_each(|item| painter.draw(item, (0.0, 0.0)));
        canvas
    }

    fn at(canvas: &Canvas, x: usize, y: usize) -> u8 {
        let [red, green, blue] = canvas.pixels[y * canvas.width + x];
        assert!(red == green && green == blue);
        red
    }

    #[test]
    fn a_half_transparent_band_covers_parts_of_pixels() {
        // It covers pixels 3 to 4.5 in one direction, and 1.5 to 6 in the other.
        let canvas =
            drawn(vec![Item::Rect { class: "black".into(), area: Area { x: 2.0, y: 1.0, width: 1.0, height: 3.0 } }]);
        assert_eq!([2, 3, 4, 5].map(|x| at(&canvas, x, 3)), [255, 128, 191, 255]);
        assert_eq!([0, 1, 2, 5, 6].map(|y| at(&canvas, 3, y)), [255, 191, 128, 128, 255]);
    }

    #[test]
    fn a_frame_is_drawn_once_all_around() {
        let canvas =
            drawn(vec![Item::Rect { class: "pen".into(), area: Area { x: 1.0, y: 1.0, width: 4.0, height: 4.0 } }]);
        // The stroke is 1.5 pixels wide, with its middle at 1.5 and 7.5.
        assert_eq!([0, 1, 2, 3, 6, 7, 8].map(|x| at(&canvas, x, 4)), [191, 0, 191, 255, 191, 0, 191]);
        assert_eq!([0, 1, 2, 3, 6, 7, 8].map(|y| at(&canvas, 4, y)), [191, 0, 191, 255, 191, 0, 191]);
        assert_eq!((at(&canvas, 1, 1), at(&canvas, 7, 7)), (0, 0));
    }

    #[test]
    fn runs_of_points_that_meet_are_one() {
        let runs = [(1.0, 1.5), (1.5, 1.5), (3.0, 0.5), (4.0, 1.0)].map(|(x, length)| Stroke { x, length });
        let points = Item::Points { class: "pen".into(), size: 1.0, rows: vec![(1.5, runs.into())] };
        let canvas = drawn(vec![Item::Group { x: 1.0, y: 1.0, items: vec![points] }]);
        // One covers pixels 3 to 6.75, with no seam at 6. The other covers pixels 7.5 to 9.
        assert_eq!([2, 3, 4, 5, 6, 7, 8, 9].map(|x| at(&canvas, x, 3)), [255, 0, 0, 0, 64, 128, 0, 255]);
        assert_eq!([2, 3, 4].map(|y| at(&canvas, 4, y)), [255, 0, 128]);
        // Two runs that meet within a pixel.
        let runs = [(1.0, 1.25), (2.25, 1.0)].map(|(x, length)| Stroke { x, length });
        let points = Item::Points { class: "pen".into(), size: 1.0, rows: vec![(1.5, runs.into())] };
        let canvas = drawn(vec![points]);
        assert_eq!([1, 2, 3, 4].map(|x| at(&canvas, x, 2)), [128, 0, 0, 32]);
    }

    #[test]
    fn stripes_lie_over_what_is_below_them() {
        let area = Area { x: 0.0, y: 0.0, width: 20.0, height: 2.0 };
        let canvas = drawn(vec![Item::Hatch { class: "pen".into(), areas: vec![area] }]);
        let dark = |y| (0..30).filter(|x| at(&canvas, *x, y) == 0).collect::<Vec<_>>();
        assert_eq!(dark(0), [0, 1, 9, 10, 18, 19, 27, 28]);
        assert_eq!((dark(1), dark(3)), (vec![0, 8, 9, 17, 18, 26, 27], vec![]));
    }

    #[test]
    fn rows_of_a_density_have_hard_edges() {
        let area = Area { x: 0.0, y: 0.0, width: 4.0, height: 2.0 };
        let canvas = drawn(vec![Item::Density { area, columns: 2, levels: vec![0, 255, 1, 0] }]);
        let of = |x: usize, y: usize| canvas.pixels[y * canvas.width + x];
        assert_eq!([of(0, 0), of(3, 0), of(5, 0)], [WHITE, Density::colour(255), Density::colour(255)]);
        assert_eq!([of(0, 2), of(2, 2), of(3, 2)], [Density::colour(1), Density::colour(1), WHITE]);
    }

    #[test]
    fn text_is_anchored() {
        let text = |anchor| {
            let mut text = Text {
                class: "black".into(),
                x: 10.0,
                y: 15.0,
                size: None,
                anchor,
                text: "l".to_owned(),
                number: None,
            };
            text.size = Some(16.0);
            let canvas = drawn(vec![Item::Text(text)]);
            let dark = (0..30).filter(|x| at(&canvas, *x, 15) < 200);
            dark.collect::<Vec<_>>()
        };
        let (start, middle, end) = (text(Anchor::Start), text(Anchor::Middle), text(Anchor::End));
        assert!(!start.is_empty() && !end.is_empty());
        assert!(start.iter().all(|x| *x >= 15) && end.iter().all(|x| *x < 15));
        assert!(middle.contains(&14) || middle.contains(&15));
    }
}
