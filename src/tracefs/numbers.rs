//! The numbers that the table gives to tracepoints and groups.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;

/// tp-perf's own number of a tracepoint. Numbers start at 1, in the order of (group, name), and cover all tracepoints. An
/// `Option` of a number has the same size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct Tpid(NonZeroU32);

/// tp-perf's own number of a group. Numbers start at 1, in the order of names. An `Option` of a number has the same size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct Gid(NonZeroU32);

macro_rules! from_one {
    ($name:ident) => {
        impl $name {
            /// Makes a number of this type.
            ///
            /// # Panics
            /// If it is 0.
            #[inline]
            pub const fn new(number: u32) -> Self {
                $name(NonZeroU32::new(number).expect("numbers begin at 1"))
            }

            /// The bare number.
            #[inline]
            pub const fn get(self) -> u32 {
                self.0.get()
            }

            /// The bare number, as an index into a list. Index 0 of such a list is unused.
            #[inline]
            pub const fn index(self) -> usize {
                self.0.get() as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

from_one!(Tpid);
from_one!(Gid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_bare_outside_and_never_0() {
        assert_eq!(serde_json::to_string(&[Tpid::new(1), Tpid::new(1_000_000)]).unwrap(), "[1,1000000]");
        assert_eq!(serde_json::from_str::<Gid>("3").unwrap(), Gid::new(3));
        assert!(serde_json::from_str::<Gid>("0").is_err());
        assert_eq!(format!("{:>3}", Gid::new(7)), "  7");
        assert_eq!(size_of::<Option<Tpid>>(), 4);
    }
}
