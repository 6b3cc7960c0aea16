//! The part of a capture that a recording of the last seconds has: from the oldest mark to the newest one.
//!
//! Its counters begin at zero where the recording begins. So its accounting balances as that of any other recording:
//!
//! ```text
//!   head │ rungs at the begin │ cut round │ rounds, and steps between them │ cut round │ counters │ ending
//! ```

use super::cut::{self, AroundMark, CutRound, Fields};
use super::marks::{CounterMark, Marks, SlotChange};
use crate::capture::steering::encode_steps;
use crate::engine::Attached;
use crate::events::thinning::model::Thinning;
use crate::events::{Counted, EarlierHits, Ns, Reading, RungStep, SampleId, SampleIds, StepOnCpu, Tpid};
use crate::os::cpus::Cpu;
use crate::recording::CostOfRecording;
use crate::spool::{LastRounds, Spool};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

/// A part of a capture.
#[derive(Debug)]
pub(super) struct Excerpt {
    /// When it begins and ends.
    pub began: (Instant, SystemTime),
    pub ended: Instant,
    /// The counters at its end. They are 0 at its begin.
    pub counted: Vec<Counted>,
    /// The counters of the events that record changes of threads; their losses since the oldest mark.
    pub threads: Vec<(SampleId, Reading)>,
    /// For each CPU, how long its events were on in between.
    pub time_on: Vec<(Cpu, Duration)>,
    /// The CPU time of the recorder in between.
    pub own_cpu: Duration,
    pub cost: Option<CostOfRecording>,
    /// Notes and pieces of the first round, in the order in which they are fed.
    ahead: Vec<Vec<u8>>,
    /// The rounds that are whole, as far as they were not fed yet.
    body: Range<u64>,
    /// Notes of steps, each before the byte with this number.
    notes: VecDeque<(u64, Vec<u8>)>,
    /// The pieces of the last round.
    behind: Vec<Vec<u8>>,
}

/// A recorder, as an excerpt needs it.
pub(super) struct ExcerptOf<'a> {
    pub marks: &'a Marks,
    pub rounds: &'a LastRounds,
    pub ids: &'a SampleIds,
    pub attached: &'a Attached,
    pub fields: Fields,
    /// Whether the events are off, so that nothing comes after the newest mark.
    pub is_off: bool,
}

/// How a slot begins.
#[derive(Debug, Clone, Copy, Default)]
struct SlotBegin {
    /// The hits between the oldest mark and the begin.
    shift: u64,
    /// The unsure samples at the end that belong to the excerpt.
    unsure_at_end: u64,
}

impl Excerpt {
    /// The part between the oldest and the newest mark. There must be both.
    ///
    /// # Errors
    /// If the kept bytes are damaged, or if there are fewer than two marks.
    pub fn of(of: &ExcerptOf<'_>) -> io::Result<Self> {
        let ExcerptOf { marks, rounds, ids, attached, fields, is_off } = *of;
        let (oldest, newest) = match (marks.all.front(), marks.all.back()) {
            (Some(oldest), Some(newest)) if marks.all.len() > 1 => (oldest, newest),
            _ => return Err(io::Error::other("nothing was recorded yet")),
        };
        let begin_at = cut::begin_at(oldest);
        let round_behind = |mark: &CounterMark, end: u64| {
            let mut ends = rounds.ends(mark.at..end).filter(|end| end.ends_round);
            mark.at..ends.next().map_or(mark.at, |end| end.at)
        };
        let first = round_behind(oldest, newest.at);
        let begin = cut::begin(rounds, first.clone(), oldest, ids, fields)?;
        let mut end = match is_off {
            true => CutRound::default(),
            false => {
                let last = round_behind(newest, rounds.kept().end);
                cut::end(rounds, last, newest, ids, fields, begin_at)?
            }
        };
        let changes = marks.changes();
        let steps = StepsBySlot::of(marks);
        let begins: Vec<SlotBegin> = changes
            .iter()
            .enumerate()
            .map(|(slot, change)| {
                let around = |cut: &CutRound| cut.around.get(&slot).copied().unwrap_or_default();
                let is_weighted = attached.weighted.contains(&marks.slots()[slot].tpid);
                let (at_begin, at_end) = (around(&begin), around(&end));
                if is_weighted || (at_begin, at_end) == Default::default() {
                    return SlotBegin::default();
                }
                steps.begin_of(slot, marks, *change, at_begin, at_end)
            })
            .collect();
        end.keep_unsure(|slot| begins[slot].unsure_at_end);
        let counted = changes.iter().zip(&begins).zip(marks.slots()).map(|((change, begin), slot)| Counted {
            slot: *slot,
            count: Reading { value: change.hits.saturating_sub(begin.shift), lost: change.lost },
            lost_known: attached.lost_known,
            weighted: attached.weighted.contains(&slot.tpid),
        });
        let counted = counted.collect();
        let shift = |slot: usize| begins[slot].shift;
        let mut ahead = Vec::new();
        let rungs = rungs_at(marks, begin_at, shift);
        if !rungs.is_empty() {
            ahead.push(encode_steps(rungs));
        }
        let mut notes = VecDeque::new();
        for noted in marks.steps() {
            let note = encode_steps(vec![rebased(&noted.step, marks, shift)]);
            if noted.at <= first.start { ahead.push(note) } else { notes.push_back((noted.at, note)) }
        }
        ahead.extend(begin.pieces);
        let lost_before =
            |id: SampleId| oldest.threads.iter().find(|(other, _)| *other == id).map_or(0, |(_, it)| it.lost);
        let threads = newest
            .threads
            .iter()
            .map(|(id, now)| (*id, Reading { lost: now.lost.saturating_sub(lost_before(*id)), ..*now }));
        Ok(Excerpt {
            began: (oldest.time, oldest.wall),
            ended: newest.time,
            counted,
            threads: threads.collect(),
            time_on: since(&oldest.time_on, &newest.time_on),
            own_cpu: newest.own_cpu.saturating_sub(oldest.own_cpu),
            cost: cost_between(marks),
            ahead,
            body: first.end.min(newest.at)..newest.at,
            notes,
            behind: end.pieces,
        })
    }

