//! Sessions that show nothing new, because another session has the same windows.

use super::model::LEAST_WINDOWS;
use super::session::Session;

impl Session {
    /// Whether all its counts are those of another session. Silence is no sign of that.
    pub(super) fn is_copy_of(&self, other: &Session) -> bool {
        self.windows >= LEAST_WINDOWS && self.counts == other.counts && self.events() > 0
    }

    /// Whether it shows nothing that another session does not show: it has the same counts, or overlaps it in time. Sessions
    /// without times do not show that they overlap.
    pub(super) fn repeats(&self, other: &Session) -> bool {
        self.is_copy_of(other) || (self.origin.started.is_some() && self.is_of_the_time_of(other))
    }
}

#[cfg(test)]
mod tests {
    use crate::state::testing::session;

    #[test]
    fn silent_sessions_are_no_copies_and_sessions_without_times_do_not_overlap() {
        let busy = session(&[("a:x", &[5, 5, 6, 7, 9])], &[]);
        let silent = session(&[("a:x", &[0; 5])], &[]);
        assert!(busy.repeats(&busy.clone()) && !silent.repeats(&silent.clone()));
        assert!(!busy.repeats(&session(&[("a:x", &[5, 5, 6, 7, 8])], &[])));
        let mut later = session(&[("a:x", &[4, 5, 6, 7, 9])], &[]);
        later.origin.started = Some("2026-11-26T01:02:03Z".to_owned());
        let mut earlier = busy;
        earlier.origin.started = later.origin.started.clone();
        assert!(later.repeats(&earlier), "they began in the same nanosecond");
        later.origin.begin_ns.0 += 5_000;
        assert!(!later.repeats(&earlier));
    }
}
