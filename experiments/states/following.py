#!/usr/bin/python3
"""Measures what `tp-perf check --follow` and `identify --follow` report, window by window.

It uses the counts in `counts`: rounds of nine loads (see record.py), and hours of a quiet machine.

  quiet   ten minutes, spread over a recording, are learned; all other minutes are followed
  loaded  three rounds are learned; the sessions of each state in the other two are joined and followed
  turns   a whole round with all its loads is followed, with a library of the other rounds

Each alarm in the first two is false. Sessions are joined whole, in the order of the rounds. The same minutes
are followed in several folds, so the report has the distinct hours too."""

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT / 'experiments'))
sys.path.insert(0, str(FOLDER))

from stretches import COUNTS, Sessions, seconds

from tpx.io import read_zipped
from tpx.process import Failed, main_of
from tpx.states.counts import cut
from tpx.states.tool import ALARM, run_tool

QUIET = COUNTS / 'quiet'
# Minutes that are learned of a quiet recording.
LEARNED = 10
# The label that sessions of single states have in a round; others are two loads at once.
MIXED = '+'
# A change that is reported within this time after a load began or ended counts as found.
SOON_NS = 20e9


class Library:
    """A library in a folder of its own."""

    def __init__(self, scratch):
        self.path = scratch / 'library'
        shutil.rmtree(self.path, ignore_errors=True)

    def add(self, state, name, session):
        folder = self.path / state
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f'{name}.json').write_text(json.dumps(session, separators=(',', ':')))

    def follow(self, tool, words, source, scratch):
        """The messages about a source."""
        file = scratch / 'source.json'
        file.write_text(json.dumps(source, separators=(',', ':')))
        words = [tool, *words, '--follow', file, '--library', self.path, '--format', 'json']
        done = run_tool([*words, '--window', '1s'], allowed=(0, ALARM))
        return [json.loads(line) for line in done.stdout.splitlines()]


def joined(sessions):
    """Sessions as one, one after the other."""
    names = sorted({name for session in sessions for name in session['counts']})

    def counts_of(name):
        rows = [s['counts'].get(name, [0] * s['windows']) for s in sessions]
        return [count for row in rows for count in row]

    windows = sum(session['windows'] for session in sessions)
    hit = set(names)
    not_hit = {
        group: [short for short in shorts if f'{group}:{short}' not in hit]
        for group, shorts in sessions[0]['not_hit'].items()
    }
    origin = {**sessions[0]['origin'], 'started': None}
    joint = {**sessions[0], 'origin': origin, 'windows': windows, 'not_hit': not_hit}
    joint.pop('lost', None)
    if any('lost' in session for session in sessions):
        lost = [session.get('lost', [0] * session['windows']) for session in sessions]
        joint['lost'] = [count for row in lost for count in row]
    return {**joint, 'counts': {name: counts_of(name) for name in names}}


class Watched:
    """The alarms of some folds."""

    def __init__(self):
        self.windows, self.alarms, self.first, self.distinct = 0, 0, Counter(), set()

    def add(self, messages, minutes):
        self.windows += messages[-1]['windows']
        self.distinct.update(minutes)
        self.alarms += messages[-1]['alarms']
        for alarm in (its for its in messages if its['kind'] == 'alarm'):
            groups = ', '.join(group['group'] for group in alarm['groups'][:3])
            self.first[f'{alarm["by"]}: {groups}'] += 1

    def show(self, title):
        hours = self.windows / 3600
        print(
            f'{title}: {self.alarms} alarms in {hours:.1f} hours of following '
            f'({len(self.distinct) / 60:.1f} distinct hours)'
        )
        for what, number in self.first.most_common(5):
            print(f'    {number} × {what}')


