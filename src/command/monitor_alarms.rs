//! The numbers of alarms, whatever raises them.

use crate::alarms::RuleMessage;
use crate::state::FollowMessage;
use std::collections::BTreeMap;

/// Gives each alarm of this process a number, from 1.
#[derive(Debug, Default)]
pub(super) struct AlarmNumbers {
    last: u64,
    /// The alarms that go on, by rule.
    of_rules: BTreeMap<String, u64>,
    /// The alarms of states that go on, by their own numbers.
    of_states: BTreeMap<u64, u64>,
}

impl AlarmNumbers {
    /// The number of the last alarm: how many were raised.
    pub fn raised(&self) -> u64 {
        self.last
    }

    /// How many alarms of states go on.
    pub fn of_states(&self) -> u64 {
        self.of_states.len() as u64
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The number of the alarm that a rule's message is about.
    pub fn of_rule(&mut self, message: &RuleMessage) -> u64 {
        match message {
            RuleMessage::Alarm(alarm) => {
                let number = self.next();
                // A new tracepoint is an alarm without an end.
                if alarm.per_second.is_some() {
                    self.of_rules.insert(alarm.rule.clone(), number);
                }
                number
            }
            RuleMessage::Clear(clear) => self.of_rules.remove(&clear.rule).unwrap_or(self.last),
        }
    }

    /// Puts the number into a message about states.
    pub fn number(&mut self, message: &mut FollowMessage) {
        match message {
            FollowMessage::Alarm(alarm) => {
                let number = self.next();
                self.of_states.insert(alarm.number, number);
                alarm.number = number;
            }
            FollowMessage::AllClear(clear) => {
                clear.number = self.of_states.remove(&clear.number).unwrap_or(self.last);
            }
            FollowMessage::State(_) => {}
        }
    }

    /// Forgets the alarms of states, because the states are read again. Returns their numbers.
    pub fn forget_states(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.of_states).into_values().collect()
    }

    /// Forgets the alarms of other rules than these. Returns the rules with the numbers of their alarms.
    pub fn keep_rules(&mut self, rules: &[String]) -> Vec<(String, u64)> {
        let (kept, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.of_rules).into_iter().partition(|(rule, _)| rules.contains(rule));
        self.of_rules = kept;
        gone.into_iter().collect()
    }
}
