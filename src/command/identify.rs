//! `tp-perf identify`: identifies the states that sources or this machine are in.

use super::context::Context;
use super::follow::{self, FollowForm, FollowTask};
use super::observe::{may_compare, watch_only, with_few, within_budget};
use super::sources::{JointForm, SourceComparison, SourceResult, compare_each, last_taken};
use super::stop::compare;
use crate::cli::{IdentifyArgs, IdentifyFormat, IdentifyRequest};
use crate::engine::Live;
use crate::memory::{Held, HeldBytes, MemoryOf};
use crate::observation::Observation;
use crate::os::thread::Work;
use crate::state::{self, Identification, Known, Length, LibraryError, Session, Usable};
use crate::terminal::{Extent, Width, messages, print_identification};
use anyhow::Context as _;

/// The exit code for an unknown stretch, with --fail-unknown.
const UNKNOWN: u8 = 3;

/// Observes sources or this machine, and prints the states that they were in.
pub fn run(args: IdentifyArgs, context: &mut Context) -> anyhow::Result<u8> {
    let IdentifyRequest {
        mut observation,
        length: asked,
        library,
        alpha,
        follow,
        fail_unknown,
        few_tracepoints,
        format,
        verbose,
        manner,
    } = args.request()?;
    library.has_states()?;
    let extent = if verbose { Extent::Full } else { Extent::Brief };
    if follow {
        let Usable { usable, left_out } = library.states()?;
        messages::say_left_out(&left_out);
        let known = with_few(Known::of(usable, asked)?, few_tracepoints, alpha)?;
        watch_only(&mut observation, &known, few_tracepoints)?;
        let known = within_budget(&Live, &mut observation, known)?;
        may_compare(&observation, &known)?;
        let task = FollowTask::Identify { alpha, fail_unknown };
        let form = FollowForm { is_json: format == IdentifyFormat::Json, extent, is_quiet: false };
        return follow::follow(&task, known, &observation, form, &manner, context);
    }
    // tp-perf reads the library while it reads a source.
    let read = move || -> Result<_, state::Error> {
        let Usable { usable, left_out } = library.states()?;
        Ok((with_few(Known::of(usable, asked)?, few_tracepoints, alpha)?, left_out))
    };
    let form = match format {
        IdentifyFormat::Text => JointForm::Text,
        IdentifyFormat::Json => JointForm::Json,
        IdentifyFormat::Csv => JointForm::Whole,
    };
    let mut answers = Answers {
        reading: Some(Work::begin(read)),
        known: None,
        length: asked,
        alpha,
        fail_unknown,
        format,
        extent,
        has_header: false,
    };
    // A capture begins only after the library is read, because the library decides whether a comparison is possible, and
    // how long the windows are.
    if let Observation::Machine(_) = observation {
        answers.prepare()?;
        if let Some(known) = answers.known.take() {
            watch_only(&mut observation, &known, few_tracepoints)?;
            let known = within_budget(&Live, &mut observation, known)?;
            may_compare(&observation, &known)?;
            answers.known = Some(known);
        }
    }
    compare_each(&mut answers, &observation, form, &manner, context)
}

/// A library that is being read: its states, and the sessions that were left out.
type ReadLibrary = Work<'static, Result<(Known, Vec<LibraryError>), state::Error>>;

/// The answers for sources.
struct Answers {
    /// `None` once the library is read.
    reading: Option<ReadLibrary>,
    /// `None` until the library is read, and after the last source.
    known: Option<Known>,
    length: Option<Length>,
    alpha: f64,
    fail_unknown: bool,
    format: IdentifyFormat,
    extent: Extent,
    /// Whether the header of the CSV is printed.
    has_header: bool,
}

impl SourceComparison for Answers {
    fn length(&self) -> Option<Length> {
        self.length
    }

    fn prepare(&mut self) -> anyhow::Result<()> {
        if let Some(reading) = self.reading.take() {
            let (known, left_out) = compare(|| reading.result())?;
            messages::say_left_out(&left_out);
            self.length = Some(known.length());
            self.known = Some(known);
        }
        Ok(())
    }

    fn compare(
        &mut self,
        (place, session): &(String, Session),
        is_last: bool,
        width: Width,
    ) -> anyhow::Result<SourceResult> {
        let known = last_taken(&mut self.known, is_last);
        let identification =
            compare(|| Identification::of(session, known, self.alpha)).with_context(|| place.clone())?;
        // What a state's opinion on a window takes before it is text.
        const OF_FORM: u64 = 128;
        let rows = identification.windows.len() as u64 * (1 + identification.states.states.len() as u64);
        let bytes = if matches!(self.format, IdentifyFormat::Text) { 0 } else { rows.saturating_mul(OF_FORM) };
        let _held = Held::take(MemoryOf::Rows, bytes).map_err(state::Error::from)?;
        let mut out = HeldBytes::nothing(MemoryOf::Rows);
        match self.format {
            IdentifyFormat::Text => print_identification(&identification, place, self.extent, width, &mut out),
            IdentifyFormat::Json => state::write_json(&identification, place, &mut out),
            IdentifyFormat::Csv => {
                let header = if self.has_header { Ok(()) } else { state::write_csv_header(&mut out) };
                self.has_header = true;
                header.and_then(|()| state::write_csv(&identification, place, &mut out))
            }
        }
        .context("failed to encode the states")?;
        let is_unknown = identification.stretches.iter().any(|stretch| stretch.state().is_none());
        Ok(SourceResult { code: if is_unknown && self.fail_unknown { UNKNOWN } else { 0 }, out })
    }

    fn failed(&mut self, place: &str, error: &str) -> anyhow::Result<Vec<u8>> {
        let mut out = Vec::new();
        if self.format == IdentifyFormat::Json {
            state::write_error_json(place, error, &mut out).context("failed to encode the states")?;
        }
        Ok(out)
    }

    fn last(&mut self) -> anyhow::Result<HeldBytes> {
        Ok(HeldBytes::nothing(MemoryOf::Rows))
    }
}
