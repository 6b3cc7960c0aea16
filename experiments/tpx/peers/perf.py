"""perf record and perf script as a peer."""

import contextlib
import fcntl
import os
import select
import signal
import time

from tpx.peers import EVENTS, RING_KB
from tpx.peers.peer import Peer, count_lines
from tpx.perf_events import DISABLE, ENABLE, borrowed_events, lost_samples
from tpx.process import Background, Failed, last_lines, run


class Perf(Peer):
    name = 'perf'
    command = 'perf record -a -m 8M -e …; perf script -F time,event'
    # The arguments after each event.
    option = ()

    def __init__(self, setup):
        self.events = [
            word for tracepoint in setup.tracepoints for word in ('-e', tracepoint, *self.option)
        ]
        self.data, self.log = setup.scratch / 'perf.data', setup.scratch / 'perf.log'
        names = ('control', 'ack', 'said')
        self.control, self.acknowledged, self.said = (
            setup.scratch / f'perf.{name}' for name in names
        )
        self.outputs = [self.data, self.data.with_suffix('.data.old'), self.log]
        self.outputs += [self.control, self.acknowledged, self.said]
        pages = RING_KB * 1024 // os.sysconf('SC_PAGE_SIZE')
        self.recording = ['perf', 'record', '-q', '-a', '-m', str(pages), '-o', str(self.data)]

    def record(self, *words):
        run([*self.recording, *self.events, '--', *words], ending=signal.SIGINT)

    @contextlib.contextmanager
    def attached(self):
        """Opens all events, off. Yields a function that switches them, and one that waits for perf.

        The second returns when perf has written all events. perf's own `disable` does not work:
        perf looks for orders only when it finds its rings empty (`__cmd_record`), and a perf that
        records its own writing never does. So this process makes the ioctls that perf would make,
        on perf's own descriptors.
        """
        for fifo in (self.control, self.acknowledged):
            fifo.unlink(missing_ok=True)
            os.mkfifo(fifo)
        control = f'fifo:{self.control},{self.acknowledged}'
        words = [*self.recording, '-D', '-1', '--control', control, *self.events]
        with (
            open(self.control, 'r+b', buffering=0) as orders,
            open(self.acknowledged, 'r+b', buffering=0) as answers,
            open(self.said, 'wb') as said,
            Background(words, ending=signal.SIGINT, stderr=said) as perf,
        ):
            self.answer(perf, orders, answers, 120)
            with borrowed_events(perf.process.pid) as events:

                def switch(is_on):
                    for event in events:
                        fcntl.ioctl(event, ENABLE if is_on else DISABLE, 0)

                yield switch, lambda: self.answer(perf, orders, answers, 60)

    def answer(self, perf, orders, answers, seconds):
        """Pings perf, which answers when its rings are empty."""
        orders.write(b'ping\n')
        for _ in range(10 * seconds):
            if select.select([answers], [], [], 0.1)[0]:
                answers.read(16)
                return
            if not perf.alive():
                said = last_lines(self.said.read_text(errors='replace'))
                raise Failed(f'perf record exited with code {perf.process.returncode}: {said}')
        raise Failed(f'perf record is still busy {seconds} s after its events were switched off')

    def script(self, fields):
        with open(self.log, 'wb') as file:
            run(['perf', 'script', '--ns', '-F', fields, '-i', self.data], stdout=file)

    def load(self, build):
        self.record(*build.timed)
        self.script('time,event')
        return {
            'events': count_lines(self.log),
            'lost': lost_samples(self.data),
            'recording_bytes': self.data.stat().st_size,
            'log_bytes': self.log.stat().st_size,
        }

    def timed_log(self, seconds):
        begin = time.monotonic()
        self.record('sleep', str(seconds))
        self.script('time,event')
        return {'seconds': time.monotonic() - begin, 'rows': count_lines(self.log)}

    def events_log(self):
        # perf cannot stop after a number of events. Half a second of the build has more than enough
        # of them.
        figures = self.timed_log(0.5)
        if figures['rows'] < EVENTS:
            raise Failed(f'half a second of the build had only {figures["rows"]} events')
        return figures

    def second_log(self):
        figures = self.timed_log(1)
        self.script('comm')
        with open(self.log, 'rb') as file:
            own = (b'perf', b'perf-exec', b'sleep')
            figures['self_rows'] = sum(line.strip() in own for line in file)
        return figures


class PerfWithoutItself(Perf):
    name = 'perf --exclude-perf'
    command = 'perf record -a -m 8M -e … --exclude-perf; perf script -F time,event'
    # The option applies only to the events of the `-e` before it.
    option = ('--exclude-perf',)
