"""Limits for the answer unknown, and the verdicts of methods that have such a limit."""

import math
from collections import Counter

from tpx.states.verdicts import RIGHT, UNKNOWN, WRONG

# This part of known stretches is rejected in the library.
REJECTED = 0.05


def limit(scores, rejected=REJECTED):
    """The score that at most this part of the scores exceeds. Large scores are far away."""
    ordered = sorted(scores)
    return ordered[math.ceil((1 - rejected) * len(ordered)) - 1]


def rows_without(rows, state):
    """The scores by state, without one of the states."""
    return [[score for its, score in enumerate(row) if its != state] for row in rows]


def named(row, most):
    """The state that a row of scores names, and whether it is within the limit."""
    state = min(range(len(row)), key=row.__getitem__)
    return state, row[state] <= most


def known_verdicts(rows, truths, most):
    """What a method names for rows of scores whose true states these are."""
    found, nearest = Counter(), 0
    for row, truth in zip(rows, truths, strict=True):
        state, is_near = named(row, most)
        nearest += state == truth
        found[(RIGHT if state == truth else WRONG) if is_near else UNKNOWN] += 1
    return found, nearest


def never_verdicts(rows, most):
    """What a method names for rows of scores, none of which is for the true state."""
    return Counter(WRONG if named(row, most)[1] else UNKNOWN for row in rows)
