"""The sections of RESULTS.md on `check`: its alarms, and an idle machine that nobody used."""

from tpx.tables import brief, table

# The most findings shown for each session with a false alarm.
FINDINGS = 5
# The most alarms shown for each way to learn from a quiet machine.
ALARMS = 10


def checks(results):
    check = results['check']
    if check is None:
        return '\n## check\n\n`check` was not measured, because this tp-perf does not have it.\n'
    names = list(results['states'])
    others = 100 * check['others_with_alarm']
    text = f"""
## check

Each session is checked against its own state and against every other state, with windows of 1 s and a library of all other rounds. The
table has the number of sessions with an alarm, and the number checked; rows are the true states. An alarm against the own state is false:
{check['false_alarms']} of {check['sessions']} sessions, which is {check['per_day']:.1f} per day of watching, and at most
{check['per_day_at_most']:.0f} per day (95 %, Poisson; {check['hours']:.2f} hours were watched). Against other states,
{others:.1f} % of the sessions have an alarm.

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
    text = f'\nFindings of the false alarms by kind: {kinds}. The first five of each session:\n\n'
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
    """The section on a quiet machine, if one was recorded and `check` was measured."""
    quiet = results['quiet']
    if results['check'] is None or not quiet:
        return ''
    recorded = '; '.join(
        f'{its["minutes"]} minutes from {its["started"]} on ({its["events"]:,} events)'
        for its in quiet['recordings']
    )
    text = f"""
### A quiet machine

Windows of 1 s, recorded by `record.py --quiet` while only the system itself was at work:
{recorded}.
Each fold learns some minutes, each as a session, and checks all others; consecutive minutes are one source. Each fold learns other
minutes. The folds overlap, so they are not independent trials. *Allowed* is the number of alarms that `--false-alarms` allows in the
checked time. *Seen* is the number of alarms; findings at the same time count as one.

{remarks}
"""
    rows = [quiet_row(way, row) for way in quiet['ways'] for row in way['rows']]
    head = ['learned from', 'folds', '`--false-alarms`', 'hours checked', 'allowed', 'seen']
    text += table([*head, 'at different times', 'seen per day'], rows)
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
    """The alarms at the lowest allowed number that has any."""
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
    text = f'\nAlarms after learning from {way["way"]}, with {allowed}, at most ten:\n\n'
    return text + table(['minutes', 'seconds', 'findings'], rows)
