"""The overhead of each tool on a build, from pairs of builds with its events on and off."""

import statistics

from tpx.peers.capture_tables import numbers_table
from tpx.peers.runs import relative_costs, whole_pairs
from tpx.stats import interval, ratio_of_means
from tpx.tables import spread, with_interval

OTHERS = ('perf', 'perf --exclude-perf')


def pair_tables(results):
    pairs = whole_pairs(results)
    return (
        means_table(pairs)
        + '\nRatios of these means to those of perf:\n\n'
        + ratios_table(pairs)
        + '\nAdded seconds: medians over pairs, with the least and the most.\n\n'
        + seconds_table(pairs)
    )


def costs_of(pairs, key):
    return {peer: relative_costs(its, key) for peer, its in pairs.items()}


def means_table(pairs):
    costs = [costs_of(pairs, key) for key in ('wall', 'cpu', 'busy')]
    rows = [
        [f'`{peer}`', len(its), *(mean_percent(one[peer]) for one in costs)]
        for peer, its in pairs.items()
    ]
    return numbers_table(
        ['', 'pairs', 'wall', 'CPU of the build', 'busy time of the machine'], rows
    )


def mean_percent(costs):
    bounds = interval(lambda drawn: 100 * statistics.fmean(drawn), costs)
    return with_interval(100 * statistics.fmean(costs), bounds, '{:+.0f} %')


def ratios_table(pairs):
    costs = [costs_of(pairs, key) for key in ('cpu', 'busy')]
    rows = [
        [f'`{peer}`', *(ratio(one, peer, other) for one in costs for other in OTHERS)]
        for peer in pairs
    ]
    head = [
        '',
        'CPU of the build, against `perf`',
        'against `perf --exclude-perf`',
        'busy time of the machine, against `perf`',
        'against `perf --exclude-perf`',
    ]
    return numbers_table(head, rows)


def ratio(costs, peer, other):
    """The mean cost of a peer divided by that of another, with its interval."""
    if other not in costs:
        return '–'
    if peer == other:
        return '1'
    ours, theirs = costs[peer], costs[other]
    try:
        bounds = interval(ratio_of_means, ours, theirs)
        return with_interval(ratio_of_means(ours, theirs), bounds, '{:.2f}')
    except ZeroDivisionError:
        return '–'


def seconds_table(pairs):
    rows = []
    for peer, its in pairs.items():
        added = [
            [pair[True][key] - pair[False][key] for pair in its] for key in ('wall', 'cpu', 'busy')
        ]
        off = [[pair[False][key] for pair in its] for key in ('wall', 'cpu')]
        rows.append([f'`{peer}`', *(spread(values, '{:.1f}') for values in added + off)])
    head = ['', 'wall', 'CPU of the build', 'busy time of the machine']
    return numbers_table([*head, 'build with the events off: wall', 'CPU'], rows)
