//! Wrong usage that clap does not detect by itself.

use clap::error::ErrorKind;

/// An error that ends tp-perf with code 2 and this message.
pub(super) fn usage(message: String) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, message)
}
