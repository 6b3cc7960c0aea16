import random
import unittest
from collections import Counter

from tpx.states.collect import growths
from tpx.states.counters import numbers
from tpx.states.plan import schedule
from tpx.states.quiet import distinct, folds, gaps


class Schedule(unittest.TestCase):
    def setUp(self):
        self.plan = schedule(5, 3, random.Random(1), ['a', 'b', 'c'], ['a+b', 'b+c'])

    def test_every_state_once_in_each_round(self):
        for number in range(1, 6):
            states = [state for round_, state in self.plan if round_ == number and '+' not in state]
            self.assertEqual(sorted(states), ['a', 'b', 'c'])

    def test_every_mixture_as_often_as_asked(self):
        counted = Counter(state for _, state in self.plan if '+' in state)
        self.assertEqual(counted, {'a+b': 3, 'b+c': 3})

    def test_mixtures_are_spread_over_the_rounds(self):
        counted = Counter(round_ for round_, state in self.plan if '+' in state)
        self.assertLessEqual(max(counted.values()) - min(counted[n] for n in range(1, 6)), 1)

    def test_rounds_are_in_order_and_states_are_not(self):
        self.assertEqual([n for n, _ in self.plan], sorted(n for n, _ in self.plan))
        plan = schedule(9, 0, random.Random(2), ['a', 'b', 'c'], [])
        orders = {tuple(state for _, state in plan[first : first + 3]) for first in range(0, 27, 3)}
        self.assertGreater(len(orders), 2)


class Folds(unittest.TestCase):
    def test_of_one_session(self):
        in_a_row, all_over, earlier = folds([6], 2)
        self.assertEqual(in_a_row, [(0, [0, 1], 0), (0, [2, 3], 0), (0, [4, 5], 0)])
        self.assertEqual(all_over, [(0, [0, 3], 0), (0, [1, 4], 0), (0, [2, 5], 0)])
        self.assertEqual(earlier, [])

    def test_later_sessions_are_checked_by_earlier_ones_only(self):
        earlier = folds([4, 4, 4], 2)[2]
        pairs = {(learned, checked) for learned, _, checked in earlier}
        self.assertEqual(pairs, {(0, 1), (0, 2), (1, 2)})

    def test_too_short_a_session_has_none(self):
        self.assertEqual(folds([4], 5), ([], [], []))

    def test_every_minute_is_learned_once_each_way(self):
        for way in folds([60], 5)[:2]:
            learned = sorted(minute for _, minutes, _ in way for minute in minutes)
            self.assertEqual(learned, list(range(60)))


class Gaps(unittest.TestCase):
    def test_between_before_and_behind(self):
        self.assertEqual(gaps([1, 2, 5], 8), [(0, 1), (3, 5), (6, 8)])

    def test_none_at_the_ends(self):
        self.assertEqual(gaps([0, 3], 4), [(1, 3)])

    def test_all_of_a_session_that_is_not_learned_from(self):
        self.assertEqual(gaps([], 4), [(0, 4)])


class Distinct(unittest.TestCase):
    def test_alarms_of_the_same_time_are_one(self):
        alarms = [{'from': 0, 'to': 60}, {'from': 30, 'to': 90}, {'from': 200, 'to': 260}]
        self.assertEqual(distinct(alarms), 2)


class Counters(unittest.TestCase):
    def test_names_and_numbers(self):
        vmstat = b'pgfault 12\nnr_free_pages 34\n'
        stat = b'cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1\nctxt 99\nsoftirq 5 1 2\nintr 7 1 2\n'
        found = numbers(vmstat, stat)
        self.assertEqual(found['vmstat.pgfault'], 12)
        self.assertEqual((found['cpu.user'], found['cpu.guest_nice']), (1, 10))
        self.assertEqual(found['softirq.timer'], 2)
        self.assertEqual((found['stat.ctxt'], found['stat.intr']), (99, 7))


class Growths(unittest.TestCase):
    def test_from_row_to_row_of_each_counter(self):
        self.assertEqual(growths([[1, 10], [4, 10], [5, 7]]), [[3, 1], [0, -3]])
