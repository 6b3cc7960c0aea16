"""The lengths of windows at which the states are evaluated, in seconds."""

import argparse
import math

ALL = '0.1,0.3,1,3,10'
# The default length of tp-perf.
USUAL = 1.0
# Baselines are slow, and a few lengths are enough for them.
BASELINES_AT = (0.1, 1.0, 10.0)


def parse_windows(text):
    """The lengths in order, including the usual one."""
    lengths = sorted({float(word) for word in text.split(',')} | {USUAL})
    if any(not math.isclose(length * 10, round(length * 10)) or length < 0.1 for length in lengths):
        raise argparse.ArgumentTypeError('windows are multiples of 0.1 s')
    return lengths


def usual_of(results):
    """The results with windows of the usual length."""
    return results['windows'][f'{USUAL:g}']


def command(lengths):
    """The command that evaluates at these lengths."""
    words = 'experiments/states/evaluate.py'
    if lengths == parse_windows(ALL):
        return words
    if lengths == [USUAL]:
        return words + ' --fast'
    return words + ' --windows ' + ','.join(f'{length:g}' for length in lengths)
