"""The parts of RESULTS.md about windows: known and unknown states, mixtures and changes."""

from tpx.states.changes import NEAR
from tpx.states.lengths import USUAL, usual_of
from tpx.states.said import ALPHA
from tpx.tables import brief, shown, table

LOADS = {
    'idle': 'nothing but the recorder itself',
    'build-j1': '`make -j1` of two folders of a kernel, again and again',
    'build-j2': 'the same with `-j2`',
    'apache': 'apache (event MPM), asked by `ab -k -c 8` for 4 KiB',
    'nginx': 'nginx, asked by the same',
    'postgres': 'postgres, asked by `pgbench -c 4`',
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
    head = ['state', 'what runs', 'sessions', 'events a second (median)', 'F1 (nearest)']
    return '\n## The states\n\n' + table([*head, 'changes inside a session'], rows)


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

*Nearest* says the state with the least distance, *largest p* the one with the largest p-value (both always say one).
*With unknown* is what `identify` says of a window, *stretches* what it says of the stretch that the window is in:
there unknown is wrong. F1 is the mean over states.

"""
    return text + table([*head, 'F1 stretches', 'unknown, %'], rows)


def confusions(results):
    titles = {
        'nearest': 'Windows by nearest state',
        'with_unknown': 'Windows by what is said of them',
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
    text = f'\n**{title}**, {USUAL:g} s; a row is what was so, a column what is said:\n\n'
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

At a level α a window's own state should be rejected in a part α of windows. It is *false unknown* if all states are
rejected. With sessions as the unit (`p_sessions`) nothing is decided; that p-value cannot be lower than one part in
one more than there are sessions. In percent.

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

One state at a time is taken out of the library. AUROC: how often a window of it scores higher than *the same windows*
score when it is known; *against others*: than windows of the other states in the same library, which is harder,
because one limit must do for all. The score is the least distance, or minus the largest p-value. *Detected*: all
remaining states are rejected at {100 * ALPHA:g} %. *Taken for*: windows that are not, by the nearest state that is
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
    return table(['state not known', *SCORES, 'taken for'], rows)


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
    head = ['mixture', 'windows', 'said of windows', 'said of stretches', 'stretches in a session']
    text = """
## Mixtures

Two loads at once, which no session of the library has. There is no right answer: what is said of their windows, and
of the stretches that these are in.

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

Between two sessions of a round the machine changes, from the end of the one to the begin of the other (some seconds,
in which the old load stops, nothing runs, and the new one warms up). A change that is found within ±{NEAR} windows of
that time finds it; several count as one. All others are false, also where a load really changes, as a build does with
its phases. *Of state*: only changes at which the state that is said changes. Delay: of the nearest found change from
the nearest end of that time, negative before it, in windows.

"""
    return text + table([*head, 'delay (median)', 'off (median)', 'inside a session'], rows)
