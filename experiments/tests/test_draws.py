"""The statistics that need numpy, SciPy and scikit-learn."""

import math
import sys
import unittest
from types import SimpleNamespace

try:
    import numpy as np
    import scipy.stats
    import sklearn.svm  # noqa: F401
except ImportError as error:
    text = 'needs numpy, SciPy and scikit-learn (python3-sklearn)'
    print(f'skipped: {text}: the statistics of the states', file=sys.stderr)
    raise unittest.SkipTest(text) from error

from tpx.states.baselines import with_neighbours
from tpx.states.draws import Bootstrap, confusions, divide, figure
from tpx.states.folds import Fold, lengths_of_one, roots
from tpx.states.poisson import at_most
from tpx.states.unknown import leave_one_state_out, without_each


def data_of(*states):
    names = sorted(set(states))
    return SimpleNamespace(
        sessions=[{'state': state} for state in states],
        states=names,
        state_of=np.array([names.index(state) for state in states]),
    )


class Weights(unittest.TestCase):
    def setUp(self):
        self.data = data_of('a', 'b', 'a', 'a', 'b')
        self.bootstrap = Bootstrap(self.data)

    def test_first_what_was_recorded_and_then_drawings(self):
        self.assertEqual(self.bootstrap.weights[0].tolist(), [1] * 5)
        self.assertGreater(len(np.unique(self.bootstrap.weights[1:], axis=0)), 10)

    def test_within_each_state(self):
        sums = self.bootstrap.weights @ np.array([1, 0, 1, 1, 0])
        self.assertEqual(set(sums), {3})

    def test_share(self):
        sessions = np.array([0, 0, 1, 2, 2, 2])
        share = self.bootstrap.share(sessions, [1, 0, 1, 0, 0, 1])
        self.assertEqual(share[0], 0.5)

    def test_the_interval_of_equal_sessions_is_a_point(self):
        share = self.bootstrap.share(np.arange(5).repeat(2), [1, 0] * 5)
        self.assertEqual(figure(share), {'value': 0.5, 'low': 0.5, 'high': 0.5})

    def test_the_interval_has_the_value_in_it_and_is_wide_where_sessions_differ(self):
        share = figure(self.bootstrap.share(np.arange(5).repeat(2), [1, 1, 0, 0, 1, 0, 0, 0, 1, 1]))
        self.assertLessEqual(share['low'], share['value'])
        self.assertGreaterEqual(share['high'], share['value'])
        self.assertGreater(share['high'] - share['low'], 0.2)


class Covers(unittest.TestCase):
    def test_the_true_share(self):
        chance = np.random.default_rng(4)
        bootstrap = Bootstrap(data_of(*['a'] * 30))
        covered = 0
        for _ in range(200):
            # Each session has a rate of its own around 0.4.
            rates = chance.beta(4, 6, size=30)
            right = chance.random((30, 20)) < rates[:, None]
            low, high = (
                figure(bootstrap.share(np.arange(30).repeat(20), right.ravel()))[end]
                for end in ('low', 'high')
            )
            covered += low <= 0.4 <= high
        self.assertAlmostEqual(covered / 200, 0.95, delta=0.05)


class Auroc(unittest.TestCase):
    def setUp(self):
        self.bootstrap = Bootstrap(data_of('a', 'a', 'b', 'b'))

    def auroc(self, positive, negative):
        as_arrays = [
            {session: np.array(scores) for session, scores in side.items()}
            for side in (positive, negative)
        ]
        return self.bootstrap.auroc(*as_arrays)

    def test_separated(self):
        drawn = self.auroc({0: [5, 6], 1: [7]}, {2: [1], 3: [2, 3]})
        self.assertEqual(set(drawn), {1})

    def test_reversed(self):
        self.assertEqual(self.auroc({0: [1, 2]}, {2: [3, 4]})[0], 0)

    def test_identical(self):
        same = {0: [1, 2, 2, 3], 1: [1, 2, 2, 3]}
        drawn = self.auroc(same, {2: [1, 2, 2, 3], 3: [1, 2, 2, 3]})
        self.assertTrue(np.allclose(drawn, 0.5))

    def test_infinite_scores_are_ties(self):
        self.assertEqual(self.auroc({0: [np.inf]}, {2: [np.inf, 1]})[0], 0.75)

    def test_against_all_pairs(self):
        chance = np.random.default_rng(1)
        positive = {its: chance.integers(0, 6, size=9) for its in (0, 1)}
        negative = {its: chance.integers(0, 5, size=7) for its in (2, 3)}
        high = np.concatenate(list(positive.values()))
        low = np.concatenate(list(negative.values()))
        expected = np.mean([(a > b) + (a == b) / 2 for a in high for b in low])
        self.assertAlmostEqual(self.auroc(positive, negative)[0], expected)


