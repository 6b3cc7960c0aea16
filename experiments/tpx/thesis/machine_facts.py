"""The facts about the machine: lines of `key=value` in the file `facts`."""

import os
import platform
import time
from pathlib import Path

from tpx.machine import memory_kib
from tpx.process import run
from tpx.thesis.situations import after

ONLINE = Path('/sys/devices/system/cpu/online')
DAMON = Path('/sys/kernel/mm/damon/admin/kdamonds')
COMPACTION = (
    'compact_stall',
    'compact_isolated',
    'compact_migrate_scanned',
    'compact_free_scanned',
)


def compactions():
    """The kernel's counters of compaction, as `name number name number`."""
    lines = Path('/proc/vmstat').read_text().splitlines()
    return ' '.join(line for line in lines if line.split()[0] in COMPACTION)


def before(tool, kernel, repeats, installed):
    """Pairs of key and value, read before all captures."""
    cpu = run(['lscpu']).stdout
    uname = os.uname()
    version = run(kernel.make('kernelversion')).stdout.strip()
    yield 'date', time.strftime('%Y-%m-%d', time.gmtime())
    yield 'cpu', after('Model name:', cpu)
    yield 'cpus', len(os.sched_getaffinity(0))
    yield 'online_before', ONLINE.read_text().strip()
    yield 'memory_kb', memory_kib()
    yield 'available_kb', memory_kib('MemAvailable')
    yield 'kernel', f'{uname.sysname} {uname.release}'
    yield 'virtual', after('Hypervisor vendor:', cpu) or 'no'
    yield 'system', platform.freedesktop_os_release()['PRETTY_NAME']
    yield 'gcc', run(['gcc', '-dumpfullversion']).stdout.strip()
    yield 'source', f'{kernel.name} ({version})'
    yield 'apache', after('Server version:', run(['/usr/sbin/apache2', '-v']).stdout)
    yield 'tp_perf', run([tool, '--version']).stdout.strip()
    yield 'repeats', repeats
    yield 'installed', ' '.join(installed)
    # A kernel may be set up to page out unused memory, even on an idle machine.
    for thread in sorted(DAMON.glob('[0-9]*')):
        if (thread / 'state').exists():
            files = [thread / 'state', *sorted(thread.glob('contexts/*/schemes/*/action'))]
            yield 'damon', ' '.join(' '.join(file.read_text().split()) for file in files)
    yield 'compaction_before', compactions()


def afterwards(minutes):
    """Pairs of key and value, read after all captures."""
    yield 'online_after', ONLINE.read_text().strip()
    yield 'compaction_after', compactions()
    yield 'minutes', minutes
