"""Reasons why this machine differs from that of the thesis. Those not measured are marked."""

import re
from collections import Counter

from tpx.tables import listed, milliseconds, percent, plural, whole
from tpx.tables import range_of as spread
from tpx.thesis.facts import EXCLUDED, QUIET, SITUATIONS, THESIS
from tpx.thesis.recordings import events_of, shares


def reasons(experiment):
    """A list of paragraphs."""
    found = [
        hotplug(experiment),
        compaction(experiment),
        registers(experiment),
        workqueues(experiment),
        what_leads(experiment),
        a_build_that_compiles(experiment),
        background(experiment),
        how_long(experiment),
    ]
    return [text for text in found if text]


def hotplug(experiment):
    facts, everything = experiment.facts, experiment.everything
    events = sum(capture.groups.get('cpuhp', 0) for capture in everything)
    return (
        f'`cpuhp`: {plural(events, "event")} of {whole(experiment.total)} in all recordings; '
        f'the CPUs online were {facts["online_before"]} before and {facts["online_after"]} after. '
        'These recordings cannot show why it led in the thesis.'
    )


def compaction(experiment):
    facts, found = experiment.facts, Counter()
    for capture in experiment.everything:
        hit = {name: count for name, count in capture.events.items() if count}
        found.update({name: count for name, count in hit.items() if name.startswith('compaction:')})
    available, memory = (int(facts[key]) / 2**20 for key in ('available_kb', 'memory_kb'))
    return (
        f'`compaction`: {plural(sum(found.values()), "event")} in all recordings, '
        f"of {listed(found)}. The kernel's own counters in `/proc/vmstat` grew during all "
        f'experiments by: {growth(facts)}. '
        f'At the start, {available:.1f} of {memory:.1f} GiB were available. '
        "*Conjecture:* the memory of the thesis's machine was more fragmented."
    )


def growth(facts):
    """The growth of the kernel's counters of compaction."""
    before, after = (
        dict(re.findall(r'(\S+) (\d+)', facts[f'compaction_{when}']))
        for when in ('before', 'after')
    )
    grown = [f'{key} +{whole(int(after[key]) - int(before[key]))}' for key in before]
    return ', '.join(grown) or 'not there'


def registers(experiment):
    rows = experiment.by_name.get('read_msr', [])
    events = sum(
        capture.events.get(row['full'], 0) for capture in experiment.everything for row in rows
    )
    text = f'`read_msr`: {plural(events, "event")} in all recordings. '
    virtual = experiment.facts['virtual']
    if virtual != 'no':
        text += (
            f"This is a virtual machine ({virtual}). *Conjecture:* on the thesis's machine, a "
            'driver for CPU frequency or temperature read the registers far more often than '
            'anything does in this guest.'
        )
    return text


def workqueues(experiment):
    name, numbers = 'workqueue:workqueue_execute_start', []
    for key in SITUATIONS:
        number = sum(capture.events.get(name, 0) for capture in experiment.captures[key])
        numbers.append(f'{whole(number)} in `{key}`')
    repeats = plural(len(experiment.captures['idle']), 'repeat')
    return f'`workqueue_execute_start`: {", ".join(numbers)} ({repeats} of each).'


def what_leads(experiment):
    names = list(dict.fromkeys(name for key in SITUATIONS for name in experiment.five(key)))
    theirs = QUIET + THESIS['apache'][0] + EXCLUDED
    if any(name.split(':')[1] in theirs for name in names):
        text = f'The most frequent here are {listed(names)}'
    else:
        text = (
            f'The most frequent here ({listed(names)}) are not in the thesis, '
            'neither among its five nor among its exclusions'
        )
    return text + (
        '. *Conjecture:* its kernel lacked some of them or was built without them, or its system '
        'did not attach them. Its exclusions were chosen by hand for tracepoints that were hit too '
        'often on 5.15; a list for this kernel would be different.'
    )


def a_build_that_compiles(experiment):
    telling = ['exceptions:page_fault_user', 'kmem:mm_page_alloc']
    build = dict(shares(experiment.captures['build'], events_of))
    if not all(name in build for name in telling):
        return ''
    return (
        'The build compiles: '
        + ', '.join(f'`{name}` {spread(build[name], percent)} here' for name in telling)
        + '. *Conjecture:* a build on 5.15 also faults and allocates pages. A top five without '
        'them would then suggest mixed-up numbers and names rather than another kernel.'
    )


def background(experiment):
    idle = experiment.captures['idle']
    damon = [capture.groups.get('damon', 0) for capture in idle]
    if not any(damon):
        return ''
    pages = 'vmscan:mm_vmscan_reclaim_pages'
    reclaimed = sum(capture.events.get(pages, 0) for capture in idle)
    setting = experiment.facts.get('damon', 'no setting found')
    return (
        'In `idle`, this machine does only its own work. Its kernel watches '
        f'memory (DAMON: {setting}): group `damon` has {spread(damon, whole)} of the 100,000 '
        f'events, and memory was reclaimed (`{pages}`) {plural(reclaimed, "time")} in all repeats. '
        '*Conjecture:* most of the page frees that lead in idle come from this. Their number '
        'depends on the files that were read before. tp-perf does not record the process of an '
        'event, so the recordings cannot show it.'
    )


def how_long(experiment):
    spans = []
    for key in SITUATIONS:
        span = spread([capture.span_ns for capture in experiment.captures[key]], milliseconds)
        spans.append(f'{span} of `{key}`')
    text = f'Here, 100,000 events took {", ".join(spans)}. '
    return text + 'The thesis does not say how long they took.'
