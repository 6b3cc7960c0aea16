"""The shared code of the experiments of tp-perf. The scripts parse arguments and call it."""
