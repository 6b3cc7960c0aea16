"""Compares the changes that tp-perf finds with the true times of changes."""

from itertools import pairwise

import numpy as np

from tpx.states.draws import figure
from tpx.states.matching import match, nearest

# A reported change within this many windows of a true one is a hit.
NEAR = 2


class Found:
    """By session: whether there is a change to it, whether it was found, and the false changes.

    `kind` is `all`, or `of_state` for the changes at which the reported state changes.
    Changes before the first session of a round, or after the last, are neither right nor wrong.
    """

    def __init__(self, data, said, kind):
        self.data, self.length, self.kind = data, said.length, kind
        self.true, self.hit, self.false = (np.zeros(len(data.sessions)) for _ in range(3))
        # Offsets of the changes that were hit, in windows.
        self.delays = []
        for number, answer in said.answers.items():
            self.add(number, answer['stretches'])

    def add(self, number, stretches):
        """Adds the stretches that tp-perf found in a round."""
        near = NEAR * self.length
        indices = self.data.of_round(number, known=False)
        begins, ends = (
            {index: self.data.sessions[index][key] for index in indices}
            for key in ('from_ns', 'to_ns')
        )
        found = [
            after['begin_ns']
            for before, after in pairwise(stretches)
            if self.kind == 'all' or before['state'] != after['state']
        ]
        between = {b: (ends[a], begins[b]) for a, b in pairwise(indices)}
        offsets, missed = match(found, between, near)
        for at in missed:
            if begins[indices[0]] + near < at < ends[indices[-1]] - near:
                self.false[max(index for index in indices if begins[index] <= at)] += 1
        for index in between:
            self.true[index] = 1
            self.hit[index] = index in offsets
        self.delays += [offset / self.length for offset in nearest(offsets)]

    def false_by_state(self):
        states = np.array([session['state'] for session in self.data.sessions])
        return {
            state: round(float(self.false[states == state].mean()), 2)
            for state in self.data.states + self.data.mixtures
        }

    def results(self, bootstrap):
        true, hit, false = self.true, self.hit, self.false
        return {
            'true': int(true.sum()),
            'hit': int(hit.sum()),
            'false': int(false.sum()),
            'precision': figure(bootstrap.ratio(hit, hit + false)),
            'recall': figure(bootstrap.ratio(hit, true)),
            'f1': figure(bootstrap.ratio(2 * hit, hit + false + true)),
            'median_delay_in_windows': median(self.delays),
            'median_off_in_windows': median(np.abs(self.delays)),
            'inside_a_session': figure(bootstrap.ratio(false, np.ones(len(false)))),
            'inside_by_state': self.false_by_state(),
        }


def changes(data, bootstrap, said):
    return {kind: Found(data, said, kind).results(bootstrap) for kind in ('all', 'of_state')}


def median(values):
    return round(float(np.median(values)), 3) if len(values) else None
