"""The sections of RESULTS.md on the method and on the counts."""

from collections import Counter

from tpx.tables import listed, milliseconds, percent, plural, table, whole
from tpx.tables import range_of as spread
from tpx.thesis.facts import (
    EXCLUDED,
    EXCLUDED_GROUPS,
    IN_SAMPLE_LOG,
    MONITORED,
    PICTURES,
    QUIET,
    SITUATIONS,
    THESIS,
)
from tpx.thesis.recordings import events_of, five_of, groups_of, shares

COUNTED = ('counted', 'lost', 'late', 'unaccounted')


def machine(experiment):
    """This machine next to that of the thesis."""
    facts, first = experiment.facts, experiment.captures['idle'][0]
    counts = first.summary['tracepoints']
    rows = [
        ('processor', facts['cpu'], 'Intel Core i5-9400F 2.90 GHz'),
        ('CPUs', facts['cpus'], '6'),
        ('virtual machine', facts['virtual'], 'not said'),
        ('memory', f'{int(facts["memory_kb"]) / 2**20:.1f} GiB', '16 GB DDR4-2666'),
        ('system', facts['system'], 'Ubuntu 22.04.1'),
        ('kernel', facts['kernel'], 'Linux 5.15.0-58'),
        (
            'tracepoints',
            f'{whole(counts["captured"])} captured of {whole(counts["listed"])}',
            f'{whole(MONITORED)} monitored',
        ),
        ('recorded by', f'{facts["tp_perf"]}, `perf_event_open`', 'eBPF and Python'),
        ('build', f'{facts["source"]}, `tinyconfig`, gcc {facts["gcc"]}', 'a kernel package'),
        ('web server', facts['apache'], 'Apache httpd'),
    ]
    return table(['', 'here', 'the thesis'], rows)


def how(experiment):
    """The way in which the situations were produced and captured."""
    facts, captures, long = experiment.facts, experiment.captures, experiment.long
    objects = [
        (int(capture.marks['objects_before']), int(capture.marks['objects_after']))
        for capture in captures['build']
    ]
    lasted = {
        name: sum(capture.marks['load_lasted'] == '1' for capture in captures[name])
        for name in ('build', 'apache-long')
    }
    resting = [
        int(capture.marks['busy_before']) / 1000
        for capture in captures['idle'] + captures['apache']
    ]
    ended = Counter(
        capture.summary['stop_reason'] for name in SITUATIONS for capture in captures[name]
    )
    requests = [capture.marks['complete'] for capture in captures['apache']]
    count = len(captures['idle'])
    packages = facts['installed'] or 'nothing, because everything needed was there'
    stopped = ', '.join(
        f'`{reason}` {plural(number, "time")}' for reason, number in ended.most_common()
    )
    return f"""Each situation was captured {plural(count, 'time')}, in turn (idle, build, Apache, continuous Apache, and so on), each time with

    tp-perf --quiet --wait-detach -o NAME -n 100000 -d 60s

and the default exclusions, which are those of the thesis. Stop reasons of the captures: {stopped}.
The counts below are for the first 100,000 events of the log. The web server ran only in its own situations.

- **Idle**: the script runs `sync`, and then waits for three seconds in which the CPUs are idle. Before idle and
  `apache`, the CPUs were busy for {spread(resting, percent)} of these seconds.
- **Build**: `make -s -j2` from a clean tree after `make tinyconfig`. The build first makes its own tools. The capture started
  when the compiler was at work on the C files of the kernel, with {', '.join(str(before) for before, _ in objects)} of its
  objects made (so each repeat has another part of the build). The build was then stopped, with
  {', '.join(str(after) for _, after in objects)} objects. It was still running after the capture in {lasted['build']} of {count} repeats.
- **Apache**: the server is on 127.0.0.1, with its own configuration and one page of 6 bytes. A second after the capture starts,
  `ab -n 100 -c 100` runs once ({', '.join(requests)} requests complete). The capture continues until it has 100,000 events.
- **Continuous Apache**: `ab -c 100` without end. It was still running after the capture in {lasted['apache-long']} of {count} repeats.
- **For the pictures**: `-d {length(long[0])}` of idle, build and continuous Apache, after all others.
- **Installed from Debian**: {packages}. The server is the package `apache2-bin`, which starts no service.
"""


def length(capture):
    """The requested duration of a capture."""
    arguments = capture.summary['arguments']
    return arguments[arguments.index('-d') + 1]


