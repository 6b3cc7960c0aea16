"""What the experiments of tp-perf share. The scripts parse arguments and call it."""
