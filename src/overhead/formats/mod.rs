//! The formats of a measurement for programs and documents, one file each.

mod json;
mod markdown;

pub use json::write_json;
pub use markdown::write_markdown;

#[cfg(test)]
mod tests {
    use crate::overhead::Overhead;
    use std::io::{self, Write};

    /// The output for a measurement.
    pub fn text(write: impl Fn(&Overhead, &mut dyn Write) -> io::Result<()>, overhead: &Overhead) -> String {
        let mut out = Vec::new();
        write(overhead, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }
}
