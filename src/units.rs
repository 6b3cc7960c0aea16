//! Numbers in the form in which people read and type them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime};

/// A point in time, in nanoseconds of a clock: a clock of the kernel, or a clock that starts at the first event. A length of
/// time is a `Duration` or a plain number of nanoseconds, not an `Ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct Ns(pub u64);

impl Ns {
    /// The latest time that a clock can show.
    pub const MAX: Ns = Ns(u64::MAX);

    /// The time this many nanoseconds later; `None` after [`Ns::MAX`].
    #[inline]
    pub fn checked_add(self, nanoseconds: u64) -> Option<Ns> {
        self.0.checked_add(nanoseconds).map(Ns)
    }

    /// The time this many nanoseconds later, at most [`Ns::MAX`].
    #[inline]
    pub fn saturating_add(self, nanoseconds: u64) -> Ns {
        Ns(self.0.saturating_add(nanoseconds))
    }

    /// The time this many nanoseconds earlier, at least 0.
    #[inline]
    pub fn saturating_sub(self, nanoseconds: u64) -> Ns {
        Ns(self.0.saturating_sub(nanoseconds))
    }

    /// The same time on a clock that is this many nanoseconds ahead.
    #[inline]
    pub fn wrapping_add_signed(self, nanoseconds: i64) -> Ns {
        Ns(self.0.wrapping_add_signed(nanoseconds))
    }

    /// Nanoseconds since `earlier`; 0 if `earlier` is later.
    #[inline]
    pub fn since(self, earlier: Ns) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Ns {
    type Output = Ns;

    /// The time this many nanoseconds later. Panics in debug builds after [`Ns::MAX`].
    #[inline]
    fn add(self, nanoseconds: u64) -> Ns {
        Ns(self.0 + nanoseconds)
    }
}

impl Sub for Ns {
    type Output = u64;

    /// Nanoseconds since `earlier`. Panics in debug builds if `earlier` is later.
    #[inline]
    fn sub(self, earlier: Ns) -> u64 {
        self.0 - earlier.0
    }
}

impl fmt::Display for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of bytes, shown in the largest unit that leaves a number of at least 1.
#[derive(Debug, Clone, Copy)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.into_iter().find(|(size, _)| self.0 >= *size) {
            Some((size, unit)) if self.0.is_multiple_of(size) => write!(f, "{} {unit}", self.0 / size),
            Some((size, unit)) => write!(f, "{:.1} {unit}", self.0 as f64 / size as f64),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// A whole number, shown with commas between thousands.
#[derive(Debug, Clone, Copy)]
pub struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() * 4 / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad_integral(true, "", &text)
    }
}

/// A difference, shown with a sign if it is negative.
#[derive(Debug, Clone, Copy)]
pub struct Signed(pub i64);

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "−" } else { "" };
        f.pad(&format!("{sign}{}", Grouped(self.0.unsigned_abs())))
    }
}

/// Events per second, shown with the decimals that matter.
#[derive(Debug, Clone, Copy)]
pub struct Rate(pub f64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            10.0.. => Grouped(self.0.round() as u64).fmt(f),
            1.0.. => f.pad(&format!("{:.1}", self.0)),
            0.01.. => f.pad(&format!("{:.2}", self.0)),
            rate if rate > 0.0 => f.pad("<0.01"),
            _ => f.pad("0"),
        }
    }
}

/// A factor between two rates, such as `12×` or `0.0041×`. A small one keeps two digits, because `0.00×` would hide how small it is.
#[derive(Debug, Clone, Copy)]
pub struct Factor(pub f64);

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0 {
            9.995.. => Grouped(self.0.round() as u64).to_string(),
            0.0995.. => format!("{:.2}", self.0),
            0.00995.. => format!("{:.3}", self.0),
            0.0001.. => format!("{:.4}", self.0),
            times if times > 0.0 => "<0.0001".to_owned(),
            _ => "0".to_owned(),
        };
        f.pad(&format!("{digits}×"))
    }
}

