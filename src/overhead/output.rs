//! Keeps COMMAND's output away from the terminal.

use super::Error;
use crate::control::Streams;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// At most this many bytes from the end of a failed COMMAND's output are shown.
const SHOWN: u64 = 64 << 10;

/// The destination of COMMAND's output.
#[derive(Debug)]
pub enum CommandOutput {
    /// tp-perf's own stderr.
    Shown,
    /// An unnamed file, which has the output of one run.
    Kept(File),
}

impl CommandOutput {
    /// Shows the output, or keeps it in a file.
    pub fn new(show: bool) -> Result<Self, Error> {
        if show {
            return Ok(CommandOutput::Shown);
        }
        let failed = |cause| Error::Scratch { folder: std::env::temp_dir().display().to_string(), cause };
        tempfile::tempfile().map(CommandOutput::Kept).map_err(failed)
    }

    /// The streams for the next run. They discard the output of the run before.
    pub fn streams(&mut self) -> io::Result<Streams<'_>> {
        match self {
            CommandOutput::Shown => Ok(Streams::ToStderr),
            CommandOutput::Kept(file) => {
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
                Ok(Streams::Kept(file))
            }
        }
    }

    /// The end of the output that was kept.
    pub fn said(&mut self) -> io::Result<Vec<u8>> {
        let CommandOutput::Kept(file) = self else { return Ok(Vec::new()) };
        let length = file.metadata()?.len();
        let mut said = Vec::new();
        file.seek(SeekFrom::Start(length.saturating_sub(SHOWN)))?;
        // A descendant may still be writing, so the length is limited.
        file.take(SHOWN).read_to_end(&mut said)?;
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_end_of_one_run_is_kept() {
        let mut output = CommandOutput::new(false).unwrap();
        for (text, kept) in [("x".repeat(200_000), 64 << 10), ("short".to_owned(), 5), (String::new(), 0)] {
            let Streams::Kept(mut file) = output.streams().unwrap() else { panic!("it is kept") };
            file.write_all(text.as_bytes()).unwrap();
            assert_eq!(output.said().unwrap().len(), kept);
        }
        assert!(matches!(CommandOutput::new(true).unwrap().streams().unwrap(), Streams::ToStderr));
    }
}
