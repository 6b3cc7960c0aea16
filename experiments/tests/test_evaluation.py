"""What the evaluation of the states computes."""

import math
import tempfile
import unittest
from pathlib import Path

from tpx.io import write_zipped
from tpx.states import SECOND
from tpx.states.anomalies import judged, of_kind
from tpx.states.following import parts_between, quiet_folds, reported_turns
from tpx.states.library import Files
from tpx.states.neighbours import ANOMALIES, CAUSES
from tpx.states.page import page
from tpx.states.poisson import at_most, so_few
from tpx.states.sessions import Dataset, Session, neighbours, sorted_out
from tpx.states.sizes import SIZES, Size, chosen, possible
from tpx.states.stretches import Fold
from tpx.states.targets import MISSED, NOT_YET, REACHED, at_least, false_alarms, no_more, targets
from tpx.states.thresholds import known_verdicts, limit, never_verdicts, rows_without
from tpx.states.tool import by_source
from tpx.states.verdicts import Tally, nearest, number_of, verdict


def session(state, number, windows=60, **more):
    counts = {
        'origin': {'begin_ns': 0},
        'window': {'ns': SECOND},
        'windows': windows,
        'counts': {'a:b': list(range(1, windows + 1))},
        'not_hit': {},
    }
    return Session(f'{number}-{state}', state, number, counts, **more)


class Sizes(unittest.TestCase):
    def test_rounds_after_the_source_in_a_circle(self):
        self.assertEqual(Size(3, 15).learned([1, 2, 3, 4, 5], 4), [5, 1, 2])
        self.assertEqual(Size(None).learned([1, 2, 3], 2), [3, 1])

    def test_never_the_round_of_the_source(self):
        for size in SIZES:
            for number in (1, 5, 11):
                self.assertNotIn(number, size.learned(list(range(1, 12)), number))

    def test_what_the_rounds_are_enough_for(self):
        found, missing = possible(SIZES, 5)
        self.assertEqual(list(found), ['3 × 15 s', '4 × 60 s'])
        self.assertEqual(missing['5 × 60 s'], 'needs 6 rounds, there are 5')
        self.assertEqual(missing['10 × 60 s'], 'needs 11 rounds, there are 5')

    def test_all_other_rounds_are_not_measured_twice(self):
        found, _ = possible(SIZES, 6)
        self.assertEqual(found, {'3 × 15 s': Size(3, 15), '5 × 60 s': Size(5)})

    def test_with_one_round_nothing_can_be_left_out(self):
        found, missing = possible(SIZES, 1)
        self.assertEqual(found, {})
        self.assertEqual(missing['all other rounds'], 'needs 3 rounds, there are 1')

    def test_options(self):
        self.assertEqual(chosen(None, None), list(SIZES))
        self.assertEqual(chosen(15, None), [Size(3, 15)])
        self.assertEqual(chosen(None, 2), [Size(2, 15), Size(2, 60)])


