#!/usr/bin/env python3
"""Records known states of this machine, one after another in random order, for evaluate.py.

All sessions are in one capture, because attaching to all tracepoints and detaching takes a minute.
The times of the states are written next to it. Every load is started again for each of its
sessions. The loads run on the recorded machine, and are part of the states."""

import argparse
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'experiments'))

from tpx import packages
from tpx.kernel_build import tarballs
from tpx.process import (
    Failed,
    end_group,
    exit_on_signals,
    ignore_signals,
    main_of,
    only_one,
    run,
)
from tpx.progress import tell
from tpx.states.counters import Counters
from tpx.states.plan import schedule
from tpx.states.workloads import Workloads

PACKAGES = ['gcc', 'make', 'flex', 'bison', 'bc', 'libelf-dev', 'xz-utils', 'apache2-bin']
PACKAGES += ['apache2-utils', 'nginx-light', 'postgresql', 'iperf3', 'zstd', 'findutils']
PACKAGES += ['python3-sklearn']
NULL = subprocess.DEVNULL
# The time around a session, in addition to its warm-up and its rest.
START_AND_STOP = 1.5


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def arguments():
    parser = argparse.ArgumentParser(
        prog='record.py', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def option(name, kind, default, text, **options):
        parser.add_argument(name, type=kind, default=default, help=text, **options)

    option('--work', Path, Path('/tmp/tp-perf-states'), 'folder for all files of the script')
    option('--tp-perf', Path, ROOT / 'target/release/tp-perf', 'use this binary')
    option('--sessions', int, 5, 'sessions of each state')
    option('--mixtures', int, 2, 'sessions of each mixture of two states')
    option('--seconds', float, 60, 'length of a session')
    option('--warm-up', float, 3, 'seconds that a load runs before its session')
    option('--rest', float, 2, 'seconds between the end of a load and the next')
    option('--seed', int, None, 'seed of the random order')
    text = 'only record this machine for this time, with no load, for the false alarms of '
    text += '`check`; nobody should use it meanwhile'
    option('--quiet', float, None, text, metavar='MINUTES')
    return parser.parse_args()


def watch_quiet(work, tool, minutes):
    library = Path(tempfile.mkdtemp(prefix='quiet-', dir=work))
    # Wait until the disk, and the processes that started this, are idle.
    os.sync()
    time.sleep(20)
    words = [tool, 'learn', 'quiet', '--quiet', '--library', library, '--window', '1s']
    run([*words, '--duration', f'{minutes * 60:.0f}s'])
    # Keep an earlier file until this one is complete.
    shutil.rmtree(work / 'quiet', ignore_errors=True)
    library.rename(work / 'quiet')
    tell(f'{work / "quiet"}: {minutes:g} minutes')
    return 0


class Recording:
    """One capture and its sessions."""

    def __init__(self, options, tool, loads, plan):
        self.options, self.loads, self.plan = options, loads, plan
        self.work, self.log = options.work, options.work / 'tp-perf.log'
        self.seconds_each = seconds_each(options)
        self.counters = Counters()
        self.sessions, self.failures, self.running = [], [], []
        # Remove files of an earlier run. They do not belong to this recording.
        shutil.rmtree(self.work / 'counters', ignore_errors=True)
        (self.work / 'sessions.json').unlink(missing_ok=True)
        most = int(len(plan) * (self.seconds_each + 5)) + 120
        words = [tool, '--quiet', '--compress', '--force', '--wait-detach']
        words += ['--duration', f'{most}s', '--output', self.work / 'recording']
        with open(self.log, 'w') as said:
            self.capture = subprocess.Popen(
                words, stdin=NULL, stdout=NULL, stderr=said, start_new_session=True
            )

    def is_captured(self):
        return self.capture.poll() is None

    def run(self):
        try:
            # Wait until the events are on, which takes a second, and the machine is idle.
            time.sleep(10)
            if not self.is_captured():
                raise Failed(f'tp-perf ended early: {self.log.read_text()}')
            self.counters.start()
            for index, (number, state) in enumerate(self.plan):
                self.session(index, number, state)
                if not self.is_captured():
                    break
                time.sleep(self.options.rest)
        finally:
            self.end()

    def session(self, index, number, state):
        left = (len(self.plan) - index) * self.seconds_each / 60
        place = f'{index + 1:3} of {len(self.plan)}'
        tell(f'{place}  round {number}  {state:20} {left:5.1f} minutes left')
        started = now()
        self.loads.start(state, self.running)
        time.sleep(self.options.warm_up)
        begin = now()
        time.sleep(self.options.seconds)
        end, is_alive = now(), all(load.alive() for load in self.running)
        done = [load.stop() for load in self.running]
        self.running = []
        name = f'{index + 1:03}-{state}'
        self.sessions.append(
            {
                'name': name,
                'state': state,
                'round': number,
                'started_ns': started,
                'from_ns': begin,
                'to_ns': end,
                'stopped_ns': now(),
                'rounds_of_load': done,
            }
        )
        if not self.is_captured():
            self.fail(name, 'tp-perf has ended')
        elif not is_alive:
            self.fail(name, 'its load has ended')
        elif 0 in done:
            self.fail(name, 'its load has done nothing')

    def fail(self, name, why):
        self.failures.append(f'{name}: {why}')
        tell(self.failures[-1])

    def end(self):
        # Ignore a second Ctrl-C, which would leave loads behind.
        ignore_signals()
        for load in self.running:
            load.stop()
        self.counters.over.set()
        if not self.is_captured():
            return
        self.capture.send_signal(signal.SIGINT)
        # The second signal cuts the log.csv short. For an hour, it would be far larger than
        # everything else, and nobody reads it.
        time.sleep(3)
        self.capture.send_signal(signal.SIGINT)
        try:
            # Detaching from all tracepoints takes a minute.
            self.capture.wait(300)
        except subprocess.TimeoutExpired:
            end_group(self.capture, signal.SIGKILL)

    def write(self, tool, seed):
        """Writes the times of the states and the counters of each session."""
        options = self.options
        document = {
            'kernel': platform.release(),
            'cpus': os.cpu_count(),
            'seed': seed,
            'seconds': options.seconds,
            'warm_up': options.warm_up,
            'rest': options.rest,
            'tp_perf': run([tool, '--version']).stdout.strip(),
            'source': self.loads.kernel.name,
            'packages': packages.versions(PACKAGES),
            'failures': self.failures,
            'sessions': self.sessions,
        }
        (self.work / 'sessions.json').write_text(json.dumps(document, indent=1) + '\n')
        self.counters.join()
        self.counters.write(self.work / 'counters', self.sessions)
        said = self.log.read_text().strip()
        text = f'{len(self.sessions)} sessions in {self.work}'
        tell(text + (f'; tp-perf said: {said}' if said else ''))


def seconds_each(options):
    """The time that a session takes in all."""
    return options.seconds + options.warm_up + options.rest + START_AND_STOP


def main():
    options = arguments()
    if os.geteuid() != 0:
        raise Failed('needs root, because it captures')
    # Handle the signals even if they were ignored at the start, so that no load outlives this.
    exit_on_signals()
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    # Two runs would record each other, even with two folders.
    for file in (__file__, work / '.lock'):
        only_one(file, 'another run is going on')
    if options.quiet is not None:
        return watch_quiet(work, options.tp_perf, options.quiet)
    needed = packages.missing(PACKAGES) + ([] if tarballs() else ['linux-source'])
    packages.install(needed, tell)
    loads = Workloads(work)
    loads.prepare()
    # Use a copy, so that a build in the meantime does not change the binary.
    tool = Path(shutil.copy(options.tp_perf, work / 'tp-perf'))
    seed = options.seed if options.seed is not None else int(time.time())
    plan = schedule(options.sessions, options.mixtures, random.Random(seed))
    tell(f'{len(plan)} sessions, about {len(plan) * seconds_each(options) / 60:.0f} minutes')
    recording = Recording(options, tool, loads, plan)
    recording.run()
    recording.write(tool, seed)
    return 1 if recording.failures else 0


if __name__ == '__main__':
    main_of('record.py', main)
