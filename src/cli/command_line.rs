//! tp-perf's own command line.

/// The arguments of tp-perf itself.
pub(crate) fn own_arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}
