"""Counts in windows of 100 ms, in the format of a session: cutting, and finding windows."""


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
    begin = session['origin']['begin_ns'] + first * session['window']['ns']
    part = {key: value for key, value in session.items() if key != 'lost'}
    part.update(
        origin={**session['origin'], 'begin_ns': begin},
        windows=last - first,
        counts=counts,
        not_hit={group: sorted(names) for group, names in sorted(not_hit.items())},
    )
    lost = session.get('lost', [])[first:last]
    if any(lost):
        part['lost'] = lost
    return part


def windows_within(session, begin, end):
    """The first window that is completely within a time, and the one after the last."""
    width, origin = session['window']['ns'], session['origin']['begin_ns']
    first, last = -((origin - begin) // width), (end - origin) // width
    first = min(max(first, 0), session['windows'])
    return first, min(max(last, first), session['windows'])
