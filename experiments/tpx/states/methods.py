"""Other methods: how far windows are from the states of a library. A small score is near.

Each method gets the rows of the library, their states, and the rows of a source, and returns the
scores of the source's windows by state. A state that the library does not have is infinitely far
away."""

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.svm import LinearSVC, OneClassSVM

TREES = 50
# The SVM and the models of single states learn at most so many windows of a session, evenly chosen.
LEARNED_WINDOWS = 12


@dataclass(frozen=True)
class Method:
    """A way to score windows.

    `rows` makes the rows from `Windows`, with those of the library first. If the score of one state
    does not depend on the other states, `is_separable` is true: a state can be left out without
    learning again.
    """

    name: str
    rows: object
    scores: object
    is_separable: bool = True
    is_thinned: bool = False
    needs_counters: bool = False


def shares(counts):
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def roots(counts):
    """Roots of shares. Their Euclidean distance is Hellinger's times the root of two."""
    return np.sqrt(shares(counts))


def logarithms(values):
    """Some counters of /proc also decrease."""
    return np.sign(values) * np.log1p(np.abs(values))


def standardised(learned, source):
    mean, spread = learned.mean(axis=0), learned.std(axis=0)
    spread[spread == 0] = 1
    return (learned - mean) / spread, (source - mean) / spread


def total_rate(learned, source):
    return [np.log1p(its.counts.sum(axis=1, keepdims=True)) for its in (learned, source)]


def group_shares(learned, source):
    return [roots(its.counts @ its.groups) for its in (learned, source)]


def hellinger(learned, source):
    return [roots(its.counts) for its in (learned, source)]


def proc_counters(learned, source):
    return standardised(*(logarithms(its.counters) for its in (learned, source)))


def log_counts(learned, source):
    return standardised(*(logarithms(its.counts) for its in (learned, source)))


def tf_idf(learned, source):
    """Shares times the logarithm of the rarity of a tracepoint, as vectors of length one."""
    windows_with = (learned.counts > 0).sum(axis=0)
    rarity = np.log(len(learned.counts) / np.maximum(windows_with, 1))
    idf = np.where(windows_with > 0, rarity, 0)
    rows = [shares(its.counts) * idf for its in (learned, source)]
    return [its / np.maximum(np.linalg.norm(its, axis=1, keepdims=True), 1e-12) for its in rows]


def by_state(learned, labels, source, states, score):
    """The scores of a function of the rows of one state and the rows of the source."""
    found = np.full((len(source), states), np.inf)
    for state in np.unique(labels):
        found[:, state] = score(learned[labels == state], source)
    return found


def least_distance(learned, source):
    """The distance from the nearest row."""
    squares = (learned**2).sum(axis=1) + (source**2).sum(axis=1, keepdims=True)
    return np.sqrt(np.maximum((squares - 2 * source @ learned.T).min(axis=1), 0))


def from_centroid(learned, source):
    return np.linalg.norm(source - learned.mean(axis=0), axis=1)


def forest(learned, source):
    machine = IsolationForest(n_estimators=TREES, random_state=0).fit(learned)
    return -machine.score_samples(source)


def one_class(learned, source):
    machine = OneClassSVM(nu=0.05, gamma='scale').fit(learned)
    return -machine.decision_function(source)


def of_each_state(score):
    """A method whose score of a state needs only the rows of that state."""
    return lambda learned, labels, source, states: by_state(learned, labels, source, states, score)


def linear_svm(learned, labels, source, states):
    machine = LinearSVC(dual=False, random_state=0).fit(learned, labels)
    decided = machine.decision_function(source)
    # With two states there is one value, which is for the second.
    if decided.ndim == 1:
        decided = np.stack([-decided, decided], axis=1)
    found = np.full((len(source), states), np.inf)
    found[:, machine.classes_] = -decided
    return found


METHODS = [
    Method('total rate, nearest window', total_rate, of_each_state(least_distance)),
    Method('shares of groups, nearest window', group_shares, of_each_state(least_distance)),
    Method(
        '/proc counters, nearest window',
        proc_counters,
        of_each_state(least_distance),
        needs_counters=True,
    ),
    Method('tf-idf, cosine, nearest window', tf_idf, of_each_state(least_distance)),
    Method('Hellinger, centroids', hellinger, of_each_state(from_centroid)),
    Method('tf-idf, linear SVM', tf_idf, linear_svm, is_separable=False, is_thinned=True),
    Method('isolation forest of each state', log_counts, of_each_state(forest), is_thinned=True),
    Method('one-class SVM of each state', log_counts, of_each_state(one_class), is_thinned=True),
]
