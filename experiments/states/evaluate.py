#!/usr/bin/python3
"""Measures how often `tp-perf identify` and `tp-perf check` are right, on what `record` has recorded, and writes
RESULTS.md and results.json beside this script.

What was recorded is first counted by windows of 100 ms, into the folder `counts` beside this script; that is done
when WORK has a recording that was not counted yet. Without one, what is in `counts` is evaluated.

Each round is held against a library of all other rounds, so that nothing is compared with its own session."""

import argparse
import gzip
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.stats import chi2
from sklearn.svm import LinearSVC

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
COUNTS = FOLDER / 'counts'
# What `record --quiet` has watched, a file each time.
QUIET = COUNTS / 'quiet'
WINDOWS = '0.1,0.3,1,3,10'
# The window length of tp-perf if nothing else is asked for: in seconds.
USUAL = 1.0
# Baselines cost time, and say what they say at a few lengths.
BASELINES_AT = (0.1, 1.0, 10.0)
# A machine at 100 ms has so many windows that it would take an hour.
SVM_FROM = 1.0
ALPHA = 0.05
ALPHAS = (0.01, 0.05, 0.1)
# A change that is found so many windows from a true one finds it.
NEAR = 2
DRAWS = 1000
SHUFFLES = 5
SPLITS = 200
SECOND = 10**9
# Of a quiet machine so many sessions of a minute are learned from, and all else is checked.
QUIET_LEARNED = (5, 10)
QUIET_WAYS = ('minutes in a row', 'minutes all over it', 'minutes all over an earlier hour')
# With so many false alarms allowed in a day.
QUIET_ALLOWED = (1, 10, 100, 1000, 10000)
# Scores by p-values have ties, which distances break: smaller than any step of a p-value.
TIE = 1e-6
LOADS = {
    'idle': 'nothing but the recorder itself',
    'build-j1': '`make -j1` of two folders of a kernel, again and again',
    'build-j2': 'the same with `-j2`',
    'apache': 'apache (event MPM), asked by `ab -k -c 8` for 4 KiB',
    'nginx': 'nginx, asked by the same',
    'postgres': 'postgres, asked by `pgbench -c 4`',
    'compression': '`zstd -3` of kernel sources to /dev/null',
    'walk': '`find -printf` over kernel sources and /usr',
    'network': '`iperf3` over the loopback',
}
START = time.monotonic()


def say(text):
    passed = int(time.monotonic() - START)
    print(f'[{passed // 60:02}:{passed % 60:02}] {text}', file=sys.stderr, flush=True)


def die(text):
    sys.exit(f'evaluate: {text}')


def run(words, allowed=(0,)):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode not in allowed:
        die(f'`tp-perf {words[1]} …` ended with code {done.returncode}: {done.stderr.strip()[-2000:]}')
    return done


def write_zipped(path, document):
    """Under its name only when it is whole, and the same bytes each time."""
    text = json.dumps(document, separators=(',', ':')).encode()
    part = path.with_name(path.name + '.part')
    with open(part, 'wb') as file, gzip.GzipFile('', 'wb', 9, file, mtime=0) as zipped:
        zipped.write(text)
    part.rename(path)


def read_zipped(path):
    with gzip.open(path) as file:
        return json.load(file)


# --- What was counted -------------------------------------------------------------------------------------------------


def cut(session, first, last):
    """A part of a session, as tp-perf would have written it."""
    counts = {}
    not_hit = {group: list(names) for group, names in session['not_hit'].items()}
    for name, row in session['counts'].items():
        part = row[first:last]
        if any(part):
            counts[name] = part
        else:
            group, short = name.split(':', 1)
            not_hit.setdefault(group, []).append(short)
    begin = session['origin']['begin_ns'] + first * session['window']['ns']
    part = {key: value for key, value in session.items() if key != 'lost'}
    part.update(origin={**session['origin'], 'begin_ns': begin}, windows=last - first, counts=counts,
                not_hit={group: sorted(names) for group, names in sorted(not_hit.items())})
    lost = session.get('lost', [])[first:last]
    if any(lost):
        part['lost'] = lost
    return part


