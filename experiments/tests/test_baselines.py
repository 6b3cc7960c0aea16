"""The baselines, which need numpy and scikit-learn."""

import sys
import unittest

try:
    import numpy as np
    import sklearn.svm  # noqa: F401
except ImportError as error:
    text = 'needs numpy and scikit-learn (python3-sklearn)'
    print(f'skipped: {text}: the baselines of the states', file=sys.stderr)
    raise unittest.SkipTest(text) from error

from tpx.states import SECOND
from tpx.states.arrays import Windows, growth
from tpx.states.baselines import Scored, measure, smoothed
from tpx.states.methods import METHODS, from_centroid, least_distance, roots, tf_idf
from tpx.states.sessions import Session

BY_NAME = {method.name: method for method in METHODS}


def windows_of(rates, rounds=4, each=12, seed=1):
    """Windows of states with these rates, a session of each state in each round."""
    chance = np.random.default_rng(seed)
    counts, session, state, round_ = [], [], [], []
    for number in range(rounds):
        for its, means in enumerate(rates):
            counts.append(chance.poisson(means, size=(each, len(means))))
            session += [number * len(rates) + its] * each
            state += [its] * each
            round_ += [number] * each
    rows = np.concatenate(counts).astype(float)
    groups = np.eye(rows.shape[1])
    numbers = (np.array(its) for its in (session, state, round_))
    return Windows(rows, groups, *numbers, counters=rows)


# Each state has a tracepoint of its own, and one that fires in some windows only.
FAR_APART = [
    [500, 20, 100, 9, 0, 0, 1],
    [20, 900, 100, 0, 9, 0, 1],
    [100, 100, 4000, 0, 0, 9, 1],
]


class Methods(unittest.TestCase):
    def test_states_that_are_far_apart_are_told_apart(self):
        windows = windows_of(FAR_APART)
        for method in METHODS:
            with self.subTest(method.name):
                found = measure(method, windows, 3)
                known = found['known']['windows']
                self.assertEqual((known['of'], known['nearest']), (144, 144))
                self.assertEqual(found['never']['stretches']['of'], 12)
                self.assertEqual(
                    set(found['known']['stretches']['verdicts']) - {'unknown'}, {'right alone'}
                )

    def test_a_state_that_was_never_learned_is_far_away(self):
        found = measure(BY_NAME['Hellinger, centroids'], windows_of(FAR_APART), 3)
        self.assertEqual(found['never']['stretches']['verdicts'], {'unknown': 12})

    def test_the_same_state_twice_is_mostly_not_unknown(self):
        found = measure(BY_NAME['Hellinger, centroids'], windows_of([[90, 50]] * 2, rounds=12), 2)
        self.assertGreater(found['never']['stretches']['verdicts']['wrong alone'], 12)


class Scores(unittest.TestCase):
    def test_least_distance(self):
        learned, source = np.array([[0.0, 0], [6, 8]]), np.array([[3.0, 4], [6, 8], [0, 1]])
        self.assertTrue(np.allclose(least_distance(learned, source), [5, 0, 1]))

    def test_from_centroid(self):
        learned = np.array([[0.0, 0], [6, 8]])
        self.assertTrue(np.allclose(from_centroid(learned, learned), [5, 5]))

    def test_hellinger_is_at_most_the_root_of_two(self):
        rows = roots(np.array([[5.0, 0], [0, 7]]))
        self.assertAlmostEqual(float(np.linalg.norm(rows[0] - rows[1])), 2**0.5)

    def test_what_is_everywhere_has_no_weight_in_tf_idf(self):
        windows = windows_of([[5, 0, 3], [5, 4, 0]])
        windows.counts[:, 0] = 7
        learned, _ = tf_idf(windows, windows)
        self.assertEqual(float(np.abs(learned[:, 0]).max()), 0)


class Units(unittest.TestCase):
    def test_means_of_five_windows(self):
        rows = np.arange(7.0).reshape(-1, 1) ** 2
        found = [float(row[0]) for row in smoothed(rows)]
        self.assertEqual(found[3], np.mean([1, 4, 9, 16, 25]))
        self.assertEqual(found[0], np.mean([0, 1, 4]))

    def test_a_stretch_is_a_session(self):
        windows = windows_of([[5, 9], [9, 5]], rounds=1, each=3)
        scores = np.arange(12.0).reshape(6, 2)
        found = Scored()
        found.add_all(windows, scores)
        self.assertEqual(found.rows['stretches'], [[2, 3], [8, 9]])
        self.assertEqual(found.truths['stretches'], [0, 1])
        self.assertEqual(len(found.rows['windows']), 6)
        self.assertEqual(found.least_without('stretches', 1), [2])
        self.assertEqual(found.of('stretches', 1), [[8, 9]])

    def test_thinned_windows_are_of_all_sessions(self):
        thinned = windows_of(FAR_APART, rounds=2, each=10).thinned(3)
        self.assertEqual(np.bincount(thinned.session).tolist(), [3] * 6)


class Growth(unittest.TestCase):
    def test_belongs_to_the_window_in_which_it_ends(self):
        counts = {'origin': {'begin_ns': 0}, 'window': {'ns': SECOND}, 'windows': 2}
        times = [0, SECOND // 2, SECOND, SECOND + 1, 2 * SECOND, 3 * SECOND]
        its = {'times_ns': times, 'deltas': [[1, 10, 100, 1000, 10000, 100000]]}
        recorded = {'names': ['x'], 'sessions': {'s': its}}
        found = growth(recorded, Session('s', 'a', 1, counts))
        self.assertEqual(found.tolist(), [[110], [11000]])
