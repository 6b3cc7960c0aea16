#!/usr/bin/python3
"""Measures how often `tp-perf identify` and `tp-perf check` are right, on what record.py has
recorded, and writes RESULTS.md and results.json beside this script.

What was recorded is first counted by windows of 100 ms, into the folder `counts` beside this
script; that is done when WORK has a recording that was not counted yet. Without one, what is in
`counts` is evaluated.

Each round is held against a library of all other rounds, so that nothing is compared with its own
session."""

import argparse
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT / 'experiments'))

from tpx.io import json_within, read_json, write_zipped
from tpx.process import Failed, main_of
from tpx.progress import say
from tpx.states.asked import Asked
from tpx.states.collect import collect
from tpx.states.data import Data
from tpx.states.evaluation import evaluate
from tpx.states.lengths import ALL, USUAL, command, parse_windows
from tpx.states.page import page
from tpx.states.targets import targets
from tpx.states.tool import has_verb

COUNTS = FOLDER / 'counts'
# What `record.py --quiet` has watched, a file each time.
QUIET = COUNTS / 'quiet'


def arguments():
    parser = argparse.ArgumentParser(
        prog='evaluate.py',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--work',
        type=Path,
        default=Path('/tmp/tp-perf-states'),
        help='the folder that record.py has made; it keeps what tp-perf said too',
    )
    tool = ROOT / 'target/release/tp-perf'
    parser.add_argument('--tp-perf', metavar='FILE', type=Path, default=tool, help='this binary')
    parser.add_argument(
        '--windows',
        metavar='SECONDS,…',
        type=parse_windows,
        default=parse_windows(ALL),
        help=f'their lengths, of which {USUAL:g} is always one (default: {ALL})',
    )
    parser.add_argument('--fast', action='store_true', help=f'only windows of {USUAL:g} s')
    return parser.parse_args()


def collect_new(work, tool):
    """Counts what was recorded since the last time."""
    recorded, counted = work / 'sessions.json', COUNTS / 'sessions.json'
    if (work / 'recording').exists() and recorded.exists():
        is_counted = counted.exists() and counted.read_bytes() == recorded.read_bytes()
        if not is_counted:
            collect(work, tool, COUNTS)
    for file in sorted((work / 'quiet' / 'quiet').glob('*.json')):
        QUIET.mkdir(exist_ok=True)
        kept = QUIET / f'{file.stem}.json.gz'
        if not kept.exists():
            write_zipped(kept, read_json(file))


def remarks_in(folder):
    file = folder / 'remarks.md'
    return file.read_text() if file.exists() else ''


def main():
    options = arguments()
    work, tool = options.work, options.tp_perf.resolve()
    lengths = [USUAL] if options.fast else options.windows
    if not has_verb(tool, 'identify'):
        raise Failed(f'{tool} has no `identify`')
    collect_new(work, tool)
    say('reading what was counted')
    data = Data(COUNTS)
    with tempfile.TemporaryDirectory(prefix='tp-perf-evaluate-') as scratch:
        asked = Asked(data, tool, COUNTS, work / 'cache', Path(scratch))
        results = evaluate(data, asked, lengths, QUIET, command(lengths))
    results['targets'] = targets(results)
    (FOLDER / 'results.json').write_text(json_within(results) + '\n')
    text = page(results, remarks_in(COUNTS), remarks_in(QUIET))
    (FOLDER / 'RESULTS.md').write_text(text)
    for target, measured, verdict in results['targets']:
        say(f'{verdict}: {target}: {measured}')
    return 0


if __name__ == '__main__':
    main_of('evaluate.py', main)
