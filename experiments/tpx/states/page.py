"""Makes RESULTS.md of the states: its parts in order, and the section on the method."""

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
    """The text of RESULTS.md. The remarks come from the person who recorded the data."""
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
    text = f'## Targets\n\nWith windows of {USUAL:g} s.\n\n'
    return text + table(['target', 'measured', ''], targets(results))


def what_was_done(results):
    facts, states = results['facts'], results['states']
    mixed = ', '.join(results['mixtures']) or 'none'
    packages = ', '.join(f'{name} {version}' for name, version in facts['packages'].items())
    failures = '; '.join(facts['failures']) or 'none'
    return f"""# States: how often tp-perf is right

Written by `{results['command']}` from `experiments/states/counts`; [results.json](results.json) has all figures.
Do not edit. [docs/states.md](../../docs/states.md) explains the method.

## Method

- Linux {facts['kernel']} on {facts['cpus']} CPUs; recorded by {facts['tp_perf']}, evaluated by {results['tp_perf']};
  kernel sources: {facts['source']}.
- {packages}.
- {results['sessions']} sessions of {facts['seconds']:g} s. There are {len(states)} states, each once in each of
  {results['rounds']} rounds, and mixtures of two loads ({mixed}), which are never learned. The order within a round
  is random (seed {facts['seed']}). Each load is started for each session, runs for
  {results['warm_up']:.1f} s (median) before the session, and is stopped after it. The time from the end of a session to the
  start of the next load is {results['between']:.1f} s. Sessions that failed: {failures}.
- **One capture** of {results['minutes']:.0f} minutes was cut into sessions and windows, because attaching to all tracepoints
  takes a minute.
- **The loads and their clients run on the recorded machine**, and are part of a state: `apache` is a
  server *and* `ab`. tp-perf and a reader of /proc (ten times per second) also run in every state.
- All data come from one machine on one day. They do not show how well a library works on another machine or kernel.
- Each round is compared with a library of all *other* rounds, so no window is compared with its own session.
  The true state of a window that is completely within a session is that of the session. Windows between sessions count only for changes.
- Brackets have 95 % intervals of a bootstrap over sessions, resampled within each state ({DRAWS} resamples). All windows of a
  state come from the same {results['rounds']} sessions. So intervals are wide where sessions differ. Where all sessions
  have the same result, the interval has no width and says nothing more.
- {results['tracepoints']} tracepoints were hit. The sessions have {results['events']:,} events, and
  {results['lost']:,} more were lost.

"""
