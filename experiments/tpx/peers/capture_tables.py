"""The overhead of single captures on a build, and the events that they keep."""

from tpx.peers.runs import DISTURBED, Runs
from tpx.tables import spread, table


def capture_tables(results):
    """The three tables of the section, and the failures."""
    runs = Runs(results['load'])
    # The columns after the first are numbers.
    text = figures_table(runs) + '\n' + undisturbed_table(runs) + '\n' + kept_table(runs)
    return text, runs.failures()


def numbers_table(head, rows):
    return table(head, rows, range(1, len(head)))


def seconds(added, peer):
    return spread(list(added.get(peer, {}).values()), '{:.1f}')


def against_perf(added, peer):
    perf = added.get('perf', {})
    both = [(more, perf.get(repeat)) for repeat, more in added.get(peer, {}).items()]
    return spread([more / theirs for more, theirs in both if theirs])


def figures_table(runs):
    job, machine = runs.added('cpu')[0], runs.added('busy')[0]
    rows = []
    for peer in runs.peers():
        is_peer = peer != 'nothing'
        row = [f'`{peer}`' if is_peer else peer]
        row += [spread(runs.figure(peer, key), '{:.1f}') for key in ('wall', 'cpu')]
        for added in (job, machine):
            row += [seconds(added, peer), against_perf(added, peer)] if is_peer else ['', '']
        rows.append(row)
    head = ['', 'wall, s', 'CPU of the build, s', 'added to the build, s', 'against perf']
    return numbers_table([*head, 'added to the machine, s', 'against perf'], rows)


def undisturbed_table(runs):
    left_out = runs.added('cpu')[1]
    job, machine = (runs.added(key, leave_out=False)[0] for key in ('cpu', 'busy'))
    rows = [
        [
            f'`{peer}`',
            len(runs.of(peer)),
            left_out[peer],
            seconds(job, peer),
            seconds(machine, peer),
        ]
        for peer in runs.peers()
        if peer != 'nothing'
    ]
    head = ['', 'captures', 'left out above', 'added to the build, s', 'added to the machine, s']
    text = f"""\
A capture does not count for the added time if the machine had other work in a run without any tool next to it. Other work means that the
busy time exceeded the build's own CPU time by more than {100 * DISTURBED:.0f} %. The same table with all captures:
"""
    return text + '\n' + numbers_table(head, rows)


def kept_table(runs):
    machine = runs.added('busy')[0]
    rows = []
    for peer in runs.peers():
        if peer == 'nothing':
            continue
        rows.append(
            [
                f'`{peer}`',
                spread([events / 1e6 for events in runs.figure(peer, 'events')]),
                spread([lost_percent(run) for run in runs.of(peer)], '{:.1f}', ' %'),
                spread(ns_per_event(runs.of(peer), machine.get(peer, {})), '{:.0f}'),
                spread(per_event(runs.of(peer), 'recording_bytes'), '{:.1f}'),
                spread(per_event(runs.of(peer), 'log_bytes'), '{:.1f}'),
            ]
        )
    head = ['', 'events kept, millions', 'lost', 'CPU of the machine per event that fired, ns']
    return numbers_table([*head, 'bytes per event, recording', 'bytes per event, log'], rows)


def lost_percent(run):
    return 100 * run['lost'] / max(1, run['lost'] + run['events'])


def ns_per_event(runs, added):
    """The CPU time that each event adds to the machine, for the runs in which it is known."""
    return [
        1e9 * added[run['repeat']] / (run['events'] + run['lost'])
        for run in runs
        if run['repeat'] in added
    ]


def per_event(runs, key):
    return [run[key] / run['events'] if run.get(key) and run['events'] else None for run in runs]
