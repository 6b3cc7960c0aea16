"""The machine that is measured: its facts, how busy it is, and its mount namespace."""

import ctypes
import os
import re
import time
from pathlib import Path

from tpx.process import Failed
from tpx.progress import say

TRACING = Path('/sys/kernel/tracing')
FIELDS = ('user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal')
# Below this many busy CPUs a machine is at rest.
AT_REST = 0.02


def cpu_ticks(stat=None):
    """The ticks of all CPUs together since the machine's start, by field of /proc/stat."""
    stat = Path('/proc/stat').read_text() if stat is None else stat
    numbers = map(int, stat.split('\n', 1)[0].split()[1:])
    return dict(zip(FIELDS, numbers, strict=False))


def busy_seconds():
    """The time that all CPUs together have worked. What a hypervisor stole is not in it."""
    ticks = cpu_ticks()
    worked = sum(ticks[field] for field in ('user', 'nice', 'system', 'irq', 'softirq'))
    return worked / os.sysconf('SC_CLK_TCK')


def busy_cpus(seconds=3):
    """How many CPUs were busy, on average, in so many seconds from now on."""
    before = busy_seconds()
    time.sleep(seconds)
    return (busy_seconds() - before) / seconds


def busy_thousandths(before, after):
    """How much of the time between two readings of `cpu_ticks` was not idle, in thousandths."""
    passed = {field: after[field] - before[field] for field in FIELDS}
    everything = sum(passed.values())
    return 1000 * (everything - passed['idle'] - passed['iowait']) // everything


def wait_for_rest():
    """Waits a minute at most for the machine to rest. Returns the busy CPUs if it does not."""
    os.sync()
    for _ in range(20):
        busy = busy_cpus()
        if busy < AT_REST:
            return None
    say(f'the machine did not come to rest: {busy:.2f} CPUs busy')
    return round(busy, 3)


def cpu_model():
    found = re.search(r'^model name\s*:\s*(.*)$', Path('/proc/cpuinfo').read_text(), re.M)
    return found[1] if found else 'unknown'


def is_virtual():
    return bool(re.search(r'^flags\s*:.*\bhypervisor\b', Path('/proc/cpuinfo').read_text(), re.M))


def memory_kib(key='MemTotal'):
    return int(re.search(rf'{key}:\s*(\d+)', Path('/proc/meminfo').read_text())[1])


def enter_own_mounts():
    """Moves this process into its own mount namespace: perf mounts tracefs and leaves it so."""
    libc = ctypes.CDLL(None, use_errno=True)
    newns, recursive, private = 0x20000, 0x4000, 0x40000
    if libc.unshare(newns) or libc.mount(b'none', b'/', None, recursive | private, None):
        raise Failed(f'no mount namespace: {os.strerror(ctypes.get_errno())}; it needs root')
    mount_tracefs = (b'nodev', str(TRACING).encode(), b'tracefs', 0, None)
    if not (TRACING / 'events').exists() and libc.mount(*mount_tracefs):
        raise Failed(f'tracefs cannot be mounted: {os.strerror(ctypes.get_errno())}')
