import random
import statistics
import unittest

from tpx.stats import (
    episodes,
    error_of_median,
    expanded_tail,
    in_common,
    interval,
    overlap,
    ranked_shares,
    ratio_of_means,
    student,
    wilson,
)


class Student(unittest.TestCase):
    def test_known_quantiles(self):
        for n, quantile in ((2, 12.706), (3, 4.303), (6, 2.571), (30, 2.045)):
            self.assertEqual(student(n), quantile)

    def test_approximation_beyond_the_table(self):
        # From a table: 30, 60 and 120 degrees of freedom.
        for n, quantile in ((31, 2.042), (61, 2.000), (121, 1.980)):
            self.assertAlmostEqual(student(n), quantile, delta=0.005)

    def test_falls_with_the_size_of_the_sample(self):
        quantiles = [student(n) for n in range(2, 200)]
        self.assertEqual(quantiles, sorted(quantiles, reverse=True))


class ExpandedTail(unittest.TestCase):
    def test_is_smaller_for_few_pairs(self):
        self.assertLess(expanded_tail(5), expanded_tail(10))
        self.assertLess(expanded_tail(10), 0.025)

    def test_known_value(self):
        # The normal distribution below 2.776 times the root of 5 / 4.
        self.assertAlmostEqual(expanded_tail(5), 0.000956, places=6)

    def test_comes_near_the_nominal_tail(self):
        self.assertAlmostEqual(expanded_tail(10_000), 0.025, delta=0.0002)


class Interval(unittest.TestCase):
    def test_none_for_fewer_than_five(self):
        self.assertIsNone(interval(statistics.fmean, [1, 2, 3, 4]))
        self.assertIsNotNone(interval(statistics.fmean, [1, 2, 3, 4, 5], times=100))

    def test_the_smallest_sample_decides(self):
        def difference(one, other):
            return statistics.fmean(one) - statistics.fmean(other)

        self.assertIsNone(interval(difference, list(range(50)), [1, 2, 3, 4]))

    def test_of_a_constant_is_that_constant(self):
        self.assertEqual(interval(statistics.fmean, [3.0] * 8, times=200), (3.0, 3.0))

    def test_is_the_same_each_time(self):
        sample = [0.3, 0.1, 0.9, 0.4, 0.7, 0.2]
        first, second = (interval(statistics.fmean, sample, times=500) for _ in range(2))
        self.assertEqual(first, second)

    def test_has_the_statistic_of_the_sample_in_it(self):
        sample = [1.0, 2.0, 2.5, 3.0, 8.0, 2.2, 2.4]
        low, high = interval(statistics.median, sample)
        self.assertLessEqual(low, statistics.median(sample))
        self.assertGreaterEqual(high, statistics.median(sample))
        self.assertLess(low, high)

    def test_covers_the_true_mean_about_as_often_as_it_says(self):
        chance = random.Random(7)
        covered = 0
        for _ in range(300):
            low, high = interval(
                statistics.fmean, [chance.gauss(10, 2) for _ in range(8)], times=200
            )
            covered += low <= 10 <= high
        # 95 %, give or take three standard errors of this check.
        self.assertAlmostEqual(covered / 300, 0.95, delta=0.038)

    def test_is_narrower_for_more_pairs(self):
        chance = random.Random(3)
        sample = [chance.gauss(0, 1) for _ in range(200)]
        few, many = (interval(statistics.fmean, sample[:n], times=1000) for n in (10, 200))
        self.assertLess(many[1] - many[0], (few[1] - few[0]) / 2)

    def test_none_where_a_draw_divides_by_zero(self):
        self.assertIsNone(interval(ratio_of_means, [1.0] * 6, [-1.0, 1.0] * 3, times=200))


class ErrorOfMedian(unittest.TestCase):
    def test_of_a_constant_is_zero(self):
        self.assertEqual(error_of_median([4] * 9), 0)

    def test_of_a_normal_sample(self):
        # The root of pi / 2, over the root of n.
        chance = random.Random(5)
        sample = [chance.gauss(0, 1) for _ in range(400)]
        error = error_of_median(sample, draw=random.Random(1))
        self.assertAlmostEqual(error, 1.2533 / 20, delta=0.02)


class RatioOfMeans(unittest.TestCase):
    def test_known_value(self):
        self.assertEqual(ratio_of_means([1, 2, 3], [4, 4]), 0.5)

    def test_a_mean_that_is_not_above_zero_has_none(self):
        for others in ([0.0, 0.0], [-1.0, 0.5]):
            with self.assertRaises(ZeroDivisionError):
                ratio_of_means([1.0], others)


class Shares(unittest.TestCase):
    def test_ranked_by_median_then_mean_then_name(self):
        counts = [{'a': 0, 'b': 0, 'c': 2}, {'a': 0, 'b': 0, 'c': 2}, {'a': 7, 'b': 8, 'c': 2}]
        ranked = ranked_shares(counts, [10, 10, 10])
        self.assertEqual([name for name, _ in ranked], ['c', 'b', 'a'])
        ties = ranked_shares([{'z': 1, 'y': 1}], [2])
        self.assertEqual(ties, [('y', [0.5]), ('z', [0.5])])

    def test_absent_is_zero_and_empty_captures_do_not_divide(self):
        ranked = dict(ranked_shares([{'a': 2}, {}], [4, 0]))
        self.assertEqual(ranked['a'], [0.5, 0])

    def test_overlap_of_the_same_and_of_nothing_in_common(self):
        one = {'a': 0.7, 'b': 0.3}
        self.assertEqual(overlap(one, one), 1)
        self.assertEqual(overlap(one, {'c': 1.0}), 0)
        self.assertAlmostEqual(overlap(one, {'a': 0.2, 'b': 0.8}), 0.5)

    def test_in_common(self):
        self.assertEqual(in_common(['a', 'b'], ['b', 'c', 'b']), 1)


def finding(begin, end, kind='rate', tracepoint=None):
    return {'from': begin, 'to': end, 'kind': kind, 'tracepoint': tracepoint}


class Episodes(unittest.TestCase):
    def test_overlapping_findings_are_one(self):
        found = episodes([finding(5, 9), finding(0, 6, 'share', 'a:b')])
        self.assertEqual(found, [{'from': 0, 'to': 9, 'of': ['share a:b', 'rate']}])

    def test_findings_that_only_touch_are_two(self):
        self.assertEqual(len(episodes([finding(0, 6), finding(6, 9)])), 2)

    def test_a_short_one_within_a_long_one_does_not_end_it(self):
        found = episodes([finding(0, 10), finding(1, 2), finding(9, 12)])
        self.assertEqual([(one['from'], one['to']) for one in found], [(0, 12)])

    def test_times_are_of_the_whole(self):
        found = episodes([finding(1, 2), finding(4, 5)], 100)
        self.assertEqual([(one['from'], one['to']) for one in found], [(101, 102), (104, 105)])


class Wilson(unittest.TestCase):
    def test_known_intervals(self):
        for number, of, expected in ((0, 10, (0, 0.2775)), (5, 10, (0.2366, 0.7634))):
            for bound, known in zip(wilson(number, of), expected, strict=True):
                self.assertAlmostEqual(bound, known, places=4)

    def test_is_symmetric(self):
        low, high = wilson(3, 40)
        self.assertAlmostEqual(wilson(37, 40)[0], 1 - high)
        self.assertAlmostEqual(wilson(37, 40)[1], 1 - low)

    def test_nothing_is_known_of_none(self):
        self.assertEqual(wilson(0, 0), (0, 1))
