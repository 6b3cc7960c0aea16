"""What `tp-perf identify` names for known states, for states that were never learned, for states
beside other work, and for two loads at once."""

from tpx.progress import say
from tpx.states.sessions import TWO_LOADS
from tpx.states.sizes import possible
from tpx.states.verdicts import Tally

# A session of the second state is learned as one of the first, with --mislabelled.
MISLABELLED = ('idle', 'build-j1')


class Tallies:
    """The verdicts by question. Those beside other work have a tally for each amount of it."""

    def __init__(self):
        self.known, self.never, self.mixed = Tally(), Tally(), Tally()
        self.beside = {}

    def merge(self, other):
        self.known.merge(other.known)
        self.never.merge(other.never)
        self.mixed.merge(other.mixed)
        for cpus, tally in other.beside.items():
            self.beside.setdefault(cpus, Tally()).merge(tally)

    def results(self):
        beside = {f'{cpus:g}': tally.results() for cpus, tally in sorted(self.beside.items())}
        found = {'known': self.known.results(), 'never': self.never.results()}
        return {**found, 'mixed': self.mixed.results(), 'beside': beside}


class Fold:
    """The sources of one round, and the libraries of other rounds that they are compared with."""

    def __init__(self, dataset, size, number, quarter, is_mislabelled=False):
        self.dataset, self.size, self.quarter = dataset, size, quarter
        self.number, self.is_mislabelled = number, is_mislabelled
        self.rounds = size.learned(dataset.rounds, number)

    def learned(self, files, without=None):
        """The pairs of a state and a file of the library."""
        for session in self.dataset.plain:
            if session.round in self.rounds and session.state != without:
                quarter = self.size.learned_quarter(self.quarter, session.round)
                yield session.state, files.of(self.labelled(session), quarter)

    def labelled(self, session):
        """The session that the library has in place of this one."""
        state, other = MISLABELLED
        if not self.is_mislabelled or (session.state, session.round) != (state, self.rounds[0]):
            return session
        return next(
            its for its in self.dataset.plain if (its.state, its.round) == (other, self.rounds[0])
        )

    def sources(self):
        """The sessions to identify, each with the quarter of it that is the source.

        Sessions beside other work are short, so they are whole, and in one quarter's fold only.
        """
        for session in self.dataset.of_round(self.number):
            if session.is_plain or TWO_LOADS in session.state:
                yield session, self.quarter
            elif session.other_cpus and self.quarter in (None, 0):
                yield session, None

    def measure(self, tool, files):
        tallies = Tallies()
        sources = list(self.sources())
        paths = [files.of(session, quarter) for session, quarter in sources]
        with files.library(self.learned(files)) as library:
            twins = tool.twins(library)
            answers = tool.identify(library, paths)
        for (session, _), answer in zip(sources, answers, strict=True):
            if TWO_LOADS in session.state:
                tallies.mixed.add(answer, session.state)
            elif session.other_cpus:
                tally = tallies.beside.setdefault(session.other_cpus, Tally())
                tally.add(answer, session.state)
            else:
                tallies.known.add(answer, session.state)
        for state in self.dataset.states:
            own = [
                path
                for path, (session, _) in zip(paths, sources, strict=True)
                if session.is_plain and session.state == state
            ]
            with files.library(self.learned(files, without=state)) as library:
                for answer in tool.identify(library, own):
                    tallies.never.add(answer, state, twins.get(state, ()))
        return tallies


def stretches(dataset, sizes, tool, files, is_mislabelled=False):
    """By size of the library, the verdicts. Sizes that need more rounds are in `missing`."""
    found, missing = possible(sizes, len(dataset.rounds))
    results = {'facts': dataset.facts(), 'missing': missing, 'sizes': {}}
    for title, size in found.items():
        say(f'{dataset.title}: libraries of {title}')
        folds = [
            Fold(dataset, size, number, quarter, is_mislabelled)
            for number in dataset.rounds
            for quarter in size.quarters()
        ]
        tallies = Tallies()
        for its in tool.each(lambda fold: fold.measure(tool, files), folds):
            tallies.merge(its)
        is_all = size.sessions in (None, len(dataset.rounds) - 1) and size.seconds == 60
        results['sizes'][title] = {
            'sessions': size.sessions or len(dataset.rounds) - 1,
            'seconds': size.seconds,
            'is_all': is_all,
            **tallies.results(),
        }
    return results