def windows_within(session, begin, end):
    """The first window that is wholly within a time, and the one behind the last."""
    width, origin = session['window']['ns'], session['origin']['begin_ns']
    first, last = -((origin - begin) // width), (end - origin) // width
    first = min(max(first, 0), session['windows'])
    return first, min(max(last, first), session['windows'])


def collect(work, tool):
    """Counts the recording and cuts it by rounds."""
    say('counting the recording')
    whole = work / 'whole'
    files = sorted((whole / 'all').glob('*.json'))
    for file in files:
        file.unlink()
    run([tool, 'learn', 'all', work / 'recording', '--window', '100ms', '--library', whole, '--quiet'])
    files = sorted((whole / 'all').glob('*.json'))
    if len(files) != 1:
        die(f'tp-perf learn has made {len(files)} sessions of the recording instead of one')
    session = json.loads(files[0].read_text())
    clock = session['origin'].get('clock')
    if clock not in (None, 'monotonic'):
        die(f'the recording is by the clock `{clock}`, and the sessions by CLOCK_MONOTONIC')
    text = (work / 'sessions.json').read_text()
    sessions = json.loads(text)['sessions']
    COUNTS.mkdir(exist_ok=True)
    # Of an earlier recording there may be more rounds. What is copied last says that all is there.
    for file in COUNTS.glob('*.json*'):
        file.unlink()
    for number in sorted({its['round'] for its in sessions}):
        its_sessions = [its for its in sessions if its['round'] == number]
        begin = min(its['started_ns'] for its in its_sessions) - SECOND
        end = max(its['stopped_ns'] for its in its_sessions) + SECOND
        write_zipped(COUNTS / f'round-{number}.json.gz', cut(session, *windows_within(session, begin, end)))
        say(f'cut round {number} of {len(its_sessions)} sessions')
    write_zipped(COUNTS / 'counters.json.gz', collect_counters(work / 'counters', sessions))
    (COUNTS / 'sessions.json').write_text(text)
    sizes = {file.name: file.stat().st_size / 1e6 for file in sorted(COUNTS.glob('*.json*'))}
    said = ', '.join(f'{name} {size:.1f}' for name, size in sizes.items())
    say(f'counts has {sum(sizes.values()):.1f} MB: {said}')


def collect_counters(folder, sessions):
    """What each counter grew by in each 100 ms; a time is when they end. A session's counts are by counter."""
    found = {its['name']: read_zipped(folder / f'{its["name"]}.json.gz') for its in sessions}
    names = next(iter(found.values()))['names']
    if any(its['names'] != names for its in found.values()):
        die('sessions have different counters')
    deltas = {name: np.diff(np.array(its['values'], dtype=np.int64), axis=0) for name, its in found.items()}
    changes = np.any([its.any(axis=0) for its in deltas.values()], axis=0)
    return {
        'names': [name for name, does in zip(names, changes) if does],
        'sessions': {name: {'times_ns': found[name]['times_ns'][1:], 'deltas': its[:, changes].T.tolist()}
                     for name, its in deltas.items()},
    }


class Data:
    """All that was counted: the rounds as sessions of tp-perf and as numbers, and which state was when."""

    def __init__(self):
        if not (COUNTS / 'sessions.json').exists():
            die('there is no recording and nothing that was counted: run `record` first, or see --work')
        self.facts = json.loads((COUNTS / 'sessions.json').read_text())
        self.sessions = sorted(self.facts['sessions'], key=lambda its: its['started_ns'])
        self.is_known = np.array(['+' not in its['state'] for its in self.sessions])
        self.states = sorted({its['state'] for its in self.sessions if '+' not in its['state']})
        self.mixtures = sorted({its['state'] for its in self.sessions if '+' in its['state']})
        # By session: the number of its state, -1 of a mixture.
        number = {name: index for index, name in enumerate(self.states)}
        self.state_of = np.array([number.get(its['state'], -1) for its in self.sessions])
        self.round_of = np.array([its['round'] for its in self.sessions])
        self.documents = {number: read_zipped(COUNTS / f'round-{number}.json.gz') for number in self.rounds}
        self.width = self.documents[self.rounds[0]]['window']['ns']
        self.names = sorted({name for its in self.documents.values() for name in its['counts']})
        self.groups = sorted({name.split(':', 1)[0] for name in self.names})
        self.counts = {number: self.numbers(its) for number, its in self.documents.items()}
        self.lost = {number: np.array(its.get('lost', [0] * its['windows'])) for number, its in self.documents.items()}
        self.spans = []
        for its in self.sessions:
            first, last = windows_within(self.documents[its['round']], its['from_ns'], its['to_ns'])
            if (last - first) * self.width < 0.9 * (its['to_ns'] - its['from_ns']) - 2 * self.width:
                die(f'the recording has not all of session {its["name"]}')
            self.spans.append((first, last))
        self.counters = read_zipped(COUNTS / 'counters.json.gz')

    @property
    def rounds(self):
        return sorted(set(self.round_of))

    def numbers(self, document):
        empty = np.zeros(document['windows'], dtype=np.int64)
        return np.array([document['counts'].get(name, empty) for name in self.names], dtype=np.int64).T

    def of_round(self, number, known=True):
        """The indices of its sessions."""
        return [index for index in np.flatnonzero(self.round_of == number) if self.is_known[index] or not known]

    def labels(self, number, begins, length):
        """By window of a round the session in which it wholly is; -1 of none."""
        begins, labels = np.asarray(begins), np.full(len(begins), -1)
        for index in self.of_round(number, known=False):
            its = self.sessions[index]
            labels[(begins >= its['from_ns']) & (begins + length <= its['to_ns'])] = index
        return labels

    def learned_windows(self, index, length):
        """Of a session what a library has of it, in windows of a length: their counts, and when they begin."""
        number, (first, last) = self.round_of[index], self.spans[index]
        return self.together(number, first, last, length)

    def round_windows(self, number, length):
        return self.together(number, 0, self.documents[number]['windows'], length)

    def together(self, number, first, last, length):
        each = length // self.width
        windows = (last - first) // each
        rows = self.counts[number][first:first + windows * each]
        begins = self.documents[number]['origin']['begin_ns'] + (first + each * np.arange(windows)) * self.width
        return rows.reshape(windows, each, -1).sum(axis=1), begins

    def counters_of(self, index, begins, length):
        """By how much a session's counters grew in each of these windows; what grew belongs to where its time ends."""
        its = self.counters['sessions'][self.sessions[index]['name']]
        deltas = np.array(its['deltas'], dtype=np.int64).reshape(len(self.counters['names']), -1).T
        times = np.array(its['times_ns'], dtype=np.int64)
        sums = np.vstack([np.zeros((1, deltas.shape[1]), dtype=np.int64), deltas.cumsum(axis=0)])
        # After its begin, and not after its end.
        first, last = (np.searchsorted(times, begins + extra, side='right') for extra in (0, length))
        return sums[last] - sums[first]


class Asked:
    """What tp-perf says. It is asked once: answers are kept in WORK by what the binary and the counts are."""

    def __init__(self, data, tool, cache, scratch):
        self.data, self.tool, self.cache, self.scratch = data, tool, cache, scratch
        cache.mkdir(parents=True, exist_ok=True)
        content = hashlib.sha256(tool.read_bytes())
        for file in sorted(COUNTS.glob('*.json*')):
            content.update(file.read_bytes())
        self.key = content.hexdigest()[:16]
        self.version = run([tool, '--version']).stdout.strip()
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
        """Of all rounds but this."""
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
        return self.kept(f'identify-{ms}-round-{number}', lambda: json.loads(run(
            [self.tool, 'identify', self.round_file(number), '--library', self.library(number), '--window', ms,
             '--format', 'json']).stdout))

    def can_check(self):
        return subprocess.run([str(self.tool), 'check', '--help'], stdin=subprocess.DEVNULL,
                              capture_output=True).returncode == 0

    def check(self, number):
        """Each session of a round against each state: whether there was an alarm, and what for."""

        def ask():
            answers = []
            for index in self.data.of_round(number):
                for against in self.data.states:
                    done = run([self.tool, 'check', '--against', against, self.files[index], '--library',
                                self.library(number), '--window', '1s', '--format', 'json'], allowed=(0, 3))
                    document = json.loads(done.stdout)
                    findings = document.get('check', document)['findings']
                    answers.append({'session': self.data.sessions[index]['name'], 'against': against,
                                    'alarm': done.returncode == 3, 'findings': findings})
            return answers

        return self.kept(f'check-round-{number}', ask)


# --- Figures with intervals -------------------------------------------------------------------------------------------


class Bootstrap:
    """Sessions drawn anew within each state. A figure is computed once for what was recorded and once for each
    drawing; the drawings are the same for all figures, so that figures can be compared."""

    def __init__(self, data):
        chance = np.random.default_rng(1)
        names = np.array([its['state'] for its in data.sessions])
        self.weights = np.ones((DRAWS + 1, len(names)))
        for name in sorted(set(names)):
            its = np.flatnonzero(names == name)
            self.weights[1:, its] = chance.multinomial(len(its), np.full(len(its), 1 / len(its)), size=DRAWS)

    def by_session(self, sessions, values):
        """Sums by session of what windows have."""
        return np.bincount(sessions, weights=values, minlength=self.weights.shape[1])

    def share(self, sessions, is_so):
        """The part of windows that are so."""
        is_so = np.asarray(is_so, dtype=float)
        return self.ratio(self.by_session(sessions, is_so), self.by_session(sessions, np.ones(len(is_so))))

    def ratio(self, part, whole):
        return divide(self.weights @ part, self.weights @ whole)

    def f1_by_state(self, confusion):
        """Of confusions by session, in which the last column may be `unknown`: by drawing and state."""
        sums = np.tensordot(self.weights, confusion, axes=1)
        states = sums.shape[1]
        right = np.einsum('dss->ds', sums[:, :, :states])
        return divide(2 * right, sums.sum(axis=2) + sums[:, :, :states].sum(axis=1))

    def macro_f1(self, confusion):
        return np.nanmean(self.f1_by_state(confusion), axis=1)

    def auroc(self, positive, negative):
        """Of scores by session, as {session: scores}: how often a positive one is higher than a negative one."""
        wins = np.zeros((len(positive), len(negative)))
        for i, high in enumerate(positive.values()):
            for j, low in enumerate(negative.values()):
                low = np.sort(low)
                less, at_most = (np.searchsorted(low, high, side=side).sum() for side in ('left', 'right'))
                wins[i, j] = (less + at_most) / 2
        sizes = [np.array([len(its) for its in side.values()], dtype=float) for side in (positive, negative)]
        weights = [self.weights[:, list(side)] for side in (positive, negative)]
        all_pairs = (weights[0] @ sizes[0]) * (weights[1] @ sizes[1])
        return divide(np.einsum('di,ij,dj->d', weights[0], wins, weights[1]), all_pairs)


def divide(part, whole):
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) != 0)


def figure(drawn):
    """The value of what was recorded, and its 95 % interval."""
    low, high = np.nanpercentile(drawn[1:], [2.5, 97.5]) if np.isfinite(drawn[1:]).any() else (np.nan, np.nan)
    rounded = [round(float(its), 5) if np.isfinite(its) else None for its in (drawn[0], low, high)]
    return dict(zip(('value', 'low', 'high'), rounded))


def confusions(data, sessions, said):
    """By session: own state by state said, which is -1 for unknown."""
    states = len(data.states)
    found = np.zeros((len(data.sessions), states, states + 1))
    np.add.at(found, (sessions, data.state_of[sessions], np.where(said < 0, states, said)), 1)
    return found


