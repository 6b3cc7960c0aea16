"""The parts of RESULTS.md about other methods, and about what chance alone gives."""

from tpx.states.baselines import OWN, SHUFFLES
from tpx.states.lengths import USUAL, usual_of
from tpx.tables import shown, table


def baselines(results):
    usual = usual_of(results)
    agree = 100 * usual['baselines'][OWN]['windows_that_agree_with_tp_perf']['value']
    ours = usual['known']['nearest']['macro_f1']['value']
    again = usual['baselines'][OWN]['macro_f1']['value']
    same = 'the same' if ours == again else f'{again} where tp-perf has {ours}'
    text = f"""
## Baselines

On the same windows with the same libraries: the nearest learned window says the state, if nothing else is said. As
tp-perf does, each method takes the mean over a window and two neighbours on each side; *each window alone* is without
them. *tp-perf (numpy)* is tp-perf's method computed again by this script, as a check: its macro-F1 is {same}, and
{agree:.2f} % of the windows have the same nearest state (at the ends of a session tp-perf has neighbours that are not
scored here, and where something changes within a session it takes none from behind the change). *Total rate*: the logarithm of all events. *Group shares*:
of tracepoint groups instead of tracepoints. */proc counters*: by how much those of /proc/vmstat and /proc/stat grew
in the window, logarithms, standardised, Euclidean. *tf-idf*: shares times the logarithm of how rare a tracepoint is,
as Fmeter (Marian et al. 2012) has it. AUROC as above, by the least distance; the SVM is trained anew without the
state, and its score is minus the largest decision value (the others' scaling and idf are of all learned windows).

"""
    head = ['windows', 'method', 'macro-F1', 'tp-perf minus it', 'AUROC', 'AUROC against others']
    return text + table(head, [row for its in results['windows'].items() for row in rows_of(*its)])


def rows_of(length, whole):
    """The rows of one length; none if the baselines were not computed at it."""
    if not whole['baselines']:
        return
    unknown = whole['unknown_states']['distance']
    scores = [shown(unknown[key]) for key in ('mean', 'against_others_mean')]
    yield [f'{length} s', '**tp-perf**', shown(whole['known']['nearest']['macro_f1']), '', *scores]
    for name, its in whole['baselines'].items():
        figures = [its['macro_f1'], its['tp_perf_minus_it']]
        figures += [its['auroc'][key] for key in ('mean', 'against_others_mean')]
        yield [f'{length} s', name, *map(shown, figures)]


def controls(results):
    control = results['controls']
    shuffled = control['shuffled']
    spread = f'{shuffled["least"]} to {shuffled["most"]}, {SHUFFLES} times in each round'
    title = 'labels of the learned sessions shuffled'
    rows = [[title, shuffled['expected'], shuffled['mean'], spread]]
    if idle := control.get('idle_against_idle'):
        title = 'idle against idle: learned idle sessions split at random into two states'
        spread = f'95 % of {idle["splits"]} splits: {idle["low"]} to {idle["high"]}'
        rows.append([title, idle['expected'], idle['mean'], spread])
    text = 'What must be no better than chance: accuracy by the nearest window of'
    text = f'\n## Controls\n\n{text} {USUAL:g} s.\n\n'
    return text + table(['control', 'expected', 'measured', ''], rows)
