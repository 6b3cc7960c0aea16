"""Which state is recorded when."""

from tpx.states.workloads import MIXTURES, STATES


def schedule(rounds, repeats, chance, states=STATES, mixtures=MIXTURES):
    """Pairs of a round, from 1 on, and a state.

    In each round every state comes once, in random order, with mixtures among them. All in all each
    mixture comes so often as `repeats` says.
    """
    all_mixtures = [mixture for mixture in mixtures for _ in range(repeats)]
    chance.shuffle(all_mixtures)
    plan = []
    for number in range(1, rounds + 1):
        order = list(states)
        chance.shuffle(order)
        first, last = ((number - before) * len(all_mixtures) // rounds for before in (1, 0))
        for mixture in all_mixtures[first:last]:
            order.insert(chance.randint(0, len(order)), mixture)
        plan += [(number, state) for state in order]
    return plan
