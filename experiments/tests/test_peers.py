import struct
import unittest

from tpx.peers.capture_tables import lost_percent, ns_per_event, per_event
from tpx.peers.idle_text import by_tracepoint, window_pairs
from tpx.peers.instance import count_events, fired_and_lost
from tpx.peers.pair_tables import ratio
from tpx.peers.runs import Runs, is_disturbed, relative_costs, whole_pairs
from tpx.peers.tables import failures
from tpx.peers.windows import full_names
from tpx.perf_events import lost_in
from tpx.process import Failed


def run(peer, repeat, cpu, **more):
    return {'peer': peer, 'repeat': repeat, 'cpu': cpu, 'busy': cpu, **more}


class Added(unittest.TestCase):
    def test_against_the_mean_of_the_runs_beside_it(self):
        runs = Runs([run('nothing', 1, 10), run('perf', 1, 15), run('nothing', 1, 12)])
        self.assertEqual(runs.added('cpu'), ({'perf': {1: 4}}, {}))

    def test_only_between_two_runs_with_nothing(self):
        runs = Runs([run('nothing', 1, 10), run('perf', 1, 15), run('tp-perf', 1, 12)])
        self.assertEqual(runs.added('cpu')[0], {})

    def test_not_beside_a_failure(self):
        failed = {'peer': 'nothing', 'repeat': 1, 'failed': 'no room'}
        runs = Runs([failed, run('perf', 1, 15), run('nothing', 1, 12)])
        self.assertEqual(runs.added('cpu')[0], {})
        self.assertEqual(runs.failures(), [('nothing', 'no room')])

    def test_a_disturbed_run_beside_it_leaves_it_out(self):
        disturbed = run('nothing', 1, 10) | {'busy': 13}
        runs = Runs([disturbed, run('perf', 1, 15), run('nothing', 1, 10)])
        self.assertEqual(runs.added('cpu'), ({}, {'perf': 1}))
        self.assertEqual(runs.added('cpu', leave_out=False)[0], {'perf': {1: 5}})

    def test_disturbed_is_a_quarter_more(self):
        self.assertFalse(is_disturbed({'busy': 12.5, 'cpu': 10}))
        self.assertTrue(is_disturbed({'busy': 12.6, 'cpu': 10}))

    def test_against_another_in_the_same_repeat(self):
        runs = [run('perf', 1, 6), run('perf', 3, 9), run('tp-perf', 2, 1), run('tp-perf', 1, 2)]
        runs = Runs(runs)
        ratios = runs.against('perf', 'tp-perf', lambda one, other: one['cpu'] / other['cpu'])
        self.assertEqual(ratios, [3])


class Pairs(unittest.TestCase):
    def results(self):
        runs = [
            {'pair': 1, 'on': True, 'cpu': 12},
            {'pair': 1, 'on': False, 'cpu': 10},
            {'pair': 2, 'on': True, 'cpu': 99},
        ]
        return {'pairs': [{'peer': 'perf', 'runs': runs}, {'peer': 'perf', 'failed': 'it'}]}

    def test_only_whole_pairs(self):
        pairs = whole_pairs(self.results())
        self.assertEqual(len(pairs['perf']), 1)
        self.assertAlmostEqual(relative_costs(pairs['perf'], 'cpu')[0], 0.2)

    def test_ratio_to_itself_to_none_and_to_one_that_costs_nothing(self):
        costs = {'perf': [0.1] * 6, 'tracefs': [-0.1] * 6}
        texts = [ratio(costs, 'perf', other) for other in ('perf', 'bpftrace', 'tracefs')]
        self.assertEqual(texts, ['1', '–', '–'])

    def test_ratio_of_the_means(self):
        costs = {'tp-perf': [0.2] * 6, 'perf': [0.4] * 6}
        self.assertEqual(ratio(costs, 'tp-perf', 'perf'), '0.50 (0.50 – 0.50)')


