#!/usr/bin/env python3
"""Makes RESULTS.md from the folder that run.py left, and prints it.

Every number is computed from the recordings, the marks and the report's JSON. The facts from the
thesis are typed in by hand (tpx/thesis/facts.py). So are the reasons, which are marked as
conjecture."""

import argparse
from pathlib import Path

from tpx.process import main_of
from tpx.thesis.report import report

NAME = 'experiments/report.py'


def main():
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__)
    parser.add_argument('folder', type=Path, metavar='FOLDER', help='the --output of run.py')
    print(report(parser.parse_args().folder), end='')
    return 0


if __name__ == '__main__':
    main_of(NAME, main)
