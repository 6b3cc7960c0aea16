"""Makes RESULTS.md of the states: the targets first, then the method, then the parts."""

from tpx.states.page_anomalies import anomalies
from tpx.states.page_baselines import baselines
from tpx.states.page_following import checks, following
from tpx.states.page_stretches import stretches
from tpx.states.targets import targets
from tpx.tables import plural, table

DATASETS = {'nine': 'Nine loads', 'neighbours': 'Neighbours'}


def page(results, remarks):
    """The text of RESULTS.md. The remarks come from the person who recorded the data."""
    parts = [
        HEAD.format(command=results['command']),
        target_table(results),
        method(results, remarks),
        *(section(results, part) for part in ('nine', 'neighbours', 'anomalies', 'following')),
        section(results, 'check'),
        section(results, 'baselines'),
    ]
    return '\n'.join(part.strip() + '\n' for part in parts if part)


HEAD = """
# States: how often is tp-perf right?

`{command}` wrote this page from `experiments/states/counts`. Do not edit it. [results.json](results.json)
has all figures. [docs/states.md](../../docs/states.md) explains how tp-perf decides.
"""


def target_table(results):
    rows = [target.row() for target in targets(results)]
    return f"""
## Targets

The worst figures come first: the targets that were missed, and among them those that were missed most. If
several libraries were measured, the row has the worst of them. Each share has its 95 % interval (Wilson). The
stretches of a state come from few sessions, so they are not independent, and the true intervals are wider.

{table(['target', 'measured', ''], rows)}"""


REMARKS = {
    'remarks.md': 'Nine loads',
    'neighbours/remarks.md': 'Neighbours',
    'quiet/remarks.md': 'Quiet machine',
}


def remarks_in(counts):
    """The notes of the person who recorded the data."""
    files = {title: counts / name for name, title in REMARKS.items()}
    found = {title: file.read_text().strip() for title, file in files.items() if file.exists()}
    return '\n\n'.join(f'**{title}.** {text}' for title, text in found.items())


def method(results, remarks):
    recorded = [of_dataset(results[name]['facts']) for name in DATASETS if results.get(name)]
    return METHOD.format(
        tool=results['tp_perf'],
        alpha=results['alpha'],
        recorded='\n'.join(recorded),
        remarks=remarks.strip(),
    )


def of_dataset(facts):
    states = ', '.join(facts['states'])
    text = (
        f'- **The {facts["title"]}**: {len(facts["states"])} states ({states}), once in each round '
    )
    text += f'({plural(facts["rounds"], "round")}), as sessions of about a minute; and {facts["other_sessions"]} other sessions. '
    text += f'Linux {", ".join(facts["kernels"])}, {", ".join(map(str, facts["cpus"]))} CPUs, recorded on {", ".join(facts["days"]) or "one day"}. '
    text += f'{facts["tracepoints"]} tracepoints were hit, {facts["hits"]:,} times; {facts["lost"]:,} events were lost. '
    left_out = ', '.join(f'`{name}` ({why})' for name, why in facts['left_out'].items())
    return text + f'Sessions that are left out: {left_out or "none"}.'


METHOD = """
## Method and limits

Evaluated with {tool}, windows of one second, level {alpha}.

{recorded}

- **Each round is compared with a library of other rounds.** A *known* state has sessions of other rounds in
  the library. A state that was *never learned* has none. `5 × 60 s` is a library with five sessions of a minute of
  each state: the five rounds after the source's round, in a circle. Its sources are whole sessions. The
  library of `3 × 15 s` has a quarter of each session of three rounds, and its sources are quarters.
- A *stretch* is what tp-perf finds between two changes of a source. Most sources are one stretch. tp-perf judges a
  *window* together with the two on each side.
- **One machine with one kernel for each set of data.** The figures do not show how well a library works elsewhere.
- **The loads and their clients run on the recorded machine**, and belong to a state: `apache` is a server *and*
  `ab`. The recorder runs in each state too.
- **The hours are few**, and rounds are recorded one after another. What happens less often than that is not in the data.
- **tp-perf was developed with the nine loads in sight**, and its level was chosen with them. Their figures are
  too good for that reason. The neighbours came later.
- *In a pair* and *in a larger set* are answers that name the true state and others. *Wrong alone* is one wrong name,
  and *wrong set* is a set without the true state. *Nearest right* is the share whose nearest state is the true one,
  rejected or not.
- *Excused*: a state was not learned, and the answer names only states that `tp-perf states --evaluate` cannot
  distinguish from it when it is learned (its twins).

{remarks}
"""


def section(results, part):
    """The section of one part, or nothing if it was not measured."""
    found = results.get(part)
    if not found:
        return ''
    if part in DATASETS:
        return stretches(found, DATASETS[part])
    if part == 'anomalies':
        return anomalies(found)
    if part == 'following':
        return following(found)
    if part == 'check':
        return checks(found)
    return baselines(found, results)
