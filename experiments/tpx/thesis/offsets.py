"""Tests whether one offset of the numbers maps the thesis's names to frequent tracepoints here."""

import random
from collections import Counter

from tpx.tables import percent, table
from tpx.thesis.facts import PICTURES, THESIS

DRAWS, SEED = 2000, 1
# The limit for the smallest chance, times the number of trials (Bonferroni).
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
    """How many of the thesis's names the best offset or mirroring maps to a frequent tracepoint.

    `wanted` has pairs of the thesis's names and the frequent tracepoints.
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
    """The share of random orders of the groups for which the best offset does as well."""
    as_well = sum(best_offset(places, wanted, is_mirrored) >= found for places in shuffled)
    return as_well / len(shuffled)


def jobs(experiment):
    """By label, the situations that one offset must explain: single ones, and all three."""
    looked_at = {}
    for key in PICTURES:
        rows = [row for name in THESIS[key][0] for row in experiment.by_name.get(name, [])]
        looked_at[key] = ([row['full'] for row in rows], experiment.five(key))
    by_label = {f'`{key}`': [wanted] for key, wanted in looked_at.items()}
    return {**by_label, 'all three, one offset': list(looked_at.values())}


def offsets(experiment, draws=DRAWS):
    """The table, and a verdict on its smallest chance."""
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
    verdict = 'to be expected' if least * looks >= SMALL else 'too small'
    verdict += f' for {looks} trials'
    text = f'The smallest of these {looks} chances is {percent(least)}, which is {verdict}.'
    return table(head, lines, [2, 3, 4, 5]) + f'\n{text}\n'
