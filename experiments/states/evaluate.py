#!/usr/bin/python3
"""Measures how often `tp-perf identify` and `tp-perf check` are right about recorded states.

Without --only it measures all parts, and writes RESULTS.md and results.json next to this script.

  nine        what `identify` names for nine loads: known, never learned, and two at once
  neighbours  the same for states with near neighbours, and for states beside other work
  anomalies   whether `check --follow` finds anomalies that begin within a load, and when
  quiet       false alarms of `check --follow` on a quiet machine
  loaded      false alarms of `check --follow` under the nine loads
  turns       whether `identify --follow` reports each of the nine loads, and when
  check       alarms of `check` without --follow
  baselines   other methods on the same windows (needs scikit-learn)

The counts come from record.py and neighbours.py. Each round is compared with libraries of other
rounds. A library that needs more rounds than there are is reported as not measured."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT / 'experiments'))

from tpx.io import json_within, read_json
from tpx.process import Failed, main_of
from tpx.progress import say
from tpx.states.collect import collect_new
from tpx.states.evaluation import FOLLOWING, PARTS, Evaluation
from tpx.states.library import Files
from tpx.states.page import page, remarks_in, section
from tpx.states.sizes import chosen
from tpx.states.targets import targets
from tpx.states.tool import Tool


def arguments():
    parser = argparse.ArgumentParser(
        prog='evaluate.py',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

    def option(*names, **options):
        parser.add_argument(*names, **options)

    tool, counts = ROOT / 'target/release/tp-perf', FOLDER / 'counts'
    option('--tp-perf', metavar='FILE', type=Path, default=tool, help='use this binary')
    option('--counts', metavar='FOLDER', type=Path, default=counts, help='use these counts')
    option('--output', metavar='FOLDER', type=Path, default=FOLDER, help='write the results there')
    option('--only', metavar='PART', choices=PARTS, help='measure this part, and print its section')
    text = 'the level of `identify` (default: its own). With this and the next three options, only '
    text += '`nine` and `neighbours` are measured, and their sections are printed'
    option('--alpha', metavar='LEVEL', help=text)
    option('--length', type=int, choices=(15, 60), help='only libraries of sessions of this length')
    text = 'learn only so many sessions of each state'
    option('--sessions', metavar='N', type=int, choices=(1, 2, 3), help=text)
    text = 'learn a session of build-j1 under the name idle, in place of one of idle'
    option('--mislabelled', action='store_true', help=text)
    text = 'run so many processes of tp-perf at once (default: the number of CPUs)'
    option('--jobs', metavar='N', type=int, default=os.cpu_count(), help=text)
    text = 'first count what record.py left in this folder'
    option('--collect', metavar='WORK', type=Path, help=text)
    text = 'make RESULTS.md again from results.json, and measure nothing'
    option('--page', action='store_true', help=text)
    return parser.parse_args()


def write_page(output, results, counts):
    (output / 'RESULTS.md').write_text(page(results, remarks_in(counts)))
    for target in targets(results):
        say(f'{target.verdict}: {target.title}: {target.measured}')


def chosen_parts(options):
    """The parts to measure, and whether that is all of them, as usual."""
    is_usual = not (options.alpha or options.length or options.sessions or options.mislabelled)
    if options.only:
        return [options.only], False
    return (PARTS, True) if is_usual else (['nine', 'neighbours'], False)


def main():
    options = arguments()
    output = options.output
    if options.page:
        write_page(output, read_json(output / 'results.json'), options.counts)
        return 0
    if not options.tp_perf.exists():
        raise Failed(f'{options.tp_perf} does not exist')
    tool = Tool(options.tp_perf.resolve(), options.alpha, options.jobs)
    if options.collect:
        collect_new(options.collect, tool.binary, options.counts)
    parts, is_usual = chosen_parts(options)
    sizes = chosen(options.length, options.sessions)
    say('reading the counts')
    with tempfile.TemporaryDirectory(prefix='tp-perf-evaluate-') as scratch:
        files = Files(Path(scratch))
        evaluation = Evaluation(options.counts, tool, files, sizes, options.mislabelled)
        measured = evaluation.measure(parts)
    if not is_usual:
        for part in parts:
            print(section(measured, 'following' if part in FOLLOWING else part))
        return 0
    results = {
        'command': 'experiments/states/evaluate.py',
        'tp_perf': tool.version,
        'alpha': tool.level,
        **measured,
    }
    (output / 'results.json').write_text(json_within(results) + '\n')
    write_page(output, results, options.counts)
    return 0


if __name__ == '__main__':
    main_of('evaluate.py', main)
