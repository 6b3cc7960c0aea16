"""The parts of the evaluation, and which of them an option chooses."""

import sys

from tpx.io import read_json
from tpx.states.anomalies import anomalies
from tpx.states.checks import checks
from tpx.states.following import loaded, quiet, turns
from tpx.states.quiet import checked_quiet
from tpx.states.sessions import neighbours, nine_loads
from tpx.states.stretches import stretches

PARTS = ('nine', 'neighbours', 'anomalies', 'quiet', 'loaded', 'turns', 'check', 'baselines')
FOLLOWING = ('quiet', 'loaded', 'turns')
NEEDS_SKLEARN = 'skipped: needs scikit-learn'


class Evaluation:
    """Measures parts. The data are read when a part needs them first."""

    def __init__(self, counts, tool, files, sizes, is_mislabelled=False):
        self.counts, self.tool, self.files = counts, tool, files
        self.sizes, self.is_mislabelled = sizes, is_mislabelled
        self.nine = nine_loads(counts)
        self.near = neighbours(counts / 'neighbours')

    def measure(self, parts):
        """The results of these parts, by the section of the page that has them."""
        results = {}
        for part in PARTS:
            if part not in parts:
                continue
            found = getattr(self, f'of_{part}')()
            if part in FOLLOWING:
                results.setdefault('following', {})[part] = found
            elif found is not None:
                results[part] = found
        return results

    def of_nine(self):
        return stretches(self.nine, self.sizes, self.tool, self.files, self.is_mislabelled)

    def of_neighbours(self):
        return self.near and stretches(self.near, self.sizes, self.tool, self.files)

    def of_anomalies(self):
        return anomalies(self.near, self.tool, self.files)

    def of_quiet(self):
        return quiet(self.nine, self.counts / 'quiet', self.tool, self.files)

    def of_loaded(self):
        return loaded(self.nine, self.tool, self.files)

    def of_turns(self):
        facts = read_json(self.counts / 'sessions.json')['sessions']
        return turns(self.nine, facts, self.counts, self.tool, self.files)

    def of_check(self):
        return {
            'sessions': checks(self.nine, self.tool, self.files),
            'quiet': checked_quiet(self.counts / 'quiet', self.tool, self.files),
        }

    def of_baselines(self):
        try:
            from tpx.states.baselines import baselines
        except ImportError:
            print(NEEDS_SKLEARN, file=sys.stderr)
            return {'skipped': NEEDS_SKLEARN}
        found = {'nine': baselines(self.nine, self.counts / 'counters.json.gz')}
        return {**found, 'neighbours': baselines(self.near)}
