"""Instances of tracefs: one as a peer, and others as observers that nobody reads."""

import os
import re

from tpx.machine import TRACING
from tpx.peers import RING_KB
from tpx.progress import say

PREFIX = 'tp-perf-peers-'
# `  comm-123  [001] d..1.  12.345678: sched_switch: …`
EVENT_OF_LINE = re.compile(rb'\[\d+\] \S+ +\d+\.\d+: (\w+):')


def fired_and_lost(stats):
    """The number of fired events in a per-CPU `stats` file, and the number of lost ones.

    Fired events include those that were overwritten, read already, or dropped for lack of room.
    """
    fields = dict(line.split(': ', 1) for line in stats.splitlines() if ': ' in line)
    kinds = ('overrun', 'commit overrun', 'dropped events')
    lost = sum(int(fields.get(field, 0)) for field in kinds)
    return int(fields['entries']) + int(fields.get('read events', 0)) + lost, lost


def count_events(lines):
    """The number of each event in the lines of a `trace` file, by name."""
    found = {}
    for line in lines:
        if event := EVENT_OF_LINE.search(line):
            found[event[1]] = found.get(event[1], 0) + 1
    return {event.decode(): count for event, count in found.items()}


class Instance:
    """An instance with its own rings and the chosen tracepoints, off at first."""

    def __init__(self, name, tracepoints, kb=RING_KB):
        self.path = self.path_of(name)
        self.path.mkdir()
        try:
            self.write('tracing_on', '0')
            self.write('buffer_size_kb', str(kb))
            # Opening it again would empty it, and Python's append mode seeks, which this file does
            # not allow.
            file = os.open(self.path / 'set_event', os.O_WRONLY | os.O_APPEND)
            try:
                for tracepoint in tracepoints:
                    os.write(file, f'{tracepoint}\n'.encode())
            finally:
                os.close(file)
        except BaseException:
            self.close()
            raise

    @classmethod
    def existing(cls, name):
        """An instance that another process made and will remove."""
        instance = cls.__new__(cls)
        instance.path = cls.path_of(name)
        return instance

    @staticmethod
    def path_of(name):
        return TRACING / 'instances' / f'{PREFIX}{name}'

    def write(self, file, text):
        (self.path / file).write_text(text)

    def switch(self, is_on):
        self.write('tracing_on', str(int(is_on)))

    def stats(self):
        """(fired, lost) of all CPUs."""
        files = self.path.glob('per_cpu/cpu*/stats')
        fired, lost = zip(*(fired_and_lost(file.read_text()) for file in files), strict=True)
        return sum(fired), sum(lost)

    def counts(self):
        """The number of each event in its rings."""
        with open(self.path / 'trace', 'rb') as file:
            return count_events(file)

    def close(self):
        self.write('tracing_on', '0')
        self.write('events/enable', '0')
        self.path.rmdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def remove_stale_instances():
    """Removes the instances of a run that was killed, whose tracepoints are still on."""
    for path in (TRACING / 'instances').glob(f'{PREFIX}*'):
        say(f'removing {path}')
        Instance.existing(path.name.removeprefix(PREFIX)).close()
