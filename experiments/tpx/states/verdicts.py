"""Counts what tp-perf names: right, in a set, unknown, or wrong."""

from collections import Counter

RIGHT, PAIR, LARGER = 'right alone', 'in a pair', 'in a larger set'
UNKNOWN, WRONG, WRONG_SET = 'unknown', 'wrong alone', 'wrong set'
# tp-perf gives no answer, because too few windows were usable, or because it knows too little of a
# state to exclude it.
NOT_JUDGED = 'not judged'
KNOWN = (RIGHT, PAIR, LARGER, UNKNOWN, WRONG, WRONG_SET)
NEVER = (UNKNOWN, WRONG, WRONG_SET)
UNITS = ('stretches', 'windows')


def verdict(names, truth):
    """What the names of an answer are, if the true state is this one."""
    if not names:
        return UNKNOWN
    if truth not in names:
        return WRONG if len(names) == 1 else WRONG_SET
    return {1: RIGHT, 2: PAIR}.get(len(names), LARGER)


def nearest(opinions):
    """The state with the least distance."""
    return min(opinions, key=lambda its: its['distance'])['state'] if opinions else None


def verdict_of(names, its_nearest, truth, can_exclude):
    """The verdict about an answer, or that it is none."""
    is_judged = its_nearest is not None and (names or can_exclude)
    return verdict(names, truth) if is_judged else NOT_JUDGED


class Tally:
    """Verdicts about stretches and windows, by true state."""

    def __init__(self):
        # By unit, state, and verdict; by unit and state; by unit, state, and what tp-perf named.
        self.verdicts, self.nearest, self.excused, self.taken = (Counter() for _ in range(4))

    def add(self, answer, truth, twins=frozenset()):
        """Adds an answer of `identify`. Wrong names are excused if all are twins of the truth."""
        can_exclude = not answer['not_excluded']
        for stretch in answer['stretches']:
            its_nearest = stretch['nearest'] if stretch['opinions'] else None
            its = verdict_of(stretch['states'], its_nearest, truth, can_exclude)
            self.add_one('stretches', its, stretch['states'], its_nearest, truth, twins)
        for window in answer['windows']:
            its_nearest = nearest(window['opinions'])
            its = verdict_of(window['states'], its_nearest, truth, can_exclude)
            self.add_one('windows', its, window['states'], its_nearest, truth, twins)

    def add_one(self, unit, its, names, its_nearest, truth, twins):
        self.verdicts[unit, truth, its] += 1
        self.nearest[unit, truth] += its_nearest == truth and its != NOT_JUDGED
        if its in (WRONG, WRONG_SET):
            self.taken[unit, truth, ' or '.join(names)] += 1
            self.excused[unit, truth] += set(names) <= set(twins)

    def merge(self, other):
        for mine, its in zip(self.counters(), other.counters(), strict=True):
            mine.update(its)

    def counters(self):
        return self.verdicts, self.nearest, self.excused, self.taken

    def results(self):
        """By unit: the sums over all states, and the same by state."""
        return {unit: self.of_unit(unit) for unit in UNITS}

    def of_unit(self, unit):
        states = sorted({state for its, state, _ in self.verdicts if its == unit})
        by_state = {state: self.of_state(unit, state) for state in states}
        return {**added(by_state.values()), 'by_state': by_state}

    def of_state(self, unit, state):
        verdicts = {its: n for (u, s, its), n in self.verdicts.items() if (u, s) == (unit, state)}
        taken = {names: n for (u, s, names), n in self.taken.items() if (u, s) == (unit, state)}
        return {
            'of': sum(verdicts.values()) - verdicts.get(NOT_JUDGED, 0),
            'verdicts': verdicts,
            'nearest': self.nearest[unit, state],
            'excused': self.excused[unit, state],
            'taken': dict(sorted(taken.items(), key=lambda its: (-its[1], its[0]))),
        }


def added(results):
    """The sums of the results of states."""
    results = list(results)
    return {
        'of': sum(its['of'] for its in results),
        'verdicts': dict(sum((Counter(its['verdicts']) for its in results), Counter())),
        'nearest': sum(its['nearest'] for its in results),
        'excused': sum(its['excused'] for its in results),
    }


def number_of(counted, *verdicts):
    """How many have one of these verdicts."""
    return sum(counted['verdicts'].get(its, 0) for its in verdicts)
