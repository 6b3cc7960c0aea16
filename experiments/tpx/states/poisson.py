"""An upper bound for the rate of rare events."""

import math


def at_most(seen, confidence=0.95):
    """The upper confidence bound of a Poisson mean, after `seen` events (exact, one-sided)."""
    low, high = 0.0, 10.0 * (seen + 10)
    for _ in range(100):
        middle = (low + high) / 2
        if so_few(seen, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def so_few(seen, mean):
    """The probability of at most so many events."""
    term = total = math.exp(-mean)
    for number in range(1, seen + 1):
        term *= mean / number
        total += term
    return total
