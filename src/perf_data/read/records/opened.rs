//! Makes the decoder of records from the header of a file.

use super::Records;
use crate::events::merge::Merge;
use crate::events::{Event, Filter, Ns, SampleIds, Tpid};
use crate::memory::{Held, MemoryOf};
use crate::perf_data::read::is_dummy;
use crate::perf_data::read::steps::StepsRead;
use crate::perf_data::read::targets::{SamplesOf, is_one, last_of_each_id};
use crate::perf_data::read::threads::ThreadsRead;
use crate::perf_data::{Described, Error, Header, Layout, Notes};
use crate::tracefs::Table;
use std::collections::HashMap;

/// How many copies of a tracepoint's name the summary has for each sample id of a tracepoint.
const OF_NAME: u64 = 3;

impl Records {
    /// The decoder for a file with this header, and with these records about threads between those of the header.
    pub fn with_threads(header: &Header, threads: &[u8]) -> Result<Self, Error> {
        let mut records = Records::new(header)?;
        match records.decode(threads, &mut Merge::default(), &mut Vec::new()) {
            Ok(_) => Ok(records),
            Err(damaged) => Err(match records.too_much() {
                Some(cause) => cause.into(),
                None => Error::Header { at: 0, reason: records.reason().map_or(damaged.to_string(), str::to_owned) },
            }),
        }
    }

    fn new(header: &Header) -> Result<Self, Error> {
        let (table, unnamed) = header.table()?;
        if table.tracepoints().len() > Event::MOST_TRACEPOINTS {
            return Err(Error::Header { at: 0, reason: "it has too many tracepoints".to_owned() });
        }
        let tpids: HashMap<u64, Tpid> = table.tracepoints().iter().map(|t| (t.tracefs_id, t.tpid)).collect();
        let tracepoints = || header.events.iter().filter(|event| event.attr.is_tracepoint());
        let name = |event: &Described| table.get(tpids[&event.attr.config]).full_name();
        if header.events.is_empty() {
            return Err(Error::NoAttributes);
        }
        let Some(first) = tracepoints().next() else { return Err(Error::NoTracepoints) };
        if let Some(event) = tracepoints().find(|event| event.attr.layout().time.is_none()) {
            return Err(Error::NoTime(name(event)));
        }
        let id_at = first.attr.layout().id;
        let alone = header.events.iter().filter(|event| !is_dummy(event)).count() == 1;
        if let Some(event) = tracepoints().find(|event| event.attr.layout().id != id_at || (id_at.is_none() && !alone))
        {
            return Err(Error::NoId(name(event)));
        }

        let is_own = !header.notes.whole.is_empty();
        let mut records = Records {
            ids: SampleIds::new(&[]),
            samples_of: id_at.map_or(SamplesOf::One(0), SamplesOf::IdAt),
            targets: Vec::new(),
            on_cpu: HashMap::new(),
            attrs: header.events.iter().map(|event| event.attr).collect(),
            trailer: first.attr.trailer(),
            cpus: Vec::new(),
            places: HashMap::new(),
            unknown: 0,
            own: is_own,
            shared: header.events.iter().any(|event| {
                // tp-perf's own dummy events write only records about threads.
                let is_of_threads = is_own && is_dummy(event);
                !event.attr.is_tracepoint() && !is_of_threads
            }),
            lost_unassigned: 0,
            threads_lost: 0,
            within_round: false,
            miscounted: false,
            lost_told: false,
            earliest: Ns::MAX,
            held: Held::nothing(MemoryOf::Ids),
            too_much: None,
            reason: None,
            notes: Notes::default(),
            table: Table::default(),
            unnamed,
            filter: Filter::default(),
            clock_offset: 0,
            count_only: false,
            losses: Vec::new(),
            steps: StepsRead::default(),
            threads: ThreadsRead::default(),
        };
        let mut last_of = last_of_each_id(header, &mut records.held)?;
        let mut ids = Vec::with_capacity(last_of.len());
        records.targets.reserve_exact(last_of.len() + 1);
        let mut itself = None;
        for (number, event) in (0u32..).zip(&header.events) {
            let layout = event.attr.layout();
            let tpid = event.attr.is_tracepoint().then(|| tpids[&event.attr.config]);
            for id in &event.ids {
                if last_of.get(id) != Some(&number) {
                    continue;
                }
                last_of.remove(id);
                let listed = header.cpu(*id);
                // In tp-perf's own files, an id belongs to one CPU, even if its samples also have the CPU for perf.
                let layout = match records.own && listed.is_some() {
                    true => Layout { cpu: None, ..layout },
                    false => layout,
                };
                if let Some(cpu) = listed.filter(|cpu| !is_one(cpu) && layout.cpu.is_none()) {
                    return Err(Error::Header { at: 0, reason: format!("a sample id has the impossible CPU {cpu}") });
                }
                let target = records.target(number, layout, tpid, listed.filter(is_one));
                if let (Some(tpid), true) = (tpid, records.own) {
                    let tracepoint = table.get(tpid);
                    records.held.grow(OF_NAME * (tracepoint.group.len() + tracepoint.name.len()) as u64)?;
                }
                ids.push((*id, ()));
                records.targets.push(target);
            }
            if id_at.is_none() && tpid.is_some() {
                itself = Some(records.target(number, layout, tpid, None));
            }
        }
        if let Some(itself) = itself {
            records.samples_of = SamplesOf::One(records.targets.len());
            records.targets.push(itself);
        }
        records.ids = SampleIds::new(&ids);
        for target in &mut records.targets {
            target.of_interrupts = target.tpid.is_some_and(|tpid| table.get(tpid).is_of_interrupts());
        }
        records.table = table;
        Ok(records)
    }
}
