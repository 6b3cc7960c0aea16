#!/usr/bin/env python3
"""Makes RESULTS.md of what run.py left in a folder, and prints it.

Every number is computed from the recordings, the marks and the report's JSON. What the thesis says
is typed (tpx/thesis/facts.py), and so are the reasons, which say that they are conjecture."""

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
