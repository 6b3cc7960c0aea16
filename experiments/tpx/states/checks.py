"""The alarms of `check` without --follow, for each session of a round and each state."""

from collections import Counter

from tpx.progress import say


def checks(dataset, tool, files):
    """Each session is checked against its own state and against every other one."""
    say('checking each session against each state')

    def of_round(number):
        sources = [its for its in dataset.of_round(number) if its.is_plain]
        paths = [files.of(its) for its in sources]
        learned = [(its.state, files.of(its)) for its in dataset.plain if its.round != number]
        with files.library(learned) as library:
            return [
                (session, against, answer['check'])
                for against in dataset.states
                for session, answer in zip(
                    sources, tool.check(library, against, paths), strict=True
                )
            ]

    runs, alarms, false = Counter(), Counter(), []
    for answers in tool.each(of_round, dataset.rounds):
        for session, against, check in answers:
            is_own = session.state == against
            runs[is_own] += 1
            alarms[is_own] += check['alarm']
            if is_own and check['alarm']:
                false.append(f'{session.name}: {check["headline"]}')
    return {
        'own': {'alarms': alarms[True], 'of': runs[True]},
        'others': {'alarms': alarms[False], 'of': runs[False]},
        'false': false,
    }
