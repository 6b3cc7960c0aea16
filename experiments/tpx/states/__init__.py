"""Known states of a machine: producing and recording them, and measuring tp-perf on them."""

SECOND = 10**9
