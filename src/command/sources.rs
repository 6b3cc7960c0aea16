//! Compares sources with states, one after another: `identify` and `check` of several sources.

use super::context::Context;
use super::observe::{Observed, begin_reading, read_source, unless_closed};
use crate::control::Manner;
use crate::events::Filter;
use crate::memory::HeldBytes;
use crate::observation::Observation;
use crate::source::Place;
use crate::state::{Known, Length, Session};
use crate::terminal::{Width, messages};

/// The exit code of a source that could not be compared.
const FAILED: u8 = 1;

/// A comparison of sessions with the states of a library.
pub trait SourceComparison {
    /// The length of the windows, as far as it is known.
    fn length(&self) -> Option<Length>;

    /// Gets ready to compare. The first source may be read before that.
    fn prepare(&mut self) -> anyhow::Result<()>;

    /// Compares a session. `is_last` means that no other session follows. Text has lines of this width.
    fn compare(&mut self, source: &(String, Session), is_last: bool, width: Width) -> anyhow::Result<SourceResult>;

    /// The output that shows one of several sources that cannot be compared. The error was printed.
    fn failed(&mut self, place: &str, error: &str) -> anyhow::Result<Vec<u8>>;

    /// The output that comes after that of all sources.
    fn last(&mut self) -> anyhow::Result<HeldBytes>;
}

/// The result of comparing a session.
#[derive(Debug)]
pub struct SourceResult {
    /// The exit code.
    pub code: u8,
    /// The output. It may be empty.
    pub out: HeldBytes,
}

/// A copy of the known states for a source. The last source gets the states themselves, because a copy takes memory.
///
/// # Panics
/// If the library was not read, or after the last source.
pub fn last_taken(known: &mut Option<Known>, is_last: bool) -> Known {
    let known = if is_last { known.take() } else { known.clone() };
    known.expect("the library is read, and no source follows the last one")
}

/// Compares each source, or this machine, and returns the worst exit code. If there are several sources, one that cannot be
/// compared does not stop the others.
pub fn compare_each(
    comparison: &mut dyn SourceComparison,
    observation: &Observation,
    form: JointForm,
    manner: &Manner,
    context: &mut Context,
) -> anyhow::Result<u8> {
    let mut output = JointOutput::of(observation, form);
    let Observation::Source { places, part } = observation else {
        let observed = match Observed::of(observation, comparison.length(), manner, context)? {
            Ok(observed) => observed,
            Err(code) => return Ok(code),
        };
        let compared = comparison.compare(&observed.sessions[0], true, context.out.width());
        let code = compared.and_then(|SourceResult { code, out }| {
            output.print(out.as_slice(), context)?;
            output.end(comparison.last()?.as_slice(), context).map(|()| code)
        });
        return observed.end(code, context);
    };
    begin_reading(manner, context)?;
    let mut worst = 0;
    for (number, place) in places.iter().enumerate() {
        let source = match read(comparison, place, part, context)? {
            Ok(Err(stopped)) => {
                output.end(comparison.last()?.as_slice(), context)?;
                return Ok(stopped);
            }
            Ok(Ok(source)) => Ok(source),
            Err(error) => Err(error),
        };
        let is_last = number + 1 == places.len();
        let width = context.out.width();
        match source.and_then(|source| comparison.compare(&source, is_last, width)) {
            Ok(SourceResult { code, out }) => {
                output.print(out.as_slice(), context)?;
                worst = worse(worst, code);
            }
            Err(error) if places.len() > 1 => {
                messages::say_failure(error.chain());
                let out = comparison.failed(&place.to_string(), &messages::causes(error.chain()))?;
                output.print(&out, context)?;
                worst = FAILED;
            }
            Err(error) => return Err(error),
        }
    }
    output.end(comparison.last()?.as_slice(), context)?;
    Ok(worst)
}

/// What came of reading a source: its session, or the exit code if the user stopped it.
type ReadSource = anyhow::Result<Result<(String, Session), u8>>;

/// Reads a source, and gets ready to compare it.
///
/// # Errors
/// The outer one: nothing can be compared. The inner one: this source cannot be read.
fn read(
    comparison: &mut dyn SourceComparison,
    place: &Place,
    part: &Filter,
    context: &mut Context,
) -> anyhow::Result<ReadSource> {
    let length = comparison.length();
    let reading = read_source(place, part, length, context);
    let Ok(Ok((_, session))) = &reading else { return Ok(reading) };
    comparison.prepare()?;
    // The first reading counts windows of a second. A few libraries have other windows, which take a second reading.
    match comparison.length() {
        Some(wanted) if length.is_none() && wanted.of(session.window).is_none() && matches!(place, Place::Path(_)) => {
            Ok(read_source(place, part, Some(wanted), context))
        }
        _ => Ok(reading),
    }
}

/// The worse of two exit codes. A failure is worse than a difference, because something was not compared.
pub fn worse(one: u8, other: u8) -> u8 {
    match (one, other) {
        (FAILED, _) | (_, FAILED) => FAILED,
        (one, other) => one.max(other),
    }
}

/// How the results of several sources make one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JointForm {
    /// Texts, with an empty line between them.
    Text,
    /// A JSON value for each source. Those of several sources make an array.
    Json,
    /// Anything that is one document for all sources.
    Whole,
}

/// The output for several sources.
#[derive(Debug)]
struct JointOutput {
    form: JointForm,
    is_array: bool,
    printed: usize,
}

impl JointOutput {
    /// For the results of this input.
    fn of(observation: &Observation, form: JointForm) -> Self {
        let is_of_several = matches!(observation, Observation::Source { places, .. } if places.len() > 1);
        JointOutput { form, is_array: is_of_several && form == JointForm::Json, printed: 0 }
    }

    /// Prints the result of the next source.
    fn print(&mut self, result: &[u8], context: &mut Context) -> anyhow::Result<()> {
        if result.is_empty() {
            return Ok(());
        }
        let is_first = self.printed == 0;
        self.printed += 1;
        let out = &mut context.out;
        unless_closed(match self.form {
            JointForm::Text if is_first => out.print(result),
            JointForm::Text => out.print(b"\n").and_then(|()| out.print(result)),
            JointForm::Json if self.is_array => {
                let before: &[u8] = if is_first { b"[\n" } else { b",\n" };
                out.print_data(before).and_then(|()| out.print_data(result.trim_ascii_end()))
            }
            _ => out.print_data(result),
        })
    }

    /// Prints what follows the last result.
    fn end(&self, last: &[u8], context: &mut Context) -> anyhow::Result<()> {
        let end: &[u8] = match (self.is_array, self.printed) {
            (false, _) => last,
            (true, 0) => b"[]\n",
            (true, _) => b"\n]\n",
        };
        if end.is_empty() {
            return Ok(());
        }
        unless_closed(context.out.print_data(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_worse_than_a_difference() {
        assert_eq!([worse(0, 0), worse(0, 3), worse(3, 0), worse(3, 1), worse(1, 3), worse(1, 0)], [0, 3, 3, 1, 1, 1]);
    }
}
