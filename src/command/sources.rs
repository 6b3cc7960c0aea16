//! Compares sources with states, one after another: `identify` and `check` of several sources.

use super::context::Context;
use super::observe::{Observed, begin_reading, read_source, unless_closed};
use crate::control::Manner;
use crate::events::Filter;
use crate::observation::Observation;
use crate::source::Place;
use crate::state::{Length, Session};
use crate::terminal::messages;

/// The exit code of a source that could not be compared.
const FAILED: u8 = 1;

/// A comparison of sessions with the states of a library.
pub trait SourceComparison {
    /// The length of the windows, as far as it is known.
    fn length(&self) -> Option<Length>;

    /// Gets ready to compare. The first source may be read before that.
    fn prepare(&mut self, context: &mut Context) -> anyhow::Result<()>;

    /// Compares a session, prints the result, and returns the exit code. `is_last` means that no other session follows.
    fn compare(&mut self, source: &(String, Session), is_last: bool, context: &mut Context) -> anyhow::Result<u8>;

    /// Notes that one of several sources cannot be compared. The error was printed.
    fn failed(&mut self, place: &str, error: &str, context: &mut Context) -> anyhow::Result<()>;

    /// Prints what follows the last source.
    fn end(&mut self, context: &mut Context) -> anyhow::Result<()>;
}

/// Compares each source, or this machine, and returns the worst exit code. If there are several sources, one that cannot be
/// compared does not stop the others.
pub fn compare_each(
    comparison: &mut dyn SourceComparison,
    observation: &Observation,
    manner: &Manner,
    context: &mut Context,
) -> anyhow::Result<u8> {
    let Observation::Source { places, part } = observation else {
        let observed = match Observed::of(observation, comparison.length(), manner, context)? {
            Ok(observed) => observed,
            Err(code) => return Ok(code),
        };
        let source = &observed.sessions[0];
        let code = comparison.compare(source, true, context).and_then(|code| comparison.end(context).map(|()| code));
        return observed.end(code, context);
    };
    begin_reading(manner, context)?;
    let mut worst = 0;
    for (number, place) in places.iter().enumerate() {
        let source = match read(comparison, place, part, context)? {
            Ok(Err(stopped)) => {
                comparison.end(context)?;
                return Ok(stopped);
            }
            Ok(Ok(source)) => Ok(source),
            Err(error) => Err(error),
        };
        let is_last = number + 1 == places.len();
        let code = match source.and_then(|source| comparison.compare(&source, is_last, context)) {
            Err(error) if places.len() > 1 => {
                messages::say_failure(error.chain());
                comparison.failed(&place.to_string(), &messages::causes(error.chain()), context)?;
                FAILED
            }
            code => code?,
        };
        worst = worse(worst, code);
    }
    comparison.end(context)?;
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
    comparison.prepare(context)?;
    // The first reading counts windows of a second. A few libraries have other windows, which take a second reading.
    match comparison.length() {
        Some(wanted) if length.is_none() && wanted.of(session.window).is_none() && matches!(place, Place::Path(_)) => {
            Ok(read_source(place, part, Some(wanted), context))
        }
        _ => Ok(reading),
    }
}

/// The worse of two exit codes. A failure is worse than a difference, because something was not compared.
fn worse(one: u8, other: u8) -> u8 {
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
pub struct JointOutput {
    form: JointForm,
    is_array: bool,
    printed: usize,
}

impl JointOutput {
    /// For the results of this input.
    pub fn of(observation: &Observation, form: JointForm) -> Self {
        let is_of_several = matches!(observation, Observation::Source { places, .. } if places.len() > 1);
        JointOutput { form, is_array: is_of_several && form == JointForm::Json, printed: 0 }
    }

    /// Prints the result of the next source.
    pub fn print(&mut self, result: &[u8], context: &mut Context) -> anyhow::Result<()> {
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
    pub fn end(&self, context: &mut Context) -> anyhow::Result<()> {
        match (self.is_array, self.printed) {
            (false, _) => Ok(()),
            (true, 0) => unless_closed(context.out.print_data(b"[]\n")),
            (true, _) => unless_closed(context.out.print_data(b"\n]\n")),
        }
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
