//! Alarms by rule, and the command that an alarm runs.
//!
//! ```text
//!  tick ──> hits of a window ──> each rule ──> alarm, all clear ──> a line of JSON, a metric, a recording, COMMAND
//! ```
//!
//! The alarms that compare this machine with learned states are in `state::follow`.

mod hook;
mod rule;
mod watch;

pub use hook::{AlarmHook, HookEnd, HookReport};
pub use rule::{Condition, Rule, RuleError};
pub use watch::{HitTracepoint, RuleAlarm, RuleClear, RuleMessage, RuleWatch};
