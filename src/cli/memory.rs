//! The bound of the memory that inputs take: an argument that all commands with inputs share.

use crate::units::parse_size;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct MemoryArgs {
    /// Refuse inputs that take more memory than this [default: 256M]
    #[arg(long, hide_short_help = true, value_name = "SIZE", value_parser = parse_size)]
    max_memory: Option<usize>,
}

impl MemoryArgs {
    /// The bound in bytes, if the user set it.
    pub fn bound(&self) -> Option<u64> {
        self.max_memory.map(|bytes| bytes as u64)
    }
}

#[cfg(test)]
mod tests {
    use crate::memory::DEFAULT;
    use crate::units::Bytes;

    #[test]
    fn the_help_names_the_default() {
        assert_eq!(Bytes(DEFAULT).to_string(), "256 MiB");
    }
}
