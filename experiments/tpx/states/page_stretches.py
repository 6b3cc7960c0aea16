"""The sections of RESULTS.md on what `identify` names."""

from tpx.states.verdicts import (
    KNOWN,
    LARGER,
    NEVER,
    NOT_JUDGED,
    PAIR,
    RIGHT,
    UNITS,
    UNKNOWN,
    WRONG,
    WRONG_SET,
    number_of,
)
from tpx.stats import wilson
from tpx.tables import table

QUESTIONS = {'known': 'known', 'never': 'never learned'}


def percent(number, of):
    return f'{100 * number / of:.1f}' if of else '–'


def percent_between(number, of):
    """`3.1 [1.2, 7.5]`: a share in percent, with its 95 % interval."""
    if not of:
        return '–'
    low, high = wilson(number, of)
    return f'{100 * number / of:.1f} [{100 * low:.1f}, {100 * high:.1f}]'


def stretches(found, title):
    """The section of one data set."""
    parts = [f'\n## {title}\n']
    parts += [f'Not measured yet, {what}: {why}.\n' for what, why in found['missing'].items()]
    if found['sizes']:
        parts += [known(found), never(found)]
        parts += [besides(found), mixtures(found)]
        parts += [by_state(size, its) for size, its in found['sizes'].items()]
    return '\n'.join(part for part in parts if part)


def known(found):
    rows = []
    for size, its in found['sizes'].items():
        for unit in UNITS:
            counted = its['known'][unit]
            of = counted['of']
            right = number_of(counted, RIGHT, PAIR)
            shares = [percent(number_of(counted, one), of) for one in (RIGHT, PAIR, LARGER)]
            between = [
                percent_between(number, of)
                for number in (right, number_of(counted, UNKNOWN), number_of(counted, WRONG))
            ]
            wrong_set = percent(number_of(counted, WRONG_SET), of)
            rows.append(
                [size, unit, of, *shares, *between, wrong_set, percent(counted['nearest'], of)]
            )
    head = [
        'library',
        'unit',
        'number',
        *KNOWN[:3],
        'alone or in a pair',
        UNKNOWN,
        WRONG,
        WRONG_SET,
    ]
    text = 'What tp-perf names for **known states**, in percent, with 95 % intervals:\n\n'
    return text + table([*head, 'nearest right'], rows) + not_judged(found)


def not_judged(found):
    """How many stretches and windows have no answer, if there are any."""
    counted = [
        (f'{number_of(its[key][unit], NOT_JUDGED)} {unit} ({size}, {what})')
        for size, its in found['sizes'].items()
        for key, what in QUESTIONS.items()
        for unit in UNITS
        if number_of(its[key][unit], NOT_JUDGED)
    ]
    return (
        f'\nNot counted, because tp-perf gives no answer: {", ".join(counted)}.\n'
        if counted
        else ''
    )


def never(found):
    rows = []
    for size, its in found['sizes'].items():
        for unit in UNITS:
            counted = its['never'][unit]
            of, unknown = counted['of'], number_of(counted, UNKNOWN)
            rows.append(
                [
                    size,
                    unit,
                    of,
                    percent_between(unknown, of),
                    percent_between(unknown, of - counted['excused']),
                    percent_between(number_of(counted, WRONG), of),
                    percent(number_of(counted, WRONG_SET), of),
                    counted['excused'],
                ]
            )
    head = [
        'library',
        'unit',
        'number',
        UNKNOWN,
        'without the excused',
        WRONG,
        WRONG_SET,
        'excused',
    ]
    text = 'For states that were **never learned**, in percent; the last column has a number:\n\n'
    return text + table(head, rows)


def besides(found):
    rows = []
    for size, its in found['sizes'].items():
        for cpus, tally in its['beside'].items():
            for unit in UNITS:
                counted = tally[unit]
                of = counted['of']
                rows.append(
                    [
                        size,
                        cpus,
                        unit,
                        of,
                        percent_between(number_of(counted, RIGHT, PAIR, LARGER), of),
                        percent_between(number_of(counted, UNKNOWN), of),
                        percent_between(number_of(counted, WRONG, WRONG_SET), of),
                        percent(counted['nearest'], of),
                    ]
                )
    if not rows:
        return ''
    text = """Known states **beside other work** (a program that calculates on half a CPU or on one CPU, for 20 s), in
percent. *Right* includes sets with the true state, and *wrong* all other names.

"""
    head = ['library', 'CPUs of other work', 'unit', 'number', 'right', UNKNOWN, 'wrong']
    return text + table([*head, 'nearest right'], rows)


def mixtures(found):
    rows = []
    for size, its in found['sizes'].items():
        for unit in UNITS:
            for name, counted in its['mixed'][unit]['by_state'].items():
                of = counted['of']
                shares = [percent(number_of(counted, one), of) for one in NEVER]
                rows.append([size, name, unit, of, *shares, taken_for(counted)])
    if not rows:
        return ''
    text = """**Two loads at once**, which were never learned together, in percent. Both loads are known. There is no right
answer except unknown.

"""
    return text + table(['library', 'loads', 'unit', 'number', *NEVER, 'taken for'], rows)


def taken_for(counted, most=4):
    """`gzip 7, xz 2`: the wrong names and how often."""
    named = list(counted['taken'].items())
    text = ', '.join(f'{names} {number}' for names, number in named[:most])
    rest = sum(number for _, number in named[most:])
    return text + (f', others {rest}' if rest else '') or '–'


def by_state(size, its):
    """Numbers of stretches by state."""
    rows = []
    for state, counted in its['known']['stretches']['by_state'].items():
        missed = its['never']['stretches']['by_state'].get(state)
        verdicts = [number_of(counted, one) or '·' for one in KNOWN]
        row = [state, counted['of'], *verdicts, taken_for(counted)]
        if missed:
            wrong = number_of(missed, WRONG, WRONG_SET)
            row += [f'{number_of(missed, UNKNOWN)} of {missed["of"]}', wrong or '·']
            row += [missed['excused'] or '·', taken_for(missed)]
        else:
            row += ['–'] * 4
        rows.append(row)
    head = ['state', 'stretches', *KNOWN, 'taken for', 'never learned: unknown', 'wrong', 'excused']
    text = f'**By state**, library of {size}, numbers of stretches:\n\n'
    return text + table([*head, 'taken for'], rows)
