//! A budget: a part of the time of all CPUs.

/// A budget, or none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BudgetArg(pub Option<f64>);

/// `1%`, `0.5%`, or `none`.
pub(super) fn parse_budget(text: &str) -> Result<BudgetArg, String> {
    match text {
        "none" => Ok(BudgetArg(None)),
        part => parse_part(part).map(|part| BudgetArg(Some(part))),
    }
}

/// `1%` or `0.5%`, as a number between 0 and 1.
pub(super) fn parse_part(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match percent {
        Some(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        Some(_) => Err("it must be more than 0% and at most 100% of all CPUs' time".to_owned()),
        None => Err("write a part of all CPUs' time, as in `1%` or `0.5%`".to_owned()),
    }
}
