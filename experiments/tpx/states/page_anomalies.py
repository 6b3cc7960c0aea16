"""The section of RESULTS.md on anomalies."""

from tpx.states.anomalies import FIRST, MOST_EARLY_S, SOON_S, is_soon
from tpx.states.neighbours import ANOMALIES, CAUSES
from tpx.states.page_stretches import percent_between
from tpx.tables import table

HEAD = f"""
## Anomalies within a load

An anomaly begins 25 s after a session of its load began, and lasts 20 s. `tp-perf check --follow --against LOAD`
reads the session window by window. The library has the sessions of all other rounds. *Delay* is the time from the begin of
the anomaly to the alarm, and *since* is the begin that the alarm reports, both in seconds (median). *Cause* counts the alarms that have
a plausible group among their first {FIRST}; `CAUSES` in `experiments/tpx/states/neighbours.py` lists these
groups, and was written before the first results. An alarm is false if it comes before the anomaly, or if the begin that it reports
is more than {MOST_EARLY_S} s before it; such alarms are the *false alarms before*.
"""


def anomalies(found):
    if found['missing']:
        return f'\n## Anomalies within a load\n\nNot measured yet: {found["missing"]}.\n'
    return HEAD + ''.join(of_way(way, kinds) for way, kinds in found['ways'].items())


def of_way(way, kinds):
    rows = []
    for kind, its in kinds.items():
        groups = [f'**{group}**' if group in CAUSES[kind] else group for group in its['groups']]
        rows.append(
            [
                kind,
                ANOMALIES[kind],
                its['of'],
                its['before'] or '·',
                its['soon'],
                its['found'],
                seconds(its['delay_s']),
                seconds(its['since_s']),
                f'{its["has_cause"]} of {its["found"]}',
                ', '.join(groups) or '–',
            ]
        )
    head = [
        'anomaly',
        'within',
        'sessions',
        'false alarms before',
        f'found within {SOON_S} s',
        'found',
    ]
    head += [
        'delay',
        'since',
        'cause',
        f'the {FIRST} most frequent groups (plausible ones are bold)',
    ]
    return f'\nLearned from {way}. {summary(kinds)}\n\n' + table(head, rows)


def summary(kinds):
    sessions = [its for kind in kinds.values() for its in kind['sessions']]
    soon, found = sum(map(is_soon, sessions)), sum(its['delay_s'] is not None for its in sessions)
    of = len(sessions)
    text = f'Of all sessions, {percent_between(found, of)} % raise an alarm, and '
    return text + f'{percent_between(soon, of)} % within {SOON_S} s.'


def seconds(value):
    return '–' if value is None else f'{value:.1f}'.replace('-', '−')
