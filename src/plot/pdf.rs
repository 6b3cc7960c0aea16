//! Draws a scene as PDF, in the light colours, with its font embedded.

use super::density::Density;
use super::font::{FONT, ROBOTO};
use super::scene::{Anchor, Area, Item, Line, Scene, Text};
use super::style::{self, HATCH, Style};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use ttf_parser::GlyphId;

const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const PAGE: Ref = Ref::new(3);
const CONTENT: Ref = Ref::new(4);
const FACE: Ref = Ref::new(5);
const GLYPHS: Ref = Ref::new(6);
const DESCRIPTOR: Ref = Ref::new(7);
const FILE: Ref = Ref::new(8);
const CHARACTERS: Ref = Ref::new(9);
const INFO: Ref = Ref::new(10);
/// The first image, or opacity.
const FIRST: i32 = 11;

/// The names of the font: of the resource, and of the font itself.
const FONT_NAME: Name<'_> = Name(b"F");
const BASE_FONT: Name<'_> = Name(b"RobotoCondensed-Regular");

impl Scene {
    /// The scene as PDF, with the same bytes on every machine. It needs no other file.
    pub fn pdf(&self) -> Vec<u8> {
        let scale = self.points();
        let mut painter = PdfPainter {
            content: Content::new(),
            styles: style::styles(),
            height: self.height,
            images: Vec::new(),
            opacities: Vec::new(),
            characters: BTreeMap::new(),
        };
        painter.content.transform([scale as f32, 0.0, 0.0, scale as f32, 0.0, 0.0]);
        let whole = Area { x: 0.0, y: 0.0, width: self.width, height: self.height };
        painter.draw(&Item::Rect { class: "paper".into(), area: whole }, (0.0, 0.0));
        self.items.iter().for_each(|item| painter.draw(item, (0.0, 0.0)));
        painter.write((self.width * scale) as f32, (self.height * scale) as f32, &self.title)
    }
}

/// Draws items into the content of a page. In a PDF, y points up.
struct PdfPainter {
    content: Content,
    styles: HashMap<&'static str, Style>,
    height: f64,
    /// The columns and levels of each density.
    images: Vec<(usize, Vec<u8>)>,
    opacities: Vec<f32>,
    /// The characters of the glyphs in use, for searching and copying.
    characters: BTreeMap<u16, char>,
}

impl PdfPainter {
    fn style(&self, class: &str) -> Style {
        self.styles.get(class).copied().unwrap_or_default()
    }

    fn fill_colour(&mut self, colour: [u8; 3]) {
        let [red, green, blue] = colour.map(|channel| f32::from(channel) / 255.0);
        self.content.set_fill_rgb(red, green, blue);
    }

    fn stroke_colour(&mut self, colour: [u8; 3]) {
        let [red, green, blue] = colour.map(|channel| f32::from(channel) / 255.0);
        self.content.set_stroke_rgb(red, green, blue);
    }

