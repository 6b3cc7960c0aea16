import json
import tempfile
import unittest
from pathlib import Path

from tpx.io import (
    append_pair,
    json_with_flat_leaves,
    json_within,
    read_pairs,
    read_zipped,
    write_zipped,
)

DOCUMENT = {'a': [1, 2, {'b': 'ü' * 40}], 'c': {}, 'd': [], 'e': {'f': list(range(60))}}


class Json(unittest.TestCase):
    def test_within_a_width_says_the_same(self):
        self.assertEqual(json.loads(json_within(DOCUMENT)), DOCUMENT)

    def test_within_a_width_breaks_only_what_is_longer(self):
        lines = json_within(DOCUMENT, 70).split('\n')
        self.assertIn(' "a": [1, 2, {"b": "' + 'ü' * 40 + '"}],', lines)
        self.assertIn('  "f": [', lines)

    def test_the_width_has_the_indentation_in_it(self):
        item = 'x' * 16
        self.assertIn('\n ["' + item + '"],\n', json_within([[item], [item]], 21))
        self.assertNotIn('["' + item + '"]', json_within([[item], [item]], 20))

    def test_flat_leaves_say_the_same(self):
        self.assertEqual(json.loads(json_with_flat_leaves(DOCUMENT)), DOCUMENT)

    def test_flat_leaves_have_one_line_each(self):
        text = json_with_flat_leaves({'runs': [{'a': 1, 'b': 2}, {'a': 3, 'b': 4}]})
        self.assertIn('  { "a": 1, "b": 2 },\n', text)


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_zipped_is_read_back_and_has_the_same_bytes_each_time(self):
        one, other = self.folder / 'one', self.folder / 'other'
        write_zipped(one, DOCUMENT)
        write_zipped(other, DOCUMENT)
        self.assertEqual(read_zipped(one), DOCUMENT)
        self.assertEqual(one.read_bytes(), other.read_bytes())
        # The format has a time there.
        self.assertEqual(one.read_bytes()[4:8], bytes(4))
        self.assertEqual(sorted(self.folder.iterdir()), [one, other])

    def test_pairs_may_have_an_equals_sign_in_their_value(self):
        append_pair(self.folder / 'facts', 'cpu', 'a=b')
        append_pair(self.folder / 'facts', 'cpus', 2)
        self.assertEqual(read_pairs(self.folder / 'facts'), {'cpu': 'a=b', 'cpus': '2'})
