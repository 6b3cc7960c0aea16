"""Windows of an idle machine, with tp-perf capturing or not, observed by two instances."""

import json
import os
import shlex
import time
from pathlib import Path

from tpx.peers.instance import Instance
from tpx.process import run
from tpx.progress import say


def quiet_second(tracepoints):
    """The events of a second in which the only observer is an instance that nobody reads."""
    with Instance('quiet', tracepoints, 1024) as instance:
        instance.switch(True)
        time.sleep(0.5)
        before = instance.stats()[0]
        time.sleep(1)
        return instance.stats()[0] - before


def window(result, seconds):
    """Adds the events that both instances see in this many seconds to a file.

    It is `peers.py --window FILE`, run by tp-perf overhead.
    """
    watched = {name: Instance.existing(name) for name in ('others', 'own')}
    if not Path(result).exists():
        # The thread of tp-perf is known only now. It stays the same.
        watched['others'].write('set_event_notrace_pid', str(os.getppid()))
        watched['own'].write('set_event_pid', str(os.getppid()))
    # Wait until the start of this process is over.
    time.sleep(1)
    before = {name: instance.stats() for name, instance in watched.items()}
    for instance in watched.values():
        instance.switch(True)
    time.sleep(seconds)
    for instance in watched.values():
        instance.switch(False)
    seen = {name: instance.stats()[0] - before[name][0] for name, instance in watched.items()}
    seen['others_lost'] = watched['others'].stats()[1] - before['others'][1]
    _append(result, seen)
    return 0


def read_window(result):
    """Adds the counts of the last window by event to a file, and empties the ring.

    It is `peers.py --read-window FILE`, run between the windows.
    """
    others = Instance.existing('others')
    if Path(result).exists():
        _append(f'{result}.counts', others.counts())
    others.write('trace', '')
    return 0


def idle_windows(setup, pairs, seconds):
    """The events in pairs of windows, with tp-perf's events on in one window of each pair."""
    say(f'idle: {pairs} pairs of windows of {seconds} s')
    result = setup.scratch / 'windows'
    words = [setup.binary, 'overhead', '-q', '--runs', pairs, '--warmup', 1, '--format', 'json']
    words += ['--prepare', shlex.join([*setup.script, '--read-window', str(result)]), '--']
    words += [*setup.script, '--window', result, '--seconds', seconds]
    with Instance('others', setup.tracepoints), Instance('own', setup.tracepoints, 1024):
        measured = json.loads(run(words).stdout)
        read_window(result)
    names = full_names(setup.tracepoints)
    # The first window warms up.
    windows, counts = (_lines(file)[1:] for file in (result, f'{result}.counts'))
    return [
        {
            'pair': one['pair'],
            'captured': one['arm'] == 'record',
            'recorded': one.get('events'),
            **seen,
            'counts': {names.get(event, event): count for event, count in sorted(counted.items())},
        }
        for one, seen, counted in zip(measured['runs'], windows, counts, strict=True)
    ]


def full_names(tracepoints):
    """The `group:name` of each name that is unique."""
    found = {}
    for tracepoint in tracepoints:
        found.setdefault(tracepoint.split(':')[1], []).append(tracepoint)
    return {name: full[0] for name, full in found.items() if len(full) == 1}


def _append(path, document):
    with open(path, 'a') as file:
        file.write(json.dumps(document) + '\n')


def _lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]
