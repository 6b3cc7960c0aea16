#!/usr/bin/env python3
"""Makes PEERS.md from peers.json next to this script, or from another JSON file, next to that."""

import argparse
from pathlib import Path

from tpx.peers.tables import write_page
from tpx.process import main_of

NAME = 'experiments/peers_table.py'


def main():
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__)
    default = Path(__file__).resolve().with_name('peers.json')
    parser.add_argument('json', type=Path, nargs='?', default=default, metavar='JSON')
    print(write_page(parser.parse_args().json.resolve()))
    return 0


if __name__ == '__main__':
    main_of(NAME, main)
