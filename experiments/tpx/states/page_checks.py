"""The parts of RESULTS.md about `check`: its alarms, and a machine that nobody touched."""

from tpx.tables import brief, table

# Of each session with a false alarm.
FINDINGS = 5
# Of each way to learn from a quiet machine.
ALARMS = 10


def checks(results):
    check = results['check']
    if check is None:
        return '\n## check\n\nThis tp-perf has no `check`: it was not measured.\n'
    names = list(results['states'])
    others = 100 * check['others_with_alarm']
    text = f"""
## check

Each session against its own state and against each other, windows of 1 s, by a library of all other rounds. Sessions
with an alarm, of those held against the state; a row is what was so. Against its own state an alarm is false:
{check['false_alarms']} of {check['sessions']}, which is {check['per_day']:.1f} a day of watching, and at most
{check['per_day_at_most']:.0f} (95 %, Poisson; {check['hours']:.2f} hours were watched). Against other states
{others:.1f} % have an alarm.

"""
    rows = [
        [f'**{name}**', *(f'{alarm}/{of}' for alarm, of in zip(alarms, runs, strict=True))]
        for name, alarms, runs in zip(names, check['alarms'], check['runs'], strict=True)
    ]
    return text + table(['', *names], rows) + false_alarms(check)


def false_alarms(check):
    if not check['false']:
        return ''
    rows = []
    for alarm in check['false']:
        rows += [[alarm['session'], *finding_row(its)] for its in alarm['findings'][:FINDINGS]]
    kinds = ', '.join(f'{kind} {number}' for kind, number in check['false_by_kind'].items())
    text = f'\nFindings of the false alarms by kind: {kinds}. The first five of each:\n\n'
    head = ['session', 'kind', 'tracepoint', 'windows', 'here', 'learned: least, mean, most', 'p']
    return text + table(head, rows)


def finding_row(finding):
    return [
        finding['kind'],
        finding.get('tracepoint') or '–',
        f'{finding["from"]}–{finding["to"]}' if 'from' in finding else '–',
        brief(finding.get('here')),
        ', '.join(map(brief, finding.get('learned') or [])) or '–',
        brief(finding.get('p')),
    ]


def quiet(results, remarks):
    """The part about a machine that nobody touched, if `check` was measured and there was one."""
    quiet = results['quiet']
    if results['check'] is None or not quiet:
        return ''
    recorded = '; '.join(
        f'{its["minutes"]} minutes from {its["started"]} on ({its["events"]:,} events)'
        for its in quiet['recordings']
    )
    text = f"""
### A machine that nobody touched

Windows of 1 s, recorded by `record.py --quiet` with nobody and nothing at work but the system itself:
{recorded}.
Some minutes are learned from, each as a session, and all others are checked, what is in a row as one source; again and again
with other minutes. These folds share what they check, and are no independent trials. *Allowed* is what `--false-alarms` allows in the time
checked, *seen* are the alarms; findings of the same time are one.

{remarks}
"""
    rows = [quiet_row(way, row) for way in quiet['ways'] for row in way['rows']]
    head = ['learned from', 'folds', '`--false-alarms`', 'hours checked', 'allowed', 'seen']
    text += table([*head, 'of different times', 'seen, a day'], rows)
    return text + ''.join(map(alarms_of, quiet['ways']))


def quiet_row(way, row):
    seconds, seen = row['seconds'], len(row['alarms'])
    return [
        way['way'],
        way['folds'],
        f'{row["allowed_per_day"]:,}',
        f'{seconds / 3600:.2f}',
        f'{row["allowed_per_day"] * seconds / 86400:.2f}',
        seen,
        row['distinct'],
        f'{seen / seconds * 86400:.1f}',
    ]


def alarms_of(way):
    """The alarms with the fewest allowed, if there are any at all."""
    row = next((row for row in way['rows'] if row['alarms']), None)
    if row is None:
        return ''
    rows = [
        [
            ', '.join(map(str, alarm['learned'][1:])),
            f'{alarm["from"]}–{alarm["to"]}',
            ', '.join(alarm['of'][:6]),
        ]
        for alarm in row['alarms'][:ALARMS]
    ]
    allowed = f'{row["allowed_per_day"]:,} allowed'
    text = f'\nLearned from {way["way"]}, those with {allowed}, at most ten:\n\n'
    return text + table(['minutes', 'seconds', 'findings'], rows)
