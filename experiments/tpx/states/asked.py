"""The answers of tp-perf about the rounds."""

import hashlib
import json
import os

from tpx.io import read_zipped, write_zipped
from tpx.progress import say
from tpx.states.counts import cut
from tpx.states.tool import ALARM, has_verb, run_tool


class Asked:
    """The answers of tp-perf.

    They are kept in `cache`, by the bytes of the binary and of the counts.
    """

    def __init__(self, data, tool, counts, cache, scratch):
        self.data, self.tool, self.cache, self.scratch = data, tool, cache, scratch
        cache.mkdir(parents=True, exist_ok=True)
        content = hashlib.sha256(tool.read_bytes())
        for file in sorted(counts.glob('*.json*')):
            content.update(file.read_bytes())
        self.key = content.hexdigest()[:16]
        self.version = run_tool([tool, '--version']).stdout.strip()
        self.files = {}
        for index, its in enumerate(data.sessions):
            if data.is_known[index]:
                self.files[index] = scratch / f'{its["name"]}.json'
                part = cut(data.documents[its['round']], *data.spans[index])
                self.files[index].write_text(json.dumps(part, separators=(',', ':')))
        for number in data.rounds:
            document = data.documents[number]
            self.round_file(number).write_text(json.dumps(document, separators=(',', ':')))
            for index, file in self.files.items():
                if data.round_of[index] != number:
                    state = self.library(number) / data.sessions[index]['state']
                    state.mkdir(parents=True, exist_ok=True)
                    os.link(file, state / file.name)

    def library(self, number):
        """The library of all rounds but this one."""
        return self.scratch / f'library-{number}'

    def round_file(self, number):
        return self.scratch / f'round-{number}.json'

    def kept(self, name, ask):
        path = self.cache / f'{self.key}-{name}.json.gz'
        if not path.exists():
            say(f'asking tp-perf: {name}')
            write_zipped(path, ask())
        return read_zipped(path)

    def identify(self, number, length):
        ms = f'{length // 10**6}ms'
        return self.kept(
            f'identify-{ms}-round-{number}',
            lambda: json.loads(
                run_tool(
                    [
                        self.tool,
                        'identify',
                        self.round_file(number),
                        '--library',
                        self.library(number),
                        '--window',
                        ms,
                        '--format',
                        'json',
                    ]
                ).stdout
            ),
        )

    def can_check(self):
        return has_verb(self.tool, 'check')

    def check(self, number):
        """By session of a round and state, whether there was an alarm, and its findings."""

        def ask():
            answers = []
            for index in self.data.of_round(number):
                for against in self.data.states:
                    done = run_tool(
                        [
                            self.tool,
                            'check',
                            '--against',
                            against,
                            self.files[index],
                            '--library',
                            self.library(number),
                            '--window',
                            '1s',
                            '--format',
                            'json',
                        ],
                        allowed=(0, ALARM),
                    )
                    document = json.loads(done.stdout)
                    findings = document.get('check', document)['findings']
                    answers.append(
                        {
                            'session': self.data.sessions[index]['name'],
                            'against': against,
                            'alarm': done.returncode == ALARM,
                            'findings': findings,
                        }
                    )
            return answers

        return self.kept(f'check-round-{number}', ask)
