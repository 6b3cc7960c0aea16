"""What the experiments of tp-perf share. Scripts beside this package parse arguments and call it."""
