//! The state of a system, from what its kernel does: windows of counts, how far they are apart, how unusual that is, and where it
//! changes.

mod changes;
mod composition;
mod conformal;
mod model;
mod session;
mod windows;

pub use changes::changes;
pub use composition::{Composition, Name, Part};
pub use conformal::{Calibration, PValue, too_low};
pub use model::{LEAST_COVERAGE, Names, Opinion, State};
pub use session::{Error, Origin, SCHEMA, Session};
pub use windows::{MOST_WINDOWS, TooMany, Window, Windows};