    /// The number of the first byte that it still needs from the rounds.
    pub fn needs(&self) -> u64 {
        self.body.start
    }

    /// Feeds the next part to a spool, about `most` bytes. Returns whether that was the last one.
    ///
    /// # Errors
    /// Errors of the spool.
    pub fn feed(&mut self, rounds: &LastRounds, spool: &mut Spool, most: usize) -> io::Result<bool> {
        if !self.ahead.is_empty() {
            feed_pieces(std::mem::take(&mut self.ahead), spool)?;
            spool.finish_round()?;
        }
        let mut fed = 0;
        while let Some(end) = rounds.ends(self.body.clone()).next() {
            self.note_until(self.body.start, spool)?;
            let chunk = self.body.start..end.at;
            let length = (chunk.end - chunk.start) as usize;
            spool.append(length, |room| {
                rounds.pieces(chunk).try_for_each(|piece| crate::perf::Room::fill(room, piece))
            })?;
            if end.ends_round {
                spool.finish_round()?;
            }
            self.body.start = end.at;
            fed += length;
            if fed >= most {
                return Ok(false);
            }
        }
        self.note_until(u64::MAX, spool)?;
        if !self.behind.is_empty() {
            feed_pieces(std::mem::take(&mut self.behind), spool)?;
            spool.finish_round()?;
        }
        Ok(true)
    }

    /// Feeds the notes that stand before the byte with this number, or at it.
    fn note_until(&mut self, at: u64, spool: &mut Spool) -> io::Result<()> {
        while self.notes.front().is_some_and(|(before, _)| *before <= at)
            && let Some((_, note)) = self.notes.pop_front()
        {
            feed_pieces(vec![note], spool)?;
        }
        Ok(())
    }
}

fn feed_pieces(pieces: Vec<Vec<u8>>, spool: &mut Spool) -> io::Result<()> {
    pieces.iter().try_for_each(|piece| spool.append(piece.len(), |room| crate::perf::Room::fill(room, piece)))
}

/// The steps between the marks, by slot, with the counters since the oldest mark.
struct StepsBySlot(BTreeMap<usize, Vec<(u64, StepOnCpu)>>);

impl StepsBySlot {
    fn of(marks: &Marks) -> Self {
        let mut steps = BTreeMap::<usize, Vec<(u64, StepOnCpu)>>::new();
        for noted in marks.steps() {
            let RungStep { tpid, one_in, on, .. } = &rebased(&noted.step, marks, |_| 0);
            for on in on {
                let slot = crate::events::Slot { tpid: *tpid, cpu: Some(on.cpu) };
                if let Some(place) = marks.place(slot) {
                    steps.entry(place).or_default().push((*one_in, *on));
                }
            }
        }
        StepsBySlot(steps)
    }

