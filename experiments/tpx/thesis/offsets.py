"""Does one offset of the numbers turn the thesis's names into what was frequent here?"""

import random
from collections import Counter

from tpx.tables import percent, table
from tpx.thesis.facts import PICTURES, THESIS

DRAWS, SEED = 2000, 1
# So many looks find a chance below this at random, divided by their number.
SMALL = 0.05


class Order:
    """Numbers for tracepoints, as some tool might assign them: runs of one group each."""

    def __init__(self, label, names):
        self.label = label
        self.runs = []
        for name in names:
            group = name.split(':')[0]
            if not self.runs or self.runs[-1][0].split(':')[0] != group:
                self.runs.append([])
            self.runs[-1].append(name)

    def places(self, generator=None):
        """The number of each tracepoint; with a generator, after the runs are shuffled."""
        runs = self.runs if generator is None else generator.sample(self.runs, len(self.runs))
        return {name: place for place, name in enumerate(name for run in runs for name in run)}


def orders(rows):
    by_id = sorted(rows, key=lambda row: row['id'])
    captured = [row for row in rows if row['status'] == 'captured']
    return [
        Order(label, [row['full'] for row in chosen])
        for label, chosen in (
            ('tpid: sorted by group and name', rows),
            ('the same, without what is excluded', captured),
            ("the kernel's own number (tracefs id)", by_id),
        )
    ]


def best_offset(places, wanted, is_mirrored):
    """How many of the thesis's names the best offset, or mirroring, carries onto a hot tracepoint.

    `wanted` has pairs of the thesis's names and the hot tracepoints.
    """
    sign = 1 if is_mirrored else -1
    counter = Counter(
        places[name] + sign * places[theirs]
        for names, hot in wanted
        for theirs in names
        if theirs in places
        for name in hot
        if name in places
    )
    return max(counter.values(), default=0)


def chance_of(found, shuffled, wanted, is_mirrored):
    """How often the same does as well when the groups are in a random order."""
    as_well = sum(best_offset(places, wanted, is_mirrored) >= found for places in shuffled)
    return as_well / len(shuffled)


def jobs(experiment):
    """By label what one offset is to explain: single situations, and all three of them."""
    looked_at = {}
    for key in PICTURES:
        rows = [row for name in THESIS[key][0] for row in experiment.by_name.get(name, [])]
        looked_at[key] = ([row['full'] for row in rows], experiment.five(key))
    by_label = {f'`{key}`': [wanted] for key, wanted in looked_at.items()}
    return {**by_label, 'all three, one offset': list(looked_at.values())}


def offsets(experiment, draws=DRAWS):
    """The table, and what its smallest chance says."""
    lines, chances = [], []
    for label, wanted in jobs(experiment).items():
        possible = sum(len(names) for names, _ in wanted)
        for order in orders(experiment.rows):
            cells = []
            generator = random.Random(SEED)
            shuffled = [order.places(generator) for _ in range(draws)]
            for is_mirrored in (False, True):
                found = best_offset(order.places(), wanted, is_mirrored)
                chances.append(chance_of(found, shuffled, wanted, is_mirrored))
                cells += [f'{found} of {possible}', percent(chances[-1])]
            lines.append((label, order.label, *cells))
    head = ['situation', 'numbers', 'one offset', 'by chance', 'mirrored', 'by chance']
    least, looks = min(chances), len(chances)
    verdict = 'no more' if least * looks >= SMALL else 'less'
    verdict += ' than so many looks find by chance'
    text = f'The smallest of these {looks} chances is {percent(least)}: {verdict}.'
    return table(head, lines, [2, 3, 4, 5]) + f'\n{text}\n'
