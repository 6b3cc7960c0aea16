//! The formats of a measurement for programs and documents, one file each.

mod json;
mod markdown;

pub use json::write_json;
pub use markdown::write_markdown;

#[cfg(test)]
mod tests {
    use crate::overhead::Overhead;
    use crate::overhead::figures::tests::overhead;
    use std::io::{self, Write};

    /// The output for a measurement of these pairs.
    pub fn text(write: impl Fn(&Overhead, &mut dyn Write) -> io::Result<()>, pairs: &[(u64, u64)]) -> String {
        let mut out = Vec::new();
        write(&overhead(pairs), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }
}
