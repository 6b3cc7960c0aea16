"""The sizes of libraries, and the rounds that each of them has."""

from dataclasses import dataclass

from tpx.states.library import QUARTERS

# With fewer rounds, a library of all other rounds has one session of each state, and tp-perf does
# not know how sessions differ.
LEAST_ROUNDS = 3


@dataclass(frozen=True)
class Size:
    """So many sessions of each state, of 60 s or of 15 s. None: those of all other rounds."""

    sessions: int | None
    seconds: int = 60

    def needs(self):
        """The rounds that it needs."""
        return LEAST_ROUNDS if self.sessions is None else self.sessions + 1

    def title(self, rounds):
        return f'{self.sessions or rounds - 1} × {self.seconds} s'

    def learned(self, rounds, number):
        """The rounds of the library for sources of a round: those after it, in a circle."""
        place = rounds.index(number)
        later = rounds[place + 1 :] + rounds[:place]
        return later if self.sessions is None else later[: self.sessions]

    def quarters(self):
        """The parts of a session that are sources. None is the whole session."""
        return [None] if self.seconds == 60 else list(range(QUARTERS))

    def learned_quarter(self, quarter, number):
        """The part of a session in this round that is learned for sources of a quarter."""
        return None if quarter is None else (quarter + number) % QUARTERS


SIZES = (Size(3, 15), Size(5), Size(10), Size(None))


def chosen(length, sessions):
    """The sizes that the options choose. Those of all parts if both are None."""
    sizes = [size for size in SIZES if length in (None, size.seconds)]
    if sessions is None:
        return sizes
    return [Size(sessions, seconds) for seconds in sorted({size.seconds for size in sizes})]


def possible(sizes, rounds):
    """The sizes that these rounds are enough for, by title, and what is missing for the others."""
    found, missing = {}, {}
    for size in sizes:
        if size.needs() <= rounds:
            found.setdefault(size.title(rounds), size)
        else:
            what = size.title(rounds) if size.sessions else 'all other rounds'
            missing[what] = f'needs {size.needs()} rounds, there are {rounds}'
    return found, missing