def quiet(sessions, tool, scratch):
    parts = [read_zipped(file) for file in sorted(QUIET.glob('*.json.gz'))]
    own, later = Watched(), Watched()
    for number, part in enumerate(parts):
        minutes = part['windows'] // 60
        apart = minutes // LEARNED
        for first in range(0, apart, max(apart // 3, 1)):
            learned = [first + apart * step for step in range(LEARNED)]
            library = Library(scratch)
            for minute in learned:
                library.add('idle', f'minute-{minute}', cut(part, 60 * minute, 60 * (minute + 1)))
            for name, state, _, whole in sessions.known:
                if state != 'idle':
                    library.add(state, name, whole)
            for other, source in enumerate(parts):
                ends = [-1, *learned, minutes] if other == number else [-1, source['windows'] // 60]
                for before, after in zip(ends, ends[1:], strict=False):
                    if after - before < 2:
                        continue
                    some = cut(source, 60 * (before + 1), 60 * after)
                    words = ['check', '--against', 'idle']
                    messages = library.follow(tool, words, some, scratch)
                    its = {(other, minute) for minute in range(before + 1, after)}
                    (own if other == number else later).add(messages, its)
    own.show('quiet, the same recording')
    later.show('quiet, another recording')


def loaded(sessions, tool, scratch):
    watched = Watched()
    by_state = Counter()
    for start in range(len(sessions.rounds)):
        learned = [sessions.rounds[(start + i) % len(sessions.rounds)] for i in range(3)]
        library = Library(scratch)
        for name, state, number, whole in sessions.known:
            if number in learned:
                library.add(state, name, whole)
        for state in sorted({its[1] for its in sessions.known}):
            others = [its for its in sessions.known if its[1] == state and its[2] not in learned]
            source = joined([whole for _, _, _, whole in others])
            messages = library.follow(tool, ['check', '--against', state], source, scratch)
            watched.add(messages, {name for name, _, _, _ in others})
            by_state[state] += messages[-1]['alarms']
    watched.show('loaded, three sessions of each state learned')
    print(f'    alarms by state: {dict(by_state)}')


def turns(sessions, tool, scratch):
    """Whether each load of a round is reported, and when."""
    found, delays, wrong, missed, extra = 0, [], Counter(), 0, 0
    for number in sessions.rounds:
        library = Library(scratch)
        for name, state, its, whole in sessions.known:
            if its != number:
                library.add(state, name, whole)
        source = seconds(read_zipped(COUNTS / f'round-{number}.json.gz'))
        messages = [
            its
            for its in library.follow(tool, ['identify'], source, scratch)
            if its['kind'] == 'state'
        ]
        loads = [its for its in sessions.facts if its['round'] == number]
        for load in loads:
            begin, end = load['from_ns'], load['to_ns']
            before = [its for its in messages if its['at_ns'] <= end]
            within = [its for its in before if its['at_ns'] > begin + SOON_NS]
            at_end = before[-1]['states'] if before else None
            truth = load['state']
            if MIXED in truth:
                wrong[f'{truth} as {" or ".join(at_end) or "unknown"}'] += 1
                continue
            extra += len(within)
            if at_end and truth in at_end:
                found += 1
                reports = [its for its in before if truth in its['states']]
                delays.append((reports[-1]['at_ns'] - begin) / 1e9)
            else:
                missed += 1
                wrong[f'{truth} as {" or ".join(at_end) or "unknown"}'] += 1
    delays.sort()
    print(
        f'turns: {found} of {found + missed} loads have their name at their end; it came '
        f'{delays[len(delays) // 2]:.0f} s after the load was steady, in the median '
        f'({delays[0]:.0f} to {delays[-1]:.0f}); {extra} reports later than {SOON_NS / 1e9:.0f} s'
    )
    print(f'    others: {dict(wrong)}')


def main():
    parser = argparse.ArgumentParser(
        prog='following.py',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tool = ROOT / 'target/release/tp-perf'
    parser.add_argument('--tp-perf', metavar='FILE', type=Path, default=tool, help='this binary')
    parts = {'quiet': quiet, 'loaded': loaded, 'turns': turns}
    parser.add_argument('--only', choices=parts, help='only this part')
    options = parser.parse_args()
    if not options.tp_perf.exists():
        raise Failed(f'{options.tp_perf} does not exist')
    with tempfile.TemporaryDirectory(prefix='tp-perf-following-') as folder:
        sessions = Sessions(Path(folder))
        for name, measure in parts.items():
            if options.only in (None, name):
                measure(sessions, options.tp_perf.resolve(), Path(folder))
    return 0


if __name__ == '__main__':
    main_of('following.py', main)