/// A part of a whole, from 0 to 1, shown in percent. A tiny part is shown as `<0.01 %`, not as 0.
#[derive(Debug, Clone, Copy)]
pub struct Share(pub f64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match 100.0 * self.0 {
            percent if percent >= 0.01 => f.pad(&format!("{percent:.2} %")),
            percent if percent > 0.0 => f.pad("<0.01 %"),
            _ => f.pad("0 %"),
        }
    }
}

/// A part as a percentage that the user chose, without needless digits: `0.5%`.
#[derive(Debug, Clone, Copy)]
pub struct Percent(pub f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:.10}", 100.0 * self.0);
        write!(f, "{}%", digits.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A probability with three decimals. One that is smaller is not shown as 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probability(pub f64);

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 < 0.001 {
            true => f.pad("<0.001"),
            false => f.pad(&format!("{:.3}", self.0)),
        }
    }
}

/// A duration in nanoseconds. 64 bits hold 584 years.
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A number of things: `1 event`, `2 events`.
#[derive(Debug, Clone, Copy)]
pub struct Plural(pub u64, pub &'static str);

impl fmt::Display for Plural {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", Grouped(self.0), self.1, if self.0 == 1 { "" } else { "s" })
    }
}

impl Plural {
    /// The verb that fits the number.
    pub fn were(self) -> &'static str {
        if self.0 == 1 { "was" } else { "were" }
    }
}

/// A duration, shown with about three significant digits.
#[derive(Debug, Clone, Copy)]
pub struct Seconds(pub Duration);

/// A time that may last for days: `1.20 s`, `25m`, `2h 13m 5s`.
#[derive(Debug, Clone, Copy)]
pub struct Elapsed(pub Duration);

/// Shorter times are shown in seconds.
const LONG: Duration = Duration::from_secs(100);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            long if long >= LONG => {
                let whole = Duration::from_secs(long.as_secs_f64().round() as u64);
                write!(f, "{}", humantime::format_duration(whole))
            }
            short => Seconds(short).fmt(f),
        }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        match seconds {
            100.0.. => write!(f, "{seconds:.0} s"),
            10.0.. => write!(f, "{seconds:.1} s"),
            1.0.. => write!(f, "{seconds:.2} s"),
            0.001.. => write!(f, "{:.0} ms", seconds * 1e3),
            0.000_001.. => write!(f, "{:.0} µs", seconds * 1e6),
            _ => write!(f, "{:.0} ns", seconds * 1e9),
        }
    }
}

/// Reads a duration with its unit: `500ms`, `10s`, `1m30s`, `2h`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| "write a number and its unit, as in `500ms`, `10s` or `1m30s`".to_owned())?;
    // No machine runs longer. The sum of this duration and a clock does not overflow.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
    match duration {
        Duration::ZERO => Err("it must be greater than zero".to_owned()),
        duration if duration > LONGEST => Err("it is longer than a century".to_owned()),
        duration => Ok(duration),
    }
}

/// A point in the time of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nanoseconds of the recording's clock, as in log.csv.
    At(u64),
    /// This long after its first event.
    After(Duration),
    /// A time of the wall clock, in nanoseconds since 1970 in UTC. Only a history has such times.
    Wall(u64),
}

impl Moment {
    /// The moment on the recording's clock. `first` is the time of its first event.
    pub fn absolute(self, first: Ns) -> Ns {
        match self {
            Moment::At(time) | Moment::Wall(time) => Ns(time),
            Moment::After(duration) => first.saturating_add(nanoseconds(duration)),
        }
    }
}

/// Reads a moment: with a unit, the time since the first event; without one, a timestamp of log.csv in nanoseconds. For a history, a
/// time in UTC, or the time until now.
pub fn parse_moment(text: &str) -> Result<Moment, String> {
    /// The kernel's clocks are past this value before the first program runs. A smaller number is a time without its unit.
    const LEAST_TIMESTAMP: u64 = 1_000_000;
    match text.parse::<u64>() {
        Ok(time) if time == 0 || time >= LEAST_TIMESTAMP => Ok(Moment::At(time)),
        Ok(time) => Err(format!("it has no unit: write `{time}s` for seconds after the first event, or `{time}ms`")),
        Err(_) => match wall_time(text) {
            Some(time) => Ok(Moment::Wall(time)),
            None => humantime::parse_duration(text).map(Moment::After).map_err(|_| {
                "write the time since the first event, as in `500ms` or `2s`, or a timestamp of log.csv; for a history, also \
                 `2026-11-30 14:00` (UTC) or `2h ago`"
                    .to_owned()
            }),
        },
    }
}

