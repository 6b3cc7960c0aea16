import random
import unittest

from tpx.thesis.offsets import Order, best_offset, chance_of
from tpx.thesis.reasons import growth
from tpx.thesis.recordings import by_group, five_of
from tpx.thesis.situations import after

NAMES = ['a:1', 'a:2', 'b:1', 'b:2', 'c:1']


class Orders(unittest.TestCase):
    def test_places_as_they_stand(self):
        places = Order('', NAMES).places()
        self.assertEqual(places, {name: place for place, name in enumerate(NAMES)})

    def test_shuffled_groups_stay_together(self):
        for seed in range(20):
            places = Order('', NAMES).places(random.Random(seed))
            self.assertEqual(sorted(places.values()), list(range(5)))
            self.assertEqual(places['a:2'], places['a:1'] + 1)
            self.assertEqual(places['b:2'], places['b:1'] + 1)


class Offsets(unittest.TestCase):
    def setUp(self):
        self.places = {name: place for place, name in enumerate('abcdefgh')}

    def test_one_offset_explains_all(self):
        self.assertEqual(best_offset(self.places, [('abc', 'cde')], False), 3)

    def test_mirrored(self):
        self.assertEqual(best_offset(self.places, [('abd', 'hge')], True), 3)
        self.assertEqual(best_offset(self.places, [('abd', 'hge')], False), 2)

    def test_several_situations_share_the_offset(self):
        wanted = [('a', 'b'), ('c', 'd'), ('e', 'h')]
        self.assertEqual(best_offset(self.places, wanted, False), 2)

    def test_names_that_are_not_there(self):
        self.assertEqual(best_offset(self.places, [('xyz', 'abc')], False), 0)

    def test_chance(self):
        shuffled = [self.places, {name: 7 - place for name, place in self.places.items()}]
        self.assertEqual(chance_of(2, shuffled, [('ab', 'cd')], False), 1.0)
        self.assertEqual(chance_of(3, shuffled, [('ab', 'cd')], False), 0.0)
        spread = [self.places, dict(zip('abcdefgh', [0, 5, 1, 3, 7, 2, 6, 4], strict=True))]
        self.assertEqual(chance_of(2, spread, [('ab', 'cd')], False), 0.5)


class Counted(unittest.TestCase):
    def test_five_most_frequent_and_ties_by_name(self):
        events = {'f': 1, 'e': 2, 'd': 2, 'c': 9, 'b': 2, 'a': 2}
        self.assertEqual(five_of(events), ['c', 'a', 'b', 'd', 'e'])

    def test_by_group(self):
        self.assertEqual(by_group({'a:x': 1, 'a:y': 2, 'b:x': 4}), {'a': 3, 'b': 4})

    def test_growth_of_counters(self):
        facts = {'compaction_before': 'stall 1 moved 2 ', 'compaction_after': 'stall 1 moved 1202'}
        self.assertEqual(growth(facts), 'stall +0, moved +1,200')
        self.assertEqual(growth({'compaction_before': '', 'compaction_after': ''}), 'not there')

    def test_after_a_title(self):
        self.assertEqual(after('Model name:', 'CPU: x\nModel name:   A B\n'), 'A B')
        self.assertEqual(after('Hypervisor vendor:', 'CPU: x\n'), '')
