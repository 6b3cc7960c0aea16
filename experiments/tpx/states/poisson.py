"""How many rare events to expect where few were seen."""

from scipy.stats import chi2


def at_most(seen, confidence=0.95):
    """The largest mean of a Poisson distribution with which so few are seen (exact, one-sided)."""
    return chi2.ppf(confidence, 2 * (seen + 1)) / 2
