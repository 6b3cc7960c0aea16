#!/usr/bin/env python3
"""Measures how much CPU time an event costs the program that fires it.

It needs root, a kernel that can be traced, and a machine with nothing else to do.

The cost depends on the fields that the kernel writes. For each way of recording, a set of perf
events is attached to the same tracepoints and CPUs, and all sets are off. In each round, the same
load runs once with each set on, in random order. The cost of a hit is the added CPU time (with the
set on, minus with no set on, in the same round) divided by the number of hits."""

import argparse
import mmap
import os
import random
import resource
import statistics
import sys
import time

from tpx.machine import TRACING
from tpx.perf_events import (
    CGROUP,
    CPU,
    DISABLE,
    ENABLE,
    IDENTIFIER,
    IP,
    PERIOD,
    RAW,
    TID,
    TIME,
    EventSet,
)
from tpx.process import Failed, main_of
from tpx.stats import error_of_median
from tpx.tables import table

GROUPS = ['exceptions', 'kmem', 'mmap', 'mmap_lock', 'rcu', 'task', 'tlb', 'vma']
PERF = IP | TID | TIME | CPU | PERIOD | RAW | IDENTIFIER
# kthreadd always exists, and does nothing.
FILTER = b'common_pid != 2'
# By way of recording: the fields of a sample, and the filter in the kernel. `off` has no events.
WAYS = {
    'off': None,
    'tp-perf': (TIME | IDENTIFIER, FILTER),
    'tp-perf again': (TIME | IDENTIFIER, FILTER),
    'tp-perf --with pid': (TIME | TID | IDENTIFIER, FILTER),
    'tp-perf --with cgroup': (TIME | TID | CGROUP | IDENTIFIER, FILTER),
    'perf': (PERF, None),
    'perf --exclude-perf': (PERF, FILTER),
    'tp-perf without filter': (TIME | IDENTIFIER, None),
    'tp-perf without time': (IDENTIFIER, FILTER),
    'an empty sample': (0, None),
}


def storm(times):
    """Maps memory, touches it, and unmaps it."""
    for _ in range(times):
        memory = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(0, 1 << 20, mmap.PAGESIZE):
            memory[page] = 1
        memory.close()


def cpu_ns(load):
    # getrusage is only as recent as the last tick.
    before = time.thread_time_ns()
    load()
    return time.thread_time_ns() - before


def ids_of(groups):
    """The tracefs ids of the tracepoints of the groups that this kernel has."""
    events = TRACING / 'events'
    if not events.is_dir():
        raise Failed('tracefs is not mounted; `mount -t tracefs nodev /sys/kernel/tracing`')
    folders = [events / group for group in groups if (events / group).is_dir()]
    files = [folder / 'id' for group in folders for folder in sorted(group.iterdir())]
    return [int(file.read_text()) for file in files if file.exists()]


def measure(sets, rounds, load):
    """By way of recording, the CPU time and the hits of every round."""
    spent, hits = ({name: [] for name in sets} for _ in range(2))
    full = 0
    load()
    for _ in range(rounds):
        for name, events in random.sample(list(sets.items()), len(sets)):
            if not events:
                spent[name].append(cpu_ns(load))
                continue
            before = events.hits()
            events.switch(ENABLE)
            spent[name].append(cpu_ns(load))
            events.switch(DISABLE)
            hits[name].append(events.hits() - before)
            full += events.drain()
    if full:
        raise Failed(f'{full} rings were full; use a smaller --times')
    return spent, hits


def costs(spent, hits):
    """By way of recording, the added nanoseconds per hit in every round."""
    return {
        name: [
            (with_it - without) / count
            for with_it, without, count in zip(spent[name], spent['off'], hits[name], strict=True)
        ]
        for name in spent
        if hits[name]
    }


def with_error(values, decimals):
    """The median, and its standard error."""
    middle, error = statistics.median(values), error_of_median(values)
    return f'{middle:,.{decimals}f} ± {error:,.{decimals}f}'


def main():
    parser = argparse.ArgumentParser(prog='experiments/cost.py', description=__doc__)
    parser.add_argument(
        '--rounds', type=int, default=501, help='rounds (default: 501, two minutes)'
    )
    parser.add_argument(
        '--times', type=int, default=12, help='mebibytes to map and unmap each time'
    )
    options = parser.parse_args()
    ids = ids_of(GROUPS)
    if os.uname().machine != 'x86_64':
        raise Failed('needs x86-64: it knows the number of the system call only there')
    cpus = sorted(os.sched_getaffinity(0))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sets = {name: way and EventSet(ids, cpus, *way) for name, way in WAYS.items()}
    tracepoints = f'{len(ids)} tracepoints on {len(cpus)} CPUs'
    print(f'{tracepoints}, {options.rounds} rounds', file=sys.stderr)

    spent, hits = measure(sets, options.rounds, lambda: storm(options.times))
    cost = costs(spent, hits)
    rows = []
    for name, values in cost.items():
        ratios = [value / other for value, other in zip(values, cost['perf'], strict=True)]
        middle = f'{statistics.median(hits[name]):,.0f}'
        rows.append([name, with_error(values, 0), with_error(ratios, 2), middle])
    print(
        table(['what is recorded', 'ns a hit', 'of that of perf', 'hits'], rows, [1, 2, 3]), end=''
    )
    return 0


if __name__ == '__main__':
    main_of('experiments/cost.py', main)
