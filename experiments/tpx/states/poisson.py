"""An upper bound for the rate of rare events."""

from scipy.stats import chi2


def at_most(seen, confidence=0.95):
    """The upper confidence bound of a Poisson mean, after `seen` events (exact, one-sided)."""
    return chi2.ppf(confidence, 2 * (seen + 1)) / 2
