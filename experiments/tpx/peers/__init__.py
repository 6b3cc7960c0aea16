"""tp-perf and its peers: how each one records, the measurements, and the tables."""

RING_KB = 8192
EVENTS = 100_000