/// `2026-11-30`, `2026-11-30 14:00`, `2026-11-30T14:00:05Z`, or `2h ago`, in nanoseconds since 1970.
fn wall_time(text: &str) -> Option<u64> {
    if let Some(ago) = text.strip_suffix("ago") {
        let time = SystemTime::now().checked_sub(humantime::parse_duration(ago.trim()).ok()?)?;
        return time.duration_since(SystemTime::UNIX_EPOCH).ok().map(nanoseconds);
    }
    let with_seconds = match text.len() {
        10 => format!("{text} 00:00:00"),
        16 => format!("{text}:00"),
        _ => text.to_owned(),
    };
    let time = humantime::parse_rfc3339_weak(&with_seconds).ok()?;
    time.duration_since(SystemTime::UNIX_EPOCH).ok().map(nanoseconds)
}

/// Reads a speed: 1 is the pace of the recording, 10 is ten times as fast.
pub fn parse_speed(text: &str) -> Result<f64, String> {
    /// A second of the recording takes eleven days.
    const LEAST: f64 = 1e-6;
    match text.trim_end_matches('x').parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed >= LEAST => Ok(speed),
        Ok(speed) if speed > 0.0 && speed < LEAST => Err(format!("it must be at least {LEAST}")),
        _ => Err("write a number greater than 0, as in `1` or `0.5`".to_owned()),
    }
}

/// Reads a size in bytes, with K, M or G (times 1024) if given: `65536`, `512K`, `8M`, `1GiB`.
pub fn parse_size(text: &str) -> Result<usize, String> {
    let hint = "write bytes, or a number with K, M or G, as in `512K` or `8M`";
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(format!("`{text}` is not a size; {hint}")),
    };
    let number: usize = digits.parse().map_err(|_| format!("`{text}` is not a size; {hint}"))?;
    match number.checked_mul(1 << shift) {
        Some(0) => Err("it must be greater than zero".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err(format!("`{text}` is larger than the address space")),
    }
}

