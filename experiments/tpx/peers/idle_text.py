"""The events that tp-perf adds to an idle machine, from pairs of windows."""

import statistics

from tpx.peers.capture_tables import numbers_table
from tpx.stats import interval
from tpx.tables import minus, spread

# The tracepoints that fire when the kernel reclaims pages of files.
PAGE_TAKEN = 'filemap:mm_filemap_delete_from_page_cache'
RECLAIM = [
    PAGE_TAKEN,
    'memcg:mod_memcg_lruvec_state',
    'kmem:mm_page_free',
    'kmem:mm_page_free_batched',
    'kmem:kmem_cache_free',
]


def window_pairs(windows):
    """The pairs whose two windows were both measured, as (off, on)."""
    pairs = {}
    for window in windows:
        pairs.setdefault(window['pair'], {})[window['captured']] = window
    return [(pair[False], pair[True]) for pair in pairs.values() if len(pair) == 2]


def by_tracepoint(pairs, left_out=()):
    """The share of events caused by capturing, its interval, and the ten largest differences.

    All are computed from medians over pairs, so bursts in a few windows have no effect.
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
    """`, with 95 % confidence between …`, or an empty text without bounds."""
    if bounds is None:
        return ''
    low, high = map(share, bounds)
    return f', with 95 % confidence between {low} and {high}'


def idle_text(results):
    if not results['windows']:
        return 'Not measured.\n'
    pairs, seconds = window_pairs(results['windows']), results['window_seconds']
    recorded = [on['others'] / seconds for _, on in pairs]
    text = f"""In {len(pairs)} pairs of windows of {seconds:g} s, the machine had {spread(recorded, '{:,.0f}')} events per second for
tp-perf to record."""
    has_counts = 'counts' in results['windows'][0]
    if has_counts:
        text += of_tracepoints(pairs)
    text += '\n' + own_thread(pairs, seconds, recorded) + '\n' + of_totals(pairs, seconds, recorded)
    if has_counts:
        text += '\n' + largest_table(pairs, seconds)
    lost = sum(window.get('others_lost', 0) for window in results['windows'])
    if lost:
        text += f'\nThe counted ring had no room for {lost:,} events.\n'
    return text


def of_tracepoints(pairs):
    value, bounds, _ = by_tracepoint(pairs)
    text = f""" The events that capturing itself causes elsewhere are **{share(value)}** of the events it records{between(bounds)}.
This is computed as follows: for each tracepoint, take the median over pairs of its count with tp-perf's events on minus its count with them off.
The sum of these medians is divided by the sum of the median counts with them on."""
    taken = [[window['counts'].get(PAGE_TAKEN, 0) for window in pair] for pair in pairs]
    more, less = sum(on > off for off, on in taken), sum(on < off for off, on in taken)
    value, bounds, _ = by_tracepoint(pairs, RECLAIM)
    return (
        text
        + f""" This share includes
the kernel's reclaim of file pages (`{PAGE_TAKEN}`), which this machine does by itself in bursts (DAMON). It reclaimed more
with the events on in {more} pairs, and less in {less}. Without the {len(RECLAIM)} tracepoints
of reclaim, which were chosen after this was seen, the share is **{share(value)}**{between(bounds)}."""
    )


def own_thread(pairs, seconds, recorded):
    off, on = ([pair[index]['own'] / seconds for pair in pairs] for index in (0, 1))
    middle = max(statistics.median(recorded), 1)
    return f"""tp-perf's own thread, which its recording excludes, caused {spread(on, '{:,.0f}')} events per second in that time
({spread(off, '{:,.0f}')} with its events off). That is {share(statistics.median(on) / middle)} of the events it records.
"""


def of_totals(pairs, seconds, recorded):
    more = [(on['others'] - off['others']) / seconds for off, on in pairs]
    middle = max(statistics.median(recorded), 1)
    bounds = interval(statistics.median, more)
    bounds = bounds and [bound / middle for bound in bounds]
    return f"""The totals of the windows also have the machine's own bursts. By the totals, there were {spread(more, '{:+,.0f}')}
more events per second with tp-perf's events on than off. The median is {share(statistics.median(more) / middle)}{between(bounds)}.
"""


def largest_table(pairs, seconds):
    rows = []
    for name, more, on, off in by_tracepoint(pairs)[2]:
        forms = (('{:+,.1f}', more), ('{:,.1f}', on), ('{:,.1f}', off))
        rows.append([f'`{name}`', *(minus(form.format(its / seconds)) for form, its in forms)])
    text = 'The ten tracepoints with the largest differences: events per second, as medians over pairs.\n\n'
    return text + numbers_table(
        ['', 'more with the events on', 'with them on', 'with them off'], rows
    )
