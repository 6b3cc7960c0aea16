"""The sections on agreement and disagreement with the thesis."""

from tpx.stats import in_common
from tpx.tables import listed, percent, points
from tpx.tables import range_of as spread
from tpx.thesis.facts import EXCLUDED, SITUATIONS, THESIS
from tpx.thesis.reasons import reasons
from tpx.thesis.recordings import groups_of, shares


def comparisons(experiment):
    """Yields pairs: whether this machine agrees with the thesis, and a sentence."""
    yield from (same_tracepoints(experiment, key) for key in SITUATIONS)
    yield from (leading_group(experiment, key) for key in SITUATIONS)
    same = in_common(experiment.five('idle'), experiment.five('build'))
    text = 'Idle and build show the same five in the thesis'
    yield same == 5, f'{text}; here, {same} of five are the same.'
    yield from (other_than_build(experiment, key) for key in ('apache', 'apache-long'))
    have = [name for name in EXCLUDED if name in experiment.by_name]
    text = f'{len(have)} of the {len(EXCLUDED)} tracepoints that the thesis excludes by name'
    yield bool(have), f'{text} also exist on this kernel.'


def same_tracepoints(experiment, key):
    here = experiment.five(key)
    rows = {name: experiment.by_name.get(name, []) for name in THESIS[key][0]}
    found = [name for name, its in rows.items() if any(row['full'] in here for row in its)]
    text = f"`{key}`: {len(found)} of the thesis's five are among the five here"
    return bool(found), text + (f' ({listed(found)}).' if found else '.')


def leading_group(experiment, key):
    name, values = shares(experiment.captures[key], groups_of)[0]
    theirs = THESIS[key][1]
    here = f'`{key}`: the leading group is `{name}` with {spread(values, percent)}'
    return name == theirs, f"{here}; the thesis's is `{theirs}`."


def other_than_build(experiment, key):
    same = in_common(experiment.five('build'), experiment.five(key))
    text = f'`{key}` shows other tracepoints than the build'
    text += f': all five differ in the thesis, and {5 - same} of five here.'
    return same < 5, 'In part: ' + text if 0 < same < 5 else text


def verdicts(experiment):
    found = list(comparisons(experiment))
    agree = [text for does_agree, text in found if does_agree]
    differ = [text for does_agree, text in found if not does_agree]
    return f"""## Agreement

{points(agree) if agree else 'Nothing.'}
## Disagreement

{points(differ) if differ else 'Nothing.'}
## Reasons

The hardware, the kernel and the tool differ, and the exclusions were chosen by hand for 5.15. These differences were not tested one by
one. The recordings show:

{points(reasons(experiment))}"""
