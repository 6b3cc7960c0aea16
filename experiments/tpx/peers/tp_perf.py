"""tp-perf as one of the peers."""

import json
import shutil
import time
from pathlib import Path

from tpx.io import read_json
from tpx.peers import EVENTS
from tpx.peers.peer import Peer
from tpx.process import run


class TpPerf(Peer):
    name = 'tp-perf'
    command = 'tp-perf -- make …; tp-perf -n 100000; tp-perf -d 1s'

    def __init__(self, setup):
        self.binary, self.arguments = str(setup.binary), ['-q', *setup.patterns]
        self.folder = setup.scratch / 'recording'
        self.outputs = [self.folder]

    def record(self, *words):
        """Captures. Returns the seconds until the log was complete, and the summary."""
        shutil.rmtree(self.folder, ignore_errors=True)
        begin = time.monotonic()
        run([self.binary, *self.arguments, '-o', self.folder, *words])
        return time.monotonic() - begin, read_json(self.folder / 'summary.json')

    def load(self, build):
        _, summary = self.record('--', *build.timed)
        return {
            'events': summary['events']['recorded'],
            'lost': summary['events']['lost'],
            'recording_bytes': (self.folder / 'events.perf').stat().st_size,
            'log_bytes': (self.folder / 'log.csv').stat().st_size,
            'self_cpu': summary['self']['cpu_ns'] / 1e9,
        }

    def pairs(self, build, count):
        words = [self.binary, 'overhead', *self.arguments, '--runs', str(count), '--warmup', '0']
        words += ['--format', 'json', '--prepare', build.cleaning, '--', *build.make]
        return [
            {
                'pair': one['pair'],
                'on': one['arm'] == 'record',
                'wall': one['wall_ns'] / 1e9,
                'cpu': one['cpu_ns'] / 1e9,
                'busy': one['machine_ns'] / 1e9,
                'code': one['exit'],
                'fired': one.get('events'),
            }
            for one in json.loads(run(words).stdout)['runs']
        ]

    def log(self, *words):
        took, summary = self.record(*words)
        return {'seconds': took, 'rows': summary['events']['logged']}

    def events_log(self):
        return self.log('-n', str(EVENTS))

    def second_log(self):
        return self.log('-d', '1s')

    def settle(self):
        """Waits until the kernel has detached from all tracepoints. Returns the time it took."""
        begin = time.monotonic()
        while any(b'tp-perf-detach' in _read(comm) for comm in Path('/proc').glob('[0-9]*/comm')):
            time.sleep(0.2)
        return time.monotonic() - begin


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        # The process ended in the meantime.
        return b''
