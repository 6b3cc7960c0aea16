//! The result of a check, for people.

use super::deviations::{Extent, print_deviations};
use super::layout::Screen;
use super::width::Width;
use crate::state::{Check, said_beside};
use crate::text::OneLine;
use crate::units::Plural;
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};

/// At most this many episodes are shown.
const EPISODES: usize = 5;

const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Prints whether a source is as learned, on lines of `width` columns: the headline, then each episode with its groups and
/// tracepoints, then the conditions of the check.
pub fn print_check(
    check: &Check,
    source: &str,
    extent: Extent,
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let identification = &check.identification;
    let (source, headline) = (OneLine(source), check.headline());
    match check.episodes.is_empty() {
        true => screen.hanging("", "  ", format_args!("{BOLD}{source}{BOLD:#}: {GOOD}{headline}{GOOD:#}"))?,
        false => {
            let headline = OneLine(headline);
            screen.hanging("", "  ", format_args!("{BOLD}{source}{BOLD:#}: {BAD}not as learned{BAD:#}: {headline}"))?;
        }
    }
    let earlier = check.episodes.len().saturating_sub(extent.most(EPISODES));
    if earlier > 0 {
        let episodes = Plural(earlier as u64, "earlier episode");
        screen.hanging("", "  ", format_args!("without {episodes} (`--verbose` shows all)"))?;
    }
    for episode in &check.episodes[earlier..] {
        screen.blank()?;
        screen.hanging("", "  ", OneLine(episode.title(identification)))?;
        print_deviations(&episode.state, &episode.groups, extent, screen)?;
    }
    if !check.episodes.is_empty() {
        screen.blank()?;
    }
    screen.hanging(
        "",
        "  ",
        format_args!(
            "compared with {}: {} of {}, in blocks of {}; {} in a row raise an alarm",
            OneLine(identification.named(&check.allowed, " and ")),
            Plural(identification.windows.len() as u64, "window"),
            identification.length,
            check.block,
            Plural(check.in_a_row as u64, "block"),
        ),
    )?;
    said_beside(check).iter().try_for_each(|sentence| screen.hanging("", "  ", OneLine(sentence)))
}
