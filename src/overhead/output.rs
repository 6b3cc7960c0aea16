//! What COMMAND says, kept out of the way.

use super::Error;
use crate::control::Streams;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// So much of the end of what a failed COMMAND has said is shown, in bytes.
const SHOWN: u64 = 64 << 10;

/// Where COMMAND's output goes.
#[derive(Debug)]
pub enum CommandOutput {
    /// To tp-perf's own stderr.
    Shown,
    /// To a file without a name, which holds that of one run.
    Kept(File),
}

impl CommandOutput {
    /// CommandOutput that is shown or not.
    pub fn new(show: bool) -> Result<Self, Error> {
        if show {
            return Ok(CommandOutput::Shown);
        }
        let failed = |cause| Error::Scratch { folder: std::env::temp_dir().display().to_string(), cause };
        tempfile::tempfile().map(CommandOutput::Kept).map_err(failed)
    }

    /// For the next run: nothing is kept any more.
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

    /// What is kept, or its end if it is long.
    pub fn said(&mut self) -> io::Result<Vec<u8>> {
        let CommandOutput::Kept(file) = self else { return Ok(Vec::new()) };
        let length = file.metadata()?.len();
        let mut said = Vec::new();
        file.seek(SeekFrom::Start(length.saturating_sub(SHOWN)))?;
        // A descendant may write on.
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
