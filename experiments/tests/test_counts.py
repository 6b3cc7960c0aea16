import unittest

from tpx.states import SECOND
from tpx.states.counts import cut, joined, seconds, windows_within

SESSION = {
    'origin': {'begin_ns': 1000, 'kernel': '6.1'},
    'window': {'ns': 100},
    'windows': 6,
    'counts': {'sched:wake': [1, 2, 0, 0, 0, 3], 'irq:entry': [0, 0, 0, 4, 5, 6]},
    'not_hit': {'irq': ['exit']},
    'lost': [0, 0, 7, 0, 0, 0],
}

# Windows that the kernel counted have lengths of their own.
COUNTED = {**SESSION, 'ns': [100, 103, 97, 100, 110, 90]}


class Cut(unittest.TestCase):
    def test_all_of_it_is_the_session(self):
        self.assertEqual(cut(SESSION, 0, 6), SESSION)

    def test_what_is_not_hit_in_the_part_is_listed_in_order(self):
        part = cut(SESSION, 0, 2)
        self.assertEqual(part['counts'], {'sched:wake': [1, 2]})
        self.assertEqual(part['not_hit'], {'irq': ['entry', 'exit']})
        self.assertEqual(SESSION['not_hit'], {'irq': ['exit']})

    def test_begins_and_lasts_as_long_as_the_part(self):
        part = cut(SESSION, 3, 5)
        self.assertEqual((part['origin']['begin_ns'], part['windows']), (1300, 2))
        self.assertEqual(part['origin']['kernel'], '6.1')
        self.assertEqual(SESSION['origin']['begin_ns'], 1000)

    def test_losses_only_where_there_are_some(self):
        self.assertEqual(cut(SESSION, 2, 4)['lost'], [7, 0])
        self.assertNotIn('lost', cut(SESSION, 3, 6))

    def test_windows_with_their_own_lengths(self):
        part = cut(COUNTED, 2, 4)
        self.assertEqual((part['origin']['begin_ns'], part['ns']), (1203, [97, 100]))

    def test_parts_have_all_events(self):
        def events(session):
            return sum(map(sum, session['counts'].values()))

        parts = [cut(SESSION, first, first + 2) for first in (0, 2, 4)]
        self.assertEqual(sum(map(events, parts)), events(SESSION))


class WindowsWithin(unittest.TestCase):
    def test_only_windows_that_are_wholly_within(self):
        self.assertEqual(windows_within(SESSION, 1100, 1400), (1, 4))
        self.assertEqual(windows_within(SESSION, 1101, 1399), (2, 3))

    def test_a_time_that_is_shorter_than_a_window_has_none(self):
        first, last = windows_within(SESSION, 1110, 1190)
        self.assertEqual(first, last)

    def test_ends_with_the_session(self):
        self.assertEqual(windows_within(SESSION, 0, 5000), (0, 6))
        self.assertEqual(windows_within(SESSION, 5000, 6000), (6, 6))
        self.assertEqual(windows_within(SESSION, 0, 500), (0, 0))

    def test_every_window_is_within_and_its_neighbours_are_not(self):
        for begin in range(900, 1700, 37):
            for end in range(begin, 1800, 41):
                first, last = windows_within(SESSION, begin, end)
                within = [
                    number
                    for number in range(6)
                    if begin <= 1000 + 100 * number and 1100 + 100 * number <= end
                ]
                self.assertEqual(list(range(first, last)), within)

    def test_windows_with_their_own_lengths(self):
        self.assertEqual(windows_within(COUNTED, 1100, 1410), (1, 4))
        self.assertEqual(windows_within(COUNTED, 1101, 1409), (2, 4))


class Seconds(unittest.TestCase):
    def setUp(self):
        self.session = {
            **SESSION,
            'window': {'ns': SECOND // 2},
            'windows': 5,
            'counts': {'a:b': [1, 2, 3, 4, 5]},
            'lost': [0, 1, 1, 0, 9],
        }

    def test_sums_and_no_remainder(self):
        found = seconds(self.session)
        self.assertEqual((found['windows'], found['window']), (2, {'ns': SECOND}))
        self.assertEqual((found['counts'], found['lost']), ({'a:b': [3, 7]}, [1, 1]))

    def test_seconds_stay(self):
        found = seconds(self.session)
        self.assertIs(seconds(found), found)


class Joined(unittest.TestCase):
    def test_rows_one_after_another(self):
        one, other = cut(SESSION, 0, 2), cut(COUNTED, 3, 5)
        found = joined([one, other])
        self.assertEqual(found['windows'], 4)
        self.assertEqual(found['counts'], {'irq:entry': [0, 0, 4, 5], 'sched:wake': [1, 2, 0, 0]})
        self.assertEqual(found['not_hit'], {'irq': ['exit']})
        self.assertEqual(found['ns'], [100, 100, 100, 110])
        self.assertIsNone(found['origin']['started'])
        self.assertNotIn('lost', found)

    def test_losses_of_one_of_them(self):
        self.assertEqual(joined([SESSION, cut(SESSION, 3, 5)])['lost'], [0, 0, 7, 0, 0, 0, 0, 0])
