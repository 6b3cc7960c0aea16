"""The sections of RESULTS.md on following, and on `check` without --follow."""

import statistics

from tpx.states.following import LEARNED, LEARNED_ROUNDS, SOON_NS
from tpx.states.page_stretches import percent_between
from tpx.states.poisson import at_most
from tpx.tables import table


def following(found):
    parts = ['\n## Following\n']
    if found.get('quiet') or found.get('loaded'):
        parts.append(FALSE_ALARMS + watched_table(found))
    if found.get('turns'):
        parts.append(turns(found['turns']))
    return '\n'.join(parts)


FALSE_ALARMS = f"""`tp-perf check --follow` reads stored windows of known states, so each alarm is false. On a quiet machine,
{LEARNED} minutes, spread over a recording, are learned. Of the nine loads, {LEARNED_ROUNDS} rounds are learned, and the other
sessions of a load are joined. The same hours are followed in several folds, each with other minutes learned. *At most* is the upper bound (95 %,
Poisson) if each distinct hour is counted once.

"""


def watched_table(found):
    watched = {f'quiet, {way} learned': its for way, its in found.get('quiet', {}).items()}
    if found.get('loaded'):
        watched['nine loads'] = found['loaded']
    rows = []
    for what, its in watched.items():
        most = at_most(its['alarms']) / its['distinct_hours']
        causes = '; '.join(f'{number} × {cause}' for cause, number in its['first'].items())
        rows.append(
            [
                what,
                its['alarms'],
                f'{its["hours"]:.1f}',
                f'{its["distinct_hours"]:.1f}',
                f'{20 * most:.0f}',
                causes or '–',
            ]
        )
    head = ['followed', 'alarms', 'hours', 'distinct hours', 'at most in 20 hours', 'first groups']
    return table(head, rows)


def turns(its):
    delays = its['delays_s']
    text = f"""`tp-perf identify --follow` reads a whole round with its loads, one after another, with a library of the other rounds. When a load
ends, the reported states contain its name for {its['found']} of {its['loads']} loads
({percent_between(its['found'], its['loads'])} %). """
    if delays:
        text += f"""The report with its name came {statistics.median(delays):.0f} s after the load was steady
(median; {delays[0]:.0f} to {delays[-1]:.0f} s). """
    text += f'Reports later than {SOON_NS / 1e9:.0f} s after the begin of a load: {its["late"]}.\n'
    for what, named in (('Other answers', its['others']), ('Two loads at once', its['mixed'])):
        if named:
            text += f'{what}: ' + ', '.join(f'{names} {n}' for names, n in named.items()) + '.\n'
    return text


def checks(found):
    sessions, quiet = found['sessions'], found['quiet']
    own, others = sessions['own'], sessions['others']
    text = f"""
## check without --follow

Each session of the nine loads is checked against its own state and against each other one, with a library of all other rounds. Against
their own state, {own['alarms']} of {own['of']} sessions raise a (false) alarm. Against other states, {others['alarms']} of
{others['of']} do ({percent_between(others['alarms'], others['of'])} %).
"""
    if sessions['false']:
        text += '\nThe false alarms: ' + '; '.join(sessions['false']) + '.\n'
    rows = [
        [
            its['way'],
            its['folds'],
            f'{its["hours"]:.1f}',
            f'{its["distinct_hours"]:.1f}',
            its['alarms'],
            its['at_different_times'],
            f'{24 * its["alarms"] / its["hours"]:.1f}',
        ]
        for its in quiet
        if its['hours']
    ]
    if not rows:
        return text
    text += """
On a quiet machine, each fold learns some minutes, each as a session, and checks all others; consecutive minutes are one source. The
library has no other state. The folds
overlap, so they are not independent. Findings at the same time count as one alarm. `--false-alarms` limits only the alarms of single
tracepoints, and not those of windows that are unlike the state.

"""
    head = ['learned from', 'folds', 'hours checked', 'distinct hours', 'alarms']
    return text + table([*head, 'at different times', 'alarms a day'], rows)
