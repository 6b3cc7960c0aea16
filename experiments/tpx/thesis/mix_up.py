"""The section that looks for a mix-up of numbers and names in the thesis."""

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
        ['', 'of the five the same', 'overlap of the shares', 'the thesis: of the five the same'],
        rows,
        [1, 2, 3],
    )


def neighbours(experiment):
    """The hot tracepoint that is nearest to each of the thesis's in our numbers."""
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
        ['situation', "the thesis's", 'stands between', 'nearest of our five', 'its distance'],
        lines,
        [4],
    )


def figure_row(experiment):
    """The row of the thesis's figure, held against this kernel's numbers."""
    rows, here = experiment.rows, experiment.by_name.get(ROW_NAME, [])
    if not here:
        return f'This kernel has no `{ROW_NAME}`.\n'
    row = here[0]
    after = len(rows) - row['tpid']
    biggest, size = Counter(
        other['group name'] for other in rows if other['tpid'] > row['tpid']
    ).most_common(1)[0]
    return f"""Its Figure shows the row `2069046799106, {ROW_TPID}, {ROW_GID}, {ROW_NAME}`. If its numbers run to {whole(MONITORED)}, {MONITORED - ROW_TPID} tracepoints come after
`{ROW_NAME}`. Here, sorted by group and name, `{row['full']}` has tpid {whole(row['tpid'])} of {whole(len(rows))} and gid {row['gid']} of
{rows[-1]['gid']}; {whole(after)} come after it, {whole(after - size)} without the group `{biggest}`. The row also names a tracepoint
that its list excludes: either its numbers run over more than the {whole(MONITORED)}, or the log is from before the exclusions. The thesis's table
would be needed to decide, and one row is too little to find its order.
"""


def mix_up(experiment):
    facts, everything = experiment.facts, experiment.everything
    same = in_common(experiment.five('idle'), experiment.five('build'))
    plugged = sum(capture.groups.get('cpuhp', 0) for capture in everything)
    total = experiment.total
    ids = {tuple(capture.summary['cpus']) for capture in everything}
    steady = facts['online_before'] == facts['online_after'] and len(ids) == 1
    in_every = ', and the same in every capture' if steady else ''
    return f"""The thesis's idle and build have the same five, and `cpuhp` (CPU hotplug) leads on a machine whose CPUs were presumably not
being plugged. A mix-up between its numbers and its names would look like this. What can be seen here:

**Same five?** Here idle and build have {same} of five in common.

{likeness(experiment.captures)}
**CPU hotplug?** The CPUs online were {facts['online_before']} before all captures and {facts['online_after']} after them{in_every}. `cpuhp`
had {plural(plugged, 'event')} of {whole(total)} in all recordings together.

**Neighbours.** In our numbers the thesis's tracepoints stand here:

{neighbours(experiment)}
**An offset?** If every name were wrong by the same number of places, one offset would carry the thesis's names onto what was
most frequent. The table says how many of its names (those that this kernel has) the best single offset carries onto
one of our five, in three ways to number this kernel's tracepoints, also with the order reversed (*mirrored*). *By chance*: how
often the same does as well when the groups are put in a random order ({whole(DRAWS)} times).

{offsets(experiment)}
This tests the order of *this* kernel's tracepoints against what was frequent *here*. The thesis's kernel has another
list; an offset in its list that no longer exists in ours cannot be found this way, and one that is found proves nothing about its list.

**The sample row.** {figure_row(experiment)}"""
