"""bpftrace as a peer."""

import os
import re
import signal
import time

from tpx.peers import EVENTS, RING_KB
from tpx.peers.peer import Peer, sort_by_time
from tpx.process import run

LOST = re.compile(rb'Lost (\d+) events')


class Bpftrace(Peer):
    name = 'bpftrace'
    # Each of its three measurements takes more than three minutes.
    is_slow = True
    command = 'bpftrace -e \'tracepoint:…,… /@on/ { printf("%llu %s\\n", nsecs, probe) }\''

    def __init__(self, setup):
        self.probes = ',\n'.join('tracepoint:' + name for name in setup.tracepoints)
        self.script = setup.scratch / 'peers.bt'
        self.raw, self.log = setup.scratch / 'bpftrace.raw', setup.scratch / 'bpftrace.log'
        self.outputs = [self.raw, self.log]
        most = str(2 * len(setup.tracepoints) + 16)
        self.environment = {
            **os.environ,
            'BPFTRACE_MAX_PROBES': most,
            'BPFTRACE_MAX_BPF_PROGS': most,
            'BPFTRACE_PERF_RB_PAGES': str(RING_KB * 1024 // os.sysconf('SC_PAGE_SIZE')),
        }

    def record(self, *words, end='', action=''):
        # Attaching all probes takes a minute, and each fires as soon as it is attached. They are
        # attached in the order of the script, so the flag is set a millisecond after the last
        # one. A COMMAND starts after all are attached.
        self.script.write_text(
            f'{self.probes}\n/@on/ {{ printf("%llu %s\\n", nsecs, probe); {action} }}\n{end}\n'
            'interval:ms:1 /@on == 0/ { @on = 1; }\n'
        )
        begin = time.monotonic()
        command = ['bpftrace', '-o', self.raw, *words, self.script]
        done = run(command, ending=signal.SIGINT, env=self.environment)
        sort_by_time(self.raw, self.log)
        took = time.monotonic() - begin
        said = (done.stderr + done.stdout).encode()
        lost, rows = sum(map(int, LOST.findall(said))), 0
        with open(self.raw, 'rb') as file:
            for line in file:
                found = LOST.match(line)
                lost += int(found[1]) if found else 0
                rows += b'tracepoint:' in line
        return {'seconds': took, 'rows': rows, 'lost': lost}

    def load(self, build):
        figures = self.record('-c', ' '.join(build.timed))
        size = self.raw.stat().st_size
        return {
            'events': figures['rows'],
            'lost': figures['lost'],
            'recording_bytes': size,
            'log_bytes': size,
        }

    def events_log(self):
        return self.record(action=f'@n = @n + 1; if (@n >= {EVENTS}) {{ exit(); }}')

    def second_log(self):
        return self.record(end='interval:s:1 { exit(); }')
