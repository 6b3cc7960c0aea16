"""Plans the order in which states are recorded."""

from tpx.states.workloads import MIXTURES, STATES


def schedule(rounds, repeats, chance, states=STATES, mixtures=MIXTURES):
    """Pairs of a round (starting at 1) and a state.

    Each round has every state once, in random order, with mixtures among them. Each mixture comes
    `repeats` times in all.
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
