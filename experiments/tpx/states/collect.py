"""Counts the recording of record.py, and stores the counts by rounds."""

import json
from itertools import pairwise

from tpx.io import read_zipped, write_zipped
from tpx.process import Failed
from tpx.progress import say
from tpx.states import SECOND
from tpx.states.counts import cut, windows_within
from tpx.states.tool import run_tool


def collect(work, tool, target):
    """Counts the recording in `work`, and writes the counts by rounds to `target`."""
    say('counting the recording')
    whole = work / 'whole'
    for file in (whole / 'all').glob('*.json'):
        file.unlink()
    run_tool(
        [
            tool,
            'learn',
            'all',
            work / 'recording',
            '--window',
            '100ms',
            '--library',
            whole,
            '--quiet',
        ]
    )
    files = sorted((whole / 'all').glob('*.json'))
    if len(files) != 1:
        raise Failed(f'tp-perf learn made {len(files)} sessions of the recording instead of one')
    session = json.loads(files[0].read_text())
    clock = session['origin'].get('clock')
    if clock not in (None, 'monotonic'):
        raise Failed(f'the clock is `{clock}` in the recording, CLOCK_MONOTONIC in the sessions')
    text = (work / 'sessions.json').read_text()
    sessions = json.loads(text)['sessions']
    target.mkdir(exist_ok=True)
    # An earlier recording may have left more rounds. The file that is copied last marks completion.
    for file in target.glob('*.json*'):
        file.unlink()
    for number in sorted({its['round'] for its in sessions}):
        its_sessions = [its for its in sessions if its['round'] == number]
        begin = min(its['started_ns'] for its in its_sessions) - SECOND
        end = max(its['stopped_ns'] for its in its_sessions) + SECOND
        write_zipped(
            target / f'round-{number}.json.gz', cut(session, *windows_within(session, begin, end))
        )
        say(f'cut round {number} of {len(its_sessions)} sessions')
    write_zipped(target / 'counters.json.gz', collect_counters(work / 'counters', sessions))
    (target / 'sessions.json').write_text(text)
    sizes = {file.name: file.stat().st_size / 1e6 for file in sorted(target.glob('*.json*'))}
    said = ', '.join(f'{name} {size:.1f}' for name, size in sizes.items())
    say(f'counts has {sum(sizes.values()):.1f} MB: {said}')


def collect_counters(folder, sessions):
    """The growth of each counter in each 100 ms, by session and counter.

    A time is the end of its 100 ms. Counters that never change are omitted.
    """
    found = {its['name']: read_zipped(folder / f'{its["name"]}.json.gz') for its in sessions}
    names = next(iter(found.values()))['names']
    if any(its['names'] != names for its in found.values()):
        raise Failed('sessions have different counters')
    deltas = {name: growths(its['values']) for name, its in found.items()}
    changes = [
        number for number in range(len(names)) if any(any(its[number]) for its in deltas.values())
    ]
    return {
        'names': [names[number] for number in changes],
        'sessions': {
            name: {
                'times_ns': found[name]['times_ns'][1:],
                'deltas': [its[number] for number in changes],
            }
            for name, its in deltas.items()
        },
    }


def growths(rows):
    """The growth of each counter from row to row."""
    columns = zip(*rows, strict=True)
    return [[after - before for before, after in pairwise(column)] for column in columns]


def collect_new(work, tool, target):
    """Counts what record.py left in `work`, unless that was done."""
    recorded, counted = work / 'sessions.json', target / 'sessions.json'
    if (work / 'recording').exists() and recorded.exists():
        is_counted = counted.exists() and counted.read_bytes() == recorded.read_bytes()
        if not is_counted:
            collect(work, tool, target)
    quiet = target / 'quiet'
    for file in sorted((work / 'quiet' / 'quiet').glob('*.json')):
        quiet.mkdir(parents=True, exist_ok=True)
        kept = quiet / f'{file.stem}.json.gz'
        if not kept.exists():
            write_zipped(kept, json.loads(file.read_text()))
