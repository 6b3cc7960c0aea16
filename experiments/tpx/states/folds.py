"""The windows of one round, and those of the library of all others, as rows of numbers."""

import numpy as np
from sklearn.svm import LinearSVC


def roots(counts):
    """Roots of shares. Their Euclidean distance is Hellinger's times the root of two.

    A separate column marks empty windows, so they are similar only to each other.
    """
    all_ = counts.sum(axis=1, keepdims=True)
    return np.hstack([np.sqrt(counts / np.maximum(all_, 1)), all_ == 0])


def lengths_of_one(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


class Fold:
    """The windows of one round, and those of the library of all others.

    `rate` and the methods after it return the rows of the windows learned and of the round.
    """

    def __init__(self, data, number, length):
        self.data = data
        counts, begins = data.round_windows(number, length)
        labels = data.labels(number, begins, length)
        self.sessions = labels[labels >= 0]
        known = data.is_known[self.sessions]
        self.sessions = self.sessions[known]
        self.test, begins = counts[labels >= 0][known], begins[labels >= 0][known]
        self.learned = [
            index for index in np.flatnonzero(data.is_known) if data.round_of[index] != number
        ]
        parts = [data.learned_windows(index, length) for index in self.learned]
        self.train = np.concatenate([rows for rows, _ in parts])
        # The indices after the last window of each learned session.
        self.ends = np.cumsum([len(rows) for rows, _ in parts])
        self.train_labels = np.repeat(data.state_of[self.learned], [len(rows) for rows, _ in parts])
        self.train_counters = np.concatenate(
            [
                data.counters_of(index, its, length)
                for index, (_, its) in zip(self.learned, parts, strict=True)
            ]
        )
        self.test_counters = np.zeros(
            (len(self.test), self.train_counters.shape[1]), dtype=np.int64
        )
        for index in np.unique(self.sessions):
            its = self.sessions == index
            self.test_counters[its] = data.counters_of(index, begins[its], length)

    def rate(self):
        return [
            np.log(np.maximum(its.sum(axis=1, keepdims=True), 1)) for its in (self.train, self.test)
        ]

    def group_shares(self):
        number = {name: index for index, name in enumerate(self.data.groups)}
        group_of = np.zeros((len(self.data.names), len(number)), dtype=np.int64)
        for row, name in enumerate(self.data.names):
            group_of[row, number[name.split(':', 1)[0]]] = 1
        return [roots(its @ group_of) for its in (self.train, self.test)]

    def proc_counters(self):
        # Some counters are not cumulative, and also decrease.
        train, test = (
            np.sign(its) * np.log1p(np.abs(its))
            for its in (self.train_counters, self.test_counters)
        )
        mean, spread = train.mean(axis=0), train.std(axis=0)
        spread[spread == 0] = 1
        return [(train - mean) / spread, (test - mean) / spread]

    def tf_idf(self, is_learned=None):
        train = self.train if is_learned is None else self.train[is_learned]
        windows_with = (train > 0).sum(axis=0)
        idf = np.where(windows_with > 0, np.log(len(train) / np.maximum(windows_with, 1)), 0)
        return [
            lengths_of_one(its / np.maximum(its.sum(axis=1, keepdims=True), 1) * idf)
            for its in (train, self.test)
        ]

    def all_roots(self):
        return [roots(its) for its in (self.train, self.test)]

    def to_sessions(self, train, test):
        """For each window of the round, the least distance from each learned session."""
        starts = np.concatenate([[0], self.ends[:-1]])
        has_windows = np.diff(np.concatenate([starts, self.ends[-1:]])) > 0
        least = np.full((len(test), len(self.ends)), np.inf)
        squares = (train**2).sum(axis=1)
        # Work in pieces, because there may be a hundred million distances.
        for begin in range(0, len(test), 500):
            part = test[begin : begin + 500]
            squared = (part**2).sum(axis=1, keepdims=True) + squares - 2 * part @ train.T
            nearest = np.minimum.reduceat(squared, starts[has_windows], axis=1)
            least[begin : begin + 500, has_windows] = np.sqrt(np.maximum(nearest, 0))
        return least

    def to_states(self, by_session, labels=None):
        """The least distance to each state, whose sessions have these labels."""
        labels = self.data.state_of[self.learned] if labels is None else labels
        return np.stack(
            [
                by_session[:, labels == state].min(axis=1, initial=np.inf)
                for state in range(len(self.data.states))
            ],
            axis=1,
        )

    def to_centroids(self, train, test):
        means = [
            train[self.train_labels == state].mean(axis=0) for state in range(len(self.data.states))
        ]
        return np.stack([np.linalg.norm(test - mean, axis=1) for mean in means], axis=1)

    def svm(self, left_out=None):
        """The evidence for each state in each window of the round; -inf for a removed state."""
        is_learned = self.train_labels != left_out
        train, test = self.tf_idf(is_learned)
        machine = LinearSVC(dual=False, random_state=0).fit(train, self.train_labels[is_learned])
        values = np.full((len(test), len(self.data.states)), -np.inf)
        decided = machine.decision_function(test)
        # With two states there is one value, which is for the second.
        values[:, machine.classes_] = (
            decided if decided.ndim == 2 else np.stack([-decided, decided], axis=1)
        )
        return values
