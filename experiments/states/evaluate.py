#!/usr/bin/python3
"""Measures how often `tp-perf identify` and `tp-perf check` are right about the recordings of
record.py. Writes RESULTS.md and results.json next to this script.

If WORK has a recording that was not counted yet, the script first counts it in windows of 100 ms,
into the folder `counts` next to this script. It then evaluates `counts`.

Each round is compared with a library of all other rounds, so nothing is compared with its own
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
# The recordings of `record.py --quiet`, one file for each run.
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
        help='the folder of record.py, which also caches answers of tp-perf',
    )
    tool = ROOT / 'target/release/tp-perf'
    parser.add_argument('--tp-perf', metavar='FILE', type=Path, default=tool, help='this binary')
    parser.add_argument(
        '--windows',
        metavar='SECONDS,…',
        type=parse_windows,
        default=parse_windows(ALL),
        help=f'lengths of windows; {USUAL:g} is always included (default: {ALL})',
    )
    parser.add_argument('--fast', action='store_true', help=f'only windows of {USUAL:g} s')
    return parser.parse_args()


def collect_new(work, tool):
    """Counts recordings that were not counted yet."""
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
    say('reading the counts')
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
