"""Matches found changes with the true ones. Times are in nanoseconds."""


def match(found, between, near):
    """Sorts found changes into hits and false ones.

    `between` has, by name, the begin and the end of each true transition. A found change is a hit
    if it is at most `near` before the begin or after the end. Returns the offsets of the hits by
    name (negative before the begin, 0 within), and the found changes that hit nothing.
    """
    offsets, missed = {}, []
    for at in found:
        hits = [name for name, (begin, end) in between.items() if begin - near <= at <= end + near]
        for name in hits:
            begin, end = between[name]
            offsets.setdefault(name, []).append(min(at - begin, 0) + max(at - end, 0))
        if not hits:
            missed.append(at)
    return offsets, missed


def nearest(offsets):
    """By name, the offset that is nearest to the true change."""
    return [min(one, key=abs) for one in offsets.values()]
