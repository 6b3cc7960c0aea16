#!/usr/bin/env python3
"""Measures the time that `tp-perf count` adds to all CPUs, idle and under two loads.

It needs root, Debian, a kernel that can be traced, and a machine with nothing else to do. The loads
are a web server and a kernel build. Each pair runs the same load with tp-perf and without it, in
random order. Without it, nothing is attached. So after each run with it, the script waits until the
kernel has detached the tracepoints, which takes a minute."""

import argparse
import json
import random
import shutil
import tempfile
from pathlib import Path

from tpx import packages
from tpx.count_cost import LOADS, PACKAGES, Counter, added, chosen_loads, summary_of
from tpx.kernel_build import tarballs
from tpx.machine import wait_for_rest
from tpx.process import exit_on_signals, main_of, only_one
from tpx.progress import say
from tpx.tables import table

NAME = 'experiments/count_cost.py'
BINARY = Path(__file__).resolve().parent.parent / 'target/release/tp-perf'


def arguments():
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.split('\n\n')[0])
    parser.add_argument('--tp-perf', type=Path, default=BINARY, help='the binary to measure')
    parser.add_argument(
        '--words', default='--budget 1%', help='the options of `tp-perf count` [--budget 1%%]'
    )
    names = ','.join(LOADS)
    parser.add_argument('--loads', default=names, help=f'the loads [{names}]')
    parser.add_argument('--pairs', type=int, default=8, help='pairs of each load [8]')
    parser.add_argument(
        '--seconds',
        type=float,
        default=30,
        help='the length of a run without an end of its own [30]',
    )
    parser.add_argument(
        '--settle', type=float, default=6, help='how long a load runs before the measurement [6]'
    )
    parser.add_argument('--json', type=Path, help='write every figure to this file')
    return parser.parse_args()


def install(loads):
    needed = [
        package
        for load in loads
        for program, package in PACKAGES[load].items()
        if not shutil.which(program)
    ]
    if 'build' in loads:
        needed += [] if tarballs() else ['linux-source']
        needed += [] if Path('/usr/include/libelf.h').exists() else ['libelf-dev']
    packages.install(needed)


def measure(args, loads, scratch):
    """All runs, as dicts. The loads alternate, so that changes of the machine affect all."""
    made, runs = {name: LOADS[name](scratch, args.settle, args.seconds) for name in loads}, []
    for pair in range(args.pairs):
        for name in loads:
            for is_on in random.sample([False, True], 2):
                wait_for_rest()
                counter = (
                    Counter(args.tp_perf, args.words.split(), scratch / 'counts.jsonl')
                    if is_on
                    else None
                )
                try:
                    figures = made[name].run()
                finally:
                    reported = counter.stop() if counter else {}
                runs.append({'load': name, 'pair': pair, 'on': is_on, **figures, **reported})
                say(f'{name}, pair {pair}, {"on" if is_on else "off"}: {shown(figures, reported)}')
    return runs


def shown(figures, reported):
    text = f'{100 * figures["busy"] / figures["all"]:.2f} % busy in {figures["wall"]:.1f} s'
    if reported.get('part') is not None:
        text += f', of which {100 * reported["part"]:.2f} % as tp-perf reports'
    return text


def main():
    args = arguments()
    exit_on_signals()
    only_one(__file__, 'it runs already')
    loads = chosen_loads(args, LOADS)
    install(loads)
    with tempfile.TemporaryDirectory(prefix='tp-perf-count-cost-') as folder:
        runs = measure(args, loads, Path(folder))
    if args.json:
        args.json.write_text(json.dumps({'words': args.words, 'runs': runs}, indent=1) + '\n')
    head = [
        'load',
        'pairs',
        'added to the time of all CPUs',
        'as tp-perf reports',
        'its own process, of one CPU',
        'runs, s',
    ]
    print(f'tp-perf count {args.words}\n')
    print(
        table(
            head, [summary_of(name, added(runs, name), runs) for name in loads], range(1, len(head))
        ),
        end='',
    )
    return 0


if __name__ == '__main__':
    main_of(NAME, main)
