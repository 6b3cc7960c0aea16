"""The measured machine: its facts, its busy time, and its mount namespace."""

import ctypes
import os
import re
import time
from pathlib import Path

from tpx.process import Failed
from tpx.progress import say

TRACING = Path('/sys/kernel/tracing')
FIELDS = ('user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal')
# A machine with fewer busy CPUs than this is idle.
AT_REST = 0.02


def cpu_ticks(stat=None):
    """The ticks of all CPUs together since the machine's start, by field of /proc/stat."""
    stat = Path('/proc/stat').read_text() if stat is None else stat
    numbers = map(int, stat.split('\n', 1)[0].split()[1:])
    return dict(zip(FIELDS, numbers, strict=False))


def busy_seconds():
    """The time that all CPUs together have worked, without the time that a hypervisor stole."""
    ticks = cpu_ticks()
    worked = sum(ticks[field] for field in ('user', 'nice', 'system', 'irq', 'softirq'))
    return worked / os.sysconf('SC_CLK_TCK')


def busy_cpus(seconds=3):
    """Waits this many seconds, and returns the average number of busy CPUs."""
    before = busy_seconds()
    time.sleep(seconds)
    return (busy_seconds() - before) / seconds


def busy_thousandths(before, after):
    """The busy part of the time between two readings of `cpu_ticks`, in thousandths."""
    passed = {field: after[field] - before[field] for field in FIELDS}
    everything = sum(passed.values())
    return 1000 * (everything - passed['idle'] - passed['iowait']) // everything


def wait_for_rest():
    """Waits at most a minute for the machine to be idle. If it is not, returns the busy CPUs."""
    os.sync()
    for _ in range(20):
        busy = busy_cpus()
        if busy < AT_REST:
            return None
    say(f'the machine did not become idle: {busy:.2f} CPUs are busy')
    return round(busy, 3)


def cpu_model():
    found = re.search(r'^model name\s*:\s*(.*)$', Path('/proc/cpuinfo').read_text(), re.M)
    return found[1] if found else 'unknown'


def is_virtual():
    return bool(re.search(r'^flags\s*:.*\bhypervisor\b', Path('/proc/cpuinfo').read_text(), re.M))


def memory_kib(key='MemTotal'):
    return int(re.search(rf'{key}:\s*(\d+)', Path('/proc/meminfo').read_text())[1])


def enter_own_mounts():
    """Moves this process to its own mount namespace, because perf leaves tracefs mounted."""
    libc = ctypes.CDLL(None, use_errno=True)
    newns, recursive, private = 0x20000, 0x4000, 0x40000
    if libc.unshare(newns) or libc.mount(b'none', b'/', None, recursive | private, None):
        raise Failed(f'no mount namespace: {os.strerror(ctypes.get_errno())}; it needs root')
    mount_tracefs = (b'nodev', str(TRACING).encode(), b'tracefs', 0, None)
    if not (TRACING / 'events').exists() and libc.mount(*mount_tracefs):
        raise Failed(f'tracefs cannot be mounted: {os.strerror(ctypes.get_errno())}')
