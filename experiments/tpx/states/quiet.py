"""False alarms of `check` without --follow on a quiet machine.

Each fold learns some of its minutes and checks all others."""

from tpx.io import read_zipped
from tpx.process import Failed
from tpx.progress import say
from tpx.states import SECOND
from tpx.states.counts import cut
from tpx.states.library import write_session
from tpx.stats import episodes

# The numbers of learned sessions, each a minute long.
LEARNED = (5, 10)
WAYS = ('minutes in a row', 'minutes spread over it', 'minutes spread over an earlier hour')


def checked_quiet(folder, tool, files):
    """The false alarms by what was learned, over all recordings in a folder."""
    recorded = [read_zipped(file) for file in sorted(folder.glob('*.json.gz'))]
    if any(session['window'] != {'ns': SECOND} for session in recorded):
        raise Failed(f'the windows in {folder} are not a second long')
    found = []
    for size in LEARNED:
        all_folds = folds([minutes_of(its) for its in recorded], size)
        for way, way_folds in zip(WAYS, all_folds, strict=True):
            say(f'checking a quiet machine, learned from {size} {way}')
            found.append({'way': f'{size} {way}', **check_way(tool, files, recorded, way_folds)})
    return found


def minutes_of(session):
    return session['windows'] // 60


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


def check_way(tool, files, recorded, way_folds):
    """The alarms of all folds, and the checked time."""
    alarms, checked_minutes = [], 0
    for its in tool.each(lambda fold: check_fold(tool, files, recorded, *fold), way_folds):
        alarms += its[0]
        checked_minutes += its[1]
    minutes = {checked: minutes_of(recorded[checked]) for _, _, checked in way_folds}
    return {
        'folds': len(way_folds),
        'hours': round(checked_minutes / 60, 3),
        'distinct_hours': round(sum(minutes.values()) / 60, 3),
        'alarms': len(alarms),
        'at_different_times': sum(
            distinct([alarm for alarm in alarms if alarm['checked'] == checked])
            for checked in minutes
        ),
    }


def check_fold(tool, files, recorded, number, learned, checked):
    """The alarms of a fold, and the minutes that it checked."""
    library = [('quiet', minute_file(files, recorded, number, minute)) for minute in learned]
    parts = gaps(learned if checked == number else [], minutes_of(recorded[checked]))
    sources = [part_file(files, recorded, checked, *part) for part in parts]
    with files.library(library) as folder:
        answers = tool.check(folder, 'quiet', sources)
    alarms = [
        {'checked': checked, **alarm}
        for (first, _), answer in zip(parts, answers, strict=True)
        for alarm in episodes(answer['check']['findings'], first * 60)
    ]
    return alarms, sum(last - first for first, last in parts)


def minute_file(files, recorded, number, minute):
    return part_file(files, recorded, number, minute, minute + 1)


def part_file(files, recorded, number, first, last):
    path = files.scratch / f'quiet-{number}-minutes-{first}-{last}.json'
    with files.lock:
        if not path.exists():
            write_session(path, cut(recorded[number], first * 60, last * 60))
    return path


def distinct(alarms):
    """The number of different times of these alarms. Several folds may report one event."""
    return len(episodes([{**alarm, 'kind': '', 'tracepoint': ''} for alarm in alarms]))
