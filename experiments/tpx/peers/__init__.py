"""tp-perf beside its peers: how each records, what is measured of each, and the tables."""

RING_KB = 8192
EVENTS = 100_000