def figures(experiment):
    """The counts and losses of each situation."""
    captures, long = experiment.captures, experiment.long

    rows = [(f'`{name}`', *figures_of(captures[name])) for name in SITUATIONS]
    rows += [(f'pictures: {capture.name}', *figures_of([capture])) for capture in long]
    head = ['situation', 'events', 'in', 'events/s', *COUNTED, 'self']
    return f"""{table(head, rows, range(1, len(head)))}
The figures are medians over the repeats (smallest–largest). `events` are those counted in the tables below, and `in` is the time from the
first to the last of them. A capture ends a little after its 100,000th event, and `counted`, `lost`, `late` and `unaccounted` are for the
whole capture. `unaccounted` = counted − recorded − lost. These are hits that the kernel counted but neither sampled nor reported lost
(README, Limits), and they are not in the log. `self` is tp-perf's own CPU time as a share of the capture's time.
"""


def figures_of(captures):
    own = [
        capture.summary['self']['cpu_ns'] / capture.summary['timing_ns']['capture']
        for capture in captures
    ]
    counted = [
        spread([capture.summary['events'][part] for capture in captures], whole) for part in COUNTED
    ]
    return (
        spread([capture.total for capture in captures], whole),
        spread([capture.span_ns for capture in captures], milliseconds),
        spread([capture.total / capture.span_ns * 1e9 for capture in captures], whole),
        *counted,
        spread(own, percent),
    )


def tops(captures, thesis):
    """The five tracepoints and groups with the largest shares, next to those of the thesis."""
    names, lead = thesis
    ranked = shares(captures, events_of)[:5]
    rows = []
    for place, (name, values) in enumerate(ranked):
        among = sum(name in five_of(capture.events) for capture in captures)
        theirs = f'`{names[place]}`' if place < len(names) else ''
        rows.append(
            (place + 1, f'`{name}`', spread(values, percent), f'{among} of {len(captures)}', theirs)
        )
    text = table(['', 'tracepoint', 'share', 'in the five', 'the thesis'], rows, [2])
    rows = []
    for place, (name, values) in enumerate(shares(captures, groups_of)[:5]):
        rows.append(
            (place + 1, f'`{name}`', spread(values, percent), f'`{lead}`' if place == 0 else '')
        )
    return text + '\n' + table(['', 'group', 'share', 'the thesis'], rows, [2])


def one_run(windows, thesis):
    """The part of the Apache captures that is within the run of ab."""
    cut = sum(not window.whole for window in windows)
    partly = ''
    if cut:
        partly = f' In {plural(cut, "repeat")} the log had 100,000 events before `ab` ended'
        partly += ', so the run caused more.'
    took = spread([window.length_ns for window in windows], milliseconds)
    within, before, after = (
        spread([getattr(window, part) for window in windows], whole)
        for part in ('total', 'before', 'after')
    )
    return f"""**The run itself.** `ab` took {took}. Of the 100,000 events
{within} were in that time, {before} before it and
{after} after it.{partly} During the run:

{tops(windows, thesis)}"""


def status_of(rows):
    """The place of a tracepoint of the thesis on this kernel, if it exists."""
    if not rows:
        return 'does not exist'
    return '; '.join(
        f'`{row["full"]}`, tpid {row["tpid"]}, {row["status"].replace("excluded:", "excluded")}'
        for row in rows
    )


def named(experiment):
    """The counts of the tracepoints that the thesis names."""
    by_name, captures, long = experiment.by_name, experiment.captures, experiment.long
    rows = []
    for name in dict.fromkeys(QUIET + THESIS['apache'][0] + IN_SAMPLE_LOG):
        where = [key for key in PICTURES if name in THESIS[key][0]]
        here = by_name.get(name, [])
        counts = []
        for key in SITUATIONS:
            counts.append(sum_of(here, captures[key]) if captured(here) else '–')
        counts.append(sum_of(here, long) if captured(here) else '–')
        rows.append((f'`{name}`', ', '.join(where) or 'sample log', status_of(here), *counts))
    head = ['in the thesis', 'situation there', 'on this kernel', *SITUATIONS, 'pictures']
    text = table(head, rows, range(3, len(head)))
    absent = listed([name for name in EXCLUDED if name not in by_name])
    groups = {row['group name'] for rows in by_name.values() for row in rows}
    absent_groups = listed([name for name in EXCLUDED_GROUPS if name not in groups])
    alike = listed([name for name in by_name if name.startswith('pseudo_lock')])
    repeats = plural(len(captures['idle']), 'repeat')
    in_idle, in_pictures = (
        whole(sum(capture.total for capture in group)) for group in (captures['idle'], long)
    )
    return f"""{text}
Events are sums over the {repeats}, of {in_idle} in `idle`. The last column
has the kernel's counts in the three recordings for the pictures, of {in_pictures} in all.
Of the {len(EXCLUDED)} tracepoints that the thesis excludes, this kernel lacks {absent}; of its
{len(EXCLUDED_GROUPS)} excluded groups, {absent_groups}. Tracepoints whose name starts with `pseudo_lock`: {alike}.
"""


def captured(rows):
    return any(row['status'] == 'captured' for row in rows)


def sum_of(rows, captures):
    return whole(sum(capture.events.get(row['full'], 0) for capture in captures for row in rows))