def leave_one_state_out(data, bootstrap, sessions, full, without):
    """How well a score tells windows of a state that is not known. `full`: scores with all states known; `without`:
    by state the scores when that is not known.

    Against the same windows when it is known; and, harder, against the windows of all other states in the same
    library."""
    own = data.state_of[sessions]

    def split(is_chosen, scores):
        return {int(its): scores[is_chosen & (sessions == its)] for its in np.unique(sessions[is_chosen])}

    same, others = [], []
    for state in range(len(data.states)):
        is_own = own == state
        unknown = split(is_own, without[:, state])
        same.append(bootstrap.auroc(unknown, split(is_own, full)))
        others.append(bootstrap.auroc(unknown, split(~is_own, without[:, state])))
    of_states = lambda drawn: {name: figure(its) for name, its in zip(data.states, drawn)}
    return {
        'mean': figure(np.nanmean(same, axis=0)), 'by_state': of_states(same),
        'against_others_mean': figure(np.nanmean(others, axis=0)), 'against_others_by_state': of_states(others),
    }


def without_each(distances):
    """The least distance to all states but one, for each."""
    least = np.empty_like(distances)
    for state in range(distances.shape[1]):
        least[:, state] = np.delete(distances, state, axis=1).min(axis=1)
    return least


# --- What tp-perf says, against what was so ---------------------------------------------------------------------------


class Said:
    """All that identify says with windows of one length, of all rounds."""

    def __init__(self, data, asked, length):
        self.data, self.length = data, length
        self.answers = {number: asked.identify(number, length) for number in data.rounds}
        number = {name: index for index, name in enumerate(data.states)}
        sessions, distances, p, p_sessions, said, stretch = [], [], [], [], [], []
        for round_, answer in self.answers.items():
            if answer['window'] != {'ns': length}:
                die(f'tp-perf has made windows of {answer["window"]} instead of {length} ns')
            windows = answer['windows']
            labels = data.labels(round_, [its['begin_ns'] for its in windows], length)
            of_stretch = np.full(len(windows), -1)
            for its in answer['stretches']:
                of_stretch[its['from']:its['to']] = number.get(its['state'], -1)
            for index in np.flatnonzero(labels >= 0):
                # What says nothing of a window is as far away as can be.
                row = np.tile([[np.inf], [0.0], [0.0]], len(data.states))
                for opinion in windows[index]['opinions']:
                    row[:, number[opinion['state']]] = opinion['distance'], opinion['p'], opinion['p_sessions']
                for rows, values in zip((distances, p, p_sessions), row):
                    rows.append(values)
                said.append(number.get(windows[index]['state'], -1))
            sessions.append(labels[labels >= 0])
            stretch.append(of_stretch[labels >= 0])
        self.all_sessions = np.concatenate(sessions)
        known = self.is_known = data.is_known[self.all_sessions]
        self.sessions = self.all_sessions[known]
        self.all_said, self.all_stretch = np.array(said), np.concatenate(stretch)
        self.said, self.stretch = self.all_said[known], self.all_stretch[known]
        self.distances, self.p, self.p_sessions = (np.array(its)[known] for its in (distances, p, p_sessions))
        self.own = data.state_of[self.sessions]


def known_states(data, bootstrap, said):
    confusion = {
        'nearest': confusions(data, said.sessions, said.distances.argmin(axis=1)),
        'largest_p': confusions(data, said.sessions, (said.p - TIE * said.distances).argmax(axis=1)),
        'with_unknown': confusions(data, said.sessions, said.said),
        'stretches': confusions(data, said.sessions, said.stretch),
    }
    results = {name: {'macro_f1': figure(bootstrap.macro_f1(its)), 'confusion': its.sum(axis=0).astype(int).tolist()}
               for name, its in confusion.items()}
    by_state = bootstrap.f1_by_state(confusion['nearest'])
    results['nearest']['f1'] = {name: figure(its) for name, its in zip(data.states, by_state.T)}
    for name, its in (('with_unknown', said.said), ('stretches', said.stretch)):
        results[name]['unknown'] = figure(bootstrap.share(said.sessions, its < 0))
    return results


def nominal(data, bootstrap, said):
    """How often the own state, and how often every state, is rejected at a level."""
    results = {}
    for alpha in ALPHAS:
        for kind, p in (('windows', said.p), ('sessions', said.p_sessions)):
            own = p[np.arange(len(p)), said.own]
            results.setdefault(str(alpha), {})[kind] = {
                'own_rejected': figure(bootstrap.share(said.sessions, own <= alpha)),
                'false_unknown': figure(bootstrap.share(said.sessions, p.max(axis=1) <= alpha)),
            }
    return results


def unknown_states(data, bootstrap, said):
    by_p = -said.p + TIE * said.distances
    results = {}
    for name, scores in (('distance', said.distances), ('p', by_p)):
        results[name] = leave_one_state_out(data, bootstrap, said.sessions, scores.min(axis=1), without_each(scores))
    detection, taken_for, drawn = {}, {}, []
    for state, name in enumerate(data.states):
        is_own = said.own == state
        p, distances = (np.delete(its[is_own], state, axis=1) for its in (said.p, said.distances))
        others = np.delete(np.arange(len(data.states)), state)
        is_unknown = (p <= ALPHA).all(axis=1)
        drawn.append(bootstrap.share(said.sessions[is_own], is_unknown))
        detection[name] = figure(drawn[-1])
        nearest = others[np.where(p > ALPHA, distances, np.inf).argmin(axis=1)[~is_unknown]]
        taken_for[name] = {data.states[its]: int(number) for its, number in Counter(nearest.tolist()).most_common()}
    return {**results, 'detected': detection, 'detected_mean': figure(np.nanmean(drawn, axis=0)),
            'taken_for': taken_for}


def mixtures(data, said):
    """What is said of windows of two loads at once."""
    results = {}
    for mixture in data.mixtures:
        its_sessions = [index for index, its in enumerate(data.sessions) if its['state'] == mixture]
        is_its = np.isin(said.all_sessions, its_sessions)
        shares = {}
        for kind, states in (('windows', said.all_said), ('stretches', said.all_stretch)):
            counted = Counter(states[is_its].tolist())
            shares[kind] = {data.states[state] if state >= 0 else 'unknown': round(number / max(is_its.sum(), 1), 4)
                            for state, number in counted.most_common()}
        stretches = 0
        for index in its_sessions:
            its = data.sessions[index]
            all_stretches = said.answers[its['round']]['stretches']
            stretches += sum(one['begin_ns'] < its['to_ns'] and one['end_ns'] > its['from_ns'] for one in all_stretches)
        results[mixture] = {'windows': int(is_its.sum()), **{f'of_{kind}': its for kind, its in shares.items()},
                            'stretches_in_a_session': round(stretches / len(its_sessions), 2)}
    return results


