"""The targets of tp-perf, the measured values, and the verdicts. The worst come first."""

from dataclasses import dataclass

from tpx.states.anomalies import SOON_S, is_soon
from tpx.states.poisson import at_most
from tpx.states.verdicts import PAIR, RIGHT, UNKNOWN, WRONG, WRONG_SET, number_of
from tpx.stats import wilson
from tpx.tables import plural

MISSED, NOT_YET, REACHED = 'missed', 'not measured yet', 'reached'
ORDER = (MISSED, NOT_YET, REACHED)
# The targets of the stretches of states that were never learned, by size of the library.
NEVER_UNKNOWN = {'3 × 15 s': 0.85, '5 × 60 s': 0.95}
# Anomalies of so many kinds, of so many, are to be found soon.
KINDS = (10, 12)
ONE_ALARM_IN_HOURS = 20


@dataclass
class Target:
    """One row of the table. `margin` is how far the measured value is on the right side."""

    title: str
    measured: str
    verdict: str
    margin: float = 0

    def row(self):
        return [self.title, self.measured, f'**{self.verdict}**' if self.is_bad() else self.verdict]

    def is_bad(self):
        return self.verdict == MISSED

    def kind(self):
        """The verdict without a remark."""
        return next(its for its in ORDER if self.verdict.startswith(its))


def targets(results):
    """All targets, those that were missed most first."""
    rows = []
    for name in ('nine', 'neighbours'):
        rows += of_dataset(results.get(name), name)
    rows += [beside(results.get('neighbours')), *of_anomalies(results.get('anomalies'))]
    rows.append(false_alarms(results.get('following')))
    return sorted(rows, key=lambda its: (ORDER.index(its.kind()), its.margin))


def share(number, of):
    """`3.1 % (1.2 to 7.5 %; 4 of 130)`: a share with its 95 % interval."""
    low, high = wilson(number, of)
    return f'{100 * number / of:.1f} % ({100 * low:.1f} to {100 * high:.1f} %; {number} of {of})'


def at_least(title, number, of, goal, where=''):
    value = number / of
    return Target(title, where + share(number, of), verdict_of(value >= goal), value - goal)


def no_more(title, number, of, goal, where=''):
    value = number / of
    return Target(title, where + share(number, of), verdict_of(value <= goal), goal - value)


def verdict_of(is_reached):
    return REACHED if is_reached else MISSED


def not_yet(title, why, measured='–'):
    return Target(title, measured, f'{NOT_YET}: {why}')


def of_dataset(found, name):
    """The targets of the stretches of one data set."""
    title = {'nine': 'nine loads', 'neighbours': 'neighbours'}[name]
    if not found:
        return [not_yet(f'{title}: all targets of stretches', 'there are no rounds')]
    sizes = found['sizes']
    rows = [never_unknown(title, found, size, goal) for size, goal in NEVER_UNKNOWN.items()]
    if not sizes:
        why = found['missing']['all other rounds']
        return [*rows, not_yet(f'{title}: known states', why)]
    known = {size: its['known']['stretches'] for size, its in sizes.items()}
    size = worst(known, lambda its: number_of(its, RIGHT, PAIR) / its['of'])
    rows.append(
        at_least(
            f'{title}, known: named alone or in a pair ≥ 97 % of stretches',
            number_of(known[size], RIGHT, PAIR),
            known[size]['of'],
            0.97,
            f'{size}: ',
        )
    )
    size = worst(known, lambda its: -number_of(its, UNKNOWN) / its['of'])
    rows.append(
        no_more(
            f'{title}, known: called unknown ≤ 5 % of stretches',
            number_of(known[size], UNKNOWN),
            known[size]['of'],
            0.05,
            f'{size}: ',
        )
    )
    both = {
        f'{size}, {what}': its[key]['stretches']
        for size, its in sizes.items()
        for key, what in (('known', 'known'), ('never', 'never learned'))
    }
    size = worst(both, lambda its: -number_of(its, WRONG) / its['of'])
    wrong = no_more(
        f'{title}: a wrong name alone ≤ 2 % of stretches, whatever the library',
        number_of(both[size], WRONG),
        both[size]['of'],
        0.02,
        f'{size}: ',
    )
    if both[size]['excused']:
        wrong.measured += f'; {plural(both[size]["excused"], "wrong name")} excused'
    rows.append(wrong)
    return rows


