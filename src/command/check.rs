//! `tp-perf check`: whether sources or this machine are as learned.

use super::context::Context;
use super::follow::{self, FollowForm, FollowTask};
use super::observe::{may_compare, watch_only, with_few, within_budget};
use super::sources::{JointForm, SourceComparison, SourceResult, compare_each, last_taken};
use super::stop::compare;
use crate::cli::{CheckArgs, CheckFormat, CheckRequest, FollowedCheck};
use crate::engine::Live;
use crate::memory::{HeldBytes, MemoryOf};
use crate::state::{self, Check, Error, Known, Learned, Length, Library, Names, Session, Suite};
use crate::terminal::{Extent, Width, print_check};
use anyhow::Context as _;

/// The exit code of a check that found a difference.
const ALARM: u8 = 3;

/// Checks sources or this machine, and prints the differences.
pub fn run(args: CheckArgs, context: &mut Context) -> anyhow::Result<u8> {
    let CheckRequest {
        mut observation,
        length,
        against,
        library,
        per_day,
        follow,
        few_tracepoints,
        format,
        verbose,
        manner,
    } = args.request()?;
    let states = against.iter().map(|name| library.state(name)).collect::<Result<Vec<_>, _>>()?;
    if let Some(state) = states.iter().find(|state| state.sessions.len() < 2) {
        let (state, sessions) = (state.name.clone(), state.sessions.len());
        return Err(Error::TooFewSessions { state, sessions, block: state::BLOCK }.into());
    }
    let known = with_few(with_others(&library, &against, states, length)?, few_tracepoints, state::ALPHA)?;
    watch_only(&mut observation, &known, few_tracepoints)?;
    let known = within_budget(&Live, &mut observation, known)?;
    may_compare(&observation, &known)?;
    let extent = if verbose { Extent::Full } else { Extent::Brief };
    if let Some(FollowedCheck { silence, save }) = follow {
        let task = FollowTask::Check { against, per_day, silence, save };
        let form = FollowForm { is_json: format == CheckFormat::Json, extent, is_quiet: manner.quiet };
        return follow::follow(&task, known, &observation, form, &manner, context);
    }
    let form = match format {
        CheckFormat::Text => JointForm::Text,
        CheckFormat::Json => JointForm::Json,
        CheckFormat::Junit => JointForm::Whole,
    };
    let mut checks = Checks {
        length: known.length(),
        known: Some(known),
        against,
        per_day,
        format,
        extent,
        is_quiet: manner.quiet,
        suites: Vec::new(),
    };
    compare_each(&mut checks, &observation, form, &manner, context)
}

/// The states of a check, with all other states of the library: they show how much sessions differ, and what the source looks like.
/// Others with sessions that captured less are left out, because only tracepoints of all sessions are compared.
fn with_others(
    library: &Library,
    against: &[String],
    states: Vec<Learned>,
    length: Option<Length>,
) -> Result<Known, Error> {
    let others = library.states().map(|read| read.usable).unwrap_or_default();
    let names = Names::common(states.iter().flat_map(|state| &state.sessions).map(|(_, session)| session));
    let captured_all = |state: &Learned| state.sessions.iter().all(|(_, session)| names.are_captured_by(session));
    let others = others.into_iter().filter(|state| !against.contains(&state.name) && captured_all(state));
    let mut all: Vec<Learned> = states.iter().cloned().chain(others).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Known::of(all, length).or_else(|_| Known::of(states, length))
}

/// The checks of sources.
struct Checks {
    /// `None` after the last source.
    known: Option<Known>,
    length: Length,
    against: Vec<String>,
    per_day: f64,
    format: CheckFormat,
    extent: Extent,
    is_quiet: bool,
    /// For JUnit, the sources so far: its file begins with sums over all of them.
    suites: Vec<Suite>,
}

impl SourceComparison for Checks {
    fn length(&self) -> Option<Length> {
        Some(self.length)
    }

    fn prepare(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn compare(
        &mut self,
        (place, session): &(String, Session),
        is_last: bool,
        width: Width,
    ) -> anyhow::Result<SourceResult> {
        let known = last_taken(&mut self.known, is_last);
        let check = compare(|| Check::of(session, known, &self.against, state::ALPHA, self.per_day))
            .with_context(|| place.clone())?;
        let mut out = HeldBytes::nothing(MemoryOf::Rows);
        match self.format {
            // A quiet check reports its result by the exit code only.
            CheckFormat::Text if self.is_quiet => Ok(()),
            CheckFormat::Text => print_check(&check, place, self.extent, width, &mut out),
            CheckFormat::Json => state::write_check_json(&check, place, &mut out),
            CheckFormat::Junit => {
                self.suites.push(Suite::of_check(&check, place));
                Ok(())
            }
        }
        .context("failed to encode the check")?;
        Ok(SourceResult { code: if check.findings.is_empty() { 0 } else { ALARM }, out })
    }

    fn failed(&mut self, place: &str, error: &str) -> anyhow::Result<Vec<u8>> {
        let mut out = Vec::new();
        match self.format {
            CheckFormat::Text => {}
            CheckFormat::Json => {
                state::write_error_json(place, error, &mut out).context("failed to encode the check")?;
            }
            CheckFormat::Junit => self.suites.push(Suite::of_error(place, error.to_owned())),
        }
        Ok(out)
    }

    fn last(&mut self) -> anyhow::Result<HeldBytes> {
        let mut out = HeldBytes::nothing(MemoryOf::Rows);
        if self.format == CheckFormat::Junit {
            state::write_junit(&self.suites, &mut out).context("failed to encode the check")?;
        }
        Ok(out)
    }
}
