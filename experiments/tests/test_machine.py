import tempfile
import unittest
from pathlib import Path

from tpx.kernel_build import tarballs
from tpx.machine import busy_thousandths, cpu_ticks
from tpx.progress import clock


class Ticks(unittest.TestCase):
    def test_of_all_cpus(self):
        ticks = cpu_ticks('cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 9 9 9 9\n')
        self.assertEqual(list(ticks.values()), [1, 2, 3, 4, 5, 6, 7, 8])

    def test_busy_is_all_but_idle_and_waiting(self):
        before = cpu_ticks('cpu  0 0 0 0 0 0 0 0')
        self.assertEqual(busy_thousandths(before, cpu_ticks('cpu  1 1 1 80 14 1 1 1')), 60)
        self.assertEqual(busy_thousandths(before, cpu_ticks('cpu  0 0 0 80 20 0 0 0')), 0)
        self.assertEqual(busy_thousandths(before, cpu_ticks('cpu  5 0 0 0 0 0 0 0')), 1000)


class Words(unittest.TestCase):
    def test_clock(self):
        self.assertEqual([clock(5.9), clock(125), clock(6000)], ['00:05', '02:05', '100:00'])


class Sources(unittest.TestCase):
    def test_the_newest_is_last(self):
        with tempfile.TemporaryDirectory() as folder:
            for version in ('6.12', '6.9', '6.1'):
                (Path(folder) / f'linux-source-{version}.tar.xz').touch()
            versions = [path.name.split('-')[2].split('.tar')[0] for path in tarballs(folder)]
        self.assertEqual(versions, ['6.1', '6.9', '6.12'])