    /// How a slot begins, given its samples around both marks. The samples within the moment of a reading are on the side on which
    /// the account balances best.
    fn begin_of(
        &self,
        slot: usize,
        marks: &Marks,
        change: SlotChange,
        at_begin: AroundMark,
        at_end: AroundMark,
    ) -> SlotBegin {
        let known = marks.thinning(slot).copied().unwrap_or_default();
        let earlier = known.earlier_than(marks.oldest(slot));
        let mut thinning = match earlier {
            Some((one_in, earlier)) => Thinning::begun(one_in, step_at(Cpu::new(0), Ns(0)), earlier),
            None => Thinning::default(),
        };
        for (one_in, on) in self.0.get(&slot).into_iter().flatten() {
            thinning.step(*one_in, *on);
        }
        let most_thinned = thinning.up_to(change.hits, change.hits).most;
        let samples = change.hits.saturating_sub(change.lost).saturating_sub(most_thinned);
        let AroundMark { before, unsure, early } = at_begin;
        let all_unsure = |(first, second): (u64, u64)| first + second;
        let sure = change.samples.saturating_sub(before + all_unsure(unsure)).saturating_add(at_end.before);
        let lacking = samples.saturating_sub(sure);
        // A counter is read in the middle of a read, if the account allows that.
        let unsure_at_end = lacking.saturating_sub(unsure.1).min(all_unsure(at_end.unsure));
        let dropped = early + (lacking - unsure_at_end).min(all_unsure(unsure));
        let shift = match earlier {
            _ if dropped == 0 => 0,
            Some((_, EarlierHits { hits, .. })) => {
                let until = known.hits_until(known.samples_of(hits).saturating_add(dropped));
                until.saturating_sub(hits)
            }
            None => dropped,
        };
        SlotBegin { shift: shift.min(change.hits), unsure_at_end }
    }
}

/// The rungs of the tracepoints that were not recorded hit by hit before, as steps at the begin.
fn rungs_at(marks: &Marks, at: Ns, shift: impl Fn(usize) -> u64) -> Vec<RungStep> {
    let mut rungs = BTreeMap::<(Tpid, u64), RungStep>::new();
    let mut slots: Vec<_> = marks.thinnings().collect();
    slots.sort_by_key(|(slot, _)| *slot);
    for (slot, thinning) in slots {
        let of = marks.slots()[slot];
        if let (Some(cpu), Some((one_in, earlier))) = (of.cpu, thinning.earlier_than(marks.oldest(slot))) {
            let step = rungs.entry((of.tpid, one_in)).or_insert_with(|| RungStep {
                tpid: of.tpid,
                at,
                one_in,
                on: Vec::new(),
                earlier: Vec::new(),
            });
            step.on.push(step_at(cpu, at));
            step.earlier.push(EarlierHits { hits: earlier.hits.saturating_add(shift(slot)), ..earlier });
        }
    }
    rungs.into_values().collect()
}

fn step_at(cpu: Cpu, at: Ns) -> StepOnCpu {
    StepOnCpu { cpu, at, before: 0, after: 0 }
}

/// A step with counters that begin where the excerpt does.
fn rebased(step: &RungStep, marks: &Marks, shift: impl Fn(usize) -> u64) -> RungStep {
    let mut step = step.clone();
    for on in &mut step.on {
        let slot = marks.place(crate::events::Slot { tpid: step.tpid, cpu: Some(on.cpu) });
        let base = slot.map_or(0, |slot| marks.oldest(slot).saturating_add(shift(slot)));
        (on.before, on.after) = (on.before.saturating_sub(base), on.after.saturating_sub(base));
    }
    step
}

/// For each CPU, how much longer its events have been on.
fn since(before: &[(Cpu, Duration)], now: &[(Cpu, Duration)]) -> Vec<(Cpu, Duration)> {
    let earlier = |cpu: Cpu| before.iter().find(|(it, _)| *it == cpu).map_or(Duration::ZERO, |(_, time)| *time);
    now.iter().map(|(cpu, time)| (*cpu, time.saturating_sub(earlier(*cpu)))).collect()
}

/// The cost between the oldest and the newest mark.
fn cost_between(marks: &Marks) -> Option<CostOfRecording> {
    let ((from, before), (to, now)) = (marks.all.front()?.cost?, marks.all.back()?.cost?);
    let length = now - before;
    let part = if length > 0.0 { (to.part * now - from.part * before) / length } else { to.part };
    Some(CostOfRecording {
        part,
        most: marks.all.iter().skip(1).filter_map(|mark| mark.cost).map(|(cost, _)| cost.most).fold(0.0, f64::max),
        windows: to.windows - from.windows,
        over: to.over - from.over,
        over_later: to.over_later - from.over_later,
        steps: to.steps - from.steps,
        detached: to.detached - from.detached,
        ..to
    })
}
