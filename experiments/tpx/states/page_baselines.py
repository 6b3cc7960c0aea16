"""The sections of RESULTS.md on other methods, and on the results of chance alone."""

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

Other methods on the same windows, with the same libraries. Unless the name says otherwise, a method chooses the state of the nearest
learned window. Like tp-perf, each method takes the mean over a window and two neighbours on each side; *each window alone* does not.

- *tp-perf (numpy)* is tp-perf's method, computed again by this script as a check. Its macro-F1 is {same}, and
  {agree:.2f} % of the windows have the same nearest state. The rest differ because tp-perf has neighbours at the ends of a session that are not
  scored here, and because it takes no neighbours from beyond a change within a session.
- *Total rate* uses the logarithm of the number of all events.
- *Group shares* uses the shares of tracepoint groups instead of tracepoints.
- */proc counters* uses the increases of /proc/vmstat and /proc/stat in the window: logarithms, standardised, Euclidean distance.
- *tf-idf* uses shares times the logarithm of the rarity of a tracepoint, as Fmeter (Marian et al. 2012) does.

AUROC is as above, with the least distance as the score. For the SVM, the score is minus the largest decision value, and the SVM is trained
again without the state. The scaling and the idf of the other methods come from all learned windows.

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
    title = 'shuffled labels of the learned sessions'
    rows = [[title, shuffled['expected'], shuffled['mean'], spread]]
    if idle := control.get('idle_against_idle'):
        title = 'idle against idle: learned idle sessions split at random into two states'
        spread = f'95 % of {idle["splits"]} splits: {idle["low"]} to {idle["high"]}'
        rows.append([title, idle['expected'], idle['mean'], spread])
    text = 'These must be no better than chance: the accuracy by the nearest window of'
    text = f'\n## Controls\n\n{text} {USUAL:g} s.\n\n'
    return text + table(['control', 'expected', 'measured', ''], rows)
