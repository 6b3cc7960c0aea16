#!/usr/bin/env python3
"""Checks the estimates and the cost of `tp-perf count --budget` against a parallel exact count.

One counter has a budget; another counts each hit in windows of 100 ms. A load begins and ends
meanwhile. It needs root, a kernel that can be traced, and a machine with nothing else to do."""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tpx.counting import Exact, compare, cost_after_steps, windows_of
from tpx.loads import Load
from tpx.process import Failed, exit_on_signals, main_of
from tpx.progress import say

NAME = 'experiments/count.py'
BINARY = Path(__file__).resolve().parent.parent / 'target/release/tp-perf'
# A build of many small files, without anything to install but a compiler.
BUILD = (
    'd=$(mktemp -d); trap "rm -rf $d" EXIT; while :; do for n in 1 2 3 4 5 6 7 8; do '
    'printf "#include <stdio.h>\\n#include <stdlib.h>\\nint f$n(void){return $n;}\\n" '
    '> $d/$n.c; done; '
    'ls $d/*.c | xargs -P 2 -n 1 sh -c \'gcc -O1 -c "$0" -o "$0.o"\'; done'
)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--tp-perf', type=Path, default=BINARY, help='the binary to check')
    parser.add_argument('--budget', default='1%', help='the budget [1%%]')
    text = 'a shell line: the load between two calm phases'
    parser.add_argument('--load', default=BUILD, help=text)
    parser.add_argument('--calm', type=float, default=15, help='seconds of each calm phase [15]')
    parser.add_argument('--busy', type=float, default=60, help='seconds of the load [60]')
    parser.add_argument('--output', type=Path, help='keep all windows in this folder')
    return parser.parse_args()


def start(binary, output, *words):
    command = [str(binary), 'count', '-q', '--format', 'json', '-o', str(output), *words]
    return subprocess.Popen(command, stderr=sys.stderr, start_new_session=True)


def measure(args, folder):
    """Runs both counters over the phases. Returns their files, and when the load was on."""
    files = [folder / 'budget.jsonl', folder / 'exact.jsonl']
    counters = [start(args.tp_perf, files[1], '--every', '100ms')]
    load = Load()
    try:
        # The other one then measures what a hit costs beside the exact counter.
        time.sleep(3)
        counters.append(start(args.tp_perf, files[0], '--every', '1s', '--budget', args.budget))
        # Attaching takes some tenths of a second.
        time.sleep(2 + args.calm)
        begin = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        say('the load begins')
        load.spawn(['sh', '-c', args.load])
        time.sleep(args.busy)
        end = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        load.stop()
        say('the load has ended')
        time.sleep(args.calm)
    finally:
        load.stop()
        for counter in counters:
            counter.send_signal(signal.SIGINT)
        codes = [counter.wait() for counter in counters]
    if any(codes):
        raise Failed(f'a counter ended with {max(codes)}')
    return files, begin, end


def main():
    args = arguments()
    exit_on_signals()
    if not args.tp_perf.exists():
        raise Failed(f'{args.tp_perf} is missing; run `cargo build --release`')
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.output or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        (budget_file, exact_file), begin, end = measure(args, folder)
        windows, summary = windows_of(budget_file)
        exact = Exact(windows_of(exact_file)[0])
    compared = compare(windows, exact)
    steps = cost_after_steps(windows, begin, end, float(args.budget.rstrip('%')) / 100)
    of_tool = {'cost': summary['cost'], 'self': summary['self']}
    print(json.dumps({**compared, **steps, **of_tool}, indent=2))
    return 0


if __name__ == '__main__':
    main_of(NAME, main)
