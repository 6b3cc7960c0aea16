"""Statistics that need only the standard library."""

import math
import random
import statistics

# 97.5 % quantiles of Student's t, starting at one degree of freedom.
STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045,
)  # fmt: skip
# With fewer pairs than this, there is no interval.
FEWEST = 5


def student(n):
    """The 97.5 % quantile of Student's t for a sample of n values (n - 1 degrees of freedom)."""
    # The approximation is within 0.005 of the quantile.
    return STUDENT[n - 2] if n - 2 < len(STUDENT) else 1.96 + 2.4 / (n - 1)


def expanded_tail(n):
    """The share of resamples in each tail. For few pairs it is below 2.5 % (Hesterberg 2015)."""
    return statistics.NormalDist().cdf(-math.sqrt(n / (n - 1)) * student(n))


def interval(statistic, *samples, times=10_000):
    """The 95 % bootstrap interval of a statistic of samples, as (low, high).

    It is the expanded percentile interval of Hesterberg (2015), for the smallest sample. It is
    None for fewer than five values, and if the statistic divides by zero in any draw.
    """
    n = min(len(sample) for sample in samples)
    if n < FEWEST:
        return None
    tail = expanded_tail(n)
    draw = random.Random(1)
    try:
        drawn = sorted(
            statistic(*(draw.choices(sample, k=len(sample)) for sample in samples))
            for _ in range(times)
        )
    except ZeroDivisionError:
        return None
    return drawn[int(tail * times)], drawn[times - 1 - int(tail * times)]


def error_of_median(values, times=1000, draw=random):
    """The standard error of a median, by bootstrap."""
    medians = [statistics.median(draw.choices(values, k=len(values))) for _ in range(times)]
    return statistics.stdev(medians)


def ratio_of_means(values, others):
    """The mean of the values divided by the mean of the others, which must be positive.

    Raises ZeroDivisionError if that mean is not above zero.
    """
    mean = statistics.fmean(others)
    if mean <= 0:
        raise ZeroDivisionError('the mean is not above zero')
    return statistics.fmean(values) / mean


def ranked_shares(counts, totals):
    """The share of each name in every capture, sorted by median, then mean, then name.

    `counts` has a dict of counts by name for every capture, `totals` the events of each.
    """
    names = {name for one in counts for name in one}
    shares = {
        name: [one.get(name, 0) / max(total, 1) for one, total in zip(counts, totals, strict=True)]
        for name in names
    }
    return sorted(
        shares.items(), key=lambda its: (-statistics.median(its[1]), -sum(its[1]), its[0])
    )


def overlap(one, other):
    """The overlap of two compositions: the sum of the smaller share of each name."""
    return sum(min(share, other.get(name, 0)) for name, share in one.items())


def in_common(one, other):
    return len(set(one) & set(other))


def episodes(findings, first=0):
    """Joins findings whose times overlap to episodes.

    Times are in windows. `first`, the first window of the checked part, is added to them.
    """
    found = []
    for finding in sorted(findings, key=lambda its: its['from']):
        if not found or finding['from'] >= found[-1]['to']:
            found.append({'from': finding['from'], 'to': finding['to'], 'of': []})
        found[-1]['to'] = max(found[-1]['to'], finding['to'])
        found[-1]['of'].append(f'{finding["kind"]} {finding["tracepoint"] or ""}'.strip())
    for episode in found:
        episode['from'], episode['to'] = episode['from'] + first, episode['to'] + first
    return found


def wilson(number, of):
    """The 95 % interval of a share (Wilson 1927), as (low, high)."""
    if of == 0:
        return 0.0, 1.0
    z = statistics.NormalDist().inv_cdf(0.975)
    share, scale = number / of, 1 + z * z / of
    middle = (share + z * z / (2 * of)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(middle - half, 0.0), min(middle + half, 1.0)
