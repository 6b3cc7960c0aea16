"""Counts the alarms of `check`, for each session of a round and each state."""

from collections import Counter

import numpy as np

from tpx.states import SECOND
from tpx.states.poisson import at_most


def checks(data, asked):
    number = {name: index for index, name in enumerate(data.states)}
    state_of = {its['name']: its['state'] for its in data.sessions}
    alarms, runs = (np.zeros((len(number), len(number)), dtype=int) for _ in range(2))
    false = []
    for round_ in data.rounds:
        for answer in asked.check(round_):
            own = state_of[answer['session']]
            place = number[own], number[answer['against']]
            runs[place] += 1
            alarms[place] += answer['alarm']
            if answer['alarm'] and own == answer['against']:
                false.append({'session': answer['session'], 'findings': answer['findings']})
    hours = sum(
        (last - first) * data.width
        for index, (first, last) in enumerate(data.spans)
        if data.is_known[index]
    )
    hours /= 3600 * SECOND
    most = at_most(len(false))
    others = ~np.eye(len(number), dtype=bool)
    return {
        'hours': round(hours, 4),
        'sessions': int(runs.trace()),
        'false_alarms': len(false),
        'per_day': round(len(false) / hours * 24, 3),
        'per_day_at_most': round(most / hours * 24, 3),
        'others_with_alarm': round(float(alarms[others].sum() / max(runs[others].sum(), 1)), 5),
        'alarms': alarms.tolist(),
        'runs': runs.tolist(),
        'false_by_kind': dict(
            Counter(finding['kind'] for its in false for finding in its['findings'])
        ),
        'false': false,
    }
