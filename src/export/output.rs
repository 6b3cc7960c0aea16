//! Where an export goes: a file, which gets its name once it is complete, or standard output.

use super::Error;
use crate::os::stdout::stdout;
use crate::recording::{Folder, NewFile};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The bytes that are written at once.
const CHUNK: usize = 256 << 10;

/// The name of standard output in errors.
const STDOUT: &str = "standard output";

/// The place of an export, checked before the source is read.
pub(super) enum ExportPlace {
    Stdout,
    /// Its folder, its name there, and its path as the user named it.
    File(Folder, String, PathBuf),
}

impl ExportPlace {
    /// The place that the user named; `-` is standard output.
    pub fn of(path: &Path, force: bool) -> Result<Self, Error> {
        if path.as_os_str() == "-" {
            return Ok(ExportPlace::Stdout);
        }
        let file = Folder::of_file(path, force)?;
        let (folder, name) = file.ok_or_else(|| Error::NoFile(path.to_owned()))?;
        Ok(ExportPlace::File(folder, name, path.to_owned()))
    }

    /// The name in errors and messages.
    pub fn path(&self) -> PathBuf {
        match self {
            ExportPlace::Stdout => STDOUT.into(),
            ExportPlace::File(.., path) => path.clone(),
        }
    }

    /// Opens the place for writing.
    pub fn open(&self) -> Result<OpenExport<'_>, Error> {
        let (file, to) = match self {
            ExportPlace::Stdout => (None, ExportTo::Stdout(stdout().map_err(Error::write(self.path()))?)),
            ExportPlace::File(folder, name, _) => {
                let file = folder.file(name)?;
                let to = ExportTo::File(file.descriptor()?);
                (Some(file), to)
            }
        };
        let written = Arc::new(AtomicU64::new(0));
        let counting = CountedWriter { to, written: Arc::clone(&written) };
        Ok(OpenExport { output: self, file, writer: Some(BufWriter::with_capacity(CHUNK, counting)), written })
    }
}

/// A place that is being written. If it is dropped before it is finished, no file is left.
pub(super) struct OpenExport<'a> {
    output: &'a ExportPlace,
    file: Option<NewFile<'a>>,
    writer: Option<ExportWriter>,
    written: Arc<AtomicU64>,
}

/// Writes the bytes of an export.
pub(super) type ExportWriter = BufWriter<CountedWriter>;

impl OpenExport<'_> {
    /// The writer. It is there once.
    ///
    /// # Panics
    /// The second time.
    pub fn writer(&mut self) -> ExportWriter {
        self.writer.take().expect("the writer is taken once")
    }

    /// Gives the file its name. The writer must be flushed. Returns the number of bytes.
    pub fn finish(self) -> Result<u64, Error> {
        if let Some(file) = self.file {
            file.sync()?;
            file.finish();
        }
        if let ExportPlace::File(folder, ..) = self.output {
            folder.commit()?;
        }
        Ok(self.written.load(Relaxed))
    }
}

enum ExportTo {
    Stdout(io::Stdout),
    File(File),
}

/// Counts the bytes.
pub(super) struct CountedWriter {
    to: ExportTo,
    written: Arc<AtomicU64>,
}

impl Write for CountedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let number = match &mut self.to {
            ExportTo::Stdout(stdout) => stdout.write(bytes)?,
            ExportTo::File(file) => file.write(bytes)?,
        };
        self.written.fetch_add(number as u64, Relaxed);
        Ok(number)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            ExportTo::Stdout(stdout) => stdout.flush(),
            ExportTo::File(file) => file.flush(),
        }
    }
}
