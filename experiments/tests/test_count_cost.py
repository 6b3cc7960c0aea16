import unittest

from tpx.count_cost import added, summary_of
from tpx.peers.counter_text import counting_text, slowdown


def run(pair, is_on, busy, work, part=None):
    figures = {'load': 'web', 'pair': pair, 'on': is_on, 'busy': busy, 'work': work}
    return {**figures, 'all': 100, 'wall': 50, 'part': part, 'own': 0.001}


class Added(unittest.TestCase):
    def test_the_work_of_both_runs_counts(self):
        # The same busy time for a tenth less work: a tenth of the busy time is the count's.
        runs = [run(0, False, 80, 1000), run(0, True, 80, 900)]
        self.assertAlmostEqual(added(runs, 'web')[0], 0.08)
        # More busy time for the same work.
        runs += [run(1, True, 82, 1000), run(1, False, 80, 1000)]
        self.assertAlmostEqual(added(runs, 'web')[1], 0.02)
        self.assertEqual(added(runs, 'idle'), [])

    def test_a_row_has_an_interval_if_there_are_enough_pairs(self):
        runs = [run(pair, on, 80 + on, 1000, 0.01) for pair in range(5) for on in (False, True)]
        row = summary_of('web', added(runs, 'web'), runs)
        self.assertEqual(row[:4], ['web', 5, '1.00 % (1.00 % – 1.00 %)', '1.00 % (1.00–1.00)'])
        self.assertEqual(summary_of('web', added(runs[:2], 'web'), runs[:2])[2], '1.00 %')


class Counters(unittest.TestCase):
    def test_slowdown_is_against_the_builds_before_and_after(self):
        figures = {'builds': [{'cpu': 12}], 'without': [{'cpu': 9}, {'cpu': 11}]}
        self.assertAlmostEqual(slowdown(figures, 'cpu'), 20)

    def test_without_figures_the_page_says_so(self):
        self.assertEqual(counting_text({}), 'Not measured.\n')


if __name__ == '__main__':
    unittest.main()
