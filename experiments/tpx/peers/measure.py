"""Measures the peers one after another, and saves each measurement as soon as it is done."""

import os
import random
import subprocess
import time

from tpx.io import json_with_flat_leaves
from tpx.machine import wait_for_rest
from tpx.peers import EVENTS
from tpx.peers.builds import TARGETS
from tpx.peers.peer import Nothing
from tpx.peers.windows import idle_windows, quiet_second
from tpx.process import Failed
from tpx.progress import say


def measure(peer, what, action, unrested=None):
    """The figures of one action of one peer. A failure is a result too.

    The files of the peer are written to disk and removed before the next action.
    """
    say(f'{what}: {peer.name}')
    try:
        figures = action()
    except (Failed, OSError, subprocess.SubprocessError) as error:
        say(f'  failed: {error}')
        figures = {'failed': str(error)}
    settled = peer.settle() if hasattr(peer, 'settle') else 0.0
    peer.tidy()
    os.sync()
    if 'failed' not in figures:
        figures['settle'] = settled
        numbers = [its for its in figures.items() if isinstance(its[1], int | float)]
        say('  ' + ', '.join(f'{key} {value:.6g}' for key, value in numbers))
    note = {} if unrested is None else {'unrested': unrested}
    return {'peer': peer.name, **figures, **note}


def load_run(peer, build):
    """One capture of a build."""
    build.clean()
    figures = peer.load(build)
    return {**build.figures(), **figures}


def pairs(peer, build, count):
    """Builds with the peer's events on and off, in pairs, each in random order.

    The peer attaches once for all pairs, because most peers take a minute to attach and detach, and
    the speed of a machine changes within minutes.
    """
    if hasattr(peer, 'pairs'):
        return peer.pairs(build, count)
    figures = []
    with peer.attached() as (switch, settled):
        for pair in range(1, count + 1):
            for is_on in random.sample([False, True], 2):
                build.clean()
                # Wait until the earlier build is written to disk, which would disturb this one.
                settled()
                os.sync()
                switch(is_on)
                build.run()
                switch(False)
                figures.append({'pair': pair, 'on': is_on, **build.figures()})
    return figures


def shuffled(peers):
    return random.sample(peers, len(peers))


class Measurements:
    """All measurements, in the form of the file options.json."""

    def __init__(self, options, setup, build, peers, facts, commands):
        self.options, self.setup, self.build, self.peers = options, setup, build, peers
        self.results = {
            'facts': facts,
            'tracepoints': len(setup.tracepoints),
            'commands': commands,
            'build': ' '.join(['make', *TARGETS]),
            'pairs_per_block': options.pairs_per_block,
            'pairs': [],
            'load': [],
            'events': [],
            'second': [],
            'quiet': [],
            'windows': [],
            'window_seconds': options.seconds,
            'windows_unrested': None,
        }

    def save(self):
        self.options.json.write_text(json_with_flat_leaves(self.results))

    def all(self):
        # The first build warms up.
        self.build.clean()
        self.build.run()
        self.blocks_of_pairs()
        for repeat in range(1, self.options.repeats + 1):
            self.repeat(repeat)
        if self.options.windows and any(peer.name == 'tp-perf' for peer in self.peers):
            self.windows()
        self.save()

    def blocks_of_pairs(self):
        """Measures pairs in blocks, so that changes in machine speed affect all peers."""
        each = self.options.pairs_per_block
        for block, done in enumerate(range(0, self.options.pairs, each), 1):
            count = min(each, self.options.pairs - done)
            for peer in shuffled(self.peers):
                if hasattr(peer, 'pairs') or hasattr(peer, 'attached'):
                    self.block(block, peer, count, done)

    def block(self, block, peer, count, done):
        unrested = wait_for_rest()
        found = measure(
            peer,
            f'block {block}: {count} pairs of builds',
            lambda: {'runs': pairs(peer, self.build, count)},
            unrested,
        )
        for one in found.get('runs', []):
            one['pair'] += done
        self.results['pairs'].append({'block': block, **found})
        self.save()

    def repeat(self, repeat):
        """Measures each once: a build, a number of events during a build, and an idle second."""

        def note(kind, figures):
            self.results[kind].append({'repeat': repeat, **figures})

        def capture(peer):
            note('load', measure(peer, f'{repeat}: build', lambda: load_run(peer, self.build)))

        is_due = repeat <= self.options.slow_repeats
        peers = [peer for peer in self.peers if is_due or not peer.is_slow]
        # The speed of machines changes within minutes, so each peer has a run without any tool
        # right before it and right after it.
        nothing = Nothing()
        capture(nothing)
        for peer in shuffled(peers):
            capture(peer)
            capture(nothing)
        for peer in shuffled(peers):
            with self.build.forever():
                time.sleep(2)
                note('events', measure(peer, f'{repeat}: {EVENTS} events', peer.events_log))
        for peer in shuffled(peers):
            unrested = wait_for_rest()
            note('quiet', {'events': quiet_second(self.setup.tracepoints)})
            note('second', measure(peer, f'{repeat}: a second', peer.second_log, unrested))
        self.save()

    def windows(self):
        self.results['windows_unrested'] = wait_for_rest()
        try:
            self.results['windows'] = idle_windows(
                self.setup, self.options.windows, self.options.seconds
            )
        except (Failed, ValueError) as error:
            say(f'{error}')
