"""The section on counting, from the figures of the counters."""

from tpx.peers.capture_tables import numbers_table
from tpx.peers.counters import COUNTERS, IDLE_WINDOWS, mean
from tpx.tables import spread


def slowdown(run, key):
    """The figure of the builds that were counted, against the builds without a counter just before and after, in percent."""
    return 100 * (mean(run['builds'], key) / mean(run['without'], key) - 1)


def rows_of(results):
    rows = []
    for kind in COUNTERS:
        runs = [run for run in results if run['peer'] == kind.name and 'failed' not in run]
        if not runs:
            continue

        def column(key, form='{:.1f}', scale=1.0, runs=runs):
            return spread([scale * run[key] for run in runs], form)

        added = [
            spread([slowdown(run, key) for run in runs], '{:+.0f}', ' %') for key in ('cpu', 'busy')
        ]
        rows.append(
            [
                f'`{kind.name}`',
                column('start', '{:.2f}'),
                column('start_cpu', '{:.2f}'),
                column('tick_cpu', '{:.2f}', 1e3),
                column('build_part', '{:.2f}', 100),
                *added,
                column('exit', '{:.2f}'),
                column('settle', '{:.0f}'),
                column('all_cpu', '{:.1f}'),
            ]
        )
    return rows


def counting_text(results):
    counting = results.get('counting')
    if not counting:
        return 'Not measured.\n'
    facts, runs = counting['facts'], counting['runs']
    builds = max((len(run['builds']) for run in runs if 'builds' in run), default=0)
    commands = '\n'.join(f'| `{kind.name}` | `{kind.command}` |' for kind in COUNTERS)
    head = [
        '',
        'start, s',
        'CPU of it, s',
        'CPU of a tick, ms',
        'CPU during the builds, % of one CPU',
        'added to the CPU time of the build',
        'to the busy time of the machine',
        'exit, s',
        'then in the background, s',
        'CPU in all, s',
    ]
    failed = ''.join(f'- `{run["peer"]}`: {run["failed"]}\n' for run in runs if 'failed' in run)
    return f"""\
{facts['date']} · Linux {facts['kernel']} · {facts['tp-perf']} · {facts['perf']} · {facts['bpftrace']}

Each tool counts the same {counting['tracepoints']:,} tracepoints on all CPUs, and prints the hits of each second.

| | command |
| --- | --- |
{commands}

*Start* is the time from the start of the tool until it counts all tracepoints: the time of its first output, minus a second. A
*tick* is the work of a tool at the end of a window; its CPU time is the mean over {IDLE_WINDOWS} windows of an idle machine.
Then {builds} builds run while the tool counts, and as many before and after it without any tool. *Exit* is the time from SIGINT until
the tool has ended. tp-perf then detaches in the background. The work of a CPU that a tool interrupts to read its counters is only
in the busy time of the machine.

{numbers_table(head, rows_of(runs))}{failed and chr(10) + failed}
perf opens each tracepoint on each CPU by itself, and reads each event by itself. bpftrace looks up a map for each hit."""
