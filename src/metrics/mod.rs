//! Metrics: the sums of a count, for Prometheus.