    /// Adds the rectangle to the path.
    fn rect(&mut self, area: Area, origin: (f64, f64)) {
        let (x, y) = (area.x + origin.0, self.height - area.y - origin.1 - area.height);
        self.content.rect(x as f32, y as f32, area.width as f32, area.height as f32);
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
                    self.content.save_state();
                    if let Some(opacity) = style.fill_opacity {
                        let known = self.opacities.iter().position(|known| *known == opacity);
                        let place = known.unwrap_or_else(|| {
                            self.opacities.push(opacity);
                            self.opacities.len() - 1
                        });
                        self.content.set_parameters(Name(format!("O{place}").as_bytes()));
                    }
                    self.fill_colour(colour);
                    self.rect(*area, origin);
                    self.content.fill_nonzero().restore_state();
                }
                if let Some(colour) = style.stroke {
                    self.stroke_colour(colour);
                    self.content.set_line_width(1.0);
                    self.rect(*area, origin);
                    self.content.stroke();
                }
            }
            Item::Hatch { class, areas } => {
                let Some(colour) = self.style(class).stroke else { return };
                self.stroke_colour(colour);
                self.content.set_line_width(1.0);
                areas.iter().for_each(|area| self.hatch(*area, origin));
            }
            Item::Line(line) => self.line(line, origin),
            Item::Text(text) => self.text(text, origin),
            Item::Points { class, size, rows } => {
                let Some(colour) = self.style(class).stroke else { return };
                self.fill_colour(colour);
                for (y, runs) in rows {
                    for run in runs {
                        self.rect(Area { x: run.x, y: y - size / 2.0, width: run.length, height: *size }, origin);
                    }
                    self.content.fill_nonzero();
                }
            }
            Item::Density { area, columns, levels } => {
                let name = format!("I{}", self.images.len());
                self.images.push((*columns, levels.clone()));
                let (x, y) = (area.x + origin.0, self.height - area.y - origin.1 - area.height);
                self.content.save_state();
                self.content.transform([area.width as f32, 0.0, 0.0, area.height as f32, x as f32, y as f32]);
                self.content.x_object(Name(name.as_bytes())).restore_state();
            }
            Item::Ramp { area, colours } => {
                let width = area.width / colours.len() as f64;
                for (number, colour) in colours.iter().enumerate() {
                    self.fill_colour(*colour);
                    self.rect(Area { x: area.x + number as f64 * width, width, ..*area }, origin);
                    self.content.fill_nonzero();
                }
            }
        }
    }

    fn hatch(&mut self, area: Area, origin: (f64, f64)) {
        self.content.save_state();
        self.rect(area, origin);
        self.content.clip_nonzero().end_path();
        let (left, top) = (area.x + origin.0, self.height - area.y - origin.1);
        // Each stripe goes up by as much as it goes to the right. The stripes of all areas are at the same places.
        let bottom = top - area.height;
        let first = ((left - top) / HATCH).floor();
        let last = ((left + area.width - bottom) / HATCH).ceil();
        for number in first as i64..=last as i64 {
            let shift = number as f64 * HATCH;
            self.content.move_to((bottom + shift) as f32, bottom as f32);
            self.content.line_to((top + shift) as f32, top as f32);
        }
        self.content.stroke().restore_state();
    }

    fn line(&mut self, line: &Line, origin: (f64, f64)) {
        let Some(colour) = self.style(&line.class).stroke else { return };
        let Line { x, y, length, .. } = *line;
        let (x, y) = (x + origin.0, self.height - y - origin.1);
        self.stroke_colour(colour);
        self.content.set_line_width(line.thickness.unwrap_or(1.0) as f32);
        self.content.move_to(x as f32, y as f32);
        match line.is_down {
            true => self.content.line_to(x as f32, (y - length) as f32),
            false => self.content.line_to((x + length) as f32, y as f32),
        };
        self.content.stroke();
    }

    fn text(&mut self, text: &Text, origin: (f64, f64)) {
        let style = self.style(&text.class);
        let size = text.size_in(style) as f32;
        let (name, number) = text.parts();
        let (width, of_number) = (ROBOTO.set(&name, size).width, ROBOTO.set(number, size).width);
        let x = (text.x + origin.0) as f32;
        let start = match text.anchor {
            Anchor::Start => x,
            Anchor::Middle => x - (width + of_number) / 2.0,
            Anchor::End => x - (width + of_number),
        };
        let y = (self.height - text.y - origin.1) as f32;
        self.set_line(&name, size, (start, y), style);
        self.set_line(number, size, (start + width, y), self.style(style::NUMBER));
    }

    fn set_line(&mut self, text: &str, size: f32, (x, y): (f32, f32), style: Style) {
        let (Some(colour), false) = (style.fill, text.is_empty()) else { return };
        self.fill_colour(colour);
        let line = ROBOTO.set(text, size);
        self.characters.extend(ROBOTO.characters(text));
        self.content.begin_text();
        self.content.set_font(FONT_NAME, size).set_text_matrix([1.0, 0.0, 0.0, 1.0, x, y]);
        let mut shown = self.content.show_positioned();
        let mut items = shown.items();
        let mut at = 0.0;
        for (glyph, place) in line.glyphs() {
            // The kerning, in thousandths of the size.
            let apart = (at - place) / size * 1_000.0;
            if apart.abs() > 0.1 {
                items.adjust(apart);
            }
            items.show(Str(&glyph.0.to_be_bytes()));
            at = place + ROBOTO.advance(glyph) * size;
        }
        items.finish();
        shown.finish();
        self.content.end_text();
    }

    fn write(self, width: f32, height: f32, title: &str) -> Vec<u8> {
        let PdfPainter { content, images, opacities, characters, .. } = self;
        let mut pdf = Pdf::new();
        pdf.catalog(CATALOG).pages(PAGES);
        pdf.document_info(INFO).title(TextStr(title)).producer(TextStr("tp-perf"));
        pdf.pages(PAGES).kids([PAGE]).count(1);
        let mut page = pdf.page(PAGE);
        page.parent(PAGES).media_box(Rect::new(0.0, 0.0, width, height)).contents(CONTENT);
        let mut resources = page.resources();
        resources.fonts().pair(FONT_NAME, FACE);
        // Each image has a second one, which makes places without events transparent.
        let image = |number: usize| Ref::new(FIRST + 2 * number as i32);
        let mut objects = resources.x_objects();
        for number in 0..images.len() {
            objects.pair(Name(format!("I{number}").as_bytes()), image(number));
        }
        objects.finish();
        let opacity = |number: usize| Ref::new(image(images.len()).get() + number as i32);
        let mut states = resources.ext_g_states();
        for number in 0..opacities.len() {
            states.pair(Name(format!("O{number}").as_bytes()), opacity(number));
        }
        states.finish();
        resources.finish();
        page.finish();
        for (number, value) in opacities.iter().enumerate() {
            pdf.ext_graphics(opacity(number)).non_stroking_alpha(*value);
        }
        for (number, (columns, levels)) in images.iter().enumerate() {
            let (colours, mask) = (image(number), Ref::new(image(number).get() + 1));
            let shown: Vec<u8> = levels.iter().map(|level| if *level > 0 { 255 } else { 0 }).collect();
            let pixels: Vec<u8> = levels.iter().flat_map(|level| Density::colour(*level)).collect();
            for (id, bytes, is_mask) in [(colours, pixels, false), (mask, shown, true)] {
                let bytes = compressed(&bytes);
                let mut image = pdf.image_xobject(id, &bytes);
                image.filter(Filter::FlateDecode);
                image.bits_per_component(8).width(*columns as i32).height((levels.len() / columns) as i32);
                match is_mask {
                    true => image.color_space().device_gray(),
                    false => image.color_space().device_rgb(),
                }
                if !is_mask {
                    image.s_mask(mask);
                }
            }
        }
        write_font(&mut pdf, &characters);
        let content = compressed(&content.finish());
        pdf.stream(CONTENT, &content).filter(Filter::FlateDecode);
        pdf.finish()
    }
}