def changes(data, bootstrap, said):
    """Found changes against the times between sessions of a round, in which the old load ends and the new one begins.
    What lies before the first session of a round and behind the last is neither right nor wrong."""
    near = NEAR * said.length
    results = {}
    for kind in ('all', 'of_state'):
        # By session: whether the change to it was to be found and was, and false changes in it.
        true, hit, false = (np.zeros(len(data.sessions)) for _ in range(3))
        delays = []
        for number, answer in said.answers.items():
            stretches, its_sessions = answer['stretches'], data.of_round(number, known=False)
            found = [b['begin_ns'] for a, b in zip(stretches, stretches[1:])
                     if kind == 'all' or a['state'] != b['state']]
            of = lambda index: data.sessions[index]
            between = {b: (of(a)['to_ns'], of(b)['from_ns']) for a, b in zip(its_sessions, its_sessions[1:])}
            edges = of(its_sessions[0])['from_ns'] + near, of(its_sessions[-1])['to_ns'] - near
            offsets = {}
            for at in found:
                nearby = [index for index, (begin, end) in between.items() if begin - near <= at <= end + near]
                for index in nearby:
                    begin, end = between[index]
                    # Before it is negative.
                    offsets.setdefault(index, []).append(min(at - begin, 0) + max(at - end, 0))
                if not nearby and edges[0] < at < edges[1]:
                    false[max(its for its in its_sessions if of(its)['from_ns'] <= at)] += 1
            for index in between:
                true[index] = 1
                hit[index] = index in offsets
            delays += [min(its, key=abs) / said.length for its in offsets.values()]
        precision, recall = bootstrap.ratio(hit, hit + false), bootstrap.ratio(hit, true)
        of_state = {}
        for state in data.states + data.mixtures:
            is_its = np.array([its['state'] == state for its in data.sessions])
            of_state[state] = round(float(false[is_its].mean()), 2)
        results[kind] = {
            'true': int(true.sum()), 'hit': int(hit.sum()), 'false': int(false.sum()),
            'precision': figure(precision), 'recall': figure(recall),
            'f1': figure(bootstrap.ratio(2 * hit, hit + false + true)),
            'median_delay_in_windows': round(float(np.median(delays)), 3) if delays else None,
            'median_off_in_windows': round(float(np.median(np.abs(delays))), 3) if delays else None,
            'inside_a_session': figure(bootstrap.ratio(false, np.ones(len(false)))), 'inside_by_state': of_state,
        }
    return results


# --- Baselines --------------------------------------------------------------------------------------------------------


def roots(counts):
    """Roots of shares, whose Euclidean distance is that of Hellinger but for a factor. What is empty is only like
    what is empty, by a column of its own."""
    all_ = counts.sum(axis=1, keepdims=True)
    return np.hstack([np.sqrt(counts / np.maximum(all_, 1)), all_ == 0])


