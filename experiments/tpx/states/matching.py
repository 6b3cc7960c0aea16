"""Found changes against the times in which a state really changed. Times are in nanoseconds."""


def match(found, between, near):
    """Sorts found changes into hits and false ones.

    `between` has by name the begin and the end of the time in which a change is true. A change that
    is found at most `near` before the begin or after the end is a hit. Returns the offsets of the
    hits by name, negative before the begin and 0 within, and the changes that hit nothing.
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
    """Of each name the offset that is nearest to the true change."""
    return [min(one, key=abs) for one in offsets.values()]