class Folds(unittest.TestCase):
    def setUp(self):
        states = ('idle', 'build-j1', 'web')
        self.plain = [session(state, number) for number in range(1, 6) for state in states]
        others = [session('idle+web', 1), session('web', 1, other_cpus=0.5)]
        others.append(session('web', 1, anomaly='hang', changed_ns=5))
        self.dataset = Dataset('some', self.plain + others, {})

    def learned(self, fold, without=None):
        with tempfile.TemporaryDirectory() as folder:
            pairs = list(fold.learned(Files(Path(folder)), without))
            return [(state, path.stem) for state, path in pairs]

    def test_neither_the_own_round_nor_a_state_that_is_left_out(self):
        names = self.learned(Fold(self.dataset, Size(None), 2, None), 'web')
        rounds = (1, 3, 4, 5)
        expected = [(s, f'{n}-{s}') for n in rounds for s in ('idle', 'build-j1')]
        self.assertEqual(names, expected)

    def test_quarters_of_three_rounds(self):
        names = self.learned(Fold(self.dataset, Size(3, 15), 4, 1), 'idle')
        self.assertEqual(
            [name for _, name in names][::2], ['1-build-j1-q2', '2-build-j1-q3', '5-build-j1-q2']
        )

    def test_a_mislabelled_session_in_place_of_one(self):
        names = self.learned(Fold(self.dataset, Size(None), 1, None, is_mislabelled=True))
        self.assertEqual(names.count(('idle', '2-build-j1')), 1)
        self.assertEqual(names.count(('idle', '2-idle')), 0)
        self.assertEqual(names.count(('build-j1', '2-build-j1')), 1)

    def test_sources_are_of_the_round_and_anomalies_are_none(self):
        sources = list(Fold(self.dataset, Size(None), 1, None).sources())
        self.assertEqual(len(sources), 5)
        self.assertTrue(all(its.anomaly is None for its, _ in sources))

    def test_short_sessions_are_whole_and_only_once(self):
        for quarter, expected in ((0, [None]), (2, [])):
            sources = Fold(self.dataset, Size(3, 15), 1, quarter).sources()
            self.assertEqual([q for its, q in sources if its.other_cpus], expected)


class Loaded(unittest.TestCase):
    def test_a_round_of_neighbours(self):
        counted = session('x', 1, windows=100).counts
        counted = {**counted, 'ns': [SECOND + 7] * 100}
        sessions = [
            {'state': 'a', 'from_ns': 0, 'to_ns': 20 * SECOND, 'is_alive': True},
            {'state': 'a', 'from_ns': 30 * SECOND, 'to_ns': 40 * SECOND, 'is_alive': True},
            {'state': 'b', 'from_ns': 50 * SECOND, 'to_ns': 60 * SECOND, 'is_alive': False},
        ]
        sessions[0]['other_cpus'] = 0.5
        sessions[1].update(anomaly='hang', changed_ns=35 * SECOND)
        with tempfile.TemporaryDirectory() as folder:
            self.assertIsNone(neighbours(Path(folder)))
            document = {'seed': 1, 'sessions': sessions, 'counted': counted}
            write_zipped(Path(folder) / 'round-12.json.gz', document)
            found = neighbours(Path(folder))
        one, other = found.sessions
        self.assertEqual((one.round, one.other_cpus, one.counts['windows']), (12, 0.5, 19))
        self.assertEqual((other.anomaly, other.is_plain), ('hang', False))
        self.assertEqual(other.counts['origin']['begin_ns'], 30 * (SECOND + 7))
        self.assertEqual(other.counts['counts']['a:b'], list(range(31, 40)))
        self.assertEqual(list(found.left_out.values()), ['a load ended'])


class LeftOut(unittest.TestCase):
    def test_sessions_whose_load_ended_or_that_are_too_short(self):
        sessions = [session('a', 1), session('b', 1, windows=4), session('c', 1)]
        found = sorted_out('some', sessions, ['1-c'])
        self.assertEqual([its.name for its in found.sessions], ['1-a'])
        self.assertEqual(found.left_out, {'1-c': 'a load ended', '1-b': 'too short'})


class Quarters(unittest.TestCase):
    def test_have_all_windows_once(self):
        with tempfile.TemporaryDirectory() as folder:
            files, one = Files(Path(folder)), session('a', 1, windows=58)
            paths = [files.of(one, quarter) for quarter in range(4)]
            self.assertEqual(len(set(paths)), 4)
            self.assertIn('"a:b":[15,', paths[1].read_text())
            self.assertIn('"windows":14', paths[3].read_text())

    def test_a_library_is_removed_and_the_files_stay(self):
        with tempfile.TemporaryDirectory() as folder:
            files = Files(Path(folder))
            path = files.of(session('a', 1))
            with files.library([('a', path)]) as library:
                self.assertTrue((library / 'a' / path.name).samefile(path))
            self.assertFalse(library.exists())
            self.assertTrue(path.exists())


