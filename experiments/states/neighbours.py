#!/usr/bin/env python3
"""Records a round of states with near neighbours, and of anomalies within loads, in random order.

Each call adds a round: every state once, and every anomaly once. A state also runs beside other
work of half a CPU and of a CPU, in sessions of their own. One `tp-perf count` counts all the time.
The round is a file of counts in windows of a second, with the times of its sessions."""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT / 'experiments'))

from tpx import packages
from tpx.io import write_zipped
from tpx.process import Failed, exit_on_signals, ignore_signals, main_of, only_one
from tpx.progress import tell
from tpx.states import SECOND
from tpx.states.neighbours import ANOMALIES, OTHER_WORK, PACKAGES, STATES, Neighbours

ROUNDS = FOLDER / 'counts' / 'neighbours'
NULL = subprocess.DEVNULL
WARM_UP, REST = 3, 2
# An anomaly begins after this time, and lasts so long.
BEFORE, DURING = 25, 20
# Sessions beside other work last so long.
BESIDE = 20


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Round:
    """A round that is being recorded."""

    def __init__(self, options, work, loads):
        self.loads, self.options, self.work = loads, options, work
        self.sessions, self.running = [], []
        self.lines = work / 'counts.jsonl'
        tool = shutil.copy(options.tp_perf, work / 'tp-perf')
        words = [tool, 'count', '-q', '--every', '1s', '--format', 'json', '-o', self.lines]
        self.counting = subprocess.Popen(words, stdin=NULL, start_new_session=True)
        time.sleep(5)

    def check(self):
        if self.counting.poll() is not None:
            raise Failed(f'tp-perf ended with {self.counting.returncode}')

    def state(self, name):
        self.loads.start(name, self.running)
        time.sleep(WARM_UP)
        begin = now()
        time.sleep(self.options.seconds)
        self.note(name, begin)
        for cpus in OTHER_WORK:
            self.loads.other_work(cpus, self.running)
            time.sleep(WARM_UP)
            begin = now()
            time.sleep(BESIDE)
            self.note(name, begin, other_cpus=cpus)
            self.running.pop().stop()
        self.rest()

    def anomaly(self, name):
        self.loads.start(ANOMALIES[name], self.running)
        time.sleep(WARM_UP)
        begin = now()
        time.sleep(BEFORE)
        changed = now()
        self.loads.start(name, self.running)
        time.sleep(DURING)
        self.note(ANOMALIES[name], begin, anomaly=name, changed_ns=changed)
        self.rest()

    def note(self, state, begin, **more):
        end = now()
        is_alive = all(load.alive() for load in self.running)
        if not is_alive:
            tell(f'{state} {more}: a load has ended')
        session = {'state': state, 'from_ns': begin, 'to_ns': end, 'is_alive': is_alive, **more}
        self.sessions.append(session)

    def rest(self):
        self.stop()
        time.sleep(REST)
        self.check()

    def stop(self):
        for load in reversed(self.running):
            load.stop()
        self.running = []

    def end(self):
        ignore_signals()
        self.stop()
        if self.counting.poll() is None:
            self.counting.send_signal(signal.SIGINT)
            self.counting.wait()

    def document(self, seed):
        """The counts as a session of all windows, with the times of the sessions."""
        *windows, whole = [json.loads(line) for line in self.lines.read_text().splitlines()]
        # The last window may be short.
        windows = windows[:-1]
        counts = {}
        for number, window in enumerate(windows):
            for row in window['per_tracepoint']:
                name = f'{row["tracepoint_group"]}:{row["tracepoint"]}'
                counts.setdefault(name, [0] * len(windows))[number] = row['hits']
        not_hit = {}
        for row in whole['per_tracepoint']:
            if f'{row["tracepoint_group"]}:{row["tracepoint"]}' not in counts:
                not_hit.setdefault(row['tracepoint_group'], []).append(row['tracepoint'])
        session = {
            'schema': 1,
            'tool': whole['tool'],
            'origin': {
                'kernel': whole['kernel'],
                'hostname': whole['hostname'],
                'cpus': whole['cpus'],
                'clock': 'monotonic',
                'started': whole['started'],
                'begin_ns': windows[0]['timestamp_ns'],
            },
            'engine': 'counting',
            'window': {'ns': SECOND},
            'windows': len(windows),
            'ns': [window['window_ns'] for window in windows],
            'counts': dict(sorted(counts.items())),
            'not_hit': {group: sorted(names) for group, names in sorted(not_hit.items())},
            'left_out': {},
        }
        return {'seed': seed, 'sessions': self.sessions, 'counted': session}


def arguments():
    parser = argparse.ArgumentParser(
        prog='neighbours.py',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tool = ROOT / 'target/release/tp-perf'
    parser.add_argument('--tp-perf', metavar='FILE', type=Path, default=tool, help='this binary')
    parser.add_argument('--seconds', type=float, default=60, help='the length of a session [60]')
    parser.add_argument('--only', help='only these states and anomalies, for a trial')
    parser.add_argument('--output', type=Path, default=ROUNDS, help=f'the folder [{ROUNDS}]')
    work = Path(tempfile.gettempdir()) / 'tp-perf-neighbours'
    parser.add_argument('--work', type=Path, default=work, help=f'a folder for loads [{work}]')
    return parser.parse_args()


def main():
    options = arguments()
    if os.geteuid() != 0:
        raise Failed('needs root, because it counts')
    if not options.tp_perf.exists():
        raise Failed(f'{options.tp_perf} does not exist')
    exit_on_signals()
    only_one(__file__, 'another run is going on')
    packages.install([its for program, its in PACKAGES.items() if not shutil.which(program)], tell)
    options.work.mkdir(parents=True, exist_ok=True)
    options.output.mkdir(parents=True, exist_ok=True)
    loads = Neighbours(options.work)
    loads.prepare()
    chosen = options.only.split(',') if options.only else [*STATES, *ANOMALIES]
    if unknown := set(chosen) - {*STATES, *ANOMALIES}:
        raise Failed('no such state or anomaly: ' + ', '.join(sorted(unknown)))
    seed = int(time.time())
    random.Random(seed).shuffle(chosen)
    round_ = Round(options, options.work, loads)
    try:
        for number, name in enumerate(chosen):
            tell(f'{number + 1:2} of {len(chosen)}  {name}')
            (round_.anomaly if name in ANOMALIES else round_.state)(name)
    finally:
        round_.end()
    number = 1 + len(list(options.output.glob('round-*.json.gz')))
    file = options.output / f'round-{number}.json.gz'
    write_zipped(file, round_.document(seed))
    tell(f'{file}: {len(round_.sessions)} sessions')
    return 0


if __name__ == '__main__':
    main_of('neighbours.py', main)
