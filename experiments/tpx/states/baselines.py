"""Other methods on the same windows, with the same libraries of all other rounds.

A stretch is a whole session, and its score is the mean of those of its windows. A window's score is
the mean of those of five windows, because tp-perf also judges five windows together."""

from collections import Counter

import numpy as np

from tpx.progress import say
from tpx.states.arrays import windows_of
from tpx.states.methods import LEARNED_WINDOWS, METHODS
from tpx.states.sizes import LEAST_ROUNDS
from tpx.states.thresholds import (
    REJECTED,
    known_verdicts,
    limit,
    never_verdicts,
    rows_without,
)
from tpx.states.verdicts import UNITS

# A limit comes from at most so many rounds of the library, each left out.
LEFT_OUT_ROUNDS = 4
# Windows before and behind that are judged with a window.
AROUND = 2


class Scored:
    """The scores of some sessions, by unit: rows by state, and the true states."""

    def __init__(self):
        self.rows = {unit: [] for unit in UNITS}
        self.truths = {unit: [] for unit in UNITS}

    def add_all(self, windows, scores):
        """Adds the scores of these windows."""
        for session in np.unique(windows.session):
            its = windows.session == session
            state = int(windows.state[its][0])
            self.add('stretches', [scores[its].mean(axis=0)], state)
            self.add('windows', smoothed(scores[its]), state)

    def add(self, unit, rows, state):
        self.rows[unit] += [list(map(float, row)) for row in rows]
        self.truths[unit] += [state] * len(rows)

    def of(self, unit, state):
        """The rows whose true state this is."""
        pairs = zip(self.rows[unit], self.truths[unit], strict=True)
        return [row for row, truth in pairs if truth == state]

    def least_without(self, unit, state):
        """The least scores of the rows of all other states, without this one."""
        pairs = zip(self.rows[unit], self.truths[unit], strict=True)
        others = [row for row, truth in pairs if truth != state]
        return [min(row) for row in rows_without(others, state)]


def smoothed(rows):
    """The mean of each row and the rows around it."""
    return [rows[max(0, at - AROUND) : at + AROUND + 1].mean(axis=0) for at in range(len(rows))]


class Results:
    """The verdicts of one method."""

    def __init__(self):
        self.known, self.never = ({unit: Counter() for unit in UNITS} for _ in range(2))
        self.nearest = Counter()

    def as_dict(self):
        def of(counted):
            return {'of': counted.total(), 'verdicts': dict(counted)}

        known = {u: {**of(self.known[u]), 'nearest': self.nearest[u]} for u in UNITS}
        return {'known': known, 'never': {unit: of(self.never[unit]) for unit in UNITS}}


def scored(method, pairs, states):
    """The scores of sources, each with its library."""
    found = Scored()
    for learned, source in pairs:
        some = learned.thinned(LEARNED_WINDOWS) if method.is_thinned else learned
        rows, source_rows = method.rows(some, source)
        found.add_all(source, method.scores(rows, some.state, source_rows, states))
    return found


def measure(method, windows, states):
    """The results of one method. Each round is compared with a library of all others."""
    results, rounds = Results(), sorted(set(windows.round.tolist()))
    for place, number in enumerate(rounds):
        others = rounds[place + 1 :] + rounds[:place]
        library, source = apart(windows, windows.round == number)
        left_out = [apart(library, library.round == its) for its in others[:LEFT_OUT_ROUNDS]]
        left_out = scored(method, left_out, states)
        own = scored(method, [(library, source)], states)
        for unit in UNITS:
            most = limit([min(row) for row in left_out.rows[unit]])
            found, nearest = known_verdicts(own.rows[unit], own.truths[unit], most)
            results.known[unit].update(found)
            results.nearest[unit] += nearest
        for state in range(states):
            never = own
            if not method.is_separable:
                its_source = source.where(source.state == state)
                without = library.where(library.state != state)
                never = scored(method, [(without, its_source)], states)
            for unit in UNITS:
                most = limit(left_out.least_without(unit, state))
                rows = rows_without(never.of(unit, state), state)
                results.never[unit].update(never_verdicts(rows, most))
    return results.as_dict()


def apart(windows, is_source):
    """The other windows, and these."""
    return windows.where(~is_source), windows.where(is_source)


def baselines(dataset, counters_file=None):
    """By method, its verdicts."""
    rounds = len(dataset.rounds) if dataset else 0
    if rounds < LEAST_ROUNDS:
        return {'missing': f'needs {LEAST_ROUNDS} rounds, there are {rounds}', 'methods': {}}
    windows = windows_of(dataset, counters_file)
    found = {}
    for method in METHODS:
        if method.needs_counters and windows.counters is None:
            continue
        say(f'{dataset.title}: {method.name}')
        found[method.name] = measure(method, windows, len(dataset.states))
    return {'missing': None, 'rejected': REJECTED, 'methods': found}
