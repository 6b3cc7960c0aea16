#!/usr/bin/env python3
"""Measures what each way of watching adds to a web server and to a kernel build.

It runs `tp-perf overhead` of both. It needs root, Debian, a kernel that can be traced, and a
machine with nothing else to do. The runs with and without watching alternate every few seconds, so
the machine's speed, which changes within minutes, hardly matters. All tracepoints stay attached,
also in the runs without watching; `count_cost.py` compares with nothing attached, but far less
precisely."""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from tpx import kernel_build, packages
from tpx.count_cost import PORT, Web, chosen_loads
from tpx.kernel_build import KernelTree, tarballs
from tpx.loads import Load
from tpx.machine import enter_own_mounts, wait_for_rest
from tpx.process import exit_on_signals, main_of, only_one, run

NAME = 'experiments/ways.py'
BINARY = Path(__file__).resolve().parent.parent / 'target/release/tp-perf'
WAYS = 'record,count,budget'
LOADS = ('web', 'build')
PACKAGES = {'nginx': 'nginx-light', 'ab': 'apache2-utils', **kernel_build.PACKAGES}
# A part of the kernel that is built in about ten seconds: a budget acts once a second.
PART = 'kernel/'


def arguments():
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.split('\n\n')[0])
    parser.add_argument('--tp-perf', type=Path, default=BINARY, help='the binary to measure')
    parser.add_argument('--ways', default=WAYS, help=f'the ways to measure [{WAYS}]')
    parser.add_argument('--budget', default='1%', help='the budget of the ways that have one [1%%]')
    parser.add_argument('--rounds', type=int, default=8, help='rounds of runs [8]')
    parser.add_argument('--requests', type=int, default=600_000, help='requests of a run [600000]')
    parser.add_argument('--loads', default=','.join(LOADS), help=f'the loads [{",".join(LOADS)}]')
    return parser.parse_args()


def overhead(args, *words):
    wait_for_rest()
    ways = ['--ways', args.ways, '--budget', args.budget, '--runs', str(args.rounds)]
    run([args.tp_perf, 'overhead', *ways, '--format', 'markdown', *words], stdout=None, stderr=None)


def web(args, scratch):
    """Requests for a small file, as many in each run."""
    Web(scratch, 0, 0)
    load = Load()
    try:
        load.spawn(['nginx', '-c', str(scratch / 'nginx.conf')])
        url = f'http://127.0.0.1:{PORT}/'
        overhead(args, '--', 'ab', '-q', '-k', '-n', str(args.requests), '-c', '32', url)
    finally:
        load.stop()


def build(args, scratch):
    tree = KernelTree(scratch)
    tree.unpack()
    jobs = str(os.cpu_count())
    tree.prepare(jobs)
    overhead(args, '--prepare', tree.cleaning([PART]), '--', *tree.make('-j', jobs, PART))


def main():
    args = arguments()
    exit_on_signals()
    only_one(__file__, 'it runs already')
    loads = chosen_loads(args, LOADS)
    needed = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    needed += [] if tarballs() else ['linux-source']
    packages.install(needed)
    enter_own_mounts()
    for load in loads:
        with tempfile.TemporaryDirectory(prefix='tp-perf-ways-') as folder:
            print(f'## {load}\n', flush=True)
            {'web': web, 'build': build}[load](args, Path(folder))
    return 0


if __name__ == '__main__':
    main_of(NAME, main)
