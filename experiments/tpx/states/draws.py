"""Figures with intervals: a bootstrap over sessions."""

import numpy as np

DRAWS = 1000


class Bootstrap:
    """Sessions resampled within each state.

    Every figure is an array. Its first value is for the sessions as recorded, and the others are
    for the resamples. All figures use the same resamples, so that they can be compared.
    """

    def __init__(self, data):
        chance = np.random.default_rng(1)
        names = np.array([its['state'] for its in data.sessions])
        self.weights = np.ones((DRAWS + 1, len(names)))
        for name in sorted(set(names)):
            its = np.flatnonzero(names == name)
            self.weights[1:, its] = chance.multinomial(
                len(its), np.full(len(its), 1 / len(its)), size=DRAWS
            )

    def by_session(self, sessions, values):
        """Sums over the windows of each session."""
        return np.bincount(sessions, weights=values, minlength=self.weights.shape[1])

    def share(self, sessions, is_so):
        """The part of the windows for which this is true."""
        is_so = np.asarray(is_so, dtype=float)
        return self.ratio(
            self.by_session(sessions, is_so), self.by_session(sessions, np.ones(len(is_so)))
        )

    def ratio(self, part, whole):
        return divide(self.weights @ part, self.weights @ whole)

    def f1_by_state(self, confusion):
        """F1 by resample and state, from confusions by session with or without `unknown`."""
        sums = np.tensordot(self.weights, confusion, axes=1)
        states = sums.shape[1]
        right = np.einsum('dss->ds', sums[:, :, :states])
        return divide(2 * right, sums.sum(axis=2) + sums[:, :, :states].sum(axis=1))

    def macro_f1(self, confusion):
        return np.nanmean(self.f1_by_state(confusion), axis=1)

    def auroc(self, positive, negative):
        """The probability that a positive score is higher than a negative one. A tie counts half.

        Both are dicts of arrays of scores by session.
        """
        wins = np.zeros((len(positive), len(negative)))
        for i, high in enumerate(positive.values()):
            for j, scores in enumerate(negative.values()):
                low = np.sort(scores)
                less, at_most = (
                    np.searchsorted(low, high, side=side).sum() for side in ('left', 'right')
                )
                wins[i, j] = (less + at_most) / 2
        sizes = [
            np.array([len(its) for its in side.values()], dtype=float)
            for side in (positive, negative)
        ]
        weights = [self.weights[:, list(side)] for side in (positive, negative)]
        all_pairs = (weights[0] @ sizes[0]) * (weights[1] @ sizes[1])
        return divide(np.einsum('di,ij,dj->d', weights[0], wins, weights[1]), all_pairs)


def divide(part, whole):
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) != 0)


def figure(drawn):
    """The value for the sessions as recorded, with its 95 % interval."""
    low, high = (
        np.nanpercentile(drawn[1:], [2.5, 97.5])
        if np.isfinite(drawn[1:]).any()
        else (np.nan, np.nan)
    )
    rounded = [round(float(its), 5) if np.isfinite(its) else None for its in (drawn[0], low, high)]
    return dict(zip(('value', 'low', 'high'), rounded, strict=True))


def confusions(data, sessions, said):
    """By session, the counts of true state by answer. The answer -1 means unknown."""
    states = len(data.states)
    found = np.zeros((len(data.sessions), states, states + 1))
    np.add.at(found, (sessions, data.state_of[sessions], np.where(said < 0, states, said)), 1)
    return found
