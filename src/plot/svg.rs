//! Draws a scene as SVG.

use super::density::Density;
use super::font::FONT;
use super::scene::{Anchor, Area, Item, Line, Medium, Scene, Text};
use super::style;
use crate::text::is_obeyed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::{self, Write};

/// Escapes text, so that none of it is read as XML.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '<' | '>' | '&' | '"' | '\'' => write!(f, "&#{};", u32::from(c)),
            // The texts of a scene have none. So whatever a plot forgets, nobody obeys it.
            c if is_obeyed(c) => f.write_char(char::REPLACEMENT_CHARACTER),
            c => f.write_char(c),
        })
    }
}

/// Writes the area as attributes.
impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Area { x, y, width, height } = self;
        write!(f, r#"x="{x}" y="{y}" width="{width}" height="{height}""#)
    }
}

impl Scene {
    /// The scene as SVG. It needs no other file, and is legible on light and dark backgrounds.
    pub fn svg(&self) -> String {
        let mut out = String::new();
        self.write_svg(&mut out).expect("text is written into memory");
        out
    }

    fn write_svg(&self, out: &mut String) -> fmt::Result {
        let Scene { title, subtitle, width, height, items, medium } = self;
        let (unit, dark) = match medium {
            Medium::Screen => ("", style::DARK),
            Medium::Paper => ("pt", ""),
        };
        writeln!(
            out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}{unit}" height="{height}{unit}" role="img" font-family="'Roboto Condensed', 'Arial Narrow', 'Liberation Sans Narrow', sans-serif" font-size="{}">"#,
            style::FONT_SIZE
        )?;
        writeln!(out, "<title>{}</title>\n<desc>{}</desc>", Escaped(title), Escaped(subtitle))?;
        writeln!(out, "<style>\n{}{}{}{}</style>", font(*medium), style::PLOT, style::STATES, dark)?;
        writeln!(out, r#"<rect class="paper" width="{width}" height="{height}"/>"#)?;
        if has_stripes(items) {
            write_stripes(out)?;
        }
        items.iter().try_for_each(|item| write_item(item, out))?;
        out.write_str("</svg>")
    }
}

/// The font, if letters of another one could overlap: on paper, lines have just the room that they need.
fn font(medium: Medium) -> String {
    match medium {
        Medium::Screen => String::new(),
        Medium::Paper => format!(
            "@font-face {{ font-family: 'Roboto Condensed'; src: url(data:font/ttf;base64,{}) }}\n",
            STANDARD.encode(FONT)
        ),
    }
}

fn has_stripes(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Hatch { .. } => true,
        Item::Group { items, .. } => has_stripes(items),
        _ => false,
    })
}

/// The pattern that `Item::Hatch` uses: one stripe, and the corners of its neighbours.
fn write_stripes(out: &mut String) -> fmt::Result {
    let size = style::HATCH;
    let (before, behind) = (size - 1.0, size + 1.0);
    writeln!(
        out,
        r#"<pattern id="stripes" width="{size}" height="{size}" patternUnits="userSpaceOnUse"><path class="thinned" d="M-1 1L1 -1M0 {size}L{size} 0M{before} {behind}L{behind} {before}"/></pattern>"#
    )
}

fn write_item(item: &Item, out: &mut String) -> fmt::Result {
    match item {
        Item::Group { x, y, items } => {
            writeln!(out, r#"<g transform="translate({x} {y})">"#)?;
            items.iter().try_for_each(|item| write_item(item, out))?;
            writeln!(out, "</g>")
        }
        Item::Rect { class, area } => writeln!(out, r#"<rect class="{class}" {area}/>"#),
        Item::Hatch { class, areas } => {
            // The class colours the stripes of the pattern, and hides nothing between them.
            writeln!(out, r#"<g class="{class}-areas" fill="url(#stripes)">"#)?;
            areas.iter().try_for_each(|area| writeln!(out, "<rect {area}/>"))?;
            writeln!(out, "</g>")
        }
        Item::Line(line) => write_line(line, out),
        Item::Text(text) => write_text(text, out),
        Item::Points { class, size, rows } => {
            writeln!(out, r#"<g class="{class}" stroke-width="{size}">"#)?;
            for (y, runs) in rows {
                // One path with relative moves from run to run has half the length of separate paths.
                let mut at = None;
                for run in runs {
                    match at {
                        None => write!(out, r#"<path d="M{:.1} {y:.2}h{}"#, run.x, run.length)?,
                        Some(at) => write!(out, "m{} 0h{}", run.x - at, run.length)?,
                    }
                    at = Some(run.x + run.length);
                }
                writeln!(out, r#""/>"#)?;
            }
            writeln!(out, "</g>")
        }
        Item::Density { area, columns, levels } => {
            let image = STANDARD.encode(image(*columns, levels));
            writeln!(
                out,
                r#"<image class="density" {area} preserveAspectRatio="none" image-rendering="optimizeSpeed" style="image-rendering:pixelated" href="data:image/png;base64,{image}"/>"#
            )
        }
        Item::Ramp { area, colours } => {
            writeln!(out, r#"<linearGradient id="key">"#)?;
            for (place, [red, green, blue]) in colours.iter().enumerate() {
                let percent = place * 100 / (colours.len() - 1).max(1);
                writeln!(out, r##"<stop offset="{percent}%" stop-color="#{red:02x}{green:02x}{blue:02x}"/>"##)?;
            }
            writeln!(out, "</linearGradient>\n<rect class=\"density\" {area} fill=\"url(#key)\"/>")
        }
    }
}

fn write_line(line: &Line, out: &mut String) -> fmt::Result {
    let Line { class, x, y, is_down, length, thickness } = line;
    write!(out, r#"<path class="{class}""#)?;
    if let Some(thickness) = thickness {
        write!(out, r#" stroke-width="{thickness}""#)?;
    }
    writeln!(out, r#" d="M{x} {y}{}{length}"/>"#, if *is_down { 'v' } else { 'h' })
}

fn write_text(text: &Text, out: &mut String) -> fmt::Result {
    let Text { class, x, y, size, anchor, text, number } = text;
    write!(out, r#"<text class="{class}" x="{x}" y="{y}""#)?;
    if let Some(size) = size {
        write!(out, r#" font-size="{size}""#)?;
    }
    match anchor {
        Anchor::Start => {}
        Anchor::Middle => write!(out, r#" text-anchor="middle""#)?,
        Anchor::End => write!(out, r#" text-anchor="end""#)?,
    }
    write!(out, ">{}", Escaped(text))?;
    if let Some(number) = number {
        write!(out, r#" <tspan class="{}">{}</tspan>"#, style::NUMBER, Escaped(number))?;
    }
    writeln!(out, "</text>")
}

/// The levels as a PNG with a pixel for each place. Pixels of places without events are transparent.
fn image(columns: usize, levels: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut out, columns as u32, (levels.len() / columns) as u32);
    encoder.set_color(::png::ColorType::Indexed);
    encoder.set_depth(::png::BitDepth::Eight);
    encoder.set_palette((0..=255).flat_map(Density::colour).collect::<Vec<u8>>());
    encoder.set_trns(&[0u8][..]);
    let mut writer = encoder.write_header().expect("rows and columns are few and not none");
    writer.write_image_data(levels).expect("there is a level for each place");
    writer.finish().expect("all levels are written");
    out
}
