"""The runs of one kind in peers.json, by peer."""

from collections import Counter

ORDER = ['nothing', 'tp-perf', 'tracefs', 'perf', 'perf --exclude-perf', 'bpftrace']
SLOW = ('perf', 'perf --exclude-perf', 'bpftrace')
# A run without any tool is not a baseline if other work took more than this share of the build's
# own CPU time.
DISTURBED = 0.25


class Runs:
    """Takes `runs` in the order in which they were measured."""

    def __init__(self, runs):
        self.runs = runs

    def peers(self):
        """The peers with at least one successful run, in the order of the tables."""
        found = {run['peer'] for run in self.runs if 'failed' not in run}
        return sorted(found, key=ORDER.index)

    def of(self, peer):
        return [run for run in self.runs if run['peer'] == peer and 'failed' not in run]

    def figure(self, peer, key):
        return [run.get(key) for run in self.of(peer)]

    def against(self, peer, other, figure):
        """A figure of a peer and of another one in the same repeat."""
        others = {run['repeat']: run for run in self.of(other)}
        both = [(run, others.get(run['repeat'])) for run in self.of(peer)]
        return [figure(run, theirs) for run, theirs in both if theirs is not None]

    def failures(self):
        return [(run['peer'], run['failed']) for run in self.runs if 'failed' in run]

    def added(self, key, leave_out=True):
        """The added time of each peer: its run minus the mean of its neighbours without a tool.

        Returns it by peer and repeat, and the number of runs of each peer that were left out
        because the machine had other work in a neighbouring run. Only the neighbours are checked,
        because the peer itself may make the machine busy.
        """
        by_peer, left_out = {}, Counter()
        for before, run, after in zip(self.runs, self.runs[1:], self.runs[2:], strict=False):
            beside = (before, after)
            if any(one['peer'] != 'nothing' for one in beside):
                continue
            if any('failed' in one for one in (before, run, after)):
                continue
            if leave_out and any(map(is_disturbed, beside)):
                left_out[run['peer']] += 1
                continue
            mean = (before[key] + after[key]) / 2
            by_peer.setdefault(run['peer'], {})[run['repeat']] = run[key] - mean
        return by_peer, left_out


def is_disturbed(run):
    return run['busy'] > (1 + DISTURBED) * run['cpu']


def whole_pairs(results):
    """By peer, the pairs whose two builds were both measured, in the order of the tables.

    A pair is a dict of runs by whether the events were on.
    """
    by_peer = {}
    for found in results.get('pairs', []):
        pairs = {}
        for run in found.get('runs', []):
            pairs.setdefault(run['pair'], {})[run['on']] = run
        whole = [pair for pair in pairs.values() if len(pair) == 2]
        by_peer.setdefault(found['peer'], []).extend(whole)
    return {peer: by_peer[peer] for peer in ORDER if by_peer.get(peer)}


def failures_of_pairs(results):
    return [(one['peer'], one['failed']) for one in results.get('pairs', []) if 'failed' in one]


def relative_costs(pairs, key):
    """on/off - 1 of each pair."""
    return [pair[True][key] / pair[False][key] - 1 for pair in pairs]
