"""The sections of RESULTS.md on windows: known and unknown states, mixtures and changes."""

from tpx.states.changes import NEAR
from tpx.states.lengths import USUAL, usual_of
from tpx.states.said import ALPHA
from tpx.tables import brief, shown, table

LOADS = {
    'idle': 'only the recorder itself',
    'build-j1': '`make -j1` of two folders of a kernel, repeated',
    'build-j2': 'the same with `-j2`',
    'apache': 'apache (event MPM), with `ab -k -c 8` as client for 4 KiB',
    'nginx': 'nginx, with the same client',
    'postgres': 'postgres, with `pgbench -c 4` as client',
    'compression': '`zstd -3` of kernel sources to /dev/null',
    'walk': '`find -printf` over kernel sources and /usr',
    'network': '`iperf3` over the loopback',
}


def states(results):
    usual = usual_of(results)
    inside = usual['changes']['all']['inside_by_state']
    rows = [
        [
            name,
            LOADS.get(name, ''),
            state['sessions'],
            f'{state["rate"]:,.0f}',
            shown(usual['known']['nearest']['f1'][name]),
            inside[name],
        ]
        for name, state in results['states'].items()
    ]
    head = ['state', 'what runs', 'sessions', 'events per second (median)', 'F1 (nearest)']
    return '\n## States\n\n' + table([*head, 'changes inside a session'], rows)


def by_length(results):
    rows = []
    for length, its in results['windows'].items():
        known = its['known']
        row = [f'{length} s', its['number']]
        row += [shown(known[kind]['macro_f1']) for kind in ('nearest', 'largest_p')]
        for kind in ('with_unknown', 'stretches'):
            row += [shown(known[kind]['macro_f1']), shown(known[kind]['unknown'], True)]
        rows.append(row)
    head = ['windows', 'number', 'F1 nearest', 'F1 largest p', 'F1 with unknown', 'unknown, %']
    text = """
## By length of the windows

*Nearest* chooses the state with the least distance, and *largest p* the state with the largest p-value. Both always choose a state.
*With unknown* is the answer of `identify` for a window, and *stretches* is its answer for the stretch that has the window.
Both may answer unknown, which is wrong here. F1 is the mean over states.

"""
    return text + table([*head, 'F1 stretches', 'unknown, %'], rows)


def confusions(results):
    titles = {
        'nearest': 'Windows by nearest state',
        'with_unknown': 'Windows by the answer of `identify`',
    }
    return ''.join(confusion(results, kind, title) for kind, title in titles.items())


def confusion(results, kind, title):
    names = list(results['states'])
    columns = names + ['unknown'] * (kind == 'with_unknown')
    counted = usual_of(results)['known'][kind]['confusion']
    rows = [
        [f'**{name}**', *(number or '·' for number in row[: len(columns)])]
        for name, row in zip(names, counted, strict=True)
    ]
    text = f'\n**{title}**, {USUAL:g} s; rows are the true states, columns the answers:\n\n'
    return text + table(['', *columns], rows)


def nominal(results):
    rows = []
    for length, its in results['windows'].items():
        for alpha, level in its['nominal'].items():
            row = [f'{length} s', f'{100 * float(alpha):g}']
            for unit in ('windows', 'sessions'):
                row += [
                    shown(level[unit][kind], True) for kind in ('own_rejected', 'false_unknown')
                ]
            rows.append(row)
    head = ['windows', 'α', 'own state rejected', 'false unknown']
    text = """
## Nominal and observed

At a level α, a window's own state should be rejected in a part α of the windows. A window is *false unknown* if all states are
rejected. The p-value with sessions as the unit (`p_sessions`) decides nothing. With n sessions, it cannot be below
1 / (n + 1). All figures are percentages.

"""
    return text + table([*head, 'own rejected, by sessions', 'false unknown, by sessions'], rows)


SCORES = [
    'AUROC, distance',
    'AUROC, p',
    'against others, distance',
    'against others, p',
    'detected, %',
]


def unknown_states(results):
    text = f"""
## Unknown states

One state at a time is removed from the library. *AUROC* is the probability that a window of this state scores higher than *the same
windows* score while the state is known. *Against others* compares with windows of the other states in the same library. That is harder,
because one limit must fit all states. The score is the least distance, or minus the largest p-value. A window is *detected* if all
remaining states are rejected at {100 * ALPHA:g} %. *Taken for* counts the other windows by the nearest state that is
not rejected. Windows of {USUAL:g} s.

"""
    return (
        text + unknown_by_state(results) + '\nMeans over the states:\n\n' + unknown_means(results)
    )


def unknown_by_state(results):
    unknown = usual_of(results)['unknown_states']
    rows = []
    for name in results['states']:
        row = [name]
        for key in ('by_state', 'against_others_by_state'):
            row += [shown(unknown[score][key][name]) for score in ('distance', 'p')]
        taken = [f'{other} {windows}' for other, windows in unknown['taken_for'][name].items()]
        row += [shown(unknown['detected'][name], True), ', '.join(taken) or '–']
        rows.append(row)
    return table(['unknown state', *SCORES, 'taken for'], rows)


def unknown_means(results):
    rows = []
    for length, its in results['windows'].items():
        unknown, row = its['unknown_states'], [f'{length} s']
        for key in ('mean', 'against_others_mean'):
            row += [shown(unknown[score][key]) for score in ('distance', 'p')]
        rows.append([*row, shown(unknown['detected_mean'], True)])
    return table(['windows', *SCORES], rows)


def mixtures(results):
    if not usual_of(results)['mixtures']:
        return ''
    rows = []
    for length, whole in results['windows'].items():
        for name, its in whole['mixtures'].items():
            said = [shares(its[kind]) for kind in ('of_windows', 'of_stretches')]
            rows.append(
                [f'{name}, {length} s', its['windows'], *said, its['stretches_in_a_session']]
            )
    head = ['mixture', 'windows', 'answers for windows', 'answers for stretches', 'stretches in a session']
    text = """
## Mixtures

Two loads run at once, which no session of the library has. There is no right answer. The table has the answers for their windows, and
for the stretches that have these windows.

"""
    return text + table(head, rows)


def shares(by_name):
    return ', '.join(f'{name} {100 * share:.0f} %' for name, share in by_name.items())


def changes(results):
    rows = []
    for length, whole in results['windows'].items():
        for kind, its in whole['changes'].items():
            row = [f'{length} s', 'all' if kind == 'all' else 'of state']
            row += [its[key] for key in ('true', 'hit', 'false')]
            row += [shown(its[key]) for key in ('precision', 'recall', 'f1')]
            row += [brief(its[f'median_{key}_in_windows']) for key in ('delay', 'off')]
            rows.append([*row, shown(its['inside_a_session'])])
    head = ['windows', 'changes', 'true', 'found', 'false', 'precision', 'recall', 'F1']
    text = f"""
## Changes

Between two sessions of a round the machine changes. This takes a few seconds, in which the old load stops, nothing runs, and the
new load warms up. A reported change within ±{NEAR} windows of that time is a hit; several count as one. All other reported changes are
false, even where a load really changes, such as between the phases of a build. *Of state* counts only changes at which the reported state
changes. *Delay* is the time from the nearest end of the transition to the nearest reported change, in windows; it is negative if the
change was reported before.

"""
    return text + table([*head, 'delay (median)', 'off (median)', 'inside a session'], rows)
