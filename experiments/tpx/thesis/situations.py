"""Captures idle, a kernel build and a web server, and leaves marks of each capture."""

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from tpx.io import append_pair
from tpx.loads import apache, apache_config
from tpx.machine import busy_thousandths, cpu_ticks
from tpx.process import Background, Failed, last_lines, run
from tpx.progress import say

PORT = 8473
SITE = f'http://127.0.0.1:{PORT}/index.html'
# In thousandths of all CPUs' time: a machine that is busier does not rest.
AT_REST = 10


class Work(Background):
    """A load that may be ended before its block ends."""

    def __init__(self, words, out=subprocess.DEVNULL):
        super().__init__(words, stdout=out, stderr=subprocess.STDOUT)

    def end(self):
        self.__exit__()


class Situations:
    """Captures each situation into the current folder, under a name, with marks in `marks`."""

    def __init__(self, tool, kernel, scratch):
        self.tool, self.kernel, self.scratch = tool, kernel, scratch
        self.name = None
        site = scratch / 'site'
        site.mkdir()
        (site / 'index.html').write_text('hello\n')
        self.config = scratch / 'httpd.conf'
        self.config.write_text(apache_config(scratch, site, PORT))

    def mark(self, key, value):
        """Notes something about the capture. It starts no process."""
        append_pair(Path('marks') / self.name, key, value)

    def settle(self):
        """Waits, but not for ever, until the machine does nothing for three seconds."""
        os.sync()
        for _ in range(60):
            before = cpu_ticks()
            time.sleep(3)
            busy = busy_thousandths(before, cpu_ticks())
            if busy < AT_REST:
                break
        else:
            say(f'the machine does not come to rest: {self.name} is captured all the same')
        self.mark('busy_before', busy)

    @contextlib.contextmanager
    def recording(self, *words):
        """Captures during the block, and then waits for the end of the capture."""
        words = [self.tool, '--quiet', '--wait-detach', '-o', self.name, *words]
        with Background(words, stdout=None, stderr=None) as capture:
            yield
            code = capture.process.wait()
        if code != 0:
            raise Failed(f'tp-perf ended with {code}')

    def record_during(self, load, *words):
        """Captures while a load runs, which it ends as soon as the events are off."""
        with self.recording(*words):
            for _ in range(120):
                if (Path(self.name) / 'log.csv').exists():
                    break
                time.sleep(1)
            self.mark('load_lasted', int(load.alive()))
            # The kernel still detaches.
            load.end()

    def idle(self, name, *words):
        self._begin(name)
        self.settle()
        with self.recording(*words):
            pass

    def objects(self):
        """How many objects of the kernel itself are made, without the tools that its build uses."""
        made = 0
        for _, folders, files in os.walk(self.kernel.tree):
            folders[:] = [folder for folder in folders if folder not in ('scripts', 'tools')]
            made += sum(file.endswith('.o') for file in files)
        return made

    def build(self, name, objects, *words):
        """Builds from a clean tree, and captures when so many objects are there."""
        self._begin(name)
        shutil.rmtree(self.kernel.tree, ignore_errors=True)
        self.kernel.configure()
        log = self.scratch / 'build.log'
        with open(log, 'w') as out, Work(self.kernel.make('-j2'), out) as load:
            for _ in range(300):
                if self.objects() >= objects:
                    break
                if not load.alive():
                    said = last_lines(log.read_text(errors='replace'))
                    raise Failed(f'the build ended too early: {said}')
                time.sleep(1)
            self.mark('objects_before', self.objects())
            self.record_during(load, *words)
            self.mark('objects_after', self.objects())

    @contextlib.contextmanager
    def server(self):
        with Background(apache(self.config), stdout=None, stderr=None):
            for _ in range(50):
                words = ['ab', '-q', '-n', '1', SITE]
                if subprocess.run(words, capture_output=True, check=False).returncode == 0:
                    break
                time.sleep(0.2)
            else:
                raise Failed('Apache does not answer')
            yield

    def apache_once(self, name, *words):
        """One run of ab, as in the thesis. Other events are what the machine does afterwards."""
        self._begin(name)
        with self.server():
            # This turns the time of a mark into the time of the log.
            difference = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.monotonic_ns()
            self.mark('clock_difference', difference)
            self.settle()
            with self.recording(*words):
                # Attaching takes a third of a second.
                time.sleep(1)
                self.mark('ab_start', f'{time.time():.6f}')
                said = run(['ab', '-q', '-n', '100', '-c', '100', SITE]).stdout
                self.mark('ab_end', f'{time.time():.6f}')
        for key, title in (('complete', 'Complete requests:'), ('failed', 'Failed requests:')):
            self.mark(key, after(title, said))

    def apache_long(self, name, *words):
        """The same load, for as long as the capture takes."""
        self._begin(name)
        with self.server():
            self.settle()
            ab = ['ab', '-q', '-t', '60', '-n', '10000000', '-c', '100', SITE]
            with Work(ab) as load:
                time.sleep(2)
                self.record_during(load, *words)

    def _begin(self, name):
        self.name = name
        say(name)


def after(title, text):
    """What follows a title at the start of a line of a text."""
    for line in text.splitlines():
        if line.startswith(title):
            return line.removeprefix(title).strip()
    return ''
