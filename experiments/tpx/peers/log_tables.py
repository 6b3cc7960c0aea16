"""The time until each tool has a usable log, and the events in it that the tool caused."""

import statistics

from tpx.peers import EVENTS
from tpx.peers.capture_tables import numbers_table
from tpx.peers.runs import SLOW, Runs
from tpx.tables import spread


def log_table(results, kind):
    """The table of `events` or `second`, and the failures."""
    runs = Runs(results[kind])
    rows = []
    for peer in runs.peers():
        ratios = runs.against(peer, 'tp-perf', lambda run, ours: run['seconds'] / ours['seconds'])
        ratio = spread(ratios, '{:.0f}' if peer in SLOW else '{:.1f}', '×')
        if kind == 'events' and min(runs.figure(peer, 'rows')) < EVENTS:
            ratio += ', but its log has too few rows'
        seconds, settled = (runs.figure(peer, key) for key in ('seconds', 'settle'))
        row = [f'`{peer}`', spread(seconds), ratio, spread(settled, '{:.0f}'), kept(runs, peer)]
        rows.append(row)
    head = ['', 'start to log, s', 'against tp-perf', 'then in the background, s']
    return numbers_table([*head, 'rows of the log, thousands'], rows), runs.failures()


def kept(runs, peer):
    text = thousands(runs.figure(peer, 'rows'))
    lost = [run.get('lost') or 0 for run in runs.of(peer)]
    return text + ('; lost ' + thousands(lost) if any(lost) else '')


def thousands(numbers):
    return spread([number / 1e3 for number in numbers], '{:,.0f}')


def own_table(results):
    """The events of a quiet second, the number of such seconds, and the table."""
    quiet = [run['events'] for run in results['quiet']]
    base = statistics.median(quiet or [1])
    runs = Runs(results['second'])
    rows = []
    for peer in runs.peers():
        rows_kept, own, lost = (runs.figure(peer, key) for key in ('rows', 'self_rows', 'lost'))
        ratio = spread([number / base for number in rows_kept], '{:.1f}', '×')
        counts = [spread(numbers, '{:,.0f}') for numbers in (rows_kept, own, lost)]
        rows.append([f'`{peer}`', counts[0], ratio, *counts[1:]])
    head = ['', 'events in its log', 'against a quiet second']
    head += ['from its own processes, if known', 'lost, if known']
    return spread(quiet, '{:,.0f}'), len(quiet), numbers_table(head, rows)
