//! What the user can do about an error.

use crate::{capture, engine, overhead, state, tracefs};

/// What a newcomer can do where nothing can be traced.
const WITHOUT_TRACING: &str = "`tp-perf doctor` tells all that a capture needs; without any of it, `tp-perf replay --example` \
                               shows on a recording that is built in what tp-perf does";

/// What a newcomer can do where nothing can be traced, if that is why tp-perf failed.
pub(super) fn advice(error: &anyhow::Error) -> Option<&'static str> {
    let capture = if let Some(error) = error.downcast_ref::<capture::Error>() {
        error
    } else if let Some(overhead::Error::Capture(error)) = error.downcast_ref() {
        error
    } else if let Some(state::Error::Capture(error)) = error.downcast_ref() {
        error
    } else {
        return None;
    };
    cannot_trace(capture).then_some(WITHOUT_TRACING)
}

/// Whether a capture failed because this machine, or this user's rights on it, allow none.
fn cannot_trace(error: &capture::Error) -> bool {
    matches!(
        error,
        capture::Error::Tracefs(
            tracefs::Error::Read { .. } | tracefs::Error::Mount { .. } | tracefs::Error::NoTracepoints(_)
        ) | capture::Error::Perf(
            engine::Error::NotPermitted | engine::Error::AllRefused { .. } | engine::Error::Leader { .. }
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_is_advised_where_nothing_can_be_traced() {
        let refused = || capture::Error::Perf(engine::Error::NotPermitted);
        let failures: [anyhow::Error; 3] =
            [refused().into(), overhead::Error::Capture(refused()).into(), state::Error::Capture(refused()).into()];
        assert!(failures.iter().all(|failure| advice(failure) == Some(WITHOUT_TRACING)));
        assert_eq!(advice(&capture::Error::Perf(engine::Error::Interrupted).into()), None);
        assert_eq!(advice(&anyhow::anyhow!("anything else")), None);
    }
}
