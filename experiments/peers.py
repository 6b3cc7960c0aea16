#!/usr/bin/env python3
"""Measures tp-perf beside its peers on this machine and writes PEERS.md and peers.json beside it.

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

from tpx import packages
from tpx.kernel_build import tarballs
from tpx.machine import cpu_model, enter_own_mounts, is_virtual, memory_kib
from tpx.peers.bpftrace import Bpftrace
from tpx.peers.builds import Build, timed
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
# What perf writes of two builds, and itself besides, is some 4 GB.
ROOM_GB = 10
# Packages by the program that they bring.
PACKAGES = {
    'perf': 'linux-perf',
    'bpftrace': 'bpftrace',
    'gcc': 'gcc',
    'make': 'make',
    'flex': 'flex',
    'bison': 'bison',
    'bc': 'bc',
    'xz': 'xz-utils',
}
PEERS = [TpPerf, Perf, PerfWithoutItself, Bpftrace, Tracefs]


@dataclasses.dataclass
class Setup:
    """What a peer gets: tp-perf's binary, and what it is to capture."""

    binary: Path
    tracepoints: list[str]
    # The arguments of tp-perf that choose the same tracepoints.
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
        # The row of a peer says that the peer is not there.
        say(f'{error}')


def first_line(*words):
    if not shutil.which(words[0]):
        return 'not there'
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
        epilog="Installs what is missing of Debian's packages. Takes 90 minutes with all; "
        f'needs {ROOM_GB} GB in TMPDIR, for what perf writes.',
    )
    default = ' (default: %(default)s)'

    def number(name, kind, value, text, **options):
        parser.add_argument(name, type=kind, default=value, help=text + default, **options)

    number('--repeats', int, 3, 'how often all is measured')
    number('--pairs', int, 6, 'pairs of builds with each, in all')
    number('--pairs-per-block', int, 2, 'pairs in one attaching', metavar='N')
    number('--slow-repeats', int, 1, 'how often bpftrace is', metavar='N')
    names = ', '.join(peer.name for peer in PEERS)
    parser.add_argument('--only', metavar='PEER,…', help=f'only these of: {names}')
    text = 'only these tracepoints, for a trial'
    parser.add_argument(
        '-t', '--tracepoint', action='append', default=[], metavar='PATTERN', help=text
    )
    number('--windows', int, 20, 'pairs of windows on the idle machine')
    number('--seconds', float, 5, 'how long such a window is')
    text = 'this binary (default: cargo builds it)'
    parser.add_argument('--tp-perf', metavar='FILE', type=Path, help=text)
    path = FOLDER / 'peers.json'
    number('--json', Path, path, 'where the figures go', metavar='FILE')
    # What this script runs of itself.
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
    # A copy: a build that somebody starts meanwhile changes nothing here.
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
    """Measures in a scratch folder, and saves the figures."""
    with tempfile.TemporaryDirectory(prefix='tp-perf-peers-') as folder:
        scratch = Path(folder)
        if shutil.disk_usage(scratch).free < ROOM_GB * 1e9:
            say(
                f'{scratch} has less room than {ROOM_GB} GB, '
                'which what perf writes may need (TMPDIR)'
            )
        os.chdir(scratch)
        setup = prepare(options, scratch)
        peers = [peer(setup) for peer in chosen_peers(options.only)]
        build = Build(scratch, MYSELF)
        commands = {peer.name: peer.command for peer in [Nothing, *PEERS]}
        Measurements(options, setup, build, peers, facts(setup.binary), commands).all()


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
    # All events of perf are borrowed.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    measure(options)
    say(f'{options.json}')
    print(write_page(options.json))
    return 0


if __name__ == '__main__':
    main_of(NAME, main)