def worst(found, value):
    """The name of the worst figures: those with the smallest value."""
    return min(found, key=lambda name: value(found[name]))


def never_unknown(title, found, size, goal):
    name = f'{title}, never learned: unknown ≥ {100 * goal:.0f} % of stretches, library of {size}'
    if size in found['sizes']:
        its = found['sizes'][size]['never']['stretches']
        return at_least(name, number_of(its, UNKNOWN), its['of'] - its['excused'], goal)
    other = next((size for size, its in found['sizes'].items() if its['is_all']), None)
    measured = '–'
    if other:
        its = found['sizes'][other]['never']['stretches']
        measured = f'with {other}: {share(number_of(its, UNKNOWN), its["of"] - its["excused"])}'
    return not_yet(name, found['missing'].get(size, 'no such library'), measured)


def beside(found):
    title = 'neighbours, beside other work of 1 CPU: wrong ≤ 5 % of stretches'
    sizes = found['sizes'] if found else {}
    measured = {
        size: its['beside']['1']['stretches'] for size, its in sizes.items() if '1' in its['beside']
    }
    if not measured:
        missing = found['missing']['all other rounds'] if found and not sizes else 'no sessions'
        return not_yet(title, missing)
    size = worst(measured, lambda its: -number_of(its, WRONG, WRONG_SET) / its['of'])
    its = measured[size]
    return no_more(title, number_of(its, WRONG, WRONG_SET), its['of'], 0.05, f'{size}: ')


def of_anomalies(found):
    title = f'anomalies: ≥ {KINDS[0]} of {KINDS[1]} kinds found within {SOON_S} s'
    titles = [title, 'anomalies: the cause is among the first three groups ≥ 80 %']
    titles.append('anomalies: no alarm before the anomaly')
    if not found or found['missing']:
        why = found['missing'] if found else 'there are no rounds'
        return [not_yet(title, why) for title in titles]
    kinds = found['ways']['whole sessions']
    all_found = [its for kind in kinds.values() for its in kind['sessions']]
    soon = sum(kind['is_soon'] for kind in kinds.values())
    goal = KINDS[0] / KINDS[1]
    measured = f'{soon} of {plural(len(kinds), "kind")}; '
    measured += f'{share(sum(map(is_soon, all_found)), len(all_found))} of sessions'
    value = soon / len(kinds)
    rows = [Target(titles[0], measured, verdict_of(value >= goal), value - goal)]
    alarmed = [its for its in all_found if its['delay_s'] is not None]
    cause = sum(its['has_cause'] for its in alarmed)
    if alarmed:
        rows.append(at_least(titles[1], cause, len(alarmed), 0.8, 'of those found: '))
    before = sum(its['before'] for its in all_found)
    text = f'{plural(before, "alarm")} in {plural(len(all_found), "session")}'
    rows.append(Target(titles[2], text, verdict_of(before == 0), -before / len(all_found)))
    return rows


def false_alarms(found):
    title = f'following: at most one false alarm in {ONE_ALARM_IN_HOURS} hours'
    if not found:
        return not_yet(title, 'nothing was followed')
    quiet, loaded = found['quiet'], found['loaded']
    parts = [*quiet.values(), loaded]
    alarms, hours = (sum(its[key] for its in parts) for key in ('alarms', 'hours'))
    # The same hours of a quiet machine are followed with its own minutes learned, and with others.
    distinct = max(its['distinct_hours'] for its in quiet.values()) + loaded['distinct_hours']
    rate = alarms / hours * ONE_ALARM_IN_HOURS
    most = at_most(alarms) / distinct * ONE_ALARM_IN_HOURS
    measured = f'{plural(alarms, "alarm")} in {hours:.1f} hours ({distinct:.1f} distinct): '
    measured += f'{rate:.1f} in {ONE_ALARM_IN_HOURS} hours, at most {most:.0f} (95 %)'
    if rate <= 1 < most:
        needed = at_most(alarms) * ONE_ALARM_IN_HOURS
        why = f'needs {needed:.0f} distinct hours, there are {distinct:.1f}'
        return not_yet(title, why, measured)
    return Target(title, measured, verdict_of(most <= 1), 1 - rate)
