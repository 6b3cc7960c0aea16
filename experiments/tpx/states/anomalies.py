"""Whether `tp-perf check --follow` finds anomalies that begin within a load, and when."""

import statistics
from collections import Counter

from tpx.progress import say
from tpx.states import SECOND
from tpx.states.neighbours import CAUSES
from tpx.states.sizes import LEAST_ROUNDS

# An alarm within this time after an anomaly began is soon.
SOON_S = 10
# The begin that an alarm reports is within the five windows that show the change first. If it is
# further before the anomaly than this, the alarm has another cause.
MOST_EARLY_S = 4
# So many groups of an alarm are looked at for the cause.
FIRST = 3
# What is learned of the other rounds, with the quarter of each session.
WAYS = {'whole sessions': None, 'the first 15 s': 0}


def judged(messages, changed_ns, causes):
    """The alarms about one session, whose anomaly began at this time.

    An alarm is false if it comes before the anomaly, or begins too long before it.
    """
    alarms = [its for its in messages if its['kind'] == 'alarm']
    earliest = changed_ns - MOST_EARLY_S * SECOND
    after = [its for its in alarms if its['at_ns'] > changed_ns and its['since_ns'] >= earliest]
    found = {
        'before': len(alarms) - len(after),
        'delay_s': None,
        'since_s': None,
        'by': None,
        'groups': [],
        'has_cause': False,
    }
    if after:
        groups = [its['group'] for its in after[0]['groups'][:FIRST]]
        found.update(
            delay_s=(after[0]['at_ns'] - changed_ns) / SECOND,
            since_s=(after[0]['since_ns'] - changed_ns) / SECOND,
            by=after[0]['by'],
            groups=groups,
            has_cause=any(group in causes for group in groups),
        )
    return found


def is_soon(found):
    return found['delay_s'] is not None and found['delay_s'] <= SOON_S


def of_kind(all_found):
    """The figures of all sessions of one anomaly."""
    found = [its for its in all_found if its['delay_s'] is not None]
    groups = Counter(group for its in found for group in its['groups'])
    soon = sum(map(is_soon, all_found))
    return {
        'of': len(all_found),
        'before': sum(its['before'] for its in all_found),
        'found': len(found),
        'soon': soon,
        'is_soon': 2 * soon > len(all_found),
        'delay_s': middle(its['delay_s'] for its in found),
        'since_s': middle(its['since_s'] for its in found),
        'has_cause': sum(its['has_cause'] for its in found),
        'groups': [group for group, _ in groups.most_common(FIRST)],
        'sessions': all_found,
    }


def middle(values):
    values = list(values)
    return round(statistics.median(values), 2) if values else None


def anomalies(dataset, tool, files):
    """By what is learned, and by anomaly, what was found."""
    if dataset is None or len(dataset.rounds) < LEAST_ROUNDS:
        rounds = len(dataset.rounds) if dataset else 0
        return {'missing': f'needs {LEAST_ROUNDS} rounds, there are {rounds}', 'ways': {}}
    results = {}
    for way, quarter in WAYS.items():
        say(f'anomalies, learned from {way}')

        def of_round(number, quarter=quarter):
            return list(follow_round(dataset, number, quarter, tool, files))

        all_found = {}
        for its in tool.each(of_round, dataset.rounds):
            for anomaly, found in its:
                all_found.setdefault(anomaly, []).append(found)
        results[way] = {anomaly: of_kind(its) for anomaly, its in sorted(all_found.items())}
    return {'missing': None, 'rounds': len(dataset.rounds), 'ways': results}


def follow_round(dataset, number, quarter, tool, files):
    """Pairs of an anomaly of a round, and what was found of it."""
    sessions = [its for its in dataset.of_round(number) if its.anomaly]
    learned = [(its.state, files.of(its, quarter)) for its in dataset.plain if its.round != number]
    with files.library(learned) as library:
        for state in sorted({its.state for its in sessions}):
            own = [its for its in sessions if its.state == state]
            words = ['check', '--against', state]
            followed = tool.follow(library, words, [files.of(its) for its in own])
            for session, messages in zip(own, followed, strict=True):
                found = judged(messages, session.changed_ns, CAUSES[session.anomaly])
                yield session.anomaly, {'round': number, **found}