class Verdicts(unittest.TestCase):
    def test_each(self):
        cases = {
            (): 'unknown',
            ('a',): 'right alone',
            ('b', 'a'): 'in a pair',
            ('a', 'b', 'c'): 'in a larger set',
            ('b',): 'wrong alone',
            ('b', 'c'): 'wrong set',
        }
        for names, expected in cases.items():
            self.assertEqual(verdict(list(names), 'a'), expected)

    def test_the_nearest_state_has_the_least_distance(self):
        opinions = [{'state': 'a', 'distance': 2.0}, {'state': 'b', 'distance': 0.5}]
        self.assertEqual(nearest(opinions), 'b')
        self.assertIsNone(nearest([]))


def answer(*stretches):
    """An answer of `identify` with these names and nearest states, each in two windows."""
    opinions = [{'state': 'a', 'distance': 1.0}, {'state': 'b', 'distance': 3.0}]
    return {
        'not_excluded': [],
        'stretches': [
            {'states': names, 'nearest': near, 'opinions': opinions} for names, near in stretches
        ],
        'windows': [
            {'states': names, 'opinions': opinions} for names, _ in stretches for _ in range(2)
        ],
    }


class Tallies(unittest.TestCase):
    def test_by_unit_and_state(self):
        tally = Tally()
        tally.add(answer((['a'], 'a'), ([], 'b')), 'a')
        tally.add(answer((['a'], 'a')), 'b')
        found = tally.results()
        self.assertEqual(found['stretches']['of'], 3)
        self.assertEqual(
            found['stretches']['verdicts'], {'right alone': 1, 'unknown': 1, 'wrong alone': 1}
        )
        self.assertEqual(found['stretches']['nearest'], 1)
        self.assertEqual((found['windows']['of'], found['windows']['nearest']), (6, 4))
        self.assertEqual(found['stretches']['by_state']['b']['taken'], {'a': 1})
        self.assertEqual(number_of(found['windows'], 'right alone', 'unknown'), 4)

    def test_only_names_that_are_all_twins_are_excused(self):
        tally = Tally()
        for names in (['b'], ['b', 'c'], ['c'], []):
            tally.add(answer((names, 'b')), 'a', {'b'})
        self.assertEqual(tally.results()['stretches']['excused'], 1)

    def test_what_cannot_be_judged_does_not_count(self):
        tally = Tally()
        stretch = {'states': [], 'nearest': None, 'opinions': []}
        tally.add({'stretches': [stretch], 'windows': [], 'not_excluded': []}, 'a')
        found = tally.results()['stretches']
        self.assertEqual((found['of'], found['verdicts']), (0, {'not judged': 1}))

    def test_no_name_is_no_answer_if_a_state_cannot_be_excluded(self):
        tally = Tally()
        tally.add({**answer(([], 'a'), (['a'], 'a')), 'not_excluded': [{'state': 'b'}]}, 'a')
        found = tally.results()['stretches']
        self.assertEqual(found['verdicts'], {'not judged': 1, 'right alone': 1})

    def test_merged_tallies_are_those_of_all_answers(self):
        one, other, both = Tally(), Tally(), Tally()
        for tally in (one, both):
            tally.add(answer((['a'], 'a')), 'a')
        for tally in (other, both):
            tally.add(answer((['b'], 'b')), 'a', {'b'})
        one.merge(other)
        self.assertEqual(one.results(), both.results())


class Limits(unittest.TestCase):
    def test_at_most_a_twentieth_is_beyond(self):
        for number in (1, 5, 19, 20, 36, 100, 777):
            scores = list(range(number))
            beyond = sum(score > limit(scores) for score in scores)
            self.assertLessEqual(beyond, 0.05 * number)
            self.assertGreater(beyond, 0.05 * number - 1)

    def test_known(self):
        found, near = known_verdicts([[1, 5], [4, 3], [9, 8], [2, 1]], [0, 1, 1, 0], 3)
        self.assertEqual(found, {'right alone': 2, 'unknown': 1, 'wrong alone': 1})
        self.assertEqual(near, 3)

    def test_never_learned(self):
        rows = rows_without([[0, 5, 6], [0, 2, 7]], 0)
        self.assertEqual(rows, [[5, 6], [2, 7]])
        self.assertEqual(never_verdicts(rows, 3), {'unknown': 1, 'wrong alone': 1})


