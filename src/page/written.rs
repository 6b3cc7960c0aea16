//! Written files, and why a file could not be written.

use crate::plot::paper::NoRoom;
use crate::plot::{self, MOST_ROWS};
use crate::recording::{self, Folder};
use std::io;
use std::path::PathBuf;

/// Why a page or plots could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be written.
    #[error(transparent)]
    Output(#[from] recording::Error),
    /// The page could not be made.
    #[error("failed to make the page: {0}")]
    Page(io::Error),
    /// A plot could not be drawn.
    #[error("failed to draw {file}: {cause}")]
    Plot {
        /// The file.
        file: String,
        /// Why not.
        cause: plot::Error,
    },
    /// A figure for a paper has no room.
    #[error("failed to draw {file}: {cause}")]
    NoRoom {
        /// The file.
        file: String,
        /// Why not.
        cause: NoRoom,
    },
    /// The page has no name.
    #[error("`{0}` is not the name of a file that can be written")]
    NoFile(PathBuf),
    /// Too many rows for a picture.
    #[error("{0} tracepoints were hit, but a plot has room for {MOST_ROWS} only")]
    TooManyRows(usize),
    /// The page would be one of the plots.
    #[error("`{0}` is also the name of a plot")]
    OwnPlot(PathBuf),
    /// A source would be replaced.
    #[error("`{0}` is a source of this report; tp-perf does not replace it")]
    OwnSource(PathBuf),
}

/// A file of a report, after writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Whether it is the page. Otherwise it is a plot.
    pub is_page: bool,
    /// Its path, as the user named it.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Writes a file of this name into a folder. `path` is the same, as the user named it.
pub(super) fn write(folder: &Folder, name: &str, path: PathBuf, bytes: &[u8]) -> Result<WrittenFile, Error> {
    let mut file = folder.file(name)?;
    file.write(bytes)?;
    file.finish();
    Ok(WrittenFile { is_page: false, path, bytes: bytes.len() as u64 })
}
