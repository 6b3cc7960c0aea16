#!/usr/bin/python3
"""Measures what `tp-perf identify` SAYS about whole stretches of known and never-learned states.

It uses the sessions in `counts` (see record.py). Each session is identified twice: with a library
of all other sessions (its state is known), and with a library without its state (it was never
learned). Two sizes of libraries are tried:

  60 s: all sessions of the other rounds, whole: four of the own state, five of the others
  15 s: quarters of the sessions of three other rounds; each quarter is also a source

A stretch counts as a whole, however long it is. `time` weighs each stretch by its windows."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT / 'experiments'))

from tpx.io import read_json, read_zipped
from tpx.process import Failed, main_of
from tpx.states.counts import cut, windows_within
from tpx.states.tool import run_tool

COUNTS = FOLDER / 'counts'
# Windows of 100 ms that make one of a second.
TOGETHER = 10
# In the answers of schema 1, states further away than this times the nearest are not named.
FAR = 2.0
KNOWN = ('right alone', 'in a pair', 'in a larger set', 'unknown', 'wrong alone', 'wrong set')
NEVER = ('unknown', 'wrong alone', 'wrong set')


def seconds(session):
    """The session in windows of a second. Windows left over at the end are dropped."""
    windows = session['windows'] // TOGETHER

    def joined(row):
        return [sum(row[i * TOGETHER : (i + 1) * TOGETHER]) for i in range(windows)]

    joint = {
        **session,
        'window': {'ns': session['window']['ns'] * TOGETHER},
        'windows': windows,
        'counts': {name: joined(row) for name, row in session['counts'].items()},
    }
    if 'lost' in session:
        joint['lost'] = joined(session['lost'])
    return joint


class Sessions:
    """The sessions in windows of a second, and their files."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.facts = facts = read_json(COUNTS / 'sessions.json')['sessions']
        rounds = sorted({its['round'] for its in facts})
        documents = {number: read_zipped(COUNTS / f'round-{number}.json.gz') for number in rounds}
        self.rounds, self.all = rounds, []
        for its in facts:
            document = documents[its['round']]
            whole = seconds(cut(document, *windows_within(document, its['from_ns'], its['to_ns'])))
            self.all.append((its['name'], its['state'], its['round'], whole))
        self.known = [its for its in self.all if '+' not in its[1]]

    def file(self, session, quarter=None):
        name, _, _, whole = session
        path = self.scratch / (f'{name}.json' if quarter is None else f'{name}-{quarter}.json')
        if not path.exists():
            length = whole['windows'] // 4
            first = 0 if quarter is None else quarter * length
            part = cut(whole, first, whole['windows'] if quarter is None else first + length)
            path.write_text(json.dumps(part, separators=(',', ':')))
        return path


def said(answer, stretch):
    """The states that the text of an answer names."""
    names = stretch['states']
    if answer['schema'] > 1 or not names:
        return names
    distance = {its['state']: its['distance'] for its in stretch['opinions']}
    return [name for name in names if distance[name] <= FAR * distance[names[0]]]


def verdict(names, truth):
    if not names:
        return 'unknown'
    if truth not in names:
        return 'wrong alone' if len(names) == 1 else 'wrong set'
    return {1: 'right alone', 2: 'in a pair'}.get(len(names), 'in a larger set')


def identify(tool, source, library_files, scratch, alpha):
    library = scratch / 'library'
    for state, file in library_files:
        (library / state).mkdir(parents=True, exist_ok=True)
        os.link(file, library / state / file.name)
    command = [tool, 'identify', source, '--library', library, '--format', 'json']
    command += ['--window', '1s', *(['--alpha', alpha] if alpha else [])]
    answer = json.loads(run_tool(command).stdout)
    shutil.rmtree(library)
    return answer


