"""Makes RESULTS.md of the thesis's situations."""

from tpx.thesis.facts import SITUATIONS, THESIS, TITLES
from tpx.thesis.mix_up import mix_up
from tpx.thesis.recordings import Experiment
from tpx.thesis.sections import figures, how, length, machine, named, one_run, tops
from tpx.thesis.verdicts import verdicts


def report(folder):
    """The text of the page, from the recordings in a folder."""
    experiment = Experiment(folder)
    parts = [
        head(experiment),
        section('Machine', machine(experiment)),
        section('Method', how(experiment)),
        section('Figures', figures(experiment)),
        *(situation(experiment, key) for key in SITUATIONS),
        section("The thesis's tracepoints on this kernel", named(experiment)),
        section('A mix-up in the thesis?', mix_up(experiment)),
        verdicts(experiment),
    ]
    return '\n'.join(parts)


def section(title, text):
    return f'## {title}\n\n{text}'


def head(experiment):
    date, repeats = experiment.facts['date'], experiment.facts['repeats']
    return f"""# Experiments: the thesis's three situations on this machine

Made on {date} with `experiments/run.py --repeats {repeats}`. Every number is computed from the recordings.
Reasons that were not measured are marked *Conjecture*. [report.html](report.html) and [plots](plots) show {length(experiment.long[0])} of each situation.
"""


def situation(experiment, key):
    text = tops(experiment.captures[key], THESIS[key])
    if key == 'apache':
        text += '\n' + one_run(experiment.windows, THESIS[key])
    return section(TITLES[key], text)
