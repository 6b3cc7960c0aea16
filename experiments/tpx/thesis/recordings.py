"""The recordings of the situations, with the counts of tp-perf's report."""

import csv
from collections import Counter
from pathlib import Path

from tpx.io import read_json, read_pairs
from tpx.process import Failed
from tpx.stats import ranked_shares
from tpx.thesis.facts import PICTURES, SITUATIONS


class Capture:
    """One recording, with the counts of the report."""

    def __init__(self, folder, source):
        self.name = Path(source['source']).name
        self.folder = folder / self.name
        self.summary = source['summary']
        self.span_ns = source['span_ns']
        self.events = {row['name']: row['events'] for row in source['tracepoints']}
        self.groups = {row['name']: row['events'] for row in source['groups']}
        self.total = sum(self.events.values())
        self.marks = read_pairs(folder / 'marks' / self.name)

    def log(self):
        """Timestamp in nanoseconds and tpid of each row."""
        with open(self.folder / 'log.csv', newline='', encoding='utf-8') as file:
            rows = csv.reader(file)
            next(rows)
            for row in rows:
                yield int(row[0]), int(row[1])


def sources_of(path):
    """The report on each source, by the name of its folder."""
    return {Path(source['source']).name: source for source in read_json(path)['sources']}


def table_of(folder):
    with open(folder / 'tracepoints.csv', newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row['full'] = f'{row["group name"]}:{row["tracepoint name"]}'
        row['tpid'], row['gid'], row['id'] = (
            int(row['tpid']),
            int(row['gid']),
            int(row['tracefs id']),
        )
    return rows


class Window:
    """The part of a capture's log between the start and the end of `ab`."""

    def __init__(self, capture, names):
        begin, end = (
            round(float(capture.marks[mark]) * 1e9) - int(capture.marks['clock_difference'])
            for mark in ('ab_start', 'ab_end')
        )
        self.before = self.after = 0
        events, last = Counter(), 0
        for time, tpid in capture.log():
            last = time
            if time < begin:
                self.before += 1
            elif time > end:
                self.after += 1
            else:
                events[names[tpid]] += 1
        self.events = dict(events)
        self.total = sum(events.values())
        self.groups = dict(by_group(events))
        self.length_ns = end - begin
        self.whole = self.before > 0 and last > end


def by_group(events):
    groups = Counter()
    for name, count in events.items():
        groups[name.split(':')[0]] += count
    return groups


def shares(captures, of):
    """The share of each name in every capture, largest first. `of` returns a capture's counts."""
    totals = [capture.total for capture in captures]
    return ranked_shares([of(capture) for capture in captures], totals)


def events_of(capture):
    return capture.events


def groups_of(capture):
    return capture.groups


def five(captures):
    """The five tracepoints with the largest shares."""
    return [name for name, _ in shares(captures, events_of)[:5]]


def five_of(events):
    """The five most frequent names of one capture."""
    return sorted(events, key=lambda name: (-events[name], name))[:5]


class Experiment:
    """All recordings in a folder.

    `captures` has the repeats of each situation, `long` the recordings for the pictures, `rows` the
    kernel's tracepoints in their order, and `by_name` the same rows by the tracepoint's name.
    """

    def __init__(self, folder):
        self.facts = read_pairs(folder / 'facts')
        repeated, pictures = (
            sources_of(folder / f'{name}.json') for name in ('repeats', 'pictures')
        )
        repeats = range(1, int(self.facts['repeats']) + 1)
        self.captures = {
            key: [Capture(folder, repeated[f'{key}-{repeat}']) for repeat in repeats]
            for key in SITUATIONS
        }
        for capture in self.repeated:
            if capture.total != capture.summary['events']['logged']:
                counted = f'{capture.total} events of {capture.name}'
                raise Failed(f'the report counts {counted}, but its log has other rows')
        self.long = [Capture(folder, pictures[name]) for name in PICTURES]
        self.rows = table_of(self.captures['idle'][0].folder)
        self.by_name = {}
        for row in self.rows:
            self.by_name.setdefault(row['tracepoint name'], []).append(row)
        names = {row['tpid']: row['full'] for row in self.rows}
        self.windows = [Window(capture, names) for capture in self.captures['apache']]

    @property
    def repeated(self):
        return [capture for key in SITUATIONS for capture in self.captures[key]]

    @property
    def everything(self):
        return self.repeated + self.long

    @property
    def total(self):
        return sum(capture.total for capture in self.everything)

    def five(self, key):
        return five(self.captures[key])
