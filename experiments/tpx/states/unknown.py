"""Measures how well a score separates unknown states from known ones."""

from collections import Counter

import numpy as np

from tpx.states.draws import figure
from tpx.states.said import ALPHA, TIE


def leave_one_state_out(data, bootstrap, sessions, full, without):
    """The AUROC of a score for windows of an unknown state.

    `full` has the scores with all states known. `without` has, by state, the scores when that
    state is unknown. The windows are compared with the same windows when the state is known. They
    are also compared with the windows of all other states in the same library, which is harder.
    """
    own = data.state_of[sessions]

    def split(is_chosen, scores):
        return {
            int(its): scores[is_chosen & (sessions == its)]
            for its in np.unique(sessions[is_chosen])
        }

    same, others = [], []
    for state in range(len(data.states)):
        is_own = own == state
        unknown = split(is_own, without[:, state])
        same.append(bootstrap.auroc(unknown, split(is_own, full)))
        others.append(bootstrap.auroc(unknown, split(~is_own, without[:, state])))

    def of_states(drawn):
        return {name: figure(its) for name, its in zip(data.states, drawn, strict=True)}

    return {
        'mean': figure(np.nanmean(same, axis=0)),
        'by_state': of_states(same),
        'against_others_mean': figure(np.nanmean(others, axis=0)),
        'against_others_by_state': of_states(others),
    }


def without_each(distances):
    """For each state, the least distance from all other states."""
    least = np.empty_like(distances)
    for state in range(distances.shape[1]):
        least[:, state] = np.delete(distances, state, axis=1).min(axis=1)
    return least


def unknown_states(data, bootstrap, said):
    by_p = -said.p + TIE * said.distances
    results = {}
    for name, scores in (('distance', said.distances), ('p', by_p)):
        results[name] = leave_one_state_out(
            data, bootstrap, said.sessions, scores.min(axis=1), without_each(scores)
        )
    detection, taken_for, drawn = {}, {}, []
    for state, name in enumerate(data.states):
        is_own = said.own == state
        p, distances = (np.delete(its[is_own], state, axis=1) for its in (said.p, said.distances))
        others = np.delete(np.arange(len(data.states)), state)
        is_unknown = (p <= ALPHA).all(axis=1)
        drawn.append(bootstrap.share(said.sessions[is_own], is_unknown))
        detection[name] = figure(drawn[-1])
        nearest = others[np.where(p > ALPHA, distances, np.inf).argmin(axis=1)[~is_unknown]]
        taken_for[name] = {
            data.states[its]: int(number) for its, number in Counter(nearest.tolist()).most_common()
        }
    return {
        **results,
        'detected': detection,
        'detected_mean': figure(np.nanmean(drawn, axis=0)),
        'taken_for': taken_for,
    }
