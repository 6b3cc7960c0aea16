#!/usr/bin/env python3
"""Runs the thesis's three situations on this machine and reports on them.

It writes RESULTS.md, report.html and plots/ next to this script. It needs root, Debian, a kernel
that can be traced, and a machine with nothing else to do. It installs missing Debian packages. It
needs 3 GB in the temporary folder (TMPDIR), in addition to the recordings."""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tpx import packages
from tpx.io import append_pair
from tpx.kernel_build import KernelTree, tarballs
from tpx.process import Failed, exit_on_signals, main_of, run
from tpx.progress import START, say
from tpx.thesis import machine_facts
from tpx.thesis.report import report
from tpx.thesis.situations import PORT, Situations

NAME = 'experiments/run.py'
FOLDER = Path(__file__).resolve().parent
MANIFEST = FOLDER.parent / 'Cargo.toml'
# apache2-bin has only the server. The package apache2 would also start a service.
PACKAGES = ['gcc', 'make', 'flex', 'bison', 'bc', 'libelf-dev', 'xz-utils', 'apache2-bin']
PACKAGES += ['apache2-utils', 'python3']
FIRST = ('-n', '100000', '-d', '60s')
PICTURE = ('-d', '2s')


def repeats(text):
    if not text.isdigit() or not 1 <= int(text) <= 99:
        raise argparse.ArgumentTypeError('it needs a number from 1 to 99')
    return int(text)


def program(text):
    if not os.access(text, os.X_OK):
        raise argparse.ArgumentTypeError('it needs a program')
    return Path(text)


def arguments():
    parser = argparse.ArgumentParser(
        prog=NAME, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--repeats',
        type=repeats,
        default=5,
        metavar='N',
        help='how often to capture each situation (default: 5, about half an hour)',
    )
    parser.add_argument(
        '--output',
        type=Path,
        metavar='DIR',
        help='a new or empty folder in which to keep the recordings '
        '(default: a temporary folder, removed at the end)',
    )
    parser.add_argument(
        '--keep', action='store_true', help='keep the recordings in the temporary folder'
    )
    parser.add_argument(
        '--tp-perf', type=program, metavar='FILE', help='use this binary (default: cargo builds it)'
    )
    options = parser.parse_args()
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        if any(options.output.iterdir()):
            parser.error('--output must be a new or an empty folder')
        options.output = options.output.resolve()
    return options


def check_port():
    with socket.socket() as client:
        if client.connect_ex(('127.0.0.1', PORT)) == 0:
            raise Failed(f'another program already listens on 127.0.0.1:{PORT}')
    if (
        subprocess.run(
            ['pgrep', '-x', 'apache2'], stdout=subprocess.DEVNULL, check=False
        ).returncode
        == 0
    ):
        say('another web server is running, so idle is less idle')


def build_tool():
    words = ['cargo', 'build', '--release', '--locked', '--manifest-path', MANIFEST]
    run(words, stdout=None, stderr=None)
    return FOLDER.parent / 'target/release/tp-perf'


def note(pairs):
    for key, value in pairs:
        append_pair('facts', key, value)


def capture_all(situations, count):
    """Captures all situations in turn, repeatedly. Returns the names of the recordings."""
    names = []
    for repeat in range(1, count + 1):
        idle, build, apache, long = (
            f'{situation}-{repeat}' for situation in ('idle', 'build', 'apache', 'apache-long')
        )
        names += [idle, build, apache, long]
        situations.idle(idle, *FIRST)
        # A hundred thousand events are a tenth of a second of a build, so each repeat captures
        # another part of it.
        situations.build(build, 10 + 30 * ((repeat - 1) % 10 + 1), *FIRST)
        situations.apache_once(apache, *FIRST)
        situations.apache_long(long, *FIRST)
    # For the pictures and the page, capture each for the same time.
    situations.idle('idle', *PICTURE)
    situations.build('build', 40, *PICTURE)
    situations.apache_long('apache', *PICTURE)
    return names


def write_results(tool, names):
    """Reports on the recordings in the current folder, there and next to this script."""
    say('report')
    pictures = ['idle', 'build', 'apache']
    # -n takes the first 100,000 events of the log, as in the thesis. It drops those that came
    # before the events were off.
    words = [tool, 'report', '--format', 'json', '-n', '100000', *names]
    Path('repeats.json').write_text(run(words).stdout)
    Path('pictures.json').write_text(run([tool, 'report', '--format', 'json', *pictures]).stdout)
    run([tool, 'report', *pictures, '--html', 'report.html', '--plots', 'plots'])
    Path('RESULTS.md').write_text(report(Path()))
    plots = FOLDER / 'plots'
    plots.mkdir(exist_ok=True)
    for kind in ('tpid', 'gid'):
        for old in plots.glob(f'*.{kind}-time.*'):
            old.unlink()
    for file in [*Path('plots').iterdir(), Path('RESULTS.md'), Path('report.html')]:
        shutil.copyfile(file, FOLDER / file)
    say('wrote RESULTS.md, report.html and plots/')


def experiment(options, scratch, installed):
    """Captures and reports in the current folder."""
    # Use a copy, so that a build in the meantime does not change the binary.
    tool = Path(shutil.copy(options.tp_perf or build_tool(), scratch / 'tp-perf'))
    Path('marks').mkdir()
    check_port()
    kernel = KernelTree(scratch)
    kernel.unpack()
    note(machine_facts.before(tool, kernel, options.repeats, installed))
    names = capture_all(Situations(tool, kernel, scratch), options.repeats)
    note(machine_facts.afterwards(int(time.monotonic() - START) // 60))
    write_results(tool, names)


def main():
    options = arguments()
    if os.geteuid() != 0:
        raise Failed('needs root')
    exit_on_signals(keep_ignored=True)
    if options.tp_perf:
        options.tp_perf = options.tp_perf.resolve()
    missing = packages.missing(PACKAGES + ([] if tarballs() else ['linux-source']))
    packages.install(missing)
    output = options.output or Path(tempfile.mkdtemp())
    done = False
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        # The web server must be able to read it.
        scratch.chmod(0o755)
        # Use relative names from here on, because recordings have the arguments.
        os.chdir(output)
        try:
            experiment(options, scratch, missing)
            done = True
        finally:
            os.chdir('/')
            if options.output or options.keep or (not done and (output / 'idle-1').exists()):
                print(f'{NAME}: the recordings are in {output}', file=sys.stderr)
            else:
                shutil.rmtree(output)
    return 0


if __name__ == '__main__':
    main_of(NAME, main)