class Events(unittest.TestCase):
    def test_cost_of_an_event_that_fired(self):
        runs = [{'repeat': 1, 'events': 900, 'lost': 100}, {'repeat': 2, 'events': 1, 'lost': 0}]
        self.assertEqual(ns_per_event(runs, {1: 2e-6}), [2.0])

    def test_lost_and_bytes(self):
        self.assertEqual(lost_percent({'events': 75, 'lost': 25}), 25)
        self.assertEqual(lost_percent({'events': 0, 'lost': 0}), 0)
        runs = [{'events': 4, 'log_bytes': 10}, {'events': 4, 'log_bytes': None}, {'events': 0}]
        self.assertEqual(per_event(runs, 'log_bytes'), [2.5, None, None])


def window(pair, is_captured, **counts):
    return {'pair': pair, 'captured': is_captured, 'counts': counts}


class Windows(unittest.TestCase):
    def test_a_burst_in_one_pair_counts_for_nothing(self):
        windows = [window(pair, on, a=100 + 2 * on) for pair in range(5) for on in (True, False)]
        windows[0]['counts']['burst'] = 10_000
        value, bounds, largest = by_tracepoint(window_pairs(windows))
        self.assertAlmostEqual(value, 2 / 102)
        self.assertAlmostEqual(bounds[0], 2 / 102)
        self.assertEqual(largest, [('a', 2, 102, 100)])

    def test_left_out(self):
        pairs = window_pairs([window(1, True, a=3, b=8), window(1, False, a=3, b=1)])
        self.assertEqual(by_tracepoint(pairs, ['b'])[0], 0)

    def test_pairs_are_off_and_on_and_whole(self):
        pairs = window_pairs([window(1, True, a=3), window(1, False, a=1), window(2, True)])
        self.assertEqual(
            [[its['counts'] for its in pair] for pair in pairs], [[{'a': 1}, {'a': 3}]]
        )


class Tracefs(unittest.TestCase):
    def test_stats(self):
        stats = 'entries: 10\noverrun: 3\ncommit overrun: 1\nbytes: 9\nread events: 5\n'
        self.assertEqual(fired_and_lost(stats + 'dropped events: 2\n'), (21, 6))

    def test_events_of_a_trace(self):
        line = b'  comm-123  [001] d..1.  12.345678: sched_switch: prev=1\n'
        self.assertEqual(count_events([b'# tracer: nop\n', line, line]), {'sched_switch': 2})

    def test_full_names_only_where_they_are_unique(self):
        names = full_names(['a:x', 'b:x', 'c:y'])
        self.assertEqual(names, {'y': 'c:y'})


def perf_data(*records, magic=b'PERFILE2'):
    data = b''.join(records)
    return struct.pack('<8s6Q', magic, 104, 0, 0, 0, 56, len(data)) + data


def record(kind, *words):
    return struct.pack(f'<IHH{len(words)}Q', kind, 0, 8 + 8 * len(words), *words)


class Lost(unittest.TestCase):
    def test_counts_of_the_same_losses_are_not_added(self):
        content = perf_data(record(2, 1, 4), record(2, 1, 3), record(9, 5), record(13, 8))
        self.assertEqual(lost_in(content), 8)
        self.assertEqual(lost_in(perf_data(record(2, 1, 4), record(2, 1, 3))), 7)

    def test_a_record_without_a_length_ends_it(self):
        content = perf_data(record(2, 1, 4), struct.pack('<IHH', 9, 0, 0), record(2, 1, 3))
        self.assertEqual(lost_in(content), 4)

    def test_another_file_is_refused(self):
        with self.assertRaises(Failed):
            lost_in(perf_data(magic=b'PERFILE1'))


class Failures(unittest.TestCase):
    def test_each_once_with_how_often(self):
        text = failures(pairs=[('perf', 'x'), ('perf', 'x')], events=[('bpftrace', 'y')])
        self.assertEqual(text, '- `bpftrace`, events: y\n- `perf`, pairs: x (2 times)\n')
