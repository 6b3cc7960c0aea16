//! The losses and the counters in records, and all counts of a stream.

use super::{MOST_HITS, Records};
use crate::events::merge::Merge;
use crate::events::stream::{Decoded, DecodedCpu, Loss};
use crate::events::{Counted, MoreHits, Ns, Reading, SampleId};
use crate::perf_data::read::targets::is_one;
use crate::perf_data::record::Record;
use byteorder::{ByteOrder, NativeEndian};

impl Records {
    /// Takes a LOST record: losses of a ring. The kernel writes it once a later record finds room.
    pub(super) fn lost(&mut self, id: SampleId, lost: u64, record: Record<'_>, merge: &Merge) {
        let target = self.ids.find(id).map(|index| &self.targets[index]);
        if self.own && target.is_some_and(|target| target.tpid.is_none()) {
            self.threads_lost = self.threads_lost.saturating_add(lost);
            return;
        }
        let listed = target.and_then(|target| target.listed_cpu);
        let told = || self.trailer.cpu(record.bytes).filter(is_one);
        let place = self.cpu(listed.or_else(told));
        let cpu = &mut self.cpus[place as usize];
        if !cpu.wanted {
            return;
        }
        if self.shared {
            self.lost_unassigned = self.lost_unassigned.saturating_add(lost);
            return;
        }
        cpu.lost = cpu.lost.saturating_add(lost);
        let from = cpu.queue.map_or(Ns(0), |queue| merge.newest(queue)).max(cpu.passed);
        let to = self.trailer.time(record.bytes).map(|time| time.wrapping_add_signed(self.clock_offset));
        let to = to.unwrap_or(from).max(from);
        // Without an earlier sample, the start of the loss is unknown.
        self.losses.push(Loss { cpu: cpu.cpu, lost, from: if from == Ns(0) { to } else { from }, to });
    }

    /// Takes a LOST_SAMPLES record: all losses of one event, which perf 6.1 and later reads at the end. LOST
    /// records count the same losses per ring. `None` if that takes too much memory.
    pub(super) fn lost_samples(&mut self, record: Record<'_>) -> Option<()> {
        /// The flag for samples that a BPF program filtered out, which is not a loss
        /// (`PERF_RECORD_MISC_LOST_SAMPLES_BPF`).
        const LEFT_OUT: u16 = 1 << 15;
        if NativeEndian::read_u16(&record.bytes[4..]) & LEFT_OUT != 0 {
            return Some(());
        }
        let index = self.trailer.id(record.bytes).and_then(|id| self.ids.find(id));
        let (Some(mut index), Some(lost)) = (index, record.word(8)) else { return Some(()) };
        let target = &self.targets[index];
        // The kernel itself writes this record too, for samples that the hardware drops. Such a record does not
        // mean that the file has the losses of all events.
        self.lost_told |= target.tpid.is_some() || self.attrs[target.event as usize].lost_known();
        let Some(tpid) = target.tpid else { return Some(()) };
        if self.targets[index].place.is_none() {
            let told = || self.trailer.cpu(record.bytes).filter(is_one);
            let cpu = self.targets[index].listed_cpu.or_else(told);
            (index, _) = self.target_of(index, tpid, cpu)?;
        }
        let target = &mut self.targets[index];
        target.lost = target.lost.saturating_add(lost);
        Some(())
    }

    /// Takes a READ record: the kernel's counter of one event.
    pub(super) fn counter(&mut self, record: Record<'_>) {
        let Some(index) = self.trailer.id(record.bytes).and_then(|id| self.ids.find(id)) else { return };
        let target = &mut self.targets[index];
        let attr = &self.attrs[target.event as usize];
        let is_weighted = target.tpid.is_some_and(|tpid| self.table.get(tpid).is_weighted());
        self.miscounted |= target.count.is_some();
        target.count = attr.count(record.bytes.get(16..).unwrap_or_default());
        let is_impossible = |count: &Reading| count.lost > MOST_HITS || (count.value > MOST_HITS && !is_weighted);
        self.miscounted |= target.count.as_ref().is_some_and(is_impossible);
    }

    /// The kernel's counters. `None` if an event has no counter, because the file then ended among the
    /// counters, if an event has several, or if a counter is impossible.
    fn counted(&self) -> Option<Vec<Counted>> {
        let mut counted = Vec::new();
        for target in &self.targets {
            let Some(slot) = target.slot() else { continue };
            let count = target.count.filter(|_| !self.miscounted)?;
            if target.wanted {
                let weighted = self.table.get(slot.tpid).is_weighted();
                let lost_known = self.attrs[target.event as usize].lost_known();
                counted.push(Counted { slot, count, lost_known, weighted });
            }
        }
        Some(counted)
    }

    /// Records about threads that were lost. A LOST record of the last losses may be missing, but the counters have them.
    fn threads_lost(&self) -> u64 {
        let of_threads = self.targets.iter().filter(|target| self.own && target.tpid.is_none());
        self.threads_lost.max(of_threads.filter_map(|target| Some(target.count?.lost)).fold(0, u64::saturating_add))
    }

    /// The counts so far. The steps move into them.
    pub fn decoded(&mut self, merge: &Merge) -> Decoded {
        let steps = std::mem::take(&mut self.steps.all);
        // A target without a place has no samples of its own: they are in the targets per CPU.
        let real = || {
            let real = self.targets.iter().filter(|target| target.wanted && target.place.is_some());
            real.filter_map(|target| Some((target.slot()?, target)))
        };
        let mut per_cpu: Vec<DecodedCpu> = self
            .cpus
            .iter()
            .filter(|cpu| cpu.wanted)
            .map(|cpu| DecodedCpu {
                cpu: cpu.cpu,
                lost: cpu.lost,
                late: cpu.queue.map_or(0, |queue| merge.late(queue)),
            })
            .collect();
        per_cpu.sort_by_key(|cpu| cpu.cpu);
        Decoded {
            samples: real().map(|(slot, target)| (slot, target.samples)).collect(),
            per_cpu,
            unknown: self.unknown,
            counted: self.counted(),
            lost: self.lost_told.then(|| real().map(|(slot, target)| (slot, target.lost)).collect()),
            lost_unassigned: if self.lost_told { 0 } else { self.lost_unassigned },
            threads_lost: self.threads_lost(),
            more_hits: self.steps.more_hits.as_ref().map(MoreHits::all).unwrap_or_default(),
            steps,
        }
    }
}
