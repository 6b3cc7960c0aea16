"""Compares the answers of tp-perf with the true states."""

from collections import Counter

import numpy as np

from tpx.process import Failed
from tpx.states.draws import confusions, figure

ALPHA = 0.05
ALPHAS = (0.01, 0.05, 0.1)
# p-values have ties. Distances, scaled below any step of a p-value, break them.
TIE = 1e-6


class Said:
    """All answers of identify for all rounds, with windows of one length."""

    def __init__(self, data, asked, length):
        self.data, self.length = data, length
        self.answers = {number: asked.identify(number, length) for number in data.rounds}
        number = {name: index for index, name in enumerate(data.states)}
        sessions, distances, p, p_sessions, said, stretch = [], [], [], [], [], []
        for round_, answer in self.answers.items():
            if answer['window'] != {'ns': length}:
                made = answer['window']
                raise Failed(f'tp-perf made windows of {made} instead of {length} ns')
            windows = answer['windows']
            labels = data.labels(round_, [its['begin_ns'] for its in windows], length)
            of_stretch = np.full(len(windows), -1)
            for its in answer['stretches']:
                of_stretch[its['from'] : its['to']] = number.get(its['state'], -1)
            for index in np.flatnonzero(labels >= 0):
                # A state without an opinion counts as having the largest distance.
                row = np.tile([[np.inf], [0.0], [0.0]], len(data.states))
                for opinion in windows[index]['opinions']:
                    row[:, number[opinion['state']]] = (
                        opinion['distance'],
                        opinion['p'],
                        opinion['p_sessions'],
                    )
                for rows, values in zip((distances, p, p_sessions), row, strict=True):
                    rows.append(values)
                said.append(number.get(windows[index]['state'], -1))
            sessions.append(labels[labels >= 0])
            stretch.append(of_stretch[labels >= 0])
        self.all_sessions = np.concatenate(sessions)
        known = self.is_known = data.is_known[self.all_sessions]
        self.sessions = self.all_sessions[known]
        self.all_said, self.all_stretch = np.array(said), np.concatenate(stretch)
        self.said, self.stretch = self.all_said[known], self.all_stretch[known]
        self.distances, self.p, self.p_sessions = (
            np.array(its)[known] for its in (distances, p, p_sessions)
        )
        self.own = data.state_of[self.sessions]


def known_states(data, bootstrap, said):
    confusion = {
        'nearest': confusions(data, said.sessions, said.distances.argmin(axis=1)),
        'largest_p': confusions(
            data, said.sessions, (said.p - TIE * said.distances).argmax(axis=1)
        ),
        'with_unknown': confusions(data, said.sessions, said.said),
        'stretches': confusions(data, said.sessions, said.stretch),
    }
    results = {
        name: {
            'macro_f1': figure(bootstrap.macro_f1(its)),
            'confusion': its.sum(axis=0).astype(int).tolist(),
        }
        for name, its in confusion.items()
    }
    by_state = bootstrap.f1_by_state(confusion['nearest'])
    results['nearest']['f1'] = {
        name: figure(its) for name, its in zip(data.states, by_state.T, strict=True)
    }
    for name, its in (('with_unknown', said.said), ('stretches', said.stretch)):
        results[name]['unknown'] = figure(bootstrap.share(said.sessions, its < 0))
    return results


def nominal(data, bootstrap, said):
    """How often the true state, and how often every state, is rejected at a level."""
    results = {}
    for alpha in ALPHAS:
        for kind, p in (('windows', said.p), ('sessions', said.p_sessions)):
            own = p[np.arange(len(p)), said.own]
            results.setdefault(str(alpha), {})[kind] = {
                'own_rejected': figure(bootstrap.share(said.sessions, own <= alpha)),
                'false_unknown': figure(bootstrap.share(said.sessions, p.max(axis=1) <= alpha)),
            }
    return results


def mixtures(data, said):
    """The answers for windows of two loads at once."""
    results = {}
    for mixture in data.mixtures:
        its_sessions = [index for index, its in enumerate(data.sessions) if its['state'] == mixture]
        is_its = np.isin(said.all_sessions, its_sessions)
        shares = {}
        for kind, states in (('windows', said.all_said), ('stretches', said.all_stretch)):
            counted = Counter(states[is_its].tolist())
            shares[kind] = {
                data.states[state] if state >= 0 else 'unknown': round(
                    number / max(is_its.sum(), 1), 4
                )
                for state, number in counted.most_common()
            }
        stretches = 0
        for index in its_sessions:
            its = data.sessions[index]
            all_stretches = said.answers[its['round']]['stretches']
            stretches += sum(
                one['begin_ns'] < its['to_ns'] and one['end_ns'] > its['from_ns']
                for one in all_stretches
            )
        results[mixture] = {
            'windows': int(is_its.sum()),
            **{f'of_{kind}': its for kind, its in shares.items()},
            'stretches_in_a_session': round(stretches / len(its_sessions), 2),
        }
    return results
