"""A fixed part of a kernel build, and the time that it takes."""

import json
import os
import shutil
import time
from pathlib import Path

from tpx.io import read_json
from tpx.kernel_build import KernelTree
from tpx.machine import busy_seconds
from tpx.process import Background, Failed, run

# Parts of a tinyconfig kernel, which take about ten seconds on two CPUs.
TARGETS = ['kernel/time/', 'kernel/sched/']


def timed(result, words):
    """Runs a command and writes its wall time and its CPU time, descendants included, to a file.

    It is `peers.py --timed FILE -- WORDS`, so that every peer times the same load in the same way.
    """
    busy, begin = busy_seconds(), time.monotonic()
    pid = os.spawnvp(os.P_NOWAIT, words[0], words)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - begin
    busy, code = busy_seconds() - busy, os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    figures = {'wall': wall, 'cpu': cpu, 'busy': busy, 'code': code}
    Path(result).write_text(json.dumps(figures))
    return code if code >= 0 else 128 - code


class Build:
    """`make`, `timed` and `cleaning` are commands for the peers that run the build themselves."""

    def __init__(self, scratch, script):
        self.kernel = KernelTree(scratch)
        self.kernel.unpack()
        self.kernel.prepare(os.cpu_count())
        self.result = scratch / 'timed.json'
        self.make = self.kernel.make('-j', str(os.cpu_count()), *TARGETS)
        self.timed = [*script, '--timed', str(self.result), '--', *self.make]
        self.cleaning = self.kernel.cleaning(TARGETS)

    def clean(self):
        for target in TARGETS:
            shutil.rmtree(self.kernel.tree / target, ignore_errors=True)
        self.result.unlink(missing_ok=True)

    def run(self):
        """Runs the build without any tool."""
        run(self.timed)

    def figures(self):
        """The figures of the last build, which must have succeeded."""
        if not self.result.exists():
            raise Failed('the build did not finish')
        figures = read_json(self.result)
        if figures['code'] != 0:
            raise Failed(f'the build exited with code {figures["code"]}')
        return figures

    def forever(self):
        """Repeats the same build."""
        script = f'while :; do {self.cleaning}; {" ".join(self.make)}; done'
        return Background(['sh', '-c', script])
