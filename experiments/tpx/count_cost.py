"""The time that a count adds to all CPUs: loads, runs, and the differences of pairs."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tpx import kernel_build
from tpx.kernel_build import KernelTree
from tpx.loads import Load
from tpx.machine import FIELDS, cpu_ticks
from tpx.process import Failed, end_group, run
from tpx.stats import interval
from tpx.tables import minus, spread

# Packages by the program that they install, for each load.
PACKAGES = {
    'idle': {},
    'web': {'nginx': 'nginx-light', 'wrk': 'wrk'},
    'build': kernel_build.PACKAGES,
}
PORT = 8094


class Watch:
    """The time that all CPUs have worked since a moment.

    It is the time without idle time. The kernel measures idle time exactly. It samples the other
    fields at its ticks, which miss much of the work of an idle machine.
    """

    def __init__(self):
        self.begin, self.ticks = time.monotonic(), cpu_ticks()

    def figures(self, work=None):
        wall, ticks = time.monotonic() - self.begin, cpu_ticks()
        passed = {
            field: (ticks[field] - self.ticks[field]) / os.sysconf('SC_CLK_TCK') for field in FIELDS
        }
        everything = wall * os.cpu_count()
        busy = everything - passed['idle'] - passed['iowait'] - passed['steal']
        worked = sum(passed[field] for field in ('user', 'nice', 'system', 'irq', 'softirq'))
        figures = {
            'wall': wall,
            'all': everything,
            'busy': busy,
            'worked': worked,
            'steal': passed['steal'],
        }
        return {**figures, 'work': wall if work is None else work}


class Idle:
    """No load."""

    def __init__(self, _scratch, settle, seconds):
        self.settle, self.seconds = settle, seconds

    def run(self):
        time.sleep(self.settle)
        watch = Watch()
        time.sleep(self.seconds)
        return watch.figures()


class Web:
    """nginx serves a small file over the loopback, as fast as wrk asks for it."""

    def __init__(self, scratch, settle, seconds):
        self.settle, self.seconds = settle, seconds
        site, self.config = scratch / 'site', scratch / 'nginx.conf'
        site.mkdir()
        scratch.chmod(0o755)
        (site / 'index.html').write_text('x' * 1024)
        self.config.write_text(
            f"""worker_processes {os.cpu_count()};
daemon off;
pid {scratch}/nginx.pid;
error_log {scratch}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{PORT};
    root {site};
    location = /requests {{ stub_status; }}
  }}
}}
"""
        )

    def run(self):
        load = Load()
        try:
            load.spawn(['nginx', '-c', str(self.config)])
            wait_for(self.requests)
            threads = str(os.cpu_count())
            load.spawn(
                ['wrk', '-t', threads, '-c', '32', '-d', '1h', f'http://127.0.0.1:{PORT}/'],
                signal.SIGKILL,
            )
            time.sleep(self.settle)
            watch, before = Watch(), self.requests()
            time.sleep(self.seconds)
            figures = watch.figures(self.requests() - before)
            if not load.alive():
                raise Failed('nginx or wrk has ended')
            return figures
        finally:
            load.stop()

    @staticmethod
    def requests():
        with urllib.request.urlopen(f'http://127.0.0.1:{PORT}/requests', timeout=5) as page:
            return int(page.read().split(b'requests\n')[1].split()[2])


def wait_for(attempt):
    """Tries until the attempt works, at most ten seconds."""
    for _ in range(100):
        try:
            return attempt()
        except OSError as error:
            failed = error
            time.sleep(0.1)
    raise Failed(f'nginx does not answer: {failed}')


class Build:
    """A part of a kernel build. Another part runs before it, in which a budget settles."""

    BEFORE, MEASURED = ['kernel/sched/'], ['kernel/', 'mm/', 'fs/']

    def __init__(self, scratch, _settle, _seconds):
        self.kernel = KernelTree(scratch)
        self.kernel.unpack()
        self.kernel.prepare(os.cpu_count())

    def run(self):
        for target in self.MEASURED:
            shutil.rmtree(self.kernel.tree / target, ignore_errors=True)
        os.sync()
        jobs = ['-j', str(os.cpu_count())]
        run(self.kernel.make(*jobs, *self.BEFORE))
        watch = Watch()
        run(self.kernel.make(*jobs, *self.MEASURED))
        return watch.figures(1)


LOADS = {'idle': Idle, 'web': Web, 'build': Build}


def chosen_loads(args, known):
    """The loads of `--loads`. Fails if one is not known, or if there is no binary to measure."""
    loads = args.loads.split(',')
    if unknown := set(loads) - set(known):
        raise Failed('no such load: ' + ', '.join(sorted(unknown)))
    if not args.tp_perf.exists():
        raise Failed(f'{args.tp_perf} is missing; run `cargo build --release`')
    return loads


class Counter:
    """A running `tp-perf count`."""

    def __init__(self, binary, words, output):
        self.output = output
        command = [
            str(binary),
            'count',
            '-q',
            '--every',
            '1s',
            '--format',
            'json',
            '-o',
            str(output),
        ]
        command += ['--wait-detach', *words]
        self.process = subprocess.Popen(command, stderr=sys.stderr, start_new_session=True)
        # It is attached when the first window is written.
        for _ in range(200):
            time.sleep(0.1)
            if self.process.poll() is not None:
                raise Failed(f'tp-perf ended with {self.process.returncode}')
            if output.exists() and output.stat().st_size:
                return
        self.stop()
        raise Failed('tp-perf wrote no window in 20 s')

    def stop(self):
        """Ends it, and waits until it has detached. Returns what it reports about itself."""
        try:
            self.process.send_signal(signal.SIGINT)
            code = self.process.wait()
        except BaseException:
            end_group(self.process, signal.SIGKILL)
            raise
        if code:
            raise Failed(f'tp-perf ended with {code}')
        windows = [json.loads(line) for line in Path(self.output).read_text().splitlines()]
        self.output.unlink()
        *windows, whole = windows
        # The cost of each window; the first windows of a load may exceed the budget.
        costs = [window['cost'] for window in windows if window.get('cost') is not None]
        own = whole['self']['cpu_ns'] / (1e9 * sum(window['window_ns'] for window in windows) / 1e9)
        settled = statistics.median(costs) if costs else None
        return {'part': settled, 'own': own, 'hits': whole['hits'], 'report': whole['cost']}


def added(runs, load):
    """For each pair, the part of the time of all CPUs that the count added.

    The work of both runs need not be equal. The busy time without the count is scaled to the work
    with it.
    """
    parts = []
    for pair in sorted({one['pair'] for one in runs if one['load'] == load}):
        both = {one['on']: one for one in runs if (one['load'], one['pair']) == (load, pair)}
        off, on = both[False], both[True]
        expected = off['busy'] * on['work'] / off['work']
        parts.append((on['busy'] - expected) / on['all'])
    return parts


def summary_of(load, parts, runs):
    """A row of the table."""
    mean, bounds = statistics.fmean(parts), interval(statistics.fmean, parts)

    def percent(part):
        return minus(f'{100 * part:.2f} %')

    text = percent(mean) + (f' ({percent(bounds[0])} – {percent(bounds[1])})' if bounds else '')
    on = [one for one in runs if one['load'] == load and one['on']]
    reported = [None if one['part'] is None else 100 * one['part'] for one in on]
    own = spread([100 * one['own'] for one in on], '{:.2f}', ' %')
    walls = spread([one['wall'] for one in runs if one['load'] == load], '{:.0f}')
    return [load, len(parts), text, spread(reported, '{:.2f}', ' %'), own, walls]
