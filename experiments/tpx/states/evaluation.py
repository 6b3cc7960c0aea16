"""Computes all figures of results.json."""

from itertools import pairwise

import numpy as np

from tpx.progress import say
from tpx.states import SECOND
from tpx.states.baselines import baselines, controls
from tpx.states.changes import changes
from tpx.states.checks import checks
from tpx.states.draws import Bootstrap
from tpx.states.lengths import BASELINES_AT, USUAL
from tpx.states.quiet import watched_quiet
from tpx.states.said import Said, known_states, mixtures, nominal
from tpx.states.unknown import unknown_states


def evaluate(data, asked, lengths, quiet_folder, command):
    """`lengths` of windows are in seconds. `quiet_folder` has the files of `record.py --quiet`."""
    results = {
        'command': command,
        'tp_perf': asked.version,
        **what_was_recorded(data),
        'windows': {},
    }
    bootstrap = Bootstrap(data)
    for seconds in lengths:
        said = Said(data, asked, round(seconds * SECOND))
        say(f'windows of {seconds:g} s: {len(said.sessions)} in sessions of known states')
        figures = results['windows'][f'{seconds:g}'] = {
            'number': len(said.sessions),
            'known': known_states(data, bootstrap, said),
            'nominal': nominal(data, bootstrap, said),
            'unknown_states': unknown_states(data, bootstrap, said),
            'mixtures': mixtures(data, said),
            'changes': changes(data, bootstrap, said),
            'baselines': None,
        }
        if seconds in BASELINES_AT:
            figures['baselines'], folds, to_sessions = baselines(data, bootstrap, said)
            if seconds == USUAL:
                results['controls'] = controls(data, folds, to_sessions)
    if asked.can_check():
        results['check'] = checks(data, asked)
    else:
        say('skipping `check`, which this tp-perf does not have')
        results['check'] = None
    results['quiet'] = watched_quiet(asked.tool, quiet_folder, asked.scratch)
    return results


def what_was_recorded(data):
    sessions = data.sessions
    warm_up = [(one['from_ns'] - one['started_ns']) / SECOND for one in sessions]
    between = [
        (after['started_ns'] - before['to_ns']) / SECOND for before, after in pairwise(sessions)
    ]
    begin = min(one['started_ns'] for one in sessions)
    end = max(one['stopped_ns'] for one in sessions)
    events, lost = totals(data)
    return {
        'facts': {key: value for key, value in data.facts.items() if key != 'sessions'},
        'sessions': len(sessions),
        'rounds': len(data.rounds),
        'minutes': (end - begin) / SECOND / 60,
        'warm_up': float(np.median(warm_up)),
        'between': float(np.median(between)),
        'tracepoints': len(data.names),
        'events': events,
        'lost': lost,
        'states': {
            name: {'sessions': int((data.state_of == index).sum()), 'rate': rate(data, name)}
            for index, name in enumerate(data.states)
        },
        'mixtures': data.mixtures,
    }


def totals(data):
    """The number of events in all sessions, and the number of lost ones."""
    events = lost = 0
    for session, (first, last) in zip(data.sessions, data.spans, strict=True):
        events += int(data.counts[session['round']][first:last].sum())
        lost += int(data.lost[session['round']][first:last].sum())
    return events, lost


def rate(data, state):
    """The median number of events per second."""
    rates = []
    for index, session in enumerate(data.sessions):
        if session['state'] == state:
            rates += data.learned_windows(index, SECOND)[0].sum(axis=1).tolist()
    return float(np.median(rates)) if rates else 0.0
