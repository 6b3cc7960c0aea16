"""The counts as arrays of numbers."""

import numpy as np

from tpx.io import read_json, read_zipped
from tpx.process import Failed
from tpx.states.counts import windows_within


class Data:
    """The rounds as sessions of tp-perf and as numbers, and the times of the states."""

    def __init__(self, folder):
        if not (folder / 'sessions.json').exists():
            raise Failed(
                'there is no recording and nothing that was counted: '
                'run record.py first, or see --work'
            )
        self.facts = read_json(folder / 'sessions.json')
        self.sessions = sorted(self.facts['sessions'], key=lambda session: session['started_ns'])
        self.is_known = np.array(['+' not in session['state'] for session in self.sessions])
        all_states = sorted({session['state'] for session in self.sessions})
        self.states = [state for state in all_states if '+' not in state]
        self.mixtures = [state for state in all_states if '+' in state]
        # The number of each session's state, or -1 for a mixture.
        number = {name: index for index, name in enumerate(self.states)}
        self.state_of = np.array([number.get(session['state'], -1) for session in self.sessions])
        self.round_of = np.array([session['round'] for session in self.sessions])
        self.documents = {
            number: read_zipped(folder / f'round-{number}.json.gz') for number in self.rounds
        }
        self.width = self.documents[self.rounds[0]]['window']['ns']
        self.names = sorted(
            {name for document in self.documents.values() for name in document['counts']}
        )
        self.groups = sorted({name.split(':', 1)[0] for name in self.names})
        self.counts = {
            number: self.numbers(document) for number, document in self.documents.items()
        }
        self.lost = {
            number: np.array(document.get('lost', [0] * document['windows']))
            for number, document in self.documents.items()
        }
        self.spans = list(map(self.span, self.sessions))
        self.counters = read_zipped(folder / 'counters.json.gz')

    def span(self, session):
        """The first window of a session in its round, and the one after the last."""
        begin, end = session['from_ns'], session['to_ns']
        first, last = windows_within(self.documents[session['round']], begin, end)
        if (last - first) * self.width < 0.9 * (end - begin) - 2 * self.width:
            raise Failed(f'the recording lacks a part of session {session["name"]}')
        return first, last

    @property
    def rounds(self):
        return sorted(set(self.round_of))

    def numbers(self, document):
        empty = np.zeros(document['windows'], dtype=np.int64)
        return np.array(
            [document['counts'].get(name, empty) for name in self.names], dtype=np.int64
        ).T

    def of_round(self, number, known=True):
        """The indices of its sessions."""
        return [
            index
            for index in np.flatnonzero(self.round_of == number)
            if self.is_known[index] or not known
        ]

    def labels(self, number, begins, length):
        """The session that contains each window of a round completely, or -1 if none does."""
        begins, labels = np.asarray(begins), np.full(len(begins), -1)
        for index in self.of_round(number, known=False):
            its = self.sessions[index]
            labels[(begins >= its['from_ns']) & (begins + length <= its['to_ns'])] = index
        return labels

    def learned_windows(self, index, length):
        """The windows of a session in a library: their counts and their begins."""
        number, (first, last) = self.round_of[index], self.spans[index]
        return self.together(number, first, last, length)

    def round_windows(self, number, length):
        return self.together(number, 0, self.documents[number]['windows'], length)

    def together(self, number, first, last, length):
        each = length // self.width
        windows = (last - first) // each
        rows = self.counts[number][first : first + windows * each]
        begins = (
            self.documents[number]['origin']['begin_ns']
            + (first + each * np.arange(windows)) * self.width
        )
        return rows.reshape(windows, each, -1).sum(axis=1), begins

    def counters_of(self, index, begins, length):
        """The growth of a session's counters in each of these windows.

        A growth belongs to the window in which its 100 ms end.
        """
        its = self.counters['sessions'][self.sessions[index]['name']]
        deltas = np.array(its['deltas'], dtype=np.int64).reshape(len(self.counters['names']), -1).T
        times = np.array(its['times_ns'], dtype=np.int64)
        sums = np.vstack([np.zeros((1, deltas.shape[1]), dtype=np.int64), deltas.cumsum(axis=0)])
        # The time is after the begin of the window, and not after its end.
        first, last = (
            np.searchsorted(times, begins + extra, side='right') for extra in (0, length)
        )
        return sums[last] - sums[first]
