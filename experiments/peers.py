#!/usr/bin/env python3
"""Measures tp-perf and its peers on this machine. Writes PEERS.md and peers.json next to this file.

It needs root, Debian, a kernel that can be traced, and a machine with nothing else to do."""

import argparse
import csv
import dataclasses
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tpx import kernel_build, packages
from tpx.io import json_with_flat_leaves, read_json
from tpx.kernel_build import tarballs
from tpx.machine import cpu_model, enter_own_mounts, is_virtual, memory_kib
from tpx.peers.bpftrace import Bpftrace
from tpx.peers.builds import Build, timed
from tpx.peers.counters import COUNTERS, measure_counters
from tpx.peers.instance import remove_stale_instances
from tpx.peers.measure import Measurements
from tpx.peers.peer import Nothing
from tpx.peers.perf import Perf, PerfWithoutItself
from tpx.peers.tables import write_page
from tpx.peers.tp_perf import TpPerf
from tpx.peers.tracefs import Tracefs, splice
from tpx.peers.windows import read_window, window
from tpx.process import Failed, exit_on_signals, main_of, only_one, run
from tpx.progress import say

NAME = 'experiments/peers.py'
FOLDER = Path(__file__).resolve().parent
MYSELF = [sys.executable, str(Path(__file__).resolve())]
# perf writes about 4 GB for two builds and its own events.
ROOM_GB = 10
# Packages by the program that they install.
PACKAGES = {'perf': 'linux-perf', 'bpftrace': 'bpftrace', **kernel_build.PACKAGES}
PEERS = [TpPerf, Perf, PerfWithoutItself, Bpftrace, Tracefs]


@dataclasses.dataclass
class Setup:
    """The input of a peer: the binary of tp-perf, and the tracepoints to capture."""

    binary: Path
    tracepoints: list[str]
    # The arguments of tp-perf that select the same tracepoints.
    patterns: list[str]
    scratch: Path
    # The command that runs this script.
    script: list[str]


def install():
    needed = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    needed += [] if tarballs() else ['linux-source']
    needed += [] if Path('/usr/include/libelf.h').exists() else ['libelf-dev']
    try:
        packages.install(needed)
    except Failed as error:
        # The peer's row in the tables says that the peer is missing.
        say(f'{error}')


def first_line(*words):
    if not shutil.which(words[0]):
        return 'missing'
    return run(words).stdout.strip().splitlines()[0]


def facts(binary):
    return {
        'date': time.strftime('%Y-%m-%d', time.gmtime()),
        'kernel': os.uname().release,
        'cpu': cpu_model(),
        'cpus': os.cpu_count(),
        'memory_gib': round(memory_kib() / (1 << 20), 1),
        'virtual': 'yes' if is_virtual() else 'no',
        'tp-perf': first_line(str(binary), '--version'),
        **{name: first_line(name, '--version') for name in ('perf', 'bpftrace', 'gcc')},
    }


def arguments():
    parser = argparse.ArgumentParser(
        prog=NAME,
        description=__doc__,
        epilog='Installs missing Debian packages. Takes two hours with all peers. '
        f'Needs {ROOM_GB} GB in TMPDIR for the files of perf.',
    )
    default = ' (default: %(default)s)'

    def number(name, kind, value, text, **options):
        parser.add_argument(name, type=kind, default=value, help=text + default, **options)

    number('--repeats', int, 3, 'how often to measure everything')
    number('--pairs', int, 6, 'pairs of builds with each peer')
    number('--pairs-per-block', int, 2, 'pairs for each time that a peer attaches', metavar='N')
    number('--slow-repeats', int, 1, 'how often to measure bpftrace', metavar='N')
    names = ', '.join(peer.name for peer in PEERS)
    parser.add_argument('--only', metavar='PEER,…', help=f'only these of: {names}')
    text = 'only these tracepoints, for a trial'
    parser.add_argument(
        '-t', '--tracepoint', action='append', default=[], metavar='PATTERN', help=text
    )
    number('--windows', int, 20, 'pairs of windows on the idle machine')
    number('--seconds', float, 5, 'the length of such a window')
    number('--builds', int, 3, 'builds with each counter, and without any', metavar='N')
    text = 'measure only counting; keep the other figures of the file'
    parser.add_argument('--counting', action='store_true', help=text)
    text = 'use this binary (default: cargo builds it)'
    parser.add_argument('--tp-perf', metavar='FILE', type=Path, help=text)
    path = FOLDER / 'peers.json'
    number('--json', Path, path, 'the file for the figures', metavar='FILE')
    # Internal options, with which this script runs itself.
    for name in ('--timed', '--splice', '--window', '--read-window'):
        parser.add_argument(name, metavar='FILE', help=argparse.SUPPRESS)
    parser.add_argument('words', nargs='*', help=argparse.SUPPRESS)
    return parser.parse_args()


