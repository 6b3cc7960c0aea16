"""The kernel's own counters, read while the states are recorded."""

import os
import threading
import time

from tpx.io import write_zipped

FIELDS = [
    'user',
    'nice',
    'system',
    'idle',
    'iowait',
    'irq',
    'softirq',
    'steal',
    'guest',
    'guest_nice',
]
SOFTIRQS = [
    'all',
    'hi',
    'timer',
    'net_tx',
    'net_rx',
    'block',
    'irq_poll',
    'tasklet',
    'sched',
    'hrtimer',
    'rcu',
]
PERIOD = 0.1


class Counters(threading.Thread):
    """Reads /proc/vmstat and /proc/stat ten times a second until `over` is set."""

    def __init__(self):
        super().__init__(daemon=True)
        self.samples = []
        self.over = threading.Event()

    def run(self):
        files = [os.open(path, os.O_RDONLY) for path in ('/proc/vmstat', '/proc/stat')]
        due = time.monotonic()
        while not self.over.is_set():
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            self.samples.append((now, *map(whole, files)))
            due += PERIOD
            time.sleep(max(0, due - time.monotonic()))

    def write(self, folder, sessions):
        """Writes the samples of each session to a file. Values are cumulative, as in the kernel."""
        folder.mkdir(exist_ok=True)
        for session in sessions:
            begin, end = session['from_ns'], session['to_ns']
            inside = [sample for sample in self.samples if begin <= sample[0] <= end]
            rows = [numbers(vmstat, stat) for _, vmstat, stat in inside]
            document = {
                'names': list(rows[0]),
                'times_ns': [time for time, _, _ in inside],
                'values': [list(row.values()) for row in rows],
            }
            write_zipped(folder / f'{session["name"]}.json.gz', document)


def whole(file):
    """The whole content of a file in /proc.

    The kernel returns at most a page at a time, and /proc/vmstat nearly fills one.
    """
    text = b''
    while piece := os.pread(file, 1 << 16, len(text)):
        text += piece
    return text


def numbers(vmstat, stat):
    """The numbers of both files, by name."""
    lines = (line.split() for line in vmstat.decode().splitlines())
    found = {f'vmstat.{name}': int(value) for name, value in lines}
    for line in stat.decode().splitlines():
        name, *values = line.split()
        if name.startswith('cpu'):
            found.update(_named(name, FIELDS, values))
        elif name == 'softirq':
            found.update(_named(name, SOFTIRQS, values))
        else:
            found[f'stat.{name}'] = int(values[0])
    return found


def _named(name, fields, values):
    # A newer kernel may have more fields.
    return {f'{name}.{field}': int(value) for field, value in zip(fields, values, strict=False)}
