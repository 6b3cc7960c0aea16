"""The sessions that tp-perf is evaluated with, in windows of a second."""

from dataclasses import dataclass

from tpx.io import read_json, read_zipped
from tpx.process import Failed
from tpx.states.counts import cut, seconds, windows_within

# Joins the names of two loads that run at once.
TWO_LOADS = '+'
# tp-perf judges at least so many windows.
LEAST_WINDOWS = 5


@dataclass(frozen=True)
class Session:
    """A session of a state. `counts` is in the format of tp-perf."""

    name: str
    state: str
    round: int
    counts: dict
    # So much other work ran beside the state, in CPUs.
    other_cpus: float = 0
    # The anomaly, and the time at which it began.
    anomaly: str | None = None
    changed_ns: int | None = None

    @property
    def is_plain(self):
        """Whether it shows a state alone, so that it can be learned."""
        return not self.other_cpus and self.anomaly is None and TWO_LOADS not in self.state


class Dataset:
    """Sessions in rounds. Each round has each state once."""

    def __init__(self, title, sessions, left_out):
        self.title, self.sessions, self.left_out = title, sessions, left_out
        self.rounds = sorted({session.round for session in sessions})
        self.plain = [session for session in sessions if session.is_plain]
        self.states = sorted({session.state for session in self.plain})

    def of_round(self, number):
        return [session for session in self.sessions if session.round == number]

    def facts(self):
        """What the page reports about the sessions."""
        hits = sum(sum(map(sum, session.counts['counts'].values())) for session in self.sessions)
        origins = [session.counts['origin'] for session in self.sessions]
        lost = sum(sum(session.counts.get('lost', [])) for session in self.sessions)
        return {
            'title': self.title,
            'rounds': len(self.rounds),
            'states': self.states,
            'sessions': len(self.plain),
            'other_sessions': len(self.sessions) - len(self.plain),
            'left_out': self.left_out,
            'tracepoints': len({n for session in self.sessions for n in session.counts['counts']}),
            'hits': hits,
            'lost': lost,
            'kernels': sorted({origin['kernel'] for origin in origins}),
            'cpus': sorted({len(origin['cpus']) for origin in origins}),
            'days': sorted({(origin['started'] or '')[:10] for origin in origins} - {''}),
        }


def part_of(round_counts, begin_ns, end_ns):
    return seconds(cut(round_counts, *windows_within(round_counts, begin_ns, end_ns)))


def sorted_out(title, sessions, ended=()):
    """The data set without sessions whose load ended, and without those that are too short."""
    left_out = {name: 'a load ended' for name in ended}
    for session in sessions:
        if session.counts['windows'] < LEAST_WINDOWS:
            left_out.setdefault(session.name, 'too short')
    return Dataset(title, [its for its in sessions if its.name not in left_out], left_out)


def nine_loads(folder):
    """The rounds of record.py."""
    if not (folder / 'sessions.json').exists():
        raise Failed(f'{folder} has no sessions.json: record.py and --collect make it')
    facts = read_json(folder / 'sessions.json')['sessions']
    rounds = {its['round'] for its in facts}
    counts = {number: read_zipped(folder / f'round-{number}.json.gz') for number in rounds}
    sessions = [
        Session(
            its['name'],
            its['state'],
            its['round'],
            part_of(counts[its['round']], its['from_ns'], its['to_ns']),
        )
        for its in facts
    ]
    return sorted_out('nine loads', sessions)


def neighbours(folder):
    """The rounds of neighbours.py. None if there are none."""
    sessions, ended = [], []
    for file in sorted(folder.glob('round-*.json.gz')):
        number = int(file.name.removeprefix('round-').removesuffix('.json.gz'))
        document = read_zipped(file)
        for place, its in enumerate(document['sessions']):
            words = [number, f'{place:03}', its['state'], its.get('anomaly')]
            words += [its['other_cpus']] if 'other_cpus' in its else []
            name = '-'.join(str(word) for word in words if word is not None)
            sessions.append(
                Session(
                    name,
                    its['state'],
                    number,
                    part_of(document['counted'], its['from_ns'], its['to_ns']),
                    its.get('other_cpus', 0),
                    its.get('anomaly'),
                    its.get('changed_ns'),
                )
            )
            if not its['is_alive']:
                ended.append(name)
    return sorted_out('neighbours', sessions, ended) if sessions else None
