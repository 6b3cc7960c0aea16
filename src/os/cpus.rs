//! CPU numbers, and lists of them in the kernel's notation: `0-3,7`.

use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::{fmt, fs, io, str::FromStr};

/// The file in which the kernel lists the online CPUs. The list may have gaps.
pub const ONLINE: &str = "/sys/devices/system/cpu/online";

/// An upper bound for CPU numbers, which limits the size of a range that a user types. No kernel supports
/// this many CPUs (`NR_CPUS` is at most 8192 on x86-64).
const MOST: u32 = 65_536;

/// The number of a CPU, from 0. Where the source of an event does not record its CPU, the CPU is `None`.
/// `Option<Cpu>` is as small as `Cpu`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
#[repr(transparent)]
pub struct Cpu(NonZeroU32);

impl Cpu {
    /// Wraps a CPU number.
    ///
    /// # Panics
    /// If the number is `u32::MAX`, which is -1, the kernel's own value for "no CPU".
    #[inline]
    pub const fn new(number: u32) -> Self {
        // Stored plus one, which leaves 0 for `None`.
        Cpu(NonZeroU32::new(number.wrapping_add(1)).expect("u32::MAX is not a CPU number"))
    }

    /// The number as a plain integer.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0.get() - 1
    }
}

impl TryFrom<u32> for Cpu {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, &'static str> {
        if number == u32::MAX { Err("no CPU has this number") } else { Ok(Cpu::new(number)) }
    }
}

impl From<Cpu> for u32 {
    fn from(cpu: Cpu) -> u32 {
        cpu.get()
    }
}

impl fmt::Debug for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cpu({self})")
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// CPU numbers, ascending and without duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CpuList(Vec<Cpu>);

impl CpuList {
    /// The CPUs that are online now, read from [`ONLINE`].
    pub fn online() -> io::Result<Self> {
        let text = fs::read_to_string(ONLINE)?;
        text.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{ONLINE}: {error}")))
    }

    /// The numbers, ascending.
    pub fn as_slice(&self) -> &[Cpu] {
        &self.0
    }

    /// The number of CPUs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The CPUs of this list that are not in `other`.
    pub fn without(&self, other: &CpuList) -> CpuList {
        CpuList(self.0.iter().copied().filter(|cpu| other.0.binary_search(cpu).is_err()).collect())
    }
}

/// `CPU 3`, `CPUs 0-3`.
pub(crate) fn named(cpus: &[Cpu]) -> String {
    let list: CpuList = cpus.iter().copied().collect();
    if cpus.len() == 1 { format!("CPU {list}") } else { format!("CPUs {list}") }
}

/// `CPU 3`, `unknown CPU`.
pub(crate) fn one_named(cpu: Option<Cpu>) -> String {
    cpu.map_or_else(|| "unknown CPU".to_owned(), |cpu| format!("CPU {cpu}"))
}

impl FromIterator<Cpu> for CpuList {
    fn from_iter<T: IntoIterator<Item = Cpu>>(cpus: T) -> Self {
        let mut cpus: Vec<Cpu> = cpus.into_iter().collect();
        cpus.sort_unstable();
        cpus.dedup();
        CpuList(cpus)
    }
}

impl FromStr for CpuList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| {
            digits
                .trim()
                .parse::<u32>()
                .ok()
                .filter(|cpu| *cpu < MOST)
                .ok_or_else(|| format!("`{digits}` is not a CPU number; a list looks like `0-3,7`"))
        };
        let mut cpus = Vec::new();
        for part in text.trim().split(',') {
            match part.split_once('-') {
                None => cpus.push(number(part)?),
                Some((first, last)) => {
                    let (first, last) = (number(first)?, number(last)?);
                    if first > last {
                        return Err(format!("`{part}` runs backwards; write `{last}-{first}`"));
                    }
                    cpus.extend(first..=last);
                }
            }
        }
        Ok(cpus.into_iter().map(Cpu::new).collect())
    }
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_slice();
        let mut separator = "";
        while let [first, ..] = rest {
            let run = rest.iter().zip(first.get()..).take_while(|(cpu, expected)| cpu.get() == *expected).count();
            write!(f, "{separator}{first}")?;
            if run > 1 {
                write!(f, "-{}", rest[run - 1])?;
            }
            rest = &rest[run..];
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cpu_serializes_as_a_bare_number_and_an_option_of_it_is_no_larger() {
        assert_eq!(serde_json::to_string(&[Some(Cpu::new(0)), None, Some(Cpu::new(7))]).unwrap(), "[0,null,7]");
        assert_eq!(serde_json::from_str::<Vec<Cpu>>("[0,7]").unwrap(), [0, 7].map(Cpu::new));
        assert!(serde_json::from_str::<Cpu>("4294967295").is_err());
        assert_eq!(format!("{:>3}", Cpu::new(7)), "  7");
        assert_eq!(size_of::<Option<Cpu>>(), 4);
    }

    #[test]
    fn bad_lists_are_refused_and_the_wrong_part_is_named() {
        for (text, part) in
            [("", "``"), ("a", "`a`"), ("1,", "``"), ("3-1", "`1-3`"), ("0-99999999", "`99999999`"), ("-1", "``")]
        {
            let error = text.parse::<CpuList>().unwrap_err();
            assert!(error.contains(part), "{text:?} gave {error:?}");
        }
    }

    #[test]
    fn lists_with_gaps_and_repeats_are_read() {
        assert_eq!("7,0-2,2\n".parse::<CpuList>().unwrap().as_slice(), [0, 1, 2, 7].map(Cpu::new));
    }

    proptest! {
        #[test]
        fn a_written_list_reads_back(cpus in proptest::collection::btree_set(0u32..300, 1..40)) {
            let list: CpuList = cpus.into_iter().map(Cpu::new).collect();
            prop_assert_eq!(list.to_string().parse::<CpuList>().unwrap(), list);
        }
    }
}
