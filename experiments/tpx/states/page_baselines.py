"""The section of RESULTS.md on other methods."""

from tpx.states.page_stretches import percent, percent_between
from tpx.states.verdicts import LARGER, PAIR, RIGHT, UNITS, UNKNOWN, WRONG, WRONG_SET, number_of
from tpx.tables import table

HEAD = """
## Baselines

Other methods on the same windows, with libraries of all other rounds. A method names the state with the
best score, or reports unknown if that score is beyond a limit. The limit comes from the library alone: each of at most four rounds of
it is left out (one session of each state), and 5 % of the left-out stretches or windows exceed the limit. A stretch of a
baseline is a whole session, and its score is the mean over its windows. tp-perf has to find the stretches itself. A window's score is the mean over
five windows, as in tp-perf. The SVM and the models of single states learn at most 12 windows of each session. The baselines also use windows that lost events. For a state that was never learned, the limit of the SVM, the scale of the counts, and the
rarity of tracepoints still come from the library with all states, which favours the baselines.

*Total rate* is the logarithm of all hits. */proc counters* are the growths of /proc/vmstat and /proc/stat: logarithms, standardised. *tf-idf*
is the share of a tracepoint times the logarithm of its rarity. The isolation forest and the one-class SVM
learn the standardised logarithms of the counts of one state, and the state whose model scores highest is the nearest. All figures are
percentages.
"""


def baselines(found, results):
    """The section. `results` has the figures of tp-perf."""
    if 'skipped' in found:
        return f'\n## Baselines\n\n{found["skipped"]}.\n'
    text = HEAD
    for name, its in found.items():
        if its['missing']:
            text += f'\n**{name}**: not measured yet: {its["missing"]}.\n'
            continue
        for unit in UNITS:
            text += f'\n**{name}, {unit}:**\n\n' + of_unit(its, results.get(name), unit)
    return text


def of_unit(its, of_tool, unit):
    rows = []
    sizes = of_tool['sizes'] if of_tool else {}
    for size, measured in sizes.items():
        if measured['is_all']:
            known, never = measured['known'][unit], measured['never'][unit]
            rows.append([f'**tp-perf** ({size})', *columns(known, never)])
    rows += [
        [method, *columns(measured['known'][unit], measured['never'][unit])]
        for method, measured in its['methods'].items()
    ]
    head = ['method', 'nearest right', 'known: right alone', 'in a set', UNKNOWN, WRONG]
    return table([*head, 'never learned: unknown', WRONG, WRONG_SET], rows)


def columns(known, never):
    of, of_never = known['of'], never['of']
    return [
        percent_between(known['nearest'], of),
        percent_between(number_of(known, RIGHT), of),
        percent(number_of(known, PAIR, LARGER), of),
        percent_between(number_of(known, UNKNOWN), of),
        percent_between(number_of(known, WRONG), of),
        percent_between(number_of(never, UNKNOWN), of_never),
        percent_between(number_of(never, WRONG), of_never),
        percent(number_of(never, WRONG_SET), of_never),
    ]