fn write_font(pdf: &mut Pdf, characters: &BTreeMap<u16, char>) {
    let system = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
    pdf.type0_font(FACE)
        .base_font(BASE_FONT)
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(GLYPHS)
        .to_unicode(CHARACTERS);
    let mut glyphs = pdf.cid_font(GLYPHS);
    glyphs.subtype(CidFontType::Type2).base_font(BASE_FONT).system_info(system).font_descriptor(DESCRIPTOR);
    glyphs.cid_to_gid_map_predefined(Name(b"Identity"));
    let mut widths = glyphs.widths();
    // The sign for a character that the font lacks.
    if !characters.contains_key(&0) {
        widths.consecutive(0, [1_000.0 * ROBOTO.advance(GlyphId(0))]);
    }
    for glyph in characters.keys() {
        widths.consecutive(*glyph, [1_000.0 * ROBOTO.advance(GlyphId(*glyph))]);
    }
    widths.finish();
    glyphs.finish();
    let shape = ROBOTO.shape();
    pdf.font_descriptor(DESCRIPTOR)
        .name(BASE_FONT)
        .flags(FontFlags::SYMBOLIC)
        .bbox(Rect::new(shape.bounds[0], shape.bounds[1], shape.bounds[2], shape.bounds[3]))
        .italic_angle(0.0)
        .ascent(shape.ascent)
        .descent(shape.descent)
        .cap_height(shape.capitals)
        .stem_v(80.0)
        .font_file2(FILE);
    let file = compressed(FONT);
    let mut stream = pdf.stream(FILE, &file);
    stream.filter(Filter::FlateDecode);
    stream.pair(Name(b"Length1"), FONT.len() as i32);
    stream.finish();
    let mut map = UnicodeCmap::<u16>::new(Name(b"Characters"), system);
    characters.iter().for_each(|(glyph, character)| map.pair(*glyph, *character));
    let map = map.finish();
    pdf.cmap(CHARACTERS, map.as_slice());
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes all bytes")
}
