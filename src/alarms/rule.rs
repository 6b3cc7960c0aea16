//! Rules, as users write them.

use crate::text::globs;
use crate::tracefs::{self, Pattern};
use crate::units::parse_duration;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A new tracepoint is no surprise this soon after the start, unless the rule says so.
const USUAL_AFTER: Duration = Duration::from_secs(3_600);

/// A rule that raises an alarm.
#[derive(Debug, Clone)]
pub struct Rule {
    text: String,
    /// The tracepoints that it is about.
    pub patterns: Vec<Pattern>,
    /// When it raises an alarm.
    pub condition: Condition,
}

/// When a rule raises an alarm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Condition {
    /// When the sum of the rates is higher than `rate` for `lasts`.
    Above {
        /// Hits per second.
        rate: f64,
        /// For so long. Zero: in one window.
        lasts: Duration,
    },
    /// When the sum of the rates is lower than `rate` for `lasts`.
    Below {
        /// Hits per second.
        rate: f64,
        /// For so long. Zero: in one window.
        lasts: Duration,
    },
    /// When a tracepoint is hit that was never hit before.
    New {
        /// Not in this time after the start. Until then, tp-perf learns which tracepoints are hit.
        after: Duration,
    },
}

/// The mistake in a rule.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// It has another form.
    #[error(
        "`{rule}` is not a rule; write it as in `kmem:* > 1M/s for 10s`, `net:* < 10/s for 1m` or `new block:* after 10m`"
    )]
    Form {
        /// The rule.
        rule: String,
    },
    /// The rate has another form.
    #[error("`{rate}` is not a rate; write hits per second, minute or hour, as in `500/s`, `1.5M/s` or `10/min`")]
    Rate {
        /// The rate.
        rate: String,
    },
    /// A rate cannot be lower than none.
    #[error("`< {rate}` is never true; write a rate greater than zero, as in `< 10/min`")]
    Never {
        /// The rate.
        rate: String,
    },
    /// The time has another form.
    #[error("`{time}` is not a time: {reason}")]
    Time {
        /// The time.
        time: String,
        /// The mistake.
        reason: String,
    },
    /// Its tracepoints are not watched.
    #[error("`{rule}`: none of its tracepoints is watched; add them with --also, or select them with -t")]
    NotWatched {
        /// The rule.
        rule: String,
    },
    /// The pattern cannot be read.
    #[error(transparent)]
    Pattern(#[from] tracefs::Error),
}

impl FromStr for Rule {
    type Err = RuleError;

    /// Reads `PATTERN > RATE [for TIME]`, `PATTERN < RATE [for TIME]`, or `new [PATTERN] [after TIME]`.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        // Blanks around the sign are not needed.
        let spaced = text.replace('>', " > ").replace('<', " < ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let time =
            |time: &str| parse_duration(time).map_err(|reason| RuleError::Time { time: time.to_owned(), reason });
        let (patterns, condition) = match words[..] {
            ["new"] => ("*:*", Condition::New { after: USUAL_AFTER }),
            ["new", "after", after] => ("*:*", Condition::New { after: time(after)? }),
            ["new", patterns] if patterns != "after" => (patterns, Condition::New { after: USUAL_AFTER }),
            ["new", patterns, "after", after] => (patterns, Condition::New { after: time(after)? }),
            [patterns, sign @ (">" | "<"), rate] => (patterns, limit(sign, rate, Duration::ZERO)?),
            [patterns, sign @ (">" | "<"), rate, "for", lasts] => (patterns, limit(sign, rate, time(lasts)?)?),
            _ => return Err(RuleError::Form { rule: text.to_owned() }),
        };
        let patterns = globs(patterns).map(Pattern::new).collect::<Result<_, _>>()?;
        Ok(Rule { text: words.join(" "), patterns, condition })
    }
}

fn limit(sign: &str, text: &str, lasts: Duration) -> Result<Condition, RuleError> {
    let rate = rate(text).ok_or_else(|| RuleError::Rate { rate: text.to_owned() })?;
    match sign {
        ">" => Ok(Condition::Above { rate, lasts }),
        _ if rate == 0.0 => Err(RuleError::Never { rate: text.to_owned() }),
        _ => Ok(Condition::Below { rate, lasts }),
    }
}

/// `1.5M/s` or `10/min`, in hits per second.
fn rate(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once('/')?;
    let seconds = match unit {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        _ => return None,
    };
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
    let factor = match &number[end..] {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        _ => return None,
    };
    let number: f64 = number[..end].parse().ok()?;
    Some(number * factor / seconds).filter(|rate| rate.is_finite())
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_as_it_is_written() {
        let seconds = Duration::from_secs;
        for (text, shown, condition) in [
            ("kmem:* > 1M/s for 10s", "kmem:* > 1M/s for 10s", Condition::Above { rate: 1e6, lasts: seconds(10) }),
            ("kmem:*>1.5k/s", "kmem:* > 1.5k/s", Condition::Above { rate: 1_500.0, lasts: Duration::ZERO }),
            (
                "net,sock <  30/min for 1m",
                "net,sock < 30/min for 1m",
                Condition::Below { rate: 0.5, lasts: seconds(60) },
            ),
            ("oom > 0/h", "oom > 0/h", Condition::Above { rate: 0.0, lasts: Duration::ZERO }),
            ("new", "new", Condition::New { after: USUAL_AFTER }),
            ("new after 5s", "new after 5s", Condition::New { after: seconds(5) }),
            ("new block:*", "new block:*", Condition::New { after: USUAL_AFTER }),
            ("new block:* after 10m", "new block:* after 10m", Condition::New { after: seconds(600) }),
        ] {
            let rule: Rule = text.parse().unwrap();
            assert_eq!((rule.to_string().as_str(), rule.condition), (shown, condition));
        }
        let rule: Rule = "net,sock:{a,b} > 1/s".parse().unwrap();
        assert_eq!(rule.patterns.iter().map(Pattern::to_string).collect::<Vec<_>>(), ["net", "sock:{a,b}"]);
    }

    #[test]
    fn a_mistake_in_a_rule_is_named_with_its_fix() {
        for (text, said) in [
            ("", "is not a rule"),
            ("kmem:*", "is not a rule"),
            ("kmem:* = 5/s", "is not a rule"),
            ("kmem:* > 5/s for", "is not a rule"),
            ("kmem:* > 5/s during 10s", "is not a rule"),
            ("> 5/s", "is not a rule"),
            ("kmem:* > 5", "as in `500/s`"),
            ("kmem:* > /s", "as in `500/s`"),
            ("kmem:* > -5/s", "as in `500/s`"),
            ("kmem:* > 1.2.3/s", "as in `500/s`"),
            ("kmem:* > inf/s", "as in `500/s`"),
            ("kmem:* > 5X/s", "as in `500/s`"),
            ("kmem:* > 5/day", "as in `500/s`"),
            ("kmem:* < 0/s", "never true"),
            ("kmem:* > 5/s for 10", "`10` is not a time"),
            ("new after 0s", "`0s` is not a time"),
            ("[ > 5/s", "["),
        ] {
            let error = text.parse::<Rule>().unwrap_err().to_string();
            assert!(error.contains(said), "{text:?} gave {error}");
        }
    }
}
