"""False alarms of `check` on a quiet machine.

Each fold learns some of its minutes and checks all others."""

import json
import shutil

from tpx.io import read_zipped
from tpx.process import Failed
from tpx.states import SECOND
from tpx.states.counts import cut
from tpx.states.tool import ALARM, run_tool
from tpx.stats import episodes

# The numbers of learned sessions, each a minute long.
LEARNED = (5, 10)
WAYS = ('minutes in a row', 'minutes spread over it', 'minutes spread over an earlier hour')
# The allowed numbers of false alarms per day.
ALLOWED = (1, 10, 100, 1000, 10000)


def watched_quiet(tool, folder, scratch):
    """The results of the checks of all recordings in a folder. None if it has no recordings."""
    sessions = [read_zipped(file) for file in sorted(folder.glob('*.json.gz'))]
    if not sessions:
        return None
    if any(session['window'] != {'ns': SECOND} for session in sessions):
        raise Failed(f'the windows in {folder} are not a second long')
    ways = []
    for size in LEARNED:
        for way, way_folds in zip(
            WAYS, folds([minutes_of(its) for its in sessions], size), strict=True
        ):
            if way_folds:
                checked = check_way(tool, scratch, sessions, way_folds)
                ways.append({'way': f'{size} {way}', 'folds': len(way_folds), **checked})
    return {'recordings': list(map(facts_of, sessions)), 'ways': ways}


def minutes_of(session):
    return session['windows'] // 60


def facts_of(session):
    return {
        'minutes': minutes_of(session),
        'kernel': session['origin']['kernel'],
        'started': session['origin']['started'][:19],
        'events': sum(map(sum, session['counts'].values())),
    }


def folds(minutes, size):
    """The folds of each way, from the number of minutes of each session.

    A fold has the session to learn from, the minutes to learn, and the session to check.
    """
    in_a_row, all_over, earlier = [], [], []
    for number, count in enumerate(minutes):
        for first in range(0, count - size + 1, size):
            in_a_row.append((number, list(range(first, first + size)), number))
        apart = count // size
        for first in range(apart):
            learned = list(range(first, first + apart * size, apart))
            all_over.append((number, learned, number))
            earlier += [(number, learned, later) for later in range(number + 1, len(minutes))]
    return in_a_row, all_over, earlier


def gaps(learned, minutes):
    """The stretches of minutes that are not learned, as (first, one past the last)."""
    starts = [0, *(minute + 1 for minute in learned)]
    ends = [*learned, minutes]
    return [(first, last) for first, last in zip(starts, ends, strict=True) if first < last]


def check_way(tool, scratch, sessions, way_folds):
    """By number of allowed alarms, the alarms of all folds and the checked seconds."""
    rows = {
        allowed: {'allowed_per_day': allowed, 'alarms': [], 'seconds': 0} for allowed in ALLOWED
    }
    for number, learned, checked in way_folds:
        library = make_library(scratch, sessions[number], learned)
        session = sessions[checked]
        known = learned if checked == number else []
        for begin, end in gaps(known, minutes_of(session)):
            first, last = begin * 60, end * 60
            file = scratch / 'quiet.json'
            file.write_text(json.dumps(cut(session, first, last)))
            for allowed, row in rows.items():
                row['seconds'] += last - first
                row['alarms'] += [
                    {'learned': [number, *learned], 'checked': checked, **alarm}
                    for alarm in episodes(check(tool, file, library, allowed), first)
                ]
    for row in rows.values():
        row['distinct'] = sum(
            distinct([alarm for alarm in row['alarms'] if alarm['checked'] == checked])
            for checked in range(len(sessions))
        )
    all_checked = {checked for _, _, checked in way_folds}
    minutes = sum(minutes_of(sessions[checked]) for checked in all_checked)
    return {'minutes': minutes, 'rows': list(rows.values())}


def make_library(scratch, session, learned):
    """A library whose state `quiet` has a session of each of these minutes."""
    library = scratch / 'quiet'
    shutil.rmtree(library, ignore_errors=True)
    (library / 'quiet').mkdir(parents=True)
    for minute in learned:
        part = cut(session, minute * 60, minute * 60 + 60)
        (library / 'quiet' / f'minute-{minute:03}.json').write_text(json.dumps(part))
    return library


def check(tool, file, library, allowed):
    words = [tool, 'check', '--against', 'quiet', file, '--library', library, '--window', '1s']
    words += ['--false-alarms', allowed, '--format', 'json']
    return json.loads(run_tool(words, allowed=(0, ALARM)).stdout)['check']['findings']


def distinct(alarms):
    """The number of different times of these alarms. Several folds may report one event."""
    return len(episodes([{**alarm, 'kind': '', 'tracepoint': ''} for alarm in alarms]))
