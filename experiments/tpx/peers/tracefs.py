"""tracefs without a tool as a peer: an instance whose rings are moved to files."""

import contextlib
import os
import time

from tpx.peers import EVENTS
from tpx.peers.instance import Instance
from tpx.peers.peer import Peer
from tpx.process import Background, Failed, run


class Tracefs(Peer):
    name = 'tracefs'
    command = 'an instance: set_event, tracing_on; '
    command += 'splice(2) from trace_pipe_raw of each CPU, or cat trace'

    def __init__(self, setup):
        self.tracepoints, self.scratch = setup.tracepoints, setup.scratch
        self.script, self.log = setup.script, setup.scratch / 'tracefs.log'
        self.outputs = [self.log]

    @contextlib.contextmanager
    def read_instance(self):
        """Yields an instance whose rings are moved to files. Afterwards it has figures."""
        with Instance('load', self.tracepoints) as instance:
            pipes = list(instance.path.glob('per_cpu/cpu*/trace_pipe_raw'))
            files = [self.scratch / f'{pipe.parent.name}.raw' for pipe in pipes]
            self.outputs = [self.log, *files]
            with contextlib.ExitStack() as readers:
                for pipe, file in zip(pipes, files, strict=True):
                    words = [*self.script, '--splice', file, '--', pipe]
                    readers.enter_context(Background(words))
                time.sleep(0.5)
                yield instance
                time.sleep(0.5)
            # Move the rest, which fills less than half a ring.
            self.size = sum(map(len, map(rest_of, pipes)))
            self.size += sum(file.stat().st_size for file in files)
            self.fired, self.lost = instance.stats()

    def load(self, build):
        with self.read_instance() as instance:
            instance.switch(True)
            build.run()
            instance.switch(False)
        return {
            'events': self.fired - self.lost,
            'lost': self.lost,
            'recording_bytes': self.size,
            'log_bytes': None,
        }

    @contextlib.contextmanager
    def attached(self):
        """The instance with its events off. Yields functions that switch them and wait."""
        with self.read_instance() as instance:
            yield instance.switch, lambda: time.sleep(0.5)

    def log_when(self, is_enough):
        """Records until `is_enough` returns, and writes the log."""
        begin = time.monotonic()
        with Instance('log', self.tracepoints) as instance:
            instance.switch(True)
            is_enough(instance)
            instance.switch(False)
            with open(self.log, 'wb') as file:
                run(['cat', instance.path / 'trace'], stdout=file)
            took = time.monotonic() - begin
        rows = own = 0
        # This script sleeps, as a shell would.
        process = f'-{os.getpid()} '.encode()
        with open(self.log, 'rb') as file:
            for line in file:
                if not line.startswith(b'#'):
                    rows += 1
                    own += process in line[:40]
        return {'seconds': took, 'rows': rows, 'self_rows': own}

    def events_log(self):
        def is_enough(instance):
            deadline = time.monotonic() + 60
            while instance.stats()[0] < EVENTS:
                time.sleep(0.01)
                if time.monotonic() > deadline:
                    seen = instance.stats()[0]
                    raise Failed(f'a minute of the build had only {seen} events')

        return self.log_when(is_enough)

    def second_log(self):
        return self.log_when(lambda _: time.sleep(1))


def splice(target, source):
    """Moves pages as trace-cmd does, half a ring at a time (`buffer_percent`), until it is killed.

    It is `peers.py --splice FILE -- PIPE`.
    """
    reader, writer = os.pipe()
    with open(source, 'rb', buffering=0) as pages, open(target, 'wb') as file:
        while True:
            moved = os.splice(pages.fileno(), writer, 1 << 16)
            while moved:
                moved -= os.splice(reader, file.fileno(), moved)


def rest_of(pipe):
    """The bytes that a trace_pipe_raw still has."""
    descriptor, rest = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), []
    try:
        while page := os.read(descriptor, 1 << 16):
            rest.append(page)
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)
    return b''.join(rest)