/// Reads a number of events: `100000`, `100_000`, `100k`, `2M`. k, M and G stand for thousands, millions and billions.
pub fn parse_events(text: &str) -> Result<u64, String> {
    let hint = || "write a whole number, as in `100000`, `100k` or `2M`".to_owned();
    let plain = text.replace(['_', ','], "");
    let end = plain.find(|c: char| !c.is_ascii_digit()).unwrap_or(plain.len());
    let (digits, unit) = plain.split_at(end);
    let factor = match unit {
        "" => 1,
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        "g" | "G" => 1_000_000_000,
        _ => return Err(hint()),
    };
    if digits.is_empty() {
        return Err(hint());
    }
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)) {
        Some(0) => Err("it must be at least 1".to_owned()),
        Some(events) => Ok(events),
        None => Err(format!("it is more than {}", u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_percentage_has_the_digits_that_were_typed() {
        let texts = [0.01, 0.05, 1e-9, 0.075, 1.0].map(|part| Percent(part).to_string());
        assert_eq!(texts, ["1%", "5%", "0.0000001%", "7.5%", "100%"]);
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [("4096", 4096), ("512K", 512 << 10), ("8M", 8 << 20), ("8mib", 8 << 20), ("1 G", 1 << 30)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "-1", "8X", "1.5M", "0", "99999999999999999999", "99999999999G", "8M8"] {
            assert!(parse_size(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_small_factor_keeps_its_digits() {
        let shown =
            [12_345.0, 9.999, 3.5, 1.0, 0.14, 0.041, 0.004_12, 0.000_3, 0.000_03, 0.0].map(|by| Factor(by).to_string());
        assert_eq!(
            shown,
            ["12,345×", "10×", "3.50×", "1.00×", "0.14×", "0.041×", "0.0041×", "0.0003×", "<0.0001×", "0×"]
        );
    }

    #[test]
    fn durations_need_a_unit_and_a_value() {
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        for text in ["", "10", "0s", "-1s", "10 parsecs", "1000000y", "999999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_moment_is_a_timestamp_or_a_time_since_the_first_event() {
        assert_eq!(parse_moment("5882303738116").map(|moment| moment.absolute(Ns(7))), Ok(Ns(5_882_303_738_116)));
        assert_eq!(parse_moment("1500ms").map(|moment| moment.absolute(Ns(7))), Ok(Ns(1_500_000_007)));
        assert_eq!(parse_moment("0s").map(|moment| moment.absolute(Ns::MAX)), Ok(Ns::MAX));
        for text in ["soon", "-1", "2", "999999", "1.5", "2026-11-31", "2026-11-30 25:00", "ago", "yesterday"] {
            assert!(parse_moment(text).is_err(), "{text}");
        }
        for text in ["2026-11-30 14:00", "2026-11-30T14:00:00Z", "2026-11-30 14:00:00"] {
            assert_eq!(parse_moment(text), Ok(Moment::Wall(1_796_047_200_000_000_000)), "{text}");
        }
        assert_eq!(parse_moment("1970-01-02"), Ok(Moment::Wall(86_400_000_000_000)));
        assert!(matches!(parse_moment("2h ago"), Ok(Moment::Wall(_))));
    }

    #[test]
    fn a_speed_is_a_number_greater_than_zero() {
        assert_eq!((parse_speed("1"), parse_speed("0.5x")), (Ok(1.0), Ok(0.5)));
        for text in ["", "0", "-1", "NaN", "inf", "fast"] {
            assert!(parse_speed(text).unwrap_err().contains("greater than 0"), "{text:?}");
        }
        assert_eq!(parse_speed("0.000001"), Ok(1e-6));
        for text in ["1e-9", "0.00000099", "1e-320"] {
            assert_eq!(parse_speed(text), Err("it must be at least 0.000001".to_owned()));
        }
    }

    #[test]
    fn event_counts_are_whole_and_at_least_one() {
        assert_eq!(parse_events("100_000"), Ok(100_000));
        assert_eq!(parse_events("18446744073709551615"), Ok(u64::MAX));
        for (text, events) in
            [("10k", 10_000), ("10K", 10_000), ("2M", 2_000_000), ("1_0m", 10_000_000), ("1G", 1_000_000_000)]
        {
            assert_eq!(parse_events(text), Ok(events), "{text}");
        }
        for text in
            ["", "_", "0", "0k", "k", "-1", "1e5", "1.5k", "10kk", "18446744073709551616", "99999999999999999G", "ten"]
        {
            assert!(parse_events(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!(Grouped(1_234_567).to_string(), "1,234,567");
        assert_eq!(format!("{:>9}", Grouped(999)), "      999");
        assert_eq!(
            [1234.5, 9.96, 0.5, 0.001, 0.0].map(|rate| Rate(rate).to_string()),
            ["1,235", "10.0", "0.50", "<0.01", "0"]
        );
        assert_eq!([0.5, 0.00001, 0.0].map(|share| Share(share).to_string()), ["50.00 %", "<0.01 %", "0 %"]);
        assert_eq!(Signed(-1_234).to_string(), "−1,234");
        assert_eq!([1, 2_000].map(|n| Plural(n, "event").to_string()), ["1 event", "2,000 events"]);
        assert_eq!([1, 2_000].map(|n| Plural(n, "event").were()), ["was", "were"]);
        assert_eq!(Bytes(8 << 20).to_string(), "8 MiB");
        assert_eq!(Bytes(1536).to_string(), "1.5 KiB");
        assert_eq!(Seconds(Duration::from_micros(1_234_567)).to_string(), "1.23 s");
        assert_eq!(Seconds(Duration::from_micros(2_500)).to_string(), "2 ms");
        assert_eq!(Seconds(Duration::from_nanos(7)).to_string(), "7 ns");
    }
}
