//! The destination of counts: a standard stream, or a file that has no half windows.

use super::observe::unless_closed;
use crate::os::files::open_to_write;
use crate::os::signals::writing_to_others;
use crate::recording::Error;
use crate::terminal::{Stdout, Width, print_on_stderr, width_of_stderr};
use nix::errno::Errno;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Where the counts go.
pub enum Destination {
    Stdout,
    /// stdout belongs to COMMAND.
    Stderr,
    File {
        path: PathBuf,
        file: File,
    },
}

impl Destination {
    /// The file, or a standard stream. An existing file is emptied.
    pub fn of(output: Option<&Path>, has_command: bool) -> anyhow::Result<Self> {
        match output {
            Some(path) if path.as_os_str() != "-" => {
                let path = path.to_owned();
                match open_to_write(&path) {
                    Ok(file) => Ok(Destination::File { path, file }),
                    Err(cause) if cause.raw_os_error() == Some(Errno::ELOOP as i32) => {
                        Err(Error::SymbolicLink(path).into())
                    }
                    Err(cause) => Err(Error::Io { verb: "create", path, cause }.into()),
                }
            }
            None if has_command => Ok(Destination::Stderr),
            _ => Ok(Destination::Stdout),
        }
    }

    /// Checks that the file can probably be written, and leaves it alone.
    ///
    /// # Errors
    /// If it cannot.
    pub fn check(output: Option<&Path>) -> anyhow::Result<()> {
        let Some(path) = output.filter(|path| path.as_os_str() != "-") else { return Ok(()) };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let result = match File::options().append(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => folder.read_dir().map(drop),
            other => other.map(drop),
        };
        result.map_err(|cause| Error::Io { verb: "create", path: path.to_owned(), cause }.into())
    }

    /// The room that text has.
    pub fn width(&self, out: &Stdout) -> Width {
        match self {
            Destination::Stderr => width_of_stderr(),
            Destination::Stdout => out.width(),
            Destination::File { .. } => Width::UNLIMITED,
        }
    }

    /// Writes text for people, or data for programs. If a file has no room for all of it, the file gets nothing of it.
    pub fn put(&mut self, bytes: &[u8], is_text: bool, out: &mut Stdout) -> io::Result<()> {
        match self {
            Destination::Stdout if is_text => out.print(bytes),
            Destination::Stdout => out.print_data(bytes),
            Destination::Stderr => print_on_stderr(bytes),
            Destination::File { file, .. } => {
                // A FIFO or a device has no place to return to.
                let begin = file.stream_position().ok();
                let mut write = || match is_text {
                    true => anstream::StripStream::new(&mut *file).write_all(bytes),
                    false => file.write_all(bytes),
                };
                let written = if begin.is_none() { writing_to_others(write) } else { write() };
                if let (Err(_), Some(begin)) = (&written, begin) {
                    // If this fails too, the error of the write is still the one to report.
                    let _ = file.set_len(begin).and_then(|()| file.seek(SeekFrom::Start(begin)).map(drop));
                }
                written
            }
        }
    }

    /// The error of [`Self::put`], unless the reader closed the pipe.
    pub fn unless_closed(&self, put: io::Result<()>) -> anyhow::Result<()> {
        match (self, put) {
            (Destination::File { path, .. }, Err(cause)) if cause.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::Io { verb: "write", path: path.clone(), cause }.into())
            }
            (_, put) => unless_closed(put),
        }
    }
}
