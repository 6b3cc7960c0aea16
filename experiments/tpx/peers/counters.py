"""tp-perf, perf stat and bpftrace as counters of the same tracepoints on all CPUs."""

import contextlib
import os
import signal
import statistics
import subprocess
import threading
import time
from pathlib import Path

from tpx.machine import wait_for_rest
from tpx.process import Failed, end_group
from tpx.progress import say

WINDOW = 1.0
# The windows of the idle machine over which the cost of a tick is the mean.
IDLE_WINDOWS = 15
# bpftrace attaches to all tracepoints in two to four minutes.
PATIENCE = 600


class Counter:
    """A tool that counts and prints each window. `mark` is in what it prints first for a window."""

    name = command = ''
    mark = b''
    environment = None

    def __init__(self, setup):
        self.setup = setup
        self.words = self.command_of(setup)

    def settle(self):
        """Waits until nothing is left of it. Returns the seconds."""
        return 0.0


class TpPerfCounter(Counter):
    name = 'tp-perf'
    command = 'tp-perf count --every 1s --format json'
    mark = b'{"window"'

    def command_of(self, setup):
        words = [str(setup.binary), 'count', '-q', '--every', '1s', '--format', 'json']
        return [*words, *setup.patterns]

    def settle(self):
        begin = time.monotonic()
        while any(comm() == 'tp-perf-detach' for comm in comms()):
            time.sleep(0.2)
        return time.monotonic() - begin


class PerfStat(Counter):
    name = 'perf stat'
    command = 'perf stat -a -I 1000 -x, -e …'
    mark = b','

    def command_of(self, setup):
        events = [word for tracepoint in setup.tracepoints for word in ('-e', tracepoint)]
        return ['perf', 'stat', '-a', '-I', '1000', '-x', ',', *events]


class BpftraceCounter(Counter):
    name = 'bpftrace'
    command = (
        "bpftrace -e 'tracepoint:…,… { @[probe] = count(); } interval:s:1 { print(@); clear(@); }'"
    )
    mark = b'@['

    def command_of(self, setup):
        probes = ',\n'.join('tracepoint:' + name for name in setup.tracepoints)
        script = setup.scratch / 'counters.bt'
        # It attaches in the order of the script, so the first window begins when all are attached.
        script.write_text(
            f'{probes}\n{{ @[probe] = count(); }}\ninterval:s:1 {{ print(@); clear(@); }}\n'
        )
        most = str(2 * len(setup.tracepoints) + 16)
        self.environment = {
            **os.environ,
            'BPFTRACE_MAX_PROBES': most,
            'BPFTRACE_MAX_BPF_PROGS': most,
        }
        return ['bpftrace', str(script)]


COUNTERS = [TpPerfCounter, PerfStat, BpftraceCounter]


def comms():
    """Functions that read the name of each process."""
    for path in Path('/proc').glob('[0-9]*/comm'):

        def read(path=path):
            with contextlib.suppress(OSError):
                return path.read_text().strip()
            return ''

        yield read


class Windows(threading.Thread):
    """Reads what a counter prints, and notes when it prints the first bytes of each window."""

    def __init__(self, pipe, mark):
        super().__init__(daemon=True)
        self.pipe, self.mark = pipe, mark
        self.times, self.last, self.said = [], 0.0, b''

    def run(self):
        while block := os.read(self.pipe.fileno(), 1 << 20):
            now = time.monotonic()
            if self.times or self.mark in block:
                if now - self.last > WINDOW / 3:
                    self.times.append(now)
                self.last = now
            self.said = (self.said + block)[-2000:]

    def wait_for(self, number, process):
        """Waits until this number of windows is printed."""
        end = time.monotonic() + PATIENCE
        while len(self.times) < number:
            if process.poll() is not None:
                said = ' / '.join(self.said.decode(errors='replace').strip().splitlines()[-2:])
                raise Failed(f'it ended with {process.returncode}: {said}')
            if time.monotonic() > end:
                raise Failed(f'no window in {PATIENCE} s')
            time.sleep(0.02)


def cpu_seconds(pid):
    """The CPU time of all threads of a process."""
    paths = Path(f'/proc/{pid}/task').glob('*/schedstat')
    return sum(int(path.read_text().split()[0]) for path in paths) / 1e9


def builds(build, number):
    """The figures of builds, one after another."""
    figures = []
    for _ in range(number):
        build.clean()
        os.sync()
        build.run()
        figures.append(build.figures())
    return figures


def mean(figures, key):
    return statistics.fmean(one[key] for one in figures)


def measure_counter(counter, build, number):
    """Starts a counter, lets it count an idle machine and then builds, and ends it."""
    unrested = wait_for_rest()
    begin = time.monotonic()
    process = subprocess.Popen(
        counter.words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=counter.environment,
        start_new_session=True,
    )
    try:
        windows = Windows(process.stdout, counter.mark)
        windows.start()
        windows.wait_for(1, process)
        start = windows.times[0] - begin - WINDOW
        at_start = cpu_seconds(process.pid)
        windows.wait_for(3, process)
        before, first = cpu_seconds(process.pid), len(windows.times)
        windows.wait_for(first + IDLE_WINDOWS, process)
        tick = (cpu_seconds(process.pid) - before) / (len(windows.times) - first)
        before, began = cpu_seconds(process.pid), time.monotonic()
        counted = builds(build, number)
        busy_part = (cpu_seconds(process.pid) - before) / (time.monotonic() - began)
        end = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        ended = time.monotonic() - end
    finally:
        if process.poll() is None:
            end_group(process, signal.SIGKILL)
    figures = {
        'start': start,
        'start_cpu': at_start,
        'tick_cpu': tick,
        'build_part': busy_part,
        'exit': ended,
        'all_cpu': usage.ru_utime + usage.ru_stime,
        'settle': counter.settle(),
        'builds': counted,
    }
    return {**figures, 'unrested': unrested}


def measure_counters(setup, build, peers, number, repeats):
    """One dict for each counter and repeat. Builds without a counter run before and after."""
    results = []
    for repeat in range(1, repeats + 1):
        without = builds(build, number)
        for kind in COUNTERS:
            if kind.name not in peers or (kind is BpftraceCounter and repeat > 1):
                continue
            say(f'{repeat}: counting with {kind.name}')
            try:
                figures = measure_counter(kind(setup), build, number)
            except (Failed, OSError) as error:
                say(f'  failed: {error}')
                results.append({'peer': kind.name, 'repeat': repeat, 'failed': str(error)})
                continue
            after = builds(build, number)
            figures['without'] = without + after
            without = after
            numbers = {key: value for key, value in figures.items() if isinstance(value, float)}
            say('  ' + ', '.join(f'{key} {value:.4g}' for key, value in numbers.items()))
            results.append({'peer': kind.name, 'repeat': repeat, **figures})
    return results
