"""The targets of tp-perf, the measured values, and the verdicts."""

from tpx.states.baselines import OWN
from tpx.states.changes import NEAR
from tpx.states.lengths import usual_of
from tpx.states.poisson import at_most
from tpx.states.said import ALPHA
from tpx.tables import shown

A_DAY = 24
# The largest allowed difference between an observed level and the nominal one.
TWO_POINTS = 0.02
TOO_SHORT = ', but the watch was too short to prove it'


def targets(results):
    """One row for each target: its name, the measured value, and the verdict."""
    usual = usual_of(results)
    rows = [known(usual), above_baselines(usual), unknown(usual), *levels(usual), changes(usual)]
    rows.append(check(results['check']))
    return rows + [quiet(way) for way in (results['quiet'] or {'ways': []})['ways']]


def verdict(is_reached):
    return 'reached' if is_reached else 'missed'


def known(usual):
    nearest = usual['known']['nearest']['macro_f1']
    return ['Macro-F1 of known states ≥ 0.98', shown(nearest), verdict(nearest['value'] >= 0.98)]


def above_baselines(usual):
    baselines = usual['baselines']
    others = {name: its for name, its in baselines.items() if not name.startswith(OWN)}
    best = max(others, key=lambda name: others[name]['macro_f1']['value'])
    difference = others[best]['tp_perf_minus_it']
    measured = f'the best is {best} with {shown(others[best]["macro_f1"])}'
    measured += f'; tp-perf minus it {shown(difference)}'
    if difference['low'] > 0:
        reached = 'reached'
    else:
        reached = 'no measurable difference' if difference['high'] >= 0 else 'missed'
    return ['… and above every baseline', measured, reached]


def unknown(usual):
    distance, p = (usual['unknown_states'][score]['mean'] for score in ('distance', 'p'))
    measured = f'{shown(distance)}; by p-value {shown(p)}'
    title = 'AUROC of unknown states ≥ 0.95, by distance'
    return [title, measured, verdict(distance['value'] >= 0.95)]


def levels(usual):
    level = usual['nominal'][str(ALPHA)]['windows']
    false, own = level['false_unknown'], level['own_rejected']
    reached = verdict(abs(false['value'] - ALPHA) <= TWO_POINTS)
    if false['value'] < ALPHA - TWO_POINTS:
        reached += ', but on the safe side'
    yield ['False unknown within 2 points of 5 %', f'{shown(false, True)} %', reached]
    reached = verdict(abs(own['value'] - ALPHA) <= TWO_POINTS)
    title = '… and the own state rejected within 2 points of 5 %'
    yield [title, f'{shown(own, True)} %', reached]


def changes(usual):
    change = usual['changes']['all']['f1']
    title = f'F1 of changes, at ±{NEAR} windows, ≥ 0.9'
    return [title, shown(change), verdict(change['value'] >= 0.9)]


def check(found):
    title = 'check: at most 1 false alarm per day'
    if found is None:
        return [title, 'not measured, because this tp-perf has no `check`', 'missed']
    measured = f'{found["false_alarms"]} of {found["sessions"]} sessions '
    measured += f'in {60 * found["hours"]:.0f} minutes: {found["per_day"]:.1f} per day, '
    measured += f'at most {found["per_day_at_most"]:.0f} (95 %)'
    return [title, measured, once_a_day(found['per_day'], found['per_day_at_most'])]


def quiet(way):
    row = way['rows'][0]
    hours, number = row['seconds'] / 3600, len(row['alarms'])
    # This bound counts each minute as if it had been checked once.
    most = at_most(row['distinct']) / (way['minutes'] / 60) * A_DAY
    a_day = number / hours * A_DAY
    measured = f'{number} in {hours:.1f} hours of checks of {way["minutes"]} minutes: '
    measured += f'{a_day:.1f} per day, at most {most:.0f} (95 %, by the minutes)'
    title = f'… on a quiet machine, after learning from {way["way"]}'
    return [title, measured, once_a_day(a_day, most)]


def once_a_day(a_day, at_most_a_day):
    reached = verdict(a_day <= 1)
    return reached + TOO_SHORT if a_day <= 1 and at_most_a_day > 1 else reached