class F1(unittest.TestCase):
    def setUp(self):
        self.data = data_of('a', 'b', 'a', 'b')
        self.bootstrap = Bootstrap(self.data)

    def macro(self, sessions, said):
        confusion = confusions(self.data, np.array(sessions), np.array(said))
        return self.bootstrap.macro_f1(confusion)

    def test_perfect(self):
        self.assertEqual(set(self.macro([0, 1, 2, 3], [0, 1, 0, 1])), {1})

    def test_always_wrong(self):
        self.assertEqual(self.macro([0, 1, 2, 3], [1, 0, 1, 0])[0], 0)

    def test_known_value(self):
        # State a: 2 right, 1 said wrongly; state b: 1 right, 1 missed.
        self.assertAlmostEqual(self.macro([0, 2, 1, 3], [0, 0, 0, 1])[0], (4 / 5 + 2 / 3) / 2)

    def test_unknown_is_missed_but_not_taken_for_another(self):
        # State a: 1 of 2 found; state b: 2 of 2.
        self.assertAlmostEqual(self.macro([0, 2, 1, 3], [0, -1, 1, 1])[0], (2 / 3 + 1) / 2)

    def test_confusion_by_session(self):
        confusion = confusions(self.data, np.array([0, 0, 3]), np.array([0, -1, 0]))
        self.assertEqual(confusion[0].tolist(), [[1, 0, 1], [0, 0, 0]])
        self.assertEqual(confusion[3].tolist(), [[0, 0, 0], [1, 0, 0]])


class Figures(unittest.TestCase):
    def test_percentiles_of_the_drawings_only(self):
        drawn = np.concatenate([[1000.0], np.arange(1001) / 1000])
        self.assertEqual(figure(drawn), {'value': 1000.0, 'low': 0.025, 'high': 0.975})

    def test_nothing_is_none(self):
        nothing = {'value': None, 'low': None, 'high': None}
        self.assertEqual(figure(np.full(11, np.nan)), nothing)

    def test_a_division_by_zero_is_not_a_number(self):
        found = divide(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
        self.assertTrue(math.isnan(found[0]))
        self.assertEqual(found[1], 0.5)


class LeaveOneOut(unittest.TestCase):
    def test_a_score_that_tells_and_one_that_does_not(self):
        data = data_of('a', 'b', 'a', 'b')
        bootstrap, sessions = Bootstrap(data), np.arange(4).repeat(3)
        full = np.tile([0.1, 0.2, 0.3], 4)
        own = data.state_of[sessions]
        # Windows of the state that is left out are far from everything; others are not.
        telling = np.stack([np.where(own == state, full + 1, full) for state in (0, 1)], axis=1)
        found = leave_one_state_out(data, bootstrap, sessions, full, telling)
        self.assertEqual(found['mean']['value'], 1)
        self.assertEqual(found['against_others_mean']['value'], 1)
        blind = np.stack([full, full], axis=1)
        found = leave_one_state_out(data, bootstrap, sessions, full, blind)
        self.assertEqual(found['mean']['value'], 0.5)
        self.assertEqual(found['against_others_by_state']['a']['value'], 0.5)

    def test_the_least_distance_to_the_others(self):
        distances = np.array([[1.0, 5.0, 3.0], [4.0, 2.0, 9.0]])
        self.assertEqual(without_each(distances).tolist(), [[3, 1, 1], [2, 4, 2]])


class Rows(unittest.TestCase):
    def test_distance_of_roots_is_hellingers_times_the_root_of_two(self):
        one, other = roots(np.array([[9, 1, 0], [1, 1, 2]]))
        p, q = np.array([0.9, 0.1, 0]), np.array([0.25, 0.25, 0.5])
        hellinger = math.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2)
        self.assertAlmostEqual(np.linalg.norm(one - other), math.sqrt(2) * hellinger)

    def test_an_empty_window_is_like_an_empty_window_only(self):
        empty, other_empty, full = roots(np.array([[0, 0], [0, 0], [3, 1]]))
        self.assertEqual(np.linalg.norm(empty - other_empty), 0)
        self.assertAlmostEqual(np.linalg.norm(empty - full), math.sqrt(2))

    def test_lengths_of_one(self):
        rows = lengths_of_one(np.array([[3.0, 4.0], [0.0, 0.0]]))
        self.assertTrue(np.allclose(np.linalg.norm(rows, axis=1), [1, 0]))

    def test_mean_with_neighbours_stays_within_the_session(self):
        values = np.array([[0.0], [1], [2], [3], [4], [100]])
        means = with_neighbours(values, np.array([0, 0, 0, 0, 0, 1]))
        self.assertEqual(means.ravel().tolist(), [1, 1.5, 2, 2.5, 3, 100])

    def test_least_distance_to_each_session(self):
        fold = Fold.__new__(Fold)
        # The second session has no windows.
        fold.ends = np.array([2, 2, 3])
        train, test = np.array([[0.0], [10.0], [4.0]]), np.array([[1.0], [7.0]])
        least = fold.to_sessions(train, test)
        self.assertTrue(np.allclose(least, [[1, np.inf, 3], [3, np.inf, 3]]))


class Poisson(unittest.TestCase):
    def test_rule_of_three(self):
        self.assertAlmostEqual(at_most(0), -math.log(0.05))

    def test_so_few_are_seen_in_five_percent(self):
        for seen in (0, 1, 4, 20):
            self.assertAlmostEqual(scipy.stats.poisson.cdf(seen, at_most(seen)), 0.05)