def alarm(at, since, *groups):
    return {
        'kind': 'alarm',
        'at_ns': at * SECOND,
        'since_ns': since * SECOND,
        'by': 'windows',
        'groups': [{'group': group} for group in groups],
    }


class Delays(unittest.TestCase):
    def test_the_first_alarm_after_the_begin_counts(self):
        messages = [
            alarm(20, 15, 'tcp'),
            {'kind': 'all_clear'},
            alarm(33, 24, 'irq', 'tcp', 'sched', 'mmap'),
        ]
        messages.append(alarm(40, 25, 'mmap'))
        found = judged(messages, 25 * SECOND, {'mmap'})
        self.assertEqual((found['before'], found['delay_s'], found['since_s']), (1, 8.0, -1.0))
        self.assertEqual((found['groups'], found['has_cause']), (['irq', 'tcp', 'sched'], False))

    def test_an_alarm_at_the_begin_is_before_it(self):
        found = judged([alarm(25, 20, 'tcp')], 25 * SECOND, {'tcp'})
        self.assertEqual((found['before'], found['delay_s'], found['has_cause']), (1, None, False))

    def test_an_alarm_that_began_long_before_has_another_cause(self):
        found = judged([alarm(27, 20, 'tcp')], 25 * SECOND, {'tcp'})
        self.assertEqual((found['before'], found['delay_s']), (1, None))
        found = judged([alarm(33, 21, 'tcp')], 25 * SECOND, {'tcp'})
        self.assertEqual((found['before'], found['delay_s']), (0, 8))

    def test_no_alarm(self):
        self.assertIsNone(judged([{'kind': 'begin'}], 0, set())['delay_s'])

    def test_of_several_sessions(self):
        times = (9, 10, 14, None)
        all_found = [judged([alarm(at, 1, 'a')] if at else [], 0, {'a'}) for at in times]
        found = of_kind(all_found)
        self.assertEqual(
            (found['of'], found['found'], found['soon'], found['has_cause']), (4, 3, 2, 3)
        )
        self.assertEqual((found['delay_s'], found['groups']), (10.0, ['a']))
        self.assertFalse(found['is_soon'])

    def test_each_anomaly_has_causes(self):
        self.assertEqual(set(CAUSES), set(ANOMALIES))


class Following(unittest.TestCase):
    def test_messages_by_source(self):
        kinds = ['begin', 'alarm', 'end', 'begin', 'end']
        found = by_source([{'kind': kind} for kind in kinds])
        self.assertEqual([len(its) for its in found], [3, 2])

    def test_parts_are_between_the_learned_minutes(self):
        expected = [(0, 1), (2, 4), (5, 9), (10, 13)]
        self.assertEqual(parts_between([1, 4, 9], 13), expected)
        self.assertEqual(parts_between([], 5), [(0, 5)])

    def test_learned_minutes_are_spread_and_differ_by_fold(self):
        folds = quiet_folds(60)
        self.assertEqual([len(fold) for fold in folds], [10] * 3)
        self.assertEqual(folds[0][:3], [0, 6, 12])
        self.assertEqual(len({minute for fold in folds for minute in fold}), 30)

    def test_the_last_report_of_a_load_counts(self):
        loads = [{'state': 'a', 'from_ns': 10 * SECOND, 'to_ns': 70 * SECOND}]
        reports = [(15, ['a']), (18, []), (33, ['b', 'a']), (71, ['c'])]
        messages = [{'kind': 'state', 'at_ns': at * SECOND, 'states': s} for at, s in reports]
        [(_, found)] = reported_turns(messages, loads)
        self.assertEqual(found, {'names': ['b', 'a'], 'is_found': True, 'delay_s': 23.0, 'late': 1})

    def test_a_load_that_is_not_reported(self):
        loads = [{'state': 'a', 'from_ns': 0, 'to_ns': SECOND}]
        [(_, found)] = reported_turns([], loads)
        self.assertEqual(found, {'names': [], 'is_found': False, 'delay_s': None, 'late': 0})