def lengths_of_one(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


class Fold:
    """The windows of one round, and those of the library of all others."""

    def __init__(self, data, number, length):
        self.data = data
        counts, begins = data.round_windows(number, length)
        labels = data.labels(number, begins, length)
        self.sessions = labels[labels >= 0]
        known = data.is_known[self.sessions]
        self.sessions = self.sessions[known]
        self.test, begins = counts[labels >= 0][known], begins[labels >= 0][known]
        self.learned = [index for index in np.flatnonzero(data.is_known) if data.round_of[index] != number]
        parts = [data.learned_windows(index, length) for index in self.learned]
        self.train = np.concatenate([rows for rows, _ in parts])
        # Behind the last window of each learned session.
        self.ends = np.cumsum([len(rows) for rows, _ in parts])
        self.train_labels = np.repeat(data.state_of[self.learned], [len(rows) for rows, _ in parts])
        self.train_counters = np.concatenate(
            [data.counters_of(index, its, length) for index, (_, its) in zip(self.learned, parts)])
        self.test_counters = np.zeros((len(self.test), self.train_counters.shape[1]), dtype=np.int64)
        for index in np.unique(self.sessions):
            its = self.sessions == index
            self.test_counters[its] = data.counters_of(index, begins[its], length)

    # Each gives rows for the windows learned and for those of the round.

    def rate(self):
        return [np.log(np.maximum(its.sum(axis=1, keepdims=True), 1)) for its in (self.train, self.test)]

    def group_shares(self):
        number = {name: index for index, name in enumerate(self.data.groups)}
        group_of = np.zeros((len(self.data.names), len(number)), dtype=np.int64)
        for row, name in enumerate(self.data.names):
            group_of[row, number[name.split(':', 1)[0]]] = 1
        return [roots(its @ group_of) for its in (self.train, self.test)]

    def proc_counters(self):
        # Some of them are no sums, and go down too.
        train, test = (np.sign(its) * np.log1p(np.abs(its)) for its in (self.train_counters, self.test_counters))
        mean, spread = train.mean(axis=0), train.std(axis=0)
        spread[spread == 0] = 1
        return [(train - mean) / spread, (test - mean) / spread]

    def tf_idf(self, is_learned=None):
        train = self.train if is_learned is None else self.train[is_learned]
        windows_with = (train > 0).sum(axis=0)
        idf = np.where(windows_with > 0, np.log(len(train) / np.maximum(windows_with, 1)), 0)
        return [lengths_of_one(its / np.maximum(its.sum(axis=1, keepdims=True), 1) * idf) for its in (train, self.test)]

    def all_roots(self):
        return [roots(its) for its in (self.train, self.test)]

    def to_sessions(self, train, test):
        """By window of the round the least distance to the windows of each learned session."""
        starts = np.concatenate([[0], self.ends[:-1]])
        has_windows = np.diff(np.concatenate([starts, self.ends[-1:]])) > 0
        least = np.full((len(test), len(self.ends)), np.inf)
        squares = (train**2).sum(axis=1)
        # Not all at once: there may be a hundred million distances.
        for begin in range(0, len(test), 500):
            part = test[begin:begin + 500]
            squared = (part**2).sum(axis=1, keepdims=True) + squares - 2 * part @ train.T
            nearest = np.minimum.reduceat(squared, starts[has_windows], axis=1)
            least[begin:begin + 500, has_windows] = np.sqrt(np.maximum(nearest, 0))
        return least

    def to_states(self, by_session, labels=None):
        """The least distance to each state, whose sessions have these labels."""
        labels = self.data.state_of[self.learned] if labels is None else labels
        return np.stack([by_session[:, labels == state].min(axis=1, initial=np.inf)
                         for state in range(len(self.data.states))], axis=1)

    def to_centroids(self, train, test):
        means = [train[self.train_labels == state].mean(axis=0) for state in range(len(self.data.states))]
        return np.stack([np.linalg.norm(test - mean, axis=1) for mean in means], axis=1)

    def svm(self, left_out=None):
        """By window of the round and state how much speaks for it; nothing at all for one that is left out."""
        is_learned = self.train_labels != left_out
        train, test = self.tf_idf(is_learned)
        machine = LinearSVC(dual=False, random_state=0).fit(train, self.train_labels[is_learned])
        values = np.full((len(test), len(self.data.states)), -np.inf)
        decided = machine.decision_function(test)
        # Of two states there is one value, which is for the second.
        values[:, machine.classes_] = decided if decided.ndim == 2 else np.stack([-decided, decided], axis=1)
        return values


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
    """The mean of each window's values and those of two windows on each side, of its session: so does tp-perf."""
    means = np.empty_like(values)
    for session in np.unique(sessions):
        its = np.flatnonzero(sessions == session)
        for place, window in enumerate(its):
            means[window] = values[its[max(0, place - 2):place + 3]].mean(axis=0)
    return means


def baselines(data, bootstrap, said):
    folds = [Fold(data, number, said.length) for number in data.rounds]
    sessions = np.concatenate([fold.sessions for fold in folds])
    if not np.array_equal(sessions, said.sessions):
        die('tp-perf has other windows than this script')
    own_drawn = bootstrap.macro_f1(confusions(data, said.sessions, said.distances.argmin(axis=1)))
    results, to_sessions = {}, None

    def keep(name, nearest, full, without):
        drawn = bootstrap.macro_f1(confusions(data, sessions, nearest))
        results[name] = {'macro_f1': figure(drawn), 'tp_perf_minus_it': figure(own_drawn - drawn),
                         'auroc': leave_one_state_out(data, bootstrap, sessions, full, without)}

    for name, (rows, distances) in METHODS.items():
        say(f'baseline: {name}, {said.length / SECOND:g} s')
        found = [distances(fold, *rows(fold)) for fold in folds]
        if name == OWN:
            to_sessions = found
        if distances == Fold.to_sessions:
            found = [fold.to_states(its) for fold, its in zip(folds, found)]
        alone = np.concatenate(found)
        found = with_neighbours(alone, sessions)
        keep(name, found.argmin(axis=1), found.min(axis=1), without_each(found))
        keep(f'{name}{ALONE}', alone.argmin(axis=1), alone.min(axis=1), without_each(alone))
        if name == OWN:
            results[name]['windows_that_agree_with_tp_perf'] = figure(
                bootstrap.share(sessions, found.argmin(axis=1) == said.distances.argmin(axis=1)))
    if said.length >= SVM_FROM * SECOND:
        say(f'baseline: {SVM}, {said.length / SECOND:g} s')
        full = np.concatenate([fold.svm() for fold in folds])
        without = np.stack([np.concatenate([-fold.svm(state).max(axis=1) for fold in folds])
                            for state in range(len(data.states))], axis=1)
        keep(f'{SVM}{ALONE}', full.argmax(axis=1), -full.max(axis=1), without)
        full, without = with_neighbours(full, sessions), with_neighbours(without, sessions)
        keep(SVM, full.argmax(axis=1), -full.max(axis=1), without)
    return results, folds, to_sessions


def controls(data, folds, to_sessions):
    """What must come out by chance alone, if the method sees nothing that it should not see."""
    chance = np.random.default_rng(2)
    shuffled = []
    for fold, by_session in zip(folds, to_sessions):
        for _ in range(SHUFFLES):
            states = fold.to_states(by_session, chance.permutation(data.state_of[fold.learned]))
            shuffled.append(float((states.argmin(axis=1) == data.state_of[fold.sessions]).mean()))
    results = {'shuffled': {'expected': round(1 / len(data.states), 4), 'mean': round(float(np.mean(shuffled)), 4),
                            'least': round(min(shuffled), 4), 'most': round(max(shuffled), 4)}}
    if 'idle' not in data.states:
        return results
    idle, halves = data.states.index('idle'), []
    for _ in range(SPLITS):
        right = windows = 0
        for fold, by_session in zip(folds, to_sessions):
            is_idle = data.state_of[fold.learned] == idle
            its = by_session[np.ix_(data.state_of[fold.sessions] == idle, is_idle)]
            if its.shape[1] < 2 or not len(its):
                continue
            is_a = chance.permutation(its.shape[1]) < its.shape[1] // 2
            says_a = its[:, is_a].min(axis=1) < its[:, ~is_a].min(axis=1)
            # A round has one idle session: one coin for it.
            right += int((says_a == chance.integers(2)).sum())
            windows += len(its)
        halves.append(right / max(windows, 1))
    low, high = np.percentile(halves, [2.5, 97.5])
    results['idle_against_idle'] = {'expected': 0.5, 'splits': SPLITS, 'mean': round(float(np.mean(halves)), 4),
                                    'low': round(float(low), 4), 'high': round(float(high), 4)}
    return results


# --- check ------------------------------------------------------------------------------------------------------------


def checks(data, asked):
    number = {name: index for index, name in enumerate(data.states)}
    state_of = {its['name']: its['state'] for its in data.sessions}
    alarms, runs = (np.zeros((len(number), len(number)), dtype=int) for _ in range(2))
    false = []
    for round_ in data.rounds:
        for answer in asked.check(round_):
            own = state_of[answer['session']]
            place = number[own], number[answer['against']]
            runs[place] += 1
            alarms[place] += answer['alarm']
            if answer['alarm'] and own == answer['against']:
                false.append({'session': answer['session'], 'findings': answer['findings']})
    hours = sum((last - first) * data.width for index, (first, last) in enumerate(data.spans) if data.is_known[index])
    hours /= 3600 * SECOND
    # At most so many are expected where so few were seen, at 95 %.
    most = chi2.ppf(0.95, 2 * (len(false) + 1)) / 2
    others = ~np.eye(len(number), dtype=bool)
    return {
        'hours': round(hours, 4), 'sessions': int(runs.trace()), 'false_alarms': len(false),
        'per_day': round(len(false) / hours * 24, 3), 'per_day_at_most': round(most / hours * 24, 3),
        'others_with_alarm': round(float(alarms[others].sum() / max(runs[others].sum(), 1)), 5),
        'alarms': alarms.tolist(), 'runs': runs.tolist(),
        'false_by_kind': dict(Counter(finding['kind'] for its in false for finding in its['findings'])),
        'false': false,
    }


def watched_quiet(tool, scratch):
    """False alarms of `check` on a machine that nobody touched: some of its minutes are learned from, in turn, and all others are
    checked. Findings of the same time are one alarm."""
    sessions = [read_zipped(file) for file in sorted(QUIET.glob('*.json.gz'))]
    if not sessions:
        return None
    if any(session['window'] != {'ns': SECOND} for session in sessions):
        die(f'{QUIET} has other windows than of a second')
    told = [{'way': f'{size} {way}', 'folds': len(folds), **quiet_way(tool, scratch, sessions, folds)}
            for size in QUIET_LEARNED for way, folds in zip(QUIET_WAYS, quiet_folds(sessions, size)) if folds]
    return {'recordings': [{'minutes': session['windows'] // 60, 'kernel': session['origin']['kernel'],
                            'started': session['origin']['started'][:19],
                            'events': sum(map(sum, session['counts'].values()))} for session in sessions], 'ways': told}


def quiet_folds(sessions, size):
    """For each way the folds: from which session so many minutes are learned, which, and which session is checked."""
    in_a_row, all_over, earlier = [], [], []
    for number, session in enumerate(sessions):
        minutes = session['windows'] // 60
        apart = minutes // size
        in_a_row += [(number, list(range(first, first + size)), number) for first in range(0, minutes - size + 1, size)]
        for first in range(apart):
            learned = list(range(first, first + apart * size, apart))
            all_over.append((number, learned, number))
            earlier += [(number, learned, later) for later in range(number + 1, len(sessions))]
    return in_a_row, all_over, earlier


def quiet_way(tool, scratch, sessions, folds):
    """Of each fold these minutes of one session are learned from, and what is not among them is checked of another or the same."""
    rows = {allowed: {'allowed_per_day': allowed, 'alarms': [], 'seconds': 0} for allowed in QUIET_ALLOWED}
    for number, learned, checked in folds:
        library = scratch / 'quiet'
        shutil.rmtree(library, ignore_errors=True)
        (library / 'quiet').mkdir(parents=True)
        for minute in learned:
            part = cut(sessions[number], minute * 60, minute * 60 + 60)
            (library / 'quiet' / f'minute-{minute:03}.json').write_text(json.dumps(part))
        source = sessions[checked]
        known = [] if checked != number else learned
        ends = [*known, source['windows'] // 60]
        for after, before in zip([-1, *known], ends):
            first, last = (after + 1) * 60, before * 60
            if first >= last:
                continue
            file = scratch / 'quiet.json'
            file.write_text(json.dumps(cut(source, first, last)))
            for allowed, row in rows.items():
                done = run([tool, 'check', '--against', 'quiet', file, '--library', library, '--window', '1s',
                            '--false-alarms', allowed, '--format', 'json'], allowed=(0, 3))
                row['seconds'] += last - first
                row['alarms'] += [{'learned': [number, *learned], 'checked': checked, **its}
                                  for its in episodes(json.loads(done.stdout)['check']['findings'], first)]
    minutes = sum(sessions[checked]['windows'] // 60 for checked in {checked for _, _, checked in folds})
    for row in rows.values():
        # What several folds alarm of is one thing that happened.
        of = [[{**its, 'kind': '', 'tracepoint': ''} for its in row['alarms'] if its['checked'] == checked]
              for checked in range(len(sessions))]
        row['distinct'] = sum(len(episodes(alarms, 0)) for alarms in of)
    return {'minutes': minutes, 'rows': list(rows.values())}


def episodes(findings, first):
    """Findings whose times overlap are one; times are in windows of the whole."""
    found = []
    for finding in sorted(findings, key=lambda its: its['from']):
        if not found or finding['from'] >= found[-1]['to']:
            found.append({'from': finding['from'], 'to': finding['to'], 'of': []})
        found[-1]['to'] = max(found[-1]['to'], finding['to'])
        found[-1]['of'].append(f"{finding['kind']} {finding['tracepoint'] or ''}".strip())
    for its in found:
        its['from'], its['to'] = its['from'] + first, its['to'] + first
    return found


# --- What is written --------------------------------------------------------------------------------------------------


def shown(its, percent=False):
    if its['value'] is None:
        return '–'
    one = (lambda value: f'{100 * value:.1f}') if percent else (lambda value: f'{value:.3f}')
    if its['low'] is None:
        return one(its['value'])
    return f'{one(its["value"])} [{one(its["low"])}, {one(its["high"])}]'


def table(head, rows):
    lines = ['| ' + ' | '.join(map(str, row)) + ' |' for row in [head, ['---'] * len(head), *rows]]
    return '\n' + '\n'.join(lines) + '\n'


def targets(results):
    """Each with what was measured, and whether it was reached."""
    usual = results['windows'][f'{USUAL:g}']
    nearest, unknown = usual['known']['nearest']['macro_f1'], usual['unknown_states']
    others = {name: its for name, its in usual['baselines'].items() if not name.startswith(OWN)}
    best = max(others, key=lambda name: others[name]['macro_f1']['value'])
    best_f1, difference = others[best]['macro_f1'], others[best]['tp_perf_minus_it']
    distance, p = (unknown[score]['mean'] for score in ('distance', 'p'))
    level = usual['nominal'][str(ALPHA)]['windows']
    change = usual['changes']['all']['f1']
    verdict = lambda reached: 'reached' if reached else 'missed'
    rows = [
        ['Macro-F1 of known states ≥ 0.98', shown(nearest), verdict(nearest['value'] >= 0.98)],
        ['… and above every baseline',
         f'the best is {best} with {shown(best_f1)}; tp-perf minus it {shown(difference)}',
         'reached' if difference['low'] > 0 else 'not told apart' if difference['high'] >= 0 else 'missed'],
        ['AUROC of unknown states ≥ 0.95, by distance', f'{shown(distance)}; by p-value {shown(p)}',
         verdict(distance['value'] >= 0.95)],
        ['False unknown within 2 points of 5 %', f'{shown(level["false_unknown"], True)} %',
         verdict(abs(level['false_unknown']['value'] - ALPHA) <= 0.02)
         + (', but to the safe side' if level['false_unknown']['value'] < ALPHA - 0.02 else '')],
        ['… and the own state rejected within 2 points of 5 %', f'{shown(level["own_rejected"], True)} %',
         verdict(abs(level['own_rejected']['value'] - ALPHA) <= 0.02)],
        [f'F1 of changes, at ±{NEAR} windows, ≥ 0.9', shown(change), verdict(change['value'] >= 0.9)],
    ]
    check = results['check']
    if check is None:
        rows.append(['check: at most 1 false alarm a day', 'not measured: this tp-perf has no `check`', 'missed'])
    else:
        measured = (f'{check["false_alarms"]} of {check["sessions"]} sessions in {60 * check["hours"]:.0f} minutes: '
                    f'{check["per_day"]:.1f} a day, at most {check["per_day_at_most"]:.0f} (95 %)')
        reached = verdict(check['per_day'] <= 1)
        if reached == 'reached' and check['per_day_at_most'] > 1:
            reached += ' as far as was watched, which is too short to show it'
        rows.append(['check: at most 1 false alarm a day', measured, reached])
    for way in (results['quiet'] or {'ways': []})['ways']:
        row = way['rows'][0]
        hours, number = row['seconds'] / 3600, len(row['alarms'])
        # As if each minute had been checked once.
        most = chi2.ppf(0.95, 2 * (row['distinct'] + 1)) / 2 / (way['minutes'] / 60) * 24
        reached = verdict(number / hours * 24 <= 1)
        if reached == 'reached' and most > 1:
            reached += ' as far as was watched, which is too short to show it'
        rows.append([f'… on a machine that nobody touched, learned from {way["way"]}',
                     f'{number} in {hours:.1f} hours of checks of {way["minutes"]} minutes: {number / hours * 24:.1f} a day, at most '
                     f'{most:.0f} (95 %, by the minutes)', reached])
    return rows


def describe(results):
    """RESULTS.md."""
    facts, states = results['facts'], results['states']
    by_length = results['windows']
    usual = by_length[f'{USUAL:g}']
    mixed = ', '.join(results['mixtures']) or 'none'
    packages = ', '.join(f'{name} {version}' for name, version in facts['packages'].items())
    failures = '; '.join(facts['failures']) or 'none'
    remarks = remarks_in(COUNTS)
    remarks += remarks and '\n'
    parts = [f'''# States: how often tp-perf is right

Written by `{results['command']}` from `experiments/states/counts`, with all figures in [results.json](results.json).
Do not edit. The method is in [docs/states.md](../../docs/states.md).

## What was done

- Linux {facts['kernel']} on {facts['cpus']} CPUs; recorded by {facts['tp_perf']}, evaluated by {results['tp_perf']};
  kernel sources: {facts['source']}.
- {packages}.
- {results['sessions']} sessions of {facts['seconds']:g} s: {len(states)} states, each once in each of
  {results['rounds']} rounds, and mixtures of two loads among them ({mixed}), which are never learned. In each round
  the states are in random order (seed {facts['seed']}). Each load is started anew for each session, runs for
  {results['warm_up']:.1f} s before it (median), and is stopped after it; from the end of a session to the start of the
  next load there are {results['between']:.1f} s. Sessions that failed: {failures}.
- **One capture** of {results['minutes']:.0f} minutes was cut into sessions and windows: attaching to all tracepoints
  takes a minute.
- **The loads and what asks them run on the machine that is recorded**, and are part of what is seen: `apache` is a
  server *and* `ab`. tp-perf and a reader of /proc (ten times a second) run too, in every state.
- All is one machine on one day. Nothing here says how well a library does on another machine or kernel.
- Each round is held against a library of all *other* rounds, so that no window is compared with its own session.
  Windows that are wholly in a session have its state as truth; those between sessions count for changes only.
- In brackets: 95 % intervals of a bootstrap over sessions, drawn within each state ({DRAWS} drawings). The same
  {results['rounds']} sessions of a state are behind all windows of it: intervals are wide where sessions differ, and
  where all are the same the interval says only that.
- {results['tracepoints']} tracepoints were hit; {results['events']:,} events are in the sessions, and
  {results['lost']:,} samples were lost in them.

{remarks}## The targets

With windows of {USUAL:g} s.
''', table(['target', 'measured', ''], targets(results))]

    parts += ['\n## The states\n', table(
        ['state', 'what runs', 'sessions', 'events a second (median)', 'F1 (nearest)', 'changes inside a session'],
        [[name, LOADS.get(name, ''), its['sessions'], f'{its["rate"]:,.0f}',
          shown(usual['known']['nearest']['f1'][name]), usual['changes']['all']['inside_by_state'][name]]
         for name, its in states.items()])]

    parts += ['''
## By length of the windows

*Nearest* says the state with the least distance, *largest p* the one with the largest p-value (both always say one).
*With unknown* is what `identify` says of a window, *stretches* what it says of the stretch that the window is in:
there unknown is wrong. F1 is the mean over states.
''', table(
        ['windows', 'number', 'F1 nearest', 'F1 largest p', 'F1 with unknown', 'unknown, %', 'F1 stretches',
         'unknown, %'],
        [[f'{length} s', its['number'], *(shown(its['known'][kind]['macro_f1']) for kind in ('nearest', 'largest_p')),
          *(text for kind in ('with_unknown', 'stretches')
            for text in (shown(its['known'][kind]['macro_f1']), shown(its['known'][kind]['unknown'], True)))]
         for length, its in by_length.items()])]

    names = list(states)
    for kind, title in (('nearest', 'Windows by nearest state'), ('with_unknown', 'Windows by what is said of them')):
        confusion = usual['known'][kind]['confusion']
        columns = names + ['unknown'] * (kind == 'with_unknown')
        parts += [f'\n**{title}**, {USUAL:g} s; a row is what was so, a column what is said:\n', table(
            ['', *columns],
            [[f'**{name}**', *(its or '·' for its in row[:len(columns)])] for name, row in zip(names, confusion)])]

    parts += ['''
## Nominal and observed

At a level α a window's own state should be rejected in a part α of windows. It is *false unknown* if all states are
rejected. With sessions as the unit (`p_sessions`) nothing is decided; that p-value cannot be lower than one part in
one more than there are sessions. In percent.
''', table(
        ['windows', 'α', 'own state rejected', 'false unknown', 'own rejected, by sessions',
         'false unknown, by sessions'],
        [[f'{length} s', f'{100 * float(alpha):g}',
          *(shown(level[unit][what], True) for unit in ('windows', 'sessions')
            for what in ('own_rejected', 'false_unknown'))]
         for length, its in by_length.items() for alpha, level in its['nominal'].items()])]

    unknown = usual['unknown_states']
    parts += [f'''
## Unknown states

One state at a time is taken out of the library. AUROC: how often a window of it scores higher than *the same windows*
score when it is known; *against others*: than windows of the other states in the same library, which is harder,
because one limit must do for all. The score is the least distance, or minus the largest p-value. *Detected*: all
remaining states are rejected at {100 * ALPHA:g} %. *Taken for*: windows that are not, by the nearest state that is
not rejected. Windows of {USUAL:g} s.
''', table(
        ['state not known', 'AUROC, distance', 'AUROC, p', 'against others, distance', 'against others, p',
         'detected, %', 'taken for'],
        [[name, *(shown(unknown[score][key][name]) for key in ('by_state', 'against_others_by_state')
                  for score in ('distance', 'p')), shown(unknown['detected'][name], True),
          ', '.join(f'{other} {windows}' for other, windows in unknown['taken_for'][name].items()) or '–']
         for name in names]),
        '\nMeans over the states:\n', table(
        ['windows', 'AUROC, distance', 'AUROC, p', 'against others, distance', 'against others, p', 'detected, %'],
        [[f'{length} s', *(shown(its['unknown_states'][score][key]) for key in ('mean', 'against_others_mean')
                           for score in ('distance', 'p')), shown(its['unknown_states']['detected_mean'], True)]
         for length, its in by_length.items()])]

    if usual['mixtures']:
        said = lambda shares: ', '.join(f'{name} {100 * share:.0f} %' for name, share in shares.items())
        parts += ['''
## Mixtures

Two loads at once, which no session of the library has. There is no right answer: what is said of their windows, and
of the stretches that these are in.
''', table(
            ['mixture', 'windows', 'said of windows', 'said of stretches', 'stretches in a session'],
            [[f'{name}, {length} s', its['windows'], said(its['of_windows']), said(its['of_stretches']),
              its['stretches_in_a_session']]
             for length in by_length for name, its in by_length[length]['mixtures'].items()])]

    parts += [f'''
## Changes

Between two sessions of a round the machine changes, from the end of the one to the begin of the other (some seconds,
in which the old load stops, nothing runs, and the new one warms up). A change that is found within ±{NEAR} windows of
that time finds it; several count as one. All others are false, also where a load really changes, as a build does with
its phases. *Of state*: only changes at which the state that is said changes. Delay: of the nearest found change from
the nearest end of that time, negative before it, in windows.
''', table(
        ['windows', 'changes', 'true', 'found', 'false', 'precision', 'recall', 'F1', 'delay (median)', 'off (median)',
         'inside a session'],
        [[f'{length} s', 'all' if kind == 'all' else 'of state', its['true'], its['hit'], its['false'],
          *(shown(its[what]) for what in ('precision', 'recall', 'f1')), brief(its['median_delay_in_windows']),
          brief(its['median_off_in_windows']), shown(its['inside_a_session'])]
         for length, whole in by_length.items() for kind, its in whole['changes'].items()])]

    agree = 100 * usual['baselines'][OWN]['windows_that_agree_with_tp_perf']['value']
    own_f1 = [its['macro_f1']['value'] for its in (usual['known']['nearest'], usual['baselines'][OWN])]
    same = 'the same' if own_f1[0] == own_f1[1] else f'{own_f1[1]} where tp-perf has {own_f1[0]}'
    parts += [f'''
## Baselines

On the same windows with the same libraries: the nearest learned window says the state, if nothing else is said. As
tp-perf does, each method takes the mean over a window and two neighbours on each side; *each window alone* is without
them. *tp-perf (numpy)* is tp-perf's method computed again by this script, as a check: its macro-F1 is {same}, and
{agree:.2f} % of the windows have the same nearest state (at the ends of a session tp-perf has neighbours that are not
scored here, and where something changes within a session it takes none from behind the change). *Total rate*: the logarithm of all events. *Group shares*:
of tracepoint groups instead of tracepoints. */proc counters*: by how much those of /proc/vmstat and /proc/stat grew
in the window, logarithms, standardised, Euclidean. *tf-idf*: shares times the logarithm of how rare a tracepoint is,
as Fmeter (Marian et al. 2012) has it. AUROC as above, by the least distance; the SVM is trained anew without the
state, and its score is minus the largest decision value (the others' scaling and idf are of all learned windows).
''', table(
        ['windows', 'method', 'macro-F1', 'tp-perf minus it', 'AUROC', 'AUROC against others'],
        [row for length, whole in by_length.items() if whole['baselines'] for row in [
            [f'{length} s', '**tp-perf**', shown(whole['known']['nearest']['macro_f1']), '',
             *(shown(whole['unknown_states']['distance'][key]) for key in ('mean', 'against_others_mean'))],
            *([f'{length} s', name, shown(its['macro_f1']), shown(its['tp_perf_minus_it']), shown(its['auroc']['mean']),
               shown(its['auroc']['against_others_mean'])] for name, its in whole['baselines'].items())]])]

    control = results['controls']
    rows = [['labels of the learned sessions shuffled', control['shuffled']['expected'], control['shuffled']['mean'],
             f'{control["shuffled"]["least"]} to {control["shuffled"]["most"]}, {SHUFFLES} times in each round']]
    if idle := control.get('idle_against_idle'):
        rows.append(['idle against idle: learned idle sessions split at random into two states', idle['expected'],
                     idle['mean'], f'95 % of {idle["splits"]} splits: {idle["low"]} to {idle["high"]}'])
    parts += [f'\n## Controls\n\nWhat must be no better than chance: accuracy by the nearest window of {USUAL:g} s.\n',
              table(['control', 'expected', 'measured', ''], rows)]

    parts.append('\n## check\n')
    check = results['check']
    if check is None:
        return ''.join(parts) + '\nThis tp-perf has no `check`: it was not measured.\n'
    others = 100 * check['others_with_alarm']
    parts += [f'''
Each session against its own state and against each other, windows of 1 s, by a library of all other rounds. Sessions
with an alarm, of those held against the state; a row is what was so. Against its own state an alarm is false:
{check['false_alarms']} of {check['sessions']}, which is {check['per_day']:.1f} a day of watching, and at most
{check['per_day_at_most']:.0f} (95 %, Poisson; {check['hours']:.2f} hours were watched). Against other states
{others:.1f} % have an alarm.
''', table(['', *names], [[f'**{name}**', *(f'{alarm}/{of}' for alarm, of in zip(*both))]
                          for name, both in zip(names, zip(check['alarms'], check['runs']))])]
    if check['false']:
        kinds = ', '.join(f'{kind} {number}' for kind, number in check['false_by_kind'].items())
        parts += [f'\nFindings of the false alarms by kind: {kinds}. The first five of each:\n', table(
            ['session', 'kind', 'tracepoint', 'windows', 'here', 'learned: least, mean, most', 'p'],
            [[its['session'], finding['kind'], finding.get('tracepoint') or '–',
              f'{finding["from"]}–{finding["to"]}' if 'from' in finding else '–', brief(finding.get('here')),
              ', '.join(map(brief, finding.get('learned') or [])) or '–', brief(finding.get('p'))]
             for its in check['false'] for finding in its['findings'][:5]])]
    if quiet := results['quiet']:
        remarks_on_quiet = remarks_in(QUIET)
        recorded = '; '.join(f"{its['minutes']} minutes from {its['started']} on ({its['events']:,} events)"
                             for its in quiet['recordings'])
        parts += [f'''
### A machine that nobody touched

Windows of 1 s, recorded by `record --quiet` with nobody and nothing at work but the system itself:
{recorded}.
Some minutes are learned from, each as a session, and all others are checked, what is in a row as one source; again and again
with other minutes. These folds share what they check, and are no independent trials. *Allowed* is what `--false-alarms` allows in the time
checked, *seen* are the alarms; findings of the same time are one.

{remarks_on_quiet}''', table(['learned from', 'folds', '`--false-alarms`', 'hours checked', 'allowed', 'seen', 'of different times', 'seen, a day'], [
            [way['way'], way['folds'], f"{row['allowed_per_day']:,}", f"{row['seconds'] / 3600:.2f}",
             f"{row['allowed_per_day'] * row['seconds'] / 86400:.2f}", len(row['alarms']), row['distinct'],
             f"{len(row['alarms']) / row['seconds'] * 86400:.1f}"] for way in quiet['ways'] for row in way['rows']])]
        for way in quiet['ways']:
            told = next((row for row in way['rows'] if row['alarms']), None)
            if told:
                parts += [f"\nLearned from {way['way']}, those with {told['allowed_per_day']:,} allowed, at most ten:\n", table(
                    ['minutes', 'seconds', 'findings'],
                    [[', '.join(map(str, its['learned'][1:])), f"{its['from']}–{its['to']}", ', '.join(its['of'][:6])]
                     for its in told['alarms'][:10]])]
    return ''.join(parts)


def remarks_in(folder):
    """What whoever recorded it has to tell."""
    file = folder / 'remarks.md'
    return file.read_text() if file.exists() else ''


def brief(value):
    return '–' if value is None else f'{value:.3g}'


def compact(document, depth=0):
    """JSON with what is small on one line."""
    flat = json.dumps(document, ensure_ascii=False)
    if len(flat) + depth <= 118 or not isinstance(document, (dict, list)) or not document:
        return flat
    inner, outer = ' ' * (depth + 1), ' ' * depth
    if isinstance(document, dict):
        items = [f'{json.dumps(key, ensure_ascii=False)}: {compact(its, depth + 1)}' for key, its in document.items()]
        ends = '{}'
    else:
        items, ends = [compact(its, depth + 1) for its in document], '[]'
    return ends[0] + '\n' + ',\n'.join(inner + its for its in items) + '\n' + outer + ends[1]


# --- All of it --------------------------------------------------------------------------------------------------------


def evaluate(data, asked, lengths, command):
    bootstrap = Bootstrap(data)
    rates = {state: [] for state in data.states}
    events = lost = 0
    for index, (its, (first, last)) in enumerate(zip(data.sessions, data.spans)):
        rows = data.counts[its['round']][first:last]
        events, lost = events + int(rows.sum()), lost + int(data.lost[its['round']][first:last].sum())
        if data.is_known[index]:
            rates[its['state']] += data.learned_windows(index, SECOND)[0].sum(axis=1).tolist()
    warm_up = [(its['from_ns'] - its['started_ns']) / SECOND for its in data.sessions]
    between = [(b['started_ns'] - a['to_ns']) / SECOND for a, b in zip(data.sessions, data.sessions[1:])]
    captured = max(its['stopped_ns'] for its in data.sessions) - min(its['started_ns'] for its in data.sessions)
    results = {
        'command': command, 'tp_perf': asked.version,
        'facts': {key: value for key, value in data.facts.items() if key != 'sessions'},
        'sessions': len(data.sessions), 'rounds': len(data.rounds), 'minutes': captured / SECOND / 60,
        'warm_up': float(np.median(warm_up)), 'between': float(np.median(between)),
        'tracepoints': len(data.names), 'events': events, 'lost': lost,
        'states': {name: {'sessions': int((data.state_of == index).sum()),
                          'rate': float(np.median(rates[name])) if rates[name] else 0.0}
                   for index, name in enumerate(data.states)},
        'mixtures': data.mixtures, 'windows': {},
    }
    for seconds in lengths:
        said = Said(data, asked, round(seconds * SECOND))
        say(f'windows of {seconds:g} s: {len(said.sessions)} in sessions of known states')
        its = results['windows'][f'{seconds:g}'] = {
            'number': len(said.sessions), 'known': known_states(data, bootstrap, said),
            'nominal': nominal(data, bootstrap, said), 'unknown_states': unknown_states(data, bootstrap, said),
            'mixtures': mixtures(data, said), 'changes': changes(data, bootstrap, said), 'baselines': None,
        }
        if seconds in BASELINES_AT:
            its['baselines'], folds, to_sessions = baselines(data, bootstrap, said)
            if seconds == USUAL:
                results['controls'] = controls(data, folds, to_sessions)
    if not asked.can_check():
        say('this tp-perf has no `check`: left out')
        results['check'] = None
    else:
        results['check'] = checks(data, asked)
    results['quiet'] = watched_quiet(asked.tool, asked.scratch)
    return results


def parse_windows(text):
    lengths = sorted({float(word) for word in text.split(',')} | {USUAL})
    if any(not math.isclose(length * 10, round(length * 10)) or length < 0.1 for length in lengths):
        raise argparse.ArgumentTypeError('windows are multiples of 0.1 s')
    return lengths


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--work', type=Path, default=Path('/tmp/tp-perf-states'),
                        help='the folder that `record` has made; it keeps what tp-perf said too')
    parser.add_argument('--tp-perf', metavar='FILE', type=Path, default=ROOT / 'target/release/tp-perf')
    parser.add_argument('--windows', metavar='SECONDS,…', type=parse_windows, default=parse_windows(WINDOWS),
                        help=f'their lengths, of which {USUAL:g} is always one (default: {WINDOWS})')
    parser.add_argument('--fast', action='store_true', help=f'only windows of {USUAL:g} s')
    arguments = parser.parse_args()
    work, tool = arguments.work, arguments.tp_perf.resolve()
    lengths = [USUAL] if arguments.fast else arguments.windows
    if subprocess.run([str(tool), 'identify', '--help'], stdin=subprocess.DEVNULL, capture_output=True).returncode:
        die(f'{tool} has no `identify`')
    recorded, counted = work / 'sessions.json', COUNTS / 'sessions.json'
    if (work / 'recording').exists() and recorded.exists():
        if not counted.exists() or counted.read_bytes() != recorded.read_bytes():
            collect(work, tool)
    watched = sorted((work / 'quiet' / 'quiet').glob('*.json'))
    for file in watched:
        QUIET.mkdir(exist_ok=True)
        if not (kept := QUIET / f'{file.stem}.json.gz').exists():
            write_zipped(kept, json.loads(file.read_text()))
    command = 'experiments/states/evaluate'
    if lengths != parse_windows(WINDOWS):
        command += ' --fast' if lengths == [USUAL] else ' --windows ' + ','.join(f'{its:g}' for its in lengths)
    say('reading what was counted')
    data = Data()
    with tempfile.TemporaryDirectory(prefix='tp-perf-evaluate-') as scratch:
        asked = Asked(data, tool, work / 'cache', Path(scratch))
        results = evaluate(data, asked, lengths, command)
    results['targets'] = targets(results)
    (FOLDER / 'results.json').write_text(compact(results) + '\n')
    (FOLDER / 'RESULTS.md').write_text(describe(results))
    for target, measured, verdict in results['targets']:
        say(f'{verdict}: {target}: {measured}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