class Tally:
    """Verdicts about stretches, by true state."""

    def __init__(self):
        self.stretches, self.time, self.by_state, self.taken = (Counter() for _ in range(4))

    def add(self, answer, truth):
        for stretch in answer['stretches']:
            names = said(answer, stretch)
            its = verdict(names, truth)
            self.stretches[its] += 1
            self.time[its] += stretch['to'] - stretch['from']
            self.by_state[truth, its] += 1
            if names and truth not in names:
                self.taken[f'{truth} as {" or ".join(names)}'] += 1

    def show(self, title, verdicts):
        for what, counted in (('stretches', self.stretches), ('time', self.time)):
            of = sum(counted.values())
            shares = ', '.join(f'{its} {counted[its] / of:.1%}' for its in verdicts if counted[its])
            print(f'{title}, {what} ({of}): {shares}')
        of_unknown = {
            state: f'{number}/{sum(n for (its, _), n in self.by_state.items() if its == state)}'
            for (state, its), number in sorted(self.by_state.items())
            if its == 'unknown'
        }
        print(f'    unknown by state: {of_unknown}')
        if self.taken:
            print(f'    taken for another: {dict(self.taken)}')


# A session of the second state is learned as one of the first, with --mislabelled.
MISLABELLED = ('idle', 'build-j1')


def mislabelled(sessions, its, first_round):
    """The session that the library has in place of this one."""
    state, other = MISLABELLED
    if (its[1], its[2]) != (state, first_round):
        return its
    return next(one for one in sessions.known if (one[1], one[2]) == (other, first_round))


def measure(sessions, tool, alpha, length, options):
    known, never, mixed = Tally(), Tally(), Tally()
    order = sessions.rounds
    for source in sessions.all:
        name, truth, number, _ = source
        for quarter in [None] if length == 60 else range(4):
            later = [order[(order.index(number) + i) % len(order)] for i in (1, 2, 3)]
            rounds = order if length == 60 else later
            if options.sessions:
                rounds = later[: options.sessions]

            def files(without, quarter=quarter, rounds=rounds, name=name):
                for its in sessions.known:
                    if its[0] != name and its[1] != without and its[2] in rounds:
                        other = None if quarter is None else (quarter + its[2]) % 4
                        one = its
                        if options.mislabelled:
                            one = mislabelled(sessions, its, rounds[0])
                        yield its[1], sessions.file(one, other)

            file = sessions.file(source, quarter)
            if '+' in truth:
                mixed.add(identify(tool, file, files(None), sessions.scratch, alpha), truth)
                continue
            known.add(identify(tool, file, files(None), sessions.scratch, alpha), truth)
            never.add(identify(tool, file, files(truth), sessions.scratch, alpha), truth)
    known.show(f'{length} s, known', KNOWN)
    never.show(f'{length} s, never learned', NEVER)
    mixed.show(f'{length} s, two loads at once', NEVER)


def main():
    parser = argparse.ArgumentParser(
        prog='stretches.py',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tool = ROOT / 'target/release/tp-perf'
    parser.add_argument('--tp-perf', metavar='FILE', type=Path, default=tool, help='this binary')
    parser.add_argument('--alpha', help='the level of `identify` (default: its own)')
    parser.add_argument('--length', type=int, choices=(15, 60), help='only this size of libraries')
    parser.add_argument(
        '--sessions', type=int, choices=(1, 2, 3), help='learn only so many sessions of each state'
    )
    parser.add_argument(
        '--mislabelled',
        action='store_true',
        help='learn a session of build-j1 under the name idle, in place of one of idle',
    )
    options = parser.parse_args()
    if not options.tp_perf.exists():
        raise Failed(f'{options.tp_perf} does not exist')
    with tempfile.TemporaryDirectory(prefix='tp-perf-stretches-') as scratch:
        sessions = Sessions(Path(scratch))
        for length in [options.length] if options.length else (60, 15):
            measure(sessions, options.tp_perf.resolve(), options.alpha, length, options)
    return 0


if __name__ == '__main__':
    main_of('stretches.py', main)
