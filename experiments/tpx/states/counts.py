"""Counts per window, in the format of a session: cutting, joining, and finding windows."""

from bisect import bisect_left, bisect_right
from itertools import accumulate

from tpx.states import SECOND


def edges(session):
    """The begin of each window, and the end of the last one.

    Windows that the kernel counted have lengths of their own.
    """
    lengths = session.get('ns') or [session['window']['ns']] * session['windows']
    return list(accumulate(lengths, initial=session['origin']['begin_ns']))


def cut(session, first, last):
    """The windows `first` to `last` (excluded) of a session, as tp-perf would write them."""
    counts = {}
    not_hit = {group: list(names) for group, names in session['not_hit'].items()}
    for name, row in session['counts'].items():
        part = row[first:last]
        if any(part):
            counts[name] = part
        else:
            group, short = name.split(':', 1)
            not_hit.setdefault(group, []).append(short)
    part = {key: value for key, value in session.items() if key != 'lost'}
    part.update(
        origin={**session['origin'], 'begin_ns': edges(session)[first]},
        windows=last - first,
        counts=counts,
        not_hit={group: sorted(names) for group, names in sorted(not_hit.items())},
    )
    if 'ns' in session:
        part['ns'] = session['ns'][first:last]
    lost = session.get('lost', [])[first:last]
    if any(lost):
        part['lost'] = lost
    return part


def windows_within(session, begin, end):
    """The first window that is completely within a time, and the one after the last."""
    times = edges(session)
    first = min(bisect_left(times, begin), session['windows'])
    last = min(bisect_right(times, end) - 1, session['windows'])
    return first, max(last, first)


def seconds(session):
    """The session in windows of a second. Windows left over at the end are dropped."""
    together = SECOND // session['window']['ns']
    if together == 1:
        return session
    windows = session['windows'] // together

    def sums(row):
        return [sum(row[at * together : (at + 1) * together]) for at in range(windows)]

    joint = {
        **session,
        'window': {'ns': SECOND},
        'windows': windows,
        'counts': {name: sums(row) for name, row in session['counts'].items()},
    }
    return {**joint, **{key: sums(session[key]) for key in ('ns', 'lost') if key in session}}


def joined(sessions):
    """Sessions as one, one after the other. It has no time of the day."""
    names = sorted({name for session in sessions for name in session['counts']})
    hit = set(names)

    def one_row(rows):
        return [value for row in rows for value in row]

    joint = {
        **sessions[0],
        'origin': {**sessions[0]['origin'], 'started': None},
        'windows': sum(session['windows'] for session in sessions),
        'counts': {
            name: one_row(its['counts'].get(name, [0] * its['windows']) for its in sessions)
            for name in names
        },
        'not_hit': {
            group: [short for short in shorts if f'{group}:{short}' not in hit]
            for group, shorts in sessions[0]['not_hit'].items()
        },
    }
    defaults = {'lost': 0, 'ns': sessions[0]['window']['ns']}
    for key, default in defaults.items():
        if any(key in session for session in sessions):
            rows = (its.get(key) or [default] * its['windows'] for its in sessions)
            joint[key] = one_row(rows)
    return joint
