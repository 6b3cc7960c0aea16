"""What `check --follow` and `identify --follow` report of hours of known states.

Each alarm about a known state is false. Sessions are joined whole, in the order of the rounds. The
same minutes are followed in several folds, so the results have the distinct hours too."""

from collections import Counter
from itertools import pairwise

from tpx.io import read_zipped
from tpx.progress import say
from tpx.states import SECOND
from tpx.states.counts import cut, joined, seconds
from tpx.states.library import write_session
from tpx.states.sessions import TWO_LOADS

# Minutes that are learned of a quiet recording.
LEARNED = 10
# Other minutes are learned in each of so many folds.
FOLDS = 3
# Rounds of loads that are learned.
LEARNED_ROUNDS = 3
# A change that is reported within this time after a load began counts as found.
SOON_NS = 20 * SECOND


class Watched:
    """The alarms of some folds."""

    def __init__(self):
        self.windows, self.alarms, self.first, self.minutes = 0, 0, Counter(), set()

    def add(self, messages, minutes):
        """Adds the messages about a source, which has these minutes."""
        self.windows += messages[-1]['windows']
        self.minutes.update(minutes)
        self.alarms += messages[-1]['alarms']
        for alarm in (its for its in messages if its['kind'] == 'alarm'):
            groups = ', '.join(group['group'] for group in alarm['groups'][:3])
            self.first[f'{alarm["by"]}: {groups}'] += 1

    def results(self):
        return {
            'alarms': self.alarms,
            'hours': round(self.windows / 3600, 3),
            'distinct_hours': round(len(self.minutes) / 60, 3),
            'first': dict(self.first.most_common(5)),
        }


def parts_between(learned, minutes):
    """The parts between learned minutes, as (first, one past the last)."""
    ends = [-1, *learned, minutes]
    pairs = pairwise(ends)
    return [(before + 1, after) for before, after in pairs if after - before > 1]


def quiet_folds(minutes):
    """The minutes that are learned of a recording, in each fold."""
    apart = minutes // LEARNED
    firsts = range(0, apart, max(apart // FOLDS, 1))
    return [[first + apart * step for step in range(LEARNED)] for first in firsts]


def quiet(dataset, folder, tool, files):
    """Ten minutes, spread over a quiet recording, are learned. All others are followed."""
    recorded = [read_zipped(file) for file in sorted(folder.glob('*.json.gz'))]
    own, other = Watched(), Watched()
    for number, part in enumerate(recorded):
        say(f'following a quiet machine: recording {number + 1} of {len(recorded)}')
        for fold, learned in enumerate(quiet_folds(part['windows'] // 60)):
            library = [(its.state, files.of(its)) for its in dataset.plain if its.state != 'idle']
            for minute in learned:
                path = files.scratch / f'quiet-{number}-{fold}-minute-{minute}.json'
                library.append(('idle', write_session(path, minutes_of(part, minute, minute + 1))))
            follow_quiet(recorded, number, learned, library, tool, files, (own, other))
    return {'same recording': own.results(), 'another recording': other.results()}


def minutes_of(part, first, last):
    return cut(part, 60 * first, 60 * last)


def follow_quiet(recorded, number, learned, library, tool, files, watched):
    """Follows all recordings with a library that has these minutes of one."""
    sources, minutes = [], []
    for other, source in enumerate(recorded):
        known = learned if other == number else []
        for first, last in parts_between(known, source['windows'] // 60):
            path = files.scratch / f'quiet-{other}-from-{first}-to-{last}.json'
            sources.append(write_session(path, minutes_of(source, first, last)))
            minutes.append({(other, minute) for minute in range(first, last)})
    with files.library(library) as folder:
        followed = tool.follow(folder, ['check', '--against', 'idle'], sources)
    for messages, its in zip(followed, minutes, strict=True):
        is_own = any(other == number for other, _ in its)
        watched[0 if is_own else 1].add(messages, its)


def loaded(dataset, tool, files):
    """Some rounds are learned. The sessions of each state in the others are joined and followed."""
    watched, by_state = Watched(), Counter()
    rounds = dataset.rounds
    for place, number in enumerate(rounds):
        say(f'following loads: fold {place + 1} of {len(rounds)}')
        learned = (rounds[place:] + rounds[:place])[:LEARNED_ROUNDS]
        library = [(its.state, files.of(its)) for its in dataset.plain if its.round in learned]
        with files.library(library) as folder:
            for state in dataset.states:
                others = [
                    its for its in dataset.plain if its.state == state and its.round not in learned
                ]
                path = files.scratch / f'loaded-{number}-{state}.json'
                write_session(path, joined([its.counts for its in others]))
                [messages] = tool.follow(folder, ['check', '--against', state], [path])
                watched.add(messages, {its.name for its in others})
                by_state[state] += messages[-1]['alarms']
    return {**watched.results(), 'by_state': dict(by_state)}


def reported_turns(messages, loads):
    """Whether each load was reported, and when. Pairs of a load and a dict.

    A load has a state and the times of its begin and end.
    """
    for load in loads:
        truth, begin, end = load['state'], load['from_ns'], load['to_ns']
        before = [its for its in messages if its['kind'] == 'state' and its['at_ns'] <= end]
        names = before[-1]['states'] if before else []
        right = [its['at_ns'] for its in before if truth in its['states']]
        yield (
            load,
            {
                'names': names,
                'is_found': truth in names,
                'delay_s': (right[-1] - begin) / SECOND if truth in names else None,
                'late': sum(its['at_ns'] > begin + SOON_NS for its in before),
            },
        )


def turns(dataset, facts, folder, tool, files):
    """A whole round with all its loads is followed, with a library of the other rounds."""
    found, delays, late, others, mixed = 0, [], 0, Counter(), Counter()
    for number in dataset.rounds:
        say(f'following the turns of round {number}')
        path = files.scratch / f'turns-{number}.json'
        write_session(path, seconds(read_zipped(folder / f'round-{number}.json.gz')))
        library = [(its.state, files.of(its)) for its in dataset.plain if its.round != number]
        with files.library(library) as learned:
            [messages] = tool.follow(learned, ['identify'], [path])
        loads = [its for its in facts if its['round'] == number]
        for load, its in reported_turns(messages, loads):
            said = f'{load["state"]} as {" or ".join(its["names"]) or "unknown"}'
            if TWO_LOADS in load['state']:
                mixed[said] += 1
                continue
            late += its['late']
            found += its['is_found']
            if its['is_found']:
                delays.append(its['delay_s'])
            else:
                others[said] += 1
    return {
        'loads': found + sum(others.values()),
        'found': found,
        'delays_s': [round(delay, 1) for delay in sorted(delays)],
        'late': late,
        'others': dict(others),
        'mixed': dict(mixed),
    }