class Poisson(unittest.TestCase):
    def test_rule_of_three(self):
        self.assertAlmostEqual(at_most(0), -math.log(0.05))

    def test_so_few_are_seen_in_five_percent(self):
        for seen in (0, 1, 4, 20):
            self.assertAlmostEqual(so_few(seen, at_most(seen)), 0.05)


class Targets(unittest.TestCase):
    def test_sides(self):
        self.assertEqual(at_least('', 97, 100, 0.97).verdict, REACHED)
        self.assertEqual(at_least('', 96, 100, 0.97).verdict, MISSED)
        self.assertEqual(no_more('', 5, 100, 0.05).verdict, REACHED)
        self.assertEqual(no_more('', 6, 100, 0.05).verdict, MISSED)

    def test_the_share_has_its_interval(self):
        self.assertEqual(at_least('', 0, 10, 0.5).measured, '0.0 % (0.0 to 27.8 %; 0 of 10)')

    def test_without_rounds_nothing_is_reached(self):
        missing = possible(SIZES, 1)[1]
        found = {'neighbours': {'missing': missing, 'sizes': {}}}
        found['anomalies'] = {'missing': 'needs 3 rounds, there are 1', 'ways': {}}
        verdicts = {its.verdict.partition(':')[0] for its in targets(found)}
        self.assertEqual(verdicts, {NOT_YET})

    def test_few_hours_prove_nothing(self):
        def followed(alarms, hours):
            its = {'alarms': alarms, 'hours': hours, 'distinct_hours': hours / 2}
            nothing = {'alarms': 0, 'hours': 0, 'distinct_hours': 0}
            found = {'quiet': {'same': its, 'another': nothing}, 'loaded': nothing}
            return false_alarms(found).kind()

        self.assertEqual(followed(1, 30), NOT_YET)
        self.assertEqual(followed(2, 30), MISSED)
        self.assertEqual(followed(1, 300), REACHED)

    def test_the_worst_come_first(self):
        tally = Tally()
        for names in (['a'], ['b'], []):
            tally.add(answer((names, 'a')), 'a')
        counted = tally.results()
        size = {'is_all': True, 'known': counted, 'never': counted, 'beside': {}}
        found = targets({'nine': {'missing': {}, 'sizes': {'3 × 15 s': size}}})
        verdicts = [its.kind() for its in found]
        order = [MISSED, NOT_YET, REACHED]
        self.assertEqual(verdicts, sorted(verdicts, key=order.index))
        margins = [its.margin for its in found if its.verdict == MISSED]
        self.assertEqual(margins, sorted(margins))


class Page(unittest.TestCase):
    def test_leads_with_the_targets_and_reports_what_is_missing(self):
        counts = {**session('a', 1).counts, 'origin': {'kernel': '6', 'cpus': [0], 'started': None}}
        dataset = Dataset('neighbours', [Session('s', 'a', 1, counts)], {})
        found = {'facts': dataset.facts(), 'missing': possible(SIZES, 1)[1], 'sizes': {}}
        results = {'command': 'x', 'tp_perf': 'y', 'alpha': 0.02, 'neighbours': found}
        text = page(results, 'remarks')
        self.assertLess(text.index('## Targets'), text.index('## Method'))
        self.assertIn('Not measured yet, 5 × 60 s: needs 6 rounds, there are 1.', text)
        self.assertIn('once in each round (1 round)', text)


if __name__ == '__main__':
    unittest.main()
