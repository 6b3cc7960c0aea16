"""The section that looks for mixed-up numbers and names in the thesis."""

from collections import Counter
from statistics import median

from tpx.stats import in_common, overlap
from tpx.tables import listed, percent, plural, table, whole
from tpx.thesis.facts import MONITORED, PICTURES, ROW_GID, ROW_NAME, ROW_TPID, SITUATIONS, THESIS
from tpx.thesis.offsets import DRAWS, offsets
from tpx.thesis.recordings import events_of, five, shares


def median_shares(captures):
    return {name: median(values) for name, values in shares(captures, events_of)}


def likeness(captures):
    """How much the situations have in common, here and in the thesis."""
    rows = []
    shares_of = {key: median_shares(captures[key]) for key in SITUATIONS}
    for index, one in enumerate(SITUATIONS):
        for other in SITUATIONS[index + 1 :]:
            theirs = in_common(THESIS[one][0], THESIS[other][0])
            rows.append(
                (
                    f'`{one}` and `{other}`',
                    f'{in_common(five(captures[one]), five(captures[other]))} of 5',
                    percent(overlap(shares_of[one], shares_of[other])),
                    f'{theirs} of 5' if not (one == 'apache' and other == 'apache-long') else '',
                )
            )
    return table(
        ['', 'same among the five', 'overlap of the shares', 'same among the five in the thesis'],
        rows,
        [1, 2, 3],
    )


def neighbours(experiment):
    """For each tracepoint of the thesis, the most frequent one here whose number is nearest."""
    names = [row['full'] for row in experiment.rows]
    place_of = {name: place for place, name in enumerate(names)}
    lines = []
    for key in PICTURES:
        hot = [name for name in experiment.five(key) if name in place_of]
        for theirs in THESIS[key][0]:
            for row in experiment.by_name.get(theirs, []):
                place = place_of[row['full']]
                around = [names[near] for near in (place - 1, place + 1) if 0 <= near < len(names)]
                nearest = min(hot, key=lambda other: abs(place_of[other] - place))
                lines.append(
                    (
                        key,
                        f'`{row["full"]}`',
                        listed(around),
                        f'`{nearest}`',
                        f'{place_of[nearest] - place:+d}',
                    )
                )
    return table(
        ['situation', 'in the thesis', 'is between', 'nearest of the five here', 'its distance'],
        lines,
        [4],
    )


def figure_row(experiment):
    """Compares the row in the thesis's figure with this kernel's numbers."""
    rows, here = experiment.rows, experiment.by_name.get(ROW_NAME, [])
    if not here:
        return f'This kernel has no `{ROW_NAME}`.\n'
    row = here[0]
    after = len(rows) - row['tpid']
    biggest, size = Counter(
        other['group name'] for other in rows if other['tpid'] > row['tpid']
    ).most_common(1)[0]
    return f"""A figure of the thesis shows the row `2069046799106, {ROW_TPID}, {ROW_GID}, {ROW_NAME}`. If its numbers end at {whole(MONITORED)}, {MONITORED - ROW_TPID} tracepoints come after
`{ROW_NAME}`. Here, sorted by group and name, `{row['full']}` has tpid {whole(row['tpid'])} of {whole(len(rows))} and gid {row['gid']} of
{rows[-1]['gid']}; {whole(after)} come after it, {whole(after - size)} without the group `{biggest}`. The row also names a tracepoint
that the thesis excludes. So either its numbers cover more than the {whole(MONITORED)}, or the log was made before the exclusions. Only the table of
the thesis could decide this; one row is not enough to find its order.
"""


def mix_up(experiment):
    facts, everything = experiment.facts, experiment.everything
    same = in_common(experiment.five('idle'), experiment.five('build'))
    plugged = sum(capture.groups.get('cpuhp', 0) for capture in everything)
    total = experiment.total
    ids = {tuple(capture.summary['cpus']) for capture in everything}
    steady = facts['online_before'] == facts['online_after'] and len(ids) == 1
    in_every = ', and the same in every capture' if steady else ''
    return f"""In the thesis, idle and build have the same five tracepoints. `cpuhp` (CPU hotplug) leads on a machine whose CPUs were presumably not
plugged. Mixed-up numbers and names would look like this. The recordings here show the following:

**The same five?** Here, idle and build have {same} of five in common.

{likeness(experiment.captures)}
**CPU hotplug?** The CPUs online were {facts['online_before']} before all captures and {facts['online_after']} after them{in_every}. `cpuhp`
had {plural(plugged, 'event')} of {whole(total)} in all recordings together.

**Neighbours.** The places of the thesis's tracepoints in the numbers of this kernel:

{neighbours(experiment)}
**An offset?** If every name were wrong by the same number of places, one offset would map the names of the thesis to the most
frequent tracepoints. The table shows how many of its names (those that this kernel has) the best single offset maps to
one of the five here. It does so for three ways to number this kernel's tracepoints, and also for the reversed order (*mirrored*). *By chance* is
the share of {whole(DRAWS)} random orders of the groups for which the best offset does as well.

{offsets(experiment)}
This test compares the order of *this* kernel's tracepoints with the most frequent ones *here*. The kernel of the thesis has another
list. If an offset exists only in that list, this test cannot find it. And an offset found here proves nothing about that list.

**The sample row.** {figure_row(experiment)}"""
