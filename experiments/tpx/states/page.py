"""RESULTS.md of the states: its parts in their order, and what was done."""

from tpx.states.draws import DRAWS
from tpx.states.lengths import USUAL
from tpx.states.page_baselines import baselines, controls
from tpx.states.page_checks import checks, quiet
from tpx.states.page_windows import (
    by_length,
    changes,
    confusions,
    mixtures,
    nominal,
    states,
    unknown_states,
)
from tpx.states.targets import targets
from tpx.tables import table


def page(results, remarks='', remarks_on_quiet=''):
    """RESULTS.md. The remarks are what whoever recorded it has to tell."""
    parts = [
        what_was_done(results),
        remarks + '\n' if remarks else '',
        target_table(results),
        states(results),
        by_length(results),
        confusions(results),
        nominal(results),
        unknown_states(results),
        mixtures(results),
        changes(results),
        baselines(results),
        controls(results),
        checks(results),
        quiet(results, remarks_on_quiet),
    ]
    return ''.join(parts)


def target_table(results):
    text = f'## The targets\n\nWith windows of {USUAL:g} s.\n\n'
    return text + table(['target', 'measured', ''], targets(results))


def what_was_done(results):
    facts, states = results['facts'], results['states']
    mixed = ', '.join(results['mixtures']) or 'none'
    packages = ', '.join(f'{name} {version}' for name, version in facts['packages'].items())
    failures = '; '.join(facts['failures']) or 'none'
    return f"""# States: how often tp-perf is right

Written by `{results['command']}` from `experiments/states/counts`, with all figures in [results.json](results.json).
Do not edit. The method is in [docs/states.md](../../docs/states.md).

## What was done

- Linux {facts['kernel']} on {facts['cpus']} CPUs; recorded by {facts['tp_perf']}, evaluated by {results['tp_perf']};
  kernel sources: {facts['source']}.
- {packages}.
- {results['sessions']} sessions of {facts['seconds']:g} s: {len(states)} states, each once in each of
  {results['rounds']} rounds, and mixtures of two loads among them ({mixed}), which are never learned. In each round
  the states are in random order (seed {facts['seed']}). Each load is started anew for each session, runs for
  {results['warm_up']:.1f} s before it (median), and is stopped after it; from the end of a session to the start of the
  next load there are {results['between']:.1f} s. Sessions that failed: {failures}.
- **One capture** of {results['minutes']:.0f} minutes was cut into sessions and windows: attaching to all tracepoints
  takes a minute.
- **The loads and what asks them run on the machine that is recorded**, and are part of what is seen: `apache` is a
  server *and* `ab`. tp-perf and a reader of /proc (ten times a second) run too, in every state.
- All is one machine on one day. Nothing here says how well a library does on another machine or kernel.
- Each round is held against a library of all *other* rounds, so that no window is compared with its own session.
  Windows that are wholly in a session have its state as truth; those between sessions count for changes only.
- In brackets: 95 % intervals of a bootstrap over sessions, drawn within each state ({DRAWS} drawings). The same
  {results['rounds']} sessions of a state are behind all windows of it: intervals are wide where sessions differ, and
  where all are the same the interval says only that.
- {results['tracepoints']} tracepoints were hit; {results['events']:,} events are in the sessions, and
  {results['lost']:,} samples were lost in them.

"""
