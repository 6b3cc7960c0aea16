"""What tp-perf adds to an idle machine, from pairs of windows."""

import statistics

from tpx.peers.capture_tables import numbers_table
from tpx.stats import interval
from tpx.tables import minus, spread

# What the kernel does when it takes pages of files away.
PAGE_TAKEN = 'filemap:mm_filemap_delete_from_page_cache'
RECLAIM = [
    PAGE_TAKEN,
    'memcg:mod_memcg_lruvec_state',
    'kmem:mm_page_free',
    'kmem:mm_page_free_batched',
    'kmem:kmem_cache_free',
]


def window_pairs(windows):
    """The pairs of which both windows were measured, as (off, on)."""
    pairs = {}
    for window in windows:
        pairs.setdefault(window['pair'], {})[window['captured']] = window
    return [(pair[False], pair[True]) for pair in pairs.values() if len(pair) == 2]


def by_tracepoint(pairs, left_out=()):
    """The share that capturing itself makes, its interval, and the ten largest differences.

    All are made of medians over pairs, so that a burst in some windows counts for nothing.
    """
    named = {name for pair in pairs for window in pair for name in window['counts']}
    names = sorted(named - set(left_out))
    off, on = (
        {name: [pair[index]['counts'].get(name, 0) for pair in pairs] for name in names}
        for index in (0, 1)
    )
    more = {
        name: [with_it - without for with_it, without in zip(on[name], off[name], strict=True)]
        for name in names
    }

    def statistic(chosen):
        def sum_of_medians(counts):
            return sum(
                statistics.median([its[index] for index in chosen]) for its in counts.values()
            )

        return sum_of_medians(more) / max(sum_of_medians(on), 1)

    everything = range(len(pairs))
    medians = [[statistics.median(counts[name]) for counts in (more, on, off)] for name in names]
    rows = [(name, *its) for name, its in zip(names, medians, strict=True)]
    largest = sorted(rows, key=lambda row: -abs(row[1]))[:10]
    bounds = interval(statistic, everything, times=2000)
    return statistic(everything), bounds, [row for row in largest if row[1]]


def share(value):
    return minus(f'{100 * value:.2f} %')


def between(bounds):
    """`, with 95 % confidence between …`, or nothing where there are no bounds."""
    if bounds is None:
        return ''
    low, high = map(share, bounds)
    return f', with 95 % confidence between {low} and {high}'


def idle_text(results):
    if not results['windows']:
        return 'Not measured.\n'
    pairs, seconds = window_pairs(results['windows']), results['window_seconds']
    recorded = [on['others'] / seconds for _, on in pairs]
    text = f"""In {len(pairs)} pairs of windows of {seconds:g} s the machine had {spread(recorded, '{:,.0f}')} events a second for
tp-perf to record."""
    has_counts = 'counts' in results['windows'][0]
    if has_counts:
        text += of_tracepoints(pairs)
    text += '\n' + own_thread(pairs, seconds, recorded) + '\n' + of_totals(pairs, seconds, recorded)
    if has_counts:
        text += '\n' + largest_table(pairs, seconds)
    lost = sum(window.get('others_lost', 0) for window in results['windows'])
    if lost:
        text += f'\nThe ring that is counted had no room for {lost:,} events.\n'
    return text


def of_tracepoints(pairs):
    value, bounds, _ = by_tracepoint(pairs)
    text = f""" What capturing itself makes happen elsewhere is **{share(value)}** of what it records{between(bounds)}: for each tracepoint the median over pairs of its count
with tp-perf's events on less that with them off, these summed, as a share of the sum of the medians of the counts with them on."""
    taken = [[window['counts'].get(PAGE_TAKEN, 0) for window in pair] for pair in pairs]
    more, less = sum(on > off for off, on in taken), sum(on < off for off, on in taken)
    value, bounds, _ = by_tracepoint(pairs, RECLAIM)
    return (
        text
        + f""" What is in it is
the kernel taking pages of files away (`{PAGE_TAKEN}`), which this machine does by itself in bursts (DAMON): it did so more
with the events on in {more} pairs, and less in {less}. Without the {len(RECLAIM)} tracepoints
of that, which were chosen after this was seen, it is **{share(value)}**{between(bounds)}."""
    )


def own_thread(pairs, seconds, recorded):
    off, on = ([pair[index]['own'] / seconds for pair in pairs] for index in (0, 1))
    middle = max(statistics.median(recorded), 1)
    return f"""Its own thread, which its recording leaves out, made {spread(on, '{:,.0f}')} events a second meanwhile
({spread(off, '{:,.0f}')} with its events off): {share(statistics.median(on) / middle)} of what it records.
"""


def of_totals(pairs, seconds, recorded):
    more = [(on['others'] - off['others']) / seconds for off, on in pairs]
    middle = max(statistics.median(recorded), 1)
    bounds = interval(statistics.median, more)
    bounds = bounds and [bound / middle for bound in bounds]
    return f"""By the totals of the windows, which have the machine's own bursts too, it had {spread(more, '{:+,.0f}')}
more of them a second with tp-perf's events on than off: at the median {share(statistics.median(more) / middle)}{between(bounds)}.
"""


def largest_table(pairs, seconds):
    rows = []
    for name, more, on, off in by_tracepoint(pairs)[2]:
        forms = (('{:+,.1f}', more), ('{:,.1f}', on), ('{:,.1f}', off))
        rows.append([f'`{name}`', *(minus(form.format(its / seconds)) for form, its in forms)])
    text = 'The ten tracepoints that differ most, at the median over pairs, a second:\n\n'
    return text + numbers_table(
        ['', 'more with the events on', 'with them on', 'with them off'], rows
    )
