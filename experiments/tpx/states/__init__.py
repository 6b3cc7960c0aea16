"""Known states of a machine: how they are made and recorded, and how often tp-perf is right."""

SECOND = 10**9
