import unittest

from tpx.counting import Exact, compare, cost_after_steps


def window(begin, hits, length=100, **more):
    row = {'tracepoint_group': 'a', 'tracepoint': 'x', 'hits': hits, **more}
    rows = [row] if hits else []
    return {'timestamp_ns': begin, 'window_ns': length, 'per_tracepoint': rows, 'cost': 0.5}


class Counting(unittest.TestCase):
    def test_hits_between_two_times_are_interpolated(self):
        exact = Exact([window(0, 10), window(100, 0), window(200, 40)])
        self.assertEqual(exact.hits('a:x', 0, 300), 50)
        self.assertEqual(exact.hits('a:x', 50, 225), 15)
        self.assertEqual(exact.hits('a:x', 100, 200), 0)
        self.assertEqual(exact.hits('b:y', 0, 300), 0)
        self.assertTrue(exact.covers(0, 300) and not exact.covers(0, 301))

    def test_estimates_are_compared_with_the_truth(self):
        exact = Exact([window(0, 2000), window(100, 4000)])
        good = {'hits': 2200, 'low': 1900, 'high': 2500}
        bad = {'hits': 3000, 'low': 2900, 'high': None}
        worse = {'hits': 3000, 'low': 4100, 'high': 4200}
        compared = compare([window(0, 5, estimated=good), window(100, 5, estimated=bad)], exact)
        self.assertEqual((compared['compared_windows'], compared['coverage']), (2, 1.0))
        self.assertAlmostEqual(compared['error_of_the_sum'], 5200 / 6000 - 1)
        self.assertEqual(compare([window(100, 5, estimated=worse)], exact)['coverage'], 0)
        self.assertIsNone(compare([window(0, 5)], exact)['coverage'])

    def test_costs_are_those_after_the_step(self):
        second = 1_000_000_000
        windows = [
            {**window(n * second, 1, second), 'cost': cost}
            for n, cost in enumerate([1, 9, 3, 1, 2, 1])
        ]
        costs = cost_after_steps(windows, second, 5 * second, 2.5)
        self.assertEqual(costs['first_busy_windows'], [9, 3, 1, 2])
        self.assertEqual(costs['busy_windows_over_after_two'], 0)


if __name__ == '__main__':
    unittest.main()
