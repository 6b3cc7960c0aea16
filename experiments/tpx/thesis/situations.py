"""Captures idle, a kernel build and a web server, and writes marks for each capture."""

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
# A machine is idle below this busy time, in thousandths of the time of all CPUs.
AT_REST = 10


class Work(Background):
    """A load that may be ended before its block ends."""

    def __init__(self, words, out=subprocess.DEVNULL):
        super().__init__(words, stdout=out, stderr=subprocess.STDOUT)

    def end(self):
        self.__exit__()


class Situations:
    """Captures each situation to a named folder in the current one, with marks in `marks`."""

    def __init__(self, tool, kernel, scratch):
        self.tool, self.kernel, self.scratch = tool, kernel, scratch
        self.name = None
        site = scratch / 'site'
        site.mkdir()
        (site / 'index.html').write_text('hello\n')
        self.config = scratch / 'httpd.conf'
        self.config.write_text(apache_config(scratch, site, PORT))

    def mark(self, key, value):
        """Writes a mark about the capture, without starting a process."""
        append_pair(Path('marks') / self.name, key, value)

    def settle(self):
        """Waits until the machine is idle for three seconds, up to a limit."""
        os.sync()
        for _ in range(60):
            before = cpu_ticks()
            time.sleep(3)
            busy = busy_thousandths(before, cpu_ticks())
            if busy < AT_REST:
                break
        else:
            say(f'the machine does not become idle; capturing {self.name} anyway')
        self.mark('busy_before', busy)

    @contextlib.contextmanager
    def recording(self, *words):
        """Captures during the block, and then waits for the end of the capture."""
        words = [self.tool, '--quiet', '--wait-detach', '-o', self.name, *words]
        with Background(words, stdout=None, stderr=None) as capture:
            yield
            code = capture.process.wait()
        if code != 0:
            raise Failed(f'tp-perf exited with code {code}')

    def record_during(self, load, *words):
        """Captures while a load runs, and ends the load as soon as the events are off."""
        with self.recording(*words):
            for _ in range(120):
                if (Path(self.name) / 'log.csv').exists():
                    break
                time.sleep(1)
            self.mark('load_lasted', int(load.alive()))
            # The kernel is still detaching.
            load.end()

    def idle(self, name, *words):
        self._begin(name)
        self.settle()
        with self.recording(*words):
            pass

    def objects(self):
        """The number of made objects of the kernel, without those of the build's own tools."""
        made = 0
        for _, folders, files in os.walk(self.kernel.tree):
            folders[:] = [folder for folder in folders if folder not in ('scripts', 'tools')]
            made += sum(file.endswith('.o') for file in files)
        return made

    def build(self, name, objects, *words):
        """Builds from a clean tree, and captures when this many objects are made."""
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
        """Runs ab once, as in the thesis. The other events come from the machine afterwards."""
        self._begin(name)
        with self.server():
            # This converts the time of a mark to the time of the log.
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
        """The same load during the whole capture."""
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
    """The text after a title at the start of a line."""
    for line in text.splitlines():
        if line.startswith(title):
            return line.removeprefix(title).strip()
    return ''
