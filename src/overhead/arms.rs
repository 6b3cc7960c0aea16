//! The arms of a measurement: COMMAND runs under each of them, and the runs are compared.

use clap::ValueEnum;
use serde::{Serialize, Serializer};
use std::fmt;

/// A way of watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Record each hit, as `tp-perf record` does
    Record,
    /// Record within a budget, as `tp-perf record --budget` does
    RecordBudget,
    /// Count the hits in windows of a second, as `tp-perf count` does
    Count,
    /// Count within a budget, as `tp-perf count --budget` does
    Budget,
}

/// What is attached and what is on while COMMAND runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    /// tp-perf has attached nothing.
    Nothing,
    /// All ways of the measurement are attached, and their events are off.
    Off,
    /// The same, but the events of this way are on.
    On(Way),
}

impl Way {
    /// Whether it counts, and records nothing.
    pub fn counts(self) -> bool {
        matches!(self, Way::Count | Way::Budget)
    }

    /// Its name, as in `--ways`.
    pub fn name(self) -> &'static str {
        match self {
            Way::Record => "record",
            Way::RecordBudget => "record-budget",
            Way::Count => "count",
            Way::Budget => "budget",
        }
    }
}

impl Arm {
    /// Its name, in one word.
    pub fn name(self) -> &'static str {
        match self {
            Arm::Nothing => "nothing",
            Arm::Off => "off",
            Arm::On(way) => way.name(),
        }
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Arm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_has_one_name_everywhere() {
        for way in Way::value_variants() {
            assert_eq!(way.to_possible_value().unwrap().get_name(), way.name());
            for json in [serde_json::to_value(way), serde_json::to_value(Arm::On(*way))] {
                assert_eq!(json.unwrap(), way.name());
            }
        }
    }
}
