"""Compares counts that are partly estimated with exact ones of the same time."""

import bisect
import json
import statistics
from pathlib import Path

# Windows with fewer hits say little about a relative error.
ENOUGH = 1000


def windows_of(path):
    """The windows and the summary that `tp-perf count --every … --format json` wrote."""
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return lines[:-1], lines[-1]


def name(row):
    return f'{row["tracepoint_group"]}:{row["tracepoint"]}'


class Exact:
    """The hits of each tracepoint up to any time, from exact windows.

    Within a window, hits are taken to be spread evenly.
    """

    def __init__(self, windows):
        self.ends = [window['timestamp_ns'] + window['window_ns'] for window in windows]
        self.begin = windows[0]['timestamp_ns']
        sums, self.upto = {}, {}
        for number, window in enumerate(windows):
            for row in window['per_tracepoint']:
                key = name(row)
                sums[key] = sums.get(key, 0) + row['hits']
                self.upto.setdefault(key, []).append((number, sums[key]))

    def hits_until(self, key, time):
        """The hits of a tracepoint from the first window to this time."""
        number = bisect.bisect_left(self.ends, time)
        return self._through(key, number - 1) + self._within(key, number, time)

    def _through(self, key, number):
        """The hits in all windows up to this one."""
        known = self.upto.get(key, [])
        place = bisect.bisect_right(known, (number, float('inf')))
        return known[place - 1][1] if place else 0

    def _within(self, key, number, time):
        if number >= len(self.ends):
            return 0
        begin = self.ends[number - 1] if number else self.begin
        hits = self._through(key, number) - self._through(key, number - 1)
        return hits * max(time - begin, 0) / (self.ends[number] - begin)

    def hits(self, key, begin, end):
        """The hits of a tracepoint between two times."""
        return self.hits_until(key, end) - self.hits_until(key, begin)

    def covers(self, begin, end):
        return self.begin <= begin and end <= self.ends[-1]


def compare(windows, exact):
    """How far the estimates are from the exact hits, and how often their intervals contain them.

    `total_errors` are relative errors over all visited windows of a tracepoint.
    """
    within, compared, totals = 0, 0, {}
    for window in windows:
        begin = window['timestamp_ns']
        end = begin + window['window_ns']
        if not exact.covers(begin, end):
            continue
        for row in window['per_tracepoint']:
            estimated = row.get('estimated')
            if not estimated:
                continue
            truth = exact.hits(name(row), begin, end)
            seen, all_hits = totals.get(name(row), (0, 0))
            totals[name(row)] = seen + estimated['hits'], all_hits + truth
            if truth >= ENOUGH:
                high = estimated['high'] if estimated['high'] is not None else float('inf')
                compared += 1
                within += estimated['low'] <= truth <= high
    errors = {
        key: estimate / truth - 1 for key, (estimate, truth) in totals.items() if truth >= ENOUGH
    }
    columns = zip(*totals.values(), strict=True) if totals else ((), ())
    all_estimates, all_truth = map(sum, columns)
    return {
        'compared_windows': compared,
        'coverage': within / compared if compared else None,
        'tracepoints': len(errors),
        'median_total_error': statistics.median(map(abs, errors.values())) if errors else None,
        'largest_total_errors': dict(sorted(errors.items(), key=lambda item: -abs(item[1]))[:5]),
        'error_of_the_sum': all_estimates / all_truth - 1 if all_truth else None,
    }


def cost_after_steps(windows, begin, end, budget):
    """The reported cost of the windows after the load begins, and the windows over the budget."""
    costs = [(window['timestamp_ns'], window['cost']) for window in windows]
    busy = [cost for time, cost in costs if begin <= time < end]
    first, last = begin - 1_000_000_000, end + 2_000_000_000
    calm = [cost for time, cost in costs if time < first or time > last]
    return {
        'first_busy_windows': busy[:4],
        'busy_windows': len(busy),
        'busy_windows_over_after_two': sum(cost > budget for cost in busy[2:]),
        'mean_busy_cost': statistics.fmean(busy) if busy else None,
        'mean_calm_cost': statistics.fmean(calm) if calm else None,
    }
