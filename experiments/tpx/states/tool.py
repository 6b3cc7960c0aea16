"""Asks tp-perf."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

from tpx.process import Failed

# The exit code of `check` when it raises an alarm.
ALARM = 3


def run_tool(words, allowed=(0,)):
    words = [str(word) for word in words]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode not in allowed:
        said = done.stderr.strip()[-2000:]
        raise Failed(f'`tp-perf {words[1]} …` exited with code {done.returncode}: {said}')
    return done


class Tool:
    """A binary of tp-perf. Several of its processes run at once if `jobs` is above 1."""

    def __init__(self, binary, alpha=None, jobs=1):
        self.binary, self.alpha, self.jobs = binary, alpha, jobs
        # The level of the last answer of `identify`.
        self.level = None

    @property
    def version(self):
        return run_tool([self.binary, '--version']).stdout.strip()

    def ask(self, verb, words, library, allowed=(0,)):
        common = ['--library', library, '--format', 'json', '--max-memory', '2G']
        return run_tool([self.binary, verb, *words, *common], allowed).stdout

    def identify(self, library, sources):
        """The answers for these sources, in order."""
        if not sources:
            return []
        level = ['--alpha', self.alpha] if self.alpha else []
        answers = json.loads(self.ask('identify', [*sources, '--window', '1s', *level], library))
        answers = answers if isinstance(answers, list) else [answers]
        self.level = answers[-1]['alpha']
        return answers

    def check(self, library, against, sources):
        """The answers of `check` without --follow, in order."""
        words = ['--against', against, *sources, '--window', '1s']
        answers = json.loads(self.ask('check', words, library, (0, ALARM)))
        return answers if isinstance(answers, list) else [answers]

    def follow(self, library, words, sources):
        """The messages of `identify --follow` or `check --follow` about each source, in order."""
        verb, *words = words
        words = [*words, '--follow', *sources, '--window', '1s']
        lines = self.ask(verb, words, library, (0, ALARM)).splitlines()
        return by_source([json.loads(line) for line in lines])

    def twins(self, library):
        """The states that `states --evaluate` cannot distinguish from each state."""
        level = ['--alpha', self.alpha] if self.alpha else []
        found = {}
        for one, other in json.loads(self.ask('states', ['--evaluate', *level], library))['twins']:
            found.setdefault(one, set()).add(other)
            found.setdefault(other, set()).add(one)
        return found

    def each(self, function, items):
        """The results of a function for each item, in order."""
        with ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(function, items))


def by_source(messages):
    """The messages of each source. The message `begin` is the first of a source."""
    found = []
    for message in messages:
        if message['kind'] == 'begin':
            found.append([])
        found[-1].append(message)
    return found
