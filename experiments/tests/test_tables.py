import unittest

from tpx.tables import (
    listed,
    milliseconds,
    plural,
    range_of,
    spread,
    table,
    whole,
    with_interval,
)


class Tables(unittest.TestCase):
    def test_alignment_and_cells_that_are_numbers(self):
        text = table(['a', 'b'], [['x', 1]], right=[1])
        self.assertEqual(text, '| a | b |\n| --- | ---: |\n| x | 1 |\n')

    def test_without_rows(self):
        self.assertEqual(table(['a'], []), '| a |\n| --- |\n')


class Spread(unittest.TestCase):
    def test_median_least_and_most(self):
        self.assertEqual(spread([3, 1, 2], '{:.1f}', '×'), '2.0× (1.0–3.0)')

    def test_the_median_of_an_even_number_is_between(self):
        self.assertEqual(spread([1, 2, 3, 10]), '2.50 (1.00–10.00)')

    def test_one_value_has_no_range(self):
        self.assertEqual(spread([1.234]), '1.23')

    def test_absent_values_do_not_count(self):
        self.assertEqual(spread([None, 4, None]), '4.00')
        self.assertEqual(spread([None]), '–')

    def test_minus_signs(self):
        self.assertEqual(spread([-1, -2], '{:+.0f}'), '−2 (−2–−1)')

    def test_a_range_that_reads_the_same_is_left_out(self):
        self.assertEqual(range_of([1.2, 1.4], whole), '1')
        self.assertEqual(range_of([1.2, 1.4, 3.1], whole), '1 (1–3)')


class Figures(unittest.TestCase):
    def test_with_interval(self):
        self.assertEqual(with_interval(0.5, (-0.25, 0.75), '{:.2f}'), '0.50 (−0.25 – 0.75)')
        self.assertEqual(with_interval(0.5, None, '{:.2f}'), '0.50')

    def test_words(self):
        self.assertEqual(plural(1, 'repeat'), '1 repeat')
        self.assertEqual(plural(1200, 'repeat'), '1,200 repeats')
        self.assertEqual([milliseconds(99_940_000), milliseconds(2e9)], ['99.9 ms', '2,000 ms'])

    def test_listed(self):
        texts = [listed(words) for words in ([], ['a'], ['a', 'b'], ['a', 'b', 'c'])]
        self.assertEqual(texts, ['none', '`a`', '`a` and `b`', '`a`, `b` and `c`'])
