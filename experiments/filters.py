#!/usr/bin/env python3
"""Measures what the ways to watch only some processes cost.

It needs root, a kernel that can be traced, a cgroup 2 hierarchy, and a machine with nothing else to
do.

Two processes take turns on one CPU: the watched one and another one. In random order, each way is on
or off while one of them renames itself (which hits one tracepoint), while both switch to each other,
and while the watched one starts children. The cost is the added time, with the way minus without it,
in the same round. The last two depend on the number of open tracepoints."""

import argparse
import contextlib
import os
import random
import resource
import signal
import statistics
import sys
import time
from pathlib import Path

from cost import ids_of, with_error
from tpx.machine import TRACING
from tpx.perf_events import DISABLE, ENABLE, IDENTIFIER, PID_CGROUP, TID, TIME, EventSet, libc
from tpx.process import Failed, main_of
from tpx.tables import table

CPU = 0
# Nothing here hits these.
QUIET_GROUPS = ['xfs', 'ext4', 'btrfs', 'kvm']
NUMBERS = (1, 10, 100, 500)
RENAME = 15
RENAMES, SWITCHES, CHILDREN = 20_000, 2_000, 20


class Worker:
    """A process on the measured CPU that does what it is told, and says how long that took."""

    def __init__(self, parcel_in, parcel_out):
        self.orders, theirs = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.sched_setaffinity(0, {CPU})
            with contextlib.suppress(OSError):
                self.work(theirs[1], parcel_in, parcel_out)
            os._exit(0)
        self.answers = theirs[0]
        os.close(theirs[1])

    def work(self, answers, parcel_in, parcel_out):
        os.close(self.orders[1])
        while order := os.read(self.orders[0], 1):
            begin = time.perf_counter_ns()
            if order == b'r':
                for _ in range(RENAMES):
                    libc.prctl(RENAME, b'worker', 0, 0, 0)
            elif order == b's':
                for _ in range(SWITCHES):
                    os.write(parcel_out, b'x')
                    os.read(parcel_in, 1)
            elif order == b'e':
                for _ in range(SWITCHES):
                    os.read(parcel_in, 1)
                    os.write(parcel_out, b'x')
            elif order == b'c':
                for _ in range(CHILDREN):
                    child = os.fork()
                    if child == 0:
                        os._exit(0)
                    os.waitpid(child, 0)
            os.write(answers, b'%020d' % (time.perf_counter_ns() - begin))

    def begin(self, order):
        os.write(self.orders[1], order)

    def took(self):
        return int(os.read(self.answers, 20))

    def do(self, order):
        self.begin(order)
        return self.took()

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@contextlib.contextmanager
def cgroup_of(pid):
    """A cgroup with only this process, as an open descriptor."""
    mounts = [line.split() for line in Path('/proc/mounts').read_text().splitlines()]
    roots = [fields[1] for fields in mounts if fields[2] == 'cgroup2']
    if not roots:
        raise Failed('no cgroup 2 hierarchy is mounted')
    folder = Path(roots[0]) / f'tp-perf-filters-{os.getpid()}'
    folder.mkdir()
    try:
        (folder / 'cgroup.procs').write_text(str(pid))
        descriptor = os.open(folder, os.O_RDONLY)
        yield descriptor
        os.close(descriptor)
    finally:
        (Path(roots[0]) / 'cgroup.procs').write_text(str(pid))
        folder.rmdir()


def ways(pid, cgroup):
    """By way: the arguments of its EventSet."""
    sample = TIME | TID | IDENTIFIER
    return {
        'all, filtered later': {'sample': sample},
        'filter common_pid': {'sample': sample, 'kernel_filter': b'common_pid == %d' % pid},
        'inherit': {'sample': sample, 'of': (pid, 0), 'inherit': True},
        'cgroup scope': {'sample': sample, 'of': (cgroup, PID_CGROUP)},
    }


def switch_to_each_other(watched, other):
    other.begin(b'e')
    took = watched.do(b's')
    other.took()
    return took


def measure(events, tasks, rounds):
    """By task: the added nanoseconds of one repetition in each round."""
    added = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, (task, repetitions) in random.sample(list(tasks.items()), len(tasks)):
            times = {}
            for is_on in random.sample([True, False], 2):
                if is_on:
                    events.switch(ENABLE)
                times[is_on] = task()
                events.switch(DISABLE)
                events.drain()
            added[name].append((times[True] - times[False]) / repetitions)
    return added


def main():
    parser = argparse.ArgumentParser(prog='experiments/filters.py', description=__doc__)
    parser.add_argument('--rounds', type=int, default=101, help='rounds (default: 101)')
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    rename = int((TRACING / 'events/task/task_rename/id').read_text())
    quiet = ids_of(QUIET_GROUPS)
    # The last event of a tracepoint takes long to close.
    keeper = EventSet([rename, *quiet[: max(NUMBERS)]], [CPU], IDENTIFIER)
    there, back = os.pipe(), os.pipe()
    watched, other = Worker(back[0], there[1]), Worker(there[0], back[1])
    hits = {
        'a hit of its own': (lambda: watched.do(b'r'), RENAMES),
        'a hit of another': (lambda: other.do(b'r'), RENAMES),
    }
    rest = {
        'a switch': (lambda: switch_to_each_other(watched, other), 2 * SWITCHES),
        'a child': (lambda: watched.do(b'c'), CHILDREN),
    }
    rows = []
    with cgroup_of(watched.pid) as cgroup:
        for name, arguments in ways(watched.pid, cgroup).items():
            for number in NUMBERS:
                print(f'{name}, {number} tracepoints', file=sys.stderr)
                events = EventSet([rename, *quiet[: number - 1]], [CPU], **arguments)
                added = measure(events, {**hits, **rest}, options.rounds)
                events.close()
                rows.append([name, number, *(with_error(added[task], 0) for task in added)])
    watched.end()
    other.end()
    print(table(['way', 'tracepoints', *(f'ns, {task}' for task in {**hits, **rest})], rows, range(1, 6)), end='')
    return 0


if __name__ == '__main__':
    main_of('experiments/filters.py', main)
