"""Other methods on the same windows, and controls that must give results of chance."""

import numpy as np

from tpx.process import Failed
from tpx.progress import say
from tpx.states import SECOND
from tpx.states.draws import confusions, figure
from tpx.states.folds import Fold
from tpx.states.unknown import leave_one_state_out, without_each

SHUFFLES = 5
SPLITS = 200
# With windows of 100 ms, there are so many that it would take an hour.
SVM_FROM = 1.0


METHODS = {
    'tp-perf (numpy)': (Fold.all_roots, Fold.to_sessions),
    'total rate': (Fold.rate, Fold.to_sessions),
    'group shares, Hellinger': (Fold.group_shares, Fold.to_sessions),
    '/proc counters': (Fold.proc_counters, Fold.to_sessions),
    'tf-idf, cosine': (Fold.tf_idf, Fold.to_sessions),
    'Hellinger, centroids': (Fold.all_roots, Fold.to_centroids),
}
OWN = 'tp-perf (numpy)'
ALONE = ', each window alone'
SVM = 'tf-idf, linear SVM'


def with_neighbours(values, sessions):
    """The mean of each window and two windows on each side of it, within its session.

    tp-perf does the same.
    """
    means = np.empty_like(values)
    for session in np.unique(sessions):
        its = np.flatnonzero(sessions == session)
        for place, window in enumerate(its):
            means[window] = values[its[max(0, place - 2) : place + 3]].mean(axis=0)
    return means


def baselines(data, bootstrap, said):
    folds = [Fold(data, number, said.length) for number in data.rounds]
    sessions = np.concatenate([fold.sessions for fold in folds])
    if not np.array_equal(sessions, said.sessions):
        raise Failed('tp-perf and this script have different windows')
    own_drawn = bootstrap.macro_f1(confusions(data, said.sessions, said.distances.argmin(axis=1)))
    results, to_sessions = {}, None

    def keep(name, nearest, full, without):
        drawn = bootstrap.macro_f1(confusions(data, sessions, nearest))
        results[name] = {
            'macro_f1': figure(drawn),
            'tp_perf_minus_it': figure(own_drawn - drawn),
            'auroc': leave_one_state_out(data, bootstrap, sessions, full, without),
        }

    for name, (rows, distances) in METHODS.items():
        say(f'baseline: {name}, {said.length / SECOND:g} s')
        found = [distances(fold, *rows(fold)) for fold in folds]
        if name == OWN:
            to_sessions = found
        if distances == Fold.to_sessions:
            found = [fold.to_states(its) for fold, its in zip(folds, found, strict=True)]
        alone = np.concatenate(found)
        found = with_neighbours(alone, sessions)
        keep(name, found.argmin(axis=1), found.min(axis=1), without_each(found))
        keep(f'{name}{ALONE}', alone.argmin(axis=1), alone.min(axis=1), without_each(alone))
        if name == OWN:
            results[name]['windows_that_agree_with_tp_perf'] = figure(
                bootstrap.share(sessions, found.argmin(axis=1) == said.distances.argmin(axis=1))
            )
    if said.length >= SVM_FROM * SECOND:
        say(f'baseline: {SVM}, {said.length / SECOND:g} s')
        full = np.concatenate([fold.svm() for fold in folds])
        without = np.stack(
            [
                np.concatenate([-fold.svm(state).max(axis=1) for fold in folds])
                for state in range(len(data.states))
            ],
            axis=1,
        )
        keep(f'{SVM}{ALONE}', full.argmax(axis=1), -full.max(axis=1), without)
        full, without = with_neighbours(full, sessions), with_neighbours(without, sessions)
        keep(SVM, full.argmax(axis=1), -full.max(axis=1), without)
    return results, folds, to_sessions


def controls(data, folds, to_sessions):
    """Controls. They must give results of chance if the method sees only what it should see."""
    chance = np.random.default_rng(2)
    shuffled = []
    for fold, by_session in zip(folds, to_sessions, strict=True):
        for _ in range(SHUFFLES):
            states = fold.to_states(by_session, chance.permutation(data.state_of[fold.learned]))
            shuffled.append(float((states.argmin(axis=1) == data.state_of[fold.sessions]).mean()))
    results = {
        'shuffled': {
            'expected': round(1 / len(data.states), 4),
            'mean': round(float(np.mean(shuffled)), 4),
            'least': round(min(shuffled), 4),
            'most': round(max(shuffled), 4),
        }
    }
    if 'idle' not in data.states:
        return results
    idle, halves = data.states.index('idle'), []
    for _ in range(SPLITS):
        right = windows = 0
        for fold, by_session in zip(folds, to_sessions, strict=True):
            is_idle = data.state_of[fold.learned] == idle
            its = by_session[np.ix_(data.state_of[fold.sessions] == idle, is_idle)]
            if its.shape[1] < 2 or not len(its):
                continue
            is_a = chance.permutation(its.shape[1]) < its.shape[1] // 2
            says_a = its[:, is_a].min(axis=1) < its[:, ~is_a].min(axis=1)
            # A round has one idle session, so toss one coin for it.
            right += int((says_a == chance.integers(2)).sum())
            windows += len(its)
        halves.append(right / max(windows, 1))
    low, high = np.percentile(halves, [2.5, 97.5])
    results['idle_against_idle'] = {
        'expected': 0.5,
        'splits': SPLITS,
        'mean': round(float(np.mean(halves)), 4),
        'low': round(float(low), 4),
        'high': round(float(high), 4),
    }
    return results