def chosen_peers(only):
    names = [peer.name for peer in PEERS]
    chosen = only.split(',') if only else names
    if unknown := set(chosen) - set(names):
        raise Failed('no such peer: ' + ', '.join(sorted(unknown)))
    return [peer for peer in PEERS if peer.name in chosen]


def prepare(options, scratch):
    # Use a copy, so that a build in the meantime does not change the binary.
    binary = shutil.copy(options.tp_perf, scratch / 'tp-perf')
    patterns = [word for pattern in options.tracepoint for word in ('-t', pattern)]
    listed = run([binary, 'list', '--format', 'csv', *patterns]).stdout
    tracepoints = [
        f'{row["group name"]}:{row["tracepoint name"]}'
        for row in csv.DictReader(listed.splitlines())
        if row['status'] == 'captured'
    ]
    return Setup(binary, tracepoints, patterns, scratch, MYSELF)


def build_tool():
    manifest = FOLDER.parent / 'Cargo.toml'
    words = ['cargo', 'build', '--release', '--locked', '--manifest-path', manifest]
    run(words, stdout=None, stderr=None)
    return FOLDER.parent / 'target/release/tp-perf'


def measure(options):
    """Measures in a scratch folder and saves the figures."""
    with tempfile.TemporaryDirectory(prefix='tp-perf-peers-') as folder:
        scratch = Path(folder)
        if shutil.disk_usage(scratch).free < ROOM_GB * 1e9:
            say(
                f'{scratch} has less room than {ROOM_GB} GB, '
                'which what perf writes may need (TMPDIR)'
            )
        os.chdir(scratch)
        setup = prepare(options, scratch)
        build = Build(scratch, MYSELF)
        if options.counting:
            return count(options, setup, build)
        peers = [peer(setup) for peer in chosen_peers(options.only)]
        commands = {peer.name: peer.command for peer in [Nothing, *PEERS]}
        Measurements(options, setup, build, peers, facts(setup.binary), commands).all()
        count(options, setup, build)


def count(options, setup, build):
    """Measures the counters, and adds their figures to the file."""
    names = [counter.name for counter in COUNTERS]
    chosen = [
        name for name in names if not options.only or name.split()[0] in options.only.split(',')
    ]
    build.clean()
    build.run()
    runs = measure_counters(setup, build, chosen, options.builds, options.repeats)
    figures = {'facts': facts(setup.binary), 'tracepoints': len(setup.tracepoints), 'runs': runs}
    results = read_json(options.json)
    results['counting'] = figures
    options.json.write_text(json_with_flat_leaves(results))


def main():
    options = arguments()
    if options.timed:
        return timed(options.timed, options.words)
    if options.splice:
        return splice(options.splice, options.words[0])
    if options.window:
        return window(options.window, options.seconds)
    if options.read_window:
        return read_window(options.read_window)
    if os.geteuid() != 0:
        raise Failed('needs root')
    exit_on_signals(keep_ignored=True)
    only_one(__file__, 'it runs already')
    install()
    options.tp_perf = (options.tp_perf or build_tool()).resolve()
    options.json = options.json.resolve()
    enter_own_mounts()
    remove_stale_instances()
    # The script borrows the descriptors of all events of perf.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    measure(options)
    say(f'{options.json}')
    print(write_page(options.json))
    return 0


if __name__ == '__main__':
    main_of(NAME, main)
