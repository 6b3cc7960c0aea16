"""The windows of a data set as arrays of numbers."""

from dataclasses import dataclass

import numpy as np

from tpx.io import read_zipped
from tpx.states import SECOND
from tpx.states.counts import edges


@dataclass
class Windows:
    """Windows of a second: their counts by tracepoint, and where they come from."""

    counts: np.ndarray
    # Which tracepoint belongs to which group.
    groups: np.ndarray
    # The number of the session, of its state, and of its round.
    session: np.ndarray
    state: np.ndarray
    round: np.ndarray
    # The growth of the counters of /proc, if they were recorded.
    counters: np.ndarray | None = None

    def where(self, chosen):
        """The windows that this mask or these indices choose."""
        counters = None if self.counters is None else self.counters[chosen]
        rows = (its[chosen] for its in (self.session, self.state, self.round))
        return Windows(self.counts[chosen], self.groups, *rows, counters)

    def thinned(self, most):
        """At most so many windows of each session, evenly chosen."""
        chosen = []
        for session in np.unique(self.session):
            its = np.flatnonzero(self.session == session)
            chosen.append(its[:: -(-len(its) // most)])
        return self.where(np.concatenate(chosen))


def windows_of(dataset, counters_file=None):
    """The windows of all sessions of states alone, in the order of `dataset.plain`."""
    names = sorted({name for its in dataset.plain for name in its.counts['counts']})
    all_groups = sorted({name.split(':', 1)[0] for name in names})
    groups = np.array([[name.split(':', 1)[0] == its for its in all_groups] for name in names])
    rows = []
    for its in dataset.plain:
        empty = [0] * its.counts['windows']
        counts = its.counts['counts']
        rows.append(np.array([counts.get(name, empty) for name in names], dtype=float).T)
    lengths = [len(its) for its in rows]

    def repeated(values):
        return np.repeat(list(values), lengths)

    counters = None
    if counters_file is not None and counters_file.exists():
        recorded = read_zipped(counters_file)
        counters = np.concatenate([growth(recorded, its) for its in dataset.plain])
    return Windows(
        np.concatenate(rows),
        groups.astype(float),
        repeated(range(len(rows))),
        repeated(dataset.states.index(its.state) for its in dataset.plain),
        repeated(its.round for its in dataset.plain),
        counters,
    )


def growth(recorded, session):
    """The growth of each counter in each window of a session.

    A growth belongs to the window in which its 100 ms end.
    """
    its = recorded['sessions'][session.name]
    deltas = np.array(its['deltas'], dtype=float).reshape(len(recorded['names']), -1).T
    sums = np.vstack([np.zeros((1, deltas.shape[1])), deltas.cumsum(axis=0)])
    times = np.array(its['times_ns'])
    ends = np.searchsorted(times, edges(session.counts), side='right')
    assert session.counts['window'] == {'ns': SECOND}
    return np.diff(sums[ends], axis=0)
