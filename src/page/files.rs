//! The files of a report: plots and the page.

use super::plot_files::{PlotFiles, plot_names};
use super::write_page;
use crate::memory::{HeldBytes, MemoryOf};
use crate::os::stdout::stdout;
use crate::os::thread::Work;
use crate::plot::paper::{NoRoom, Paper};
use crate::plot::{self, MOST_ROWS, PlotFormat};
use crate::recording::{self, Folder};
use crate::report::{Detail, Report};
use crate::source::Place;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

/// The files that the user asked for.
#[derive(Debug, Clone, Default)]
pub struct FileOptions {
    /// The page to write; `-` is standard output.
    pub html: Option<PathBuf>,
    /// Replace an existing page.
    pub replaces_page: bool,
    /// The folder to write plots into.
    pub plots: Option<PathBuf>,
    /// The formats of the plots.
    pub formats: Vec<PlotFormat>,
    /// How the plots look on paper. `None` if they are for a screen.
    pub paper: Option<Paper>,
    /// Replace existing plots.
    pub force: bool,
}

impl FileOptions {
    /// Whether the user asked for any file.
    pub fn is_any(&self) -> bool {
        self.html.is_some() || self.plots.is_some()
    }

    /// The resolution at which these files need a source.
    pub fn detail(&self) -> Detail {
        match (&self.html, &self.plots) {
            (Some(_), _) => Detail::Page,
            (None, Some(_)) => Detail::Plots,
            (None, None) => Detail::Text,
        }
    }
}

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

/// The places of the files, checked before any of them is written.
#[derive(Debug)]
pub struct Files {
    page: Option<PageTo>,
    plots: Option<PlotFiles>,
}

/// The place of the page.
#[derive(Debug)]
enum PageTo {
    Stdout,
    /// Its folder, its name there, and its path as the user named it.
    File(Folder, String, PathBuf),
}

impl Files {
    /// The places for a report on these sources. No file may replace a source.
    ///
    /// # Errors
    /// If one of the files cannot be written.
    pub fn new(options: &FileOptions, places: &[Place], labels: &[String]) -> Result<Self, Error> {
        let FileOptions { html, replaces_page, plots, .. } = options;
        let names = plot_names(options, labels);
        let plots = match plots.as_deref() {
            Some(path) => {
                names.iter().map(|name| path.join(name)).try_for_each(|path| refuse_sources(places, &path))?;
                Some(PlotFiles::new(options, path, &names)?)
            }
            None => None,
        };
        // After the plots: the page may be in their folder, which is new.
        let page = match html.as_deref() {
            Some(path) if path.as_os_str() == "-" => Some(PageTo::Stdout),
            Some(path) => {
                refuse_sources(places, path)?;
                Some(page_file(path, *replaces_page)?)
            }
            None => None,
        };
        if let (Some(plots), Some(PageTo::File(folder, name, _))) = (&plots, &page)
            && folder.is(&plots.folder)
            && names.contains(name)
        {
            return Err(Error::OwnPlot(folder.path().join(name)));
        }
        Ok(Files { page, plots })
    }

    /// Writes all files, and returns their names and sizes, the page first. Returns `None` if `stop` asks it to stop. No file
    /// gets its name before all are written.
    ///
    /// # Errors
    /// If a file cannot be drawn or written. No file is left then.
    pub fn write(self, report: &Report, stop: &mut dyn FnMut() -> bool) -> Result<Option<Vec<WrittenFile>>, Error> {
        if stop() {
            return Ok(None);
        }
        let mut written = Vec::new();
        // Another thread makes the page while the plots are drawn.
        let (made, drawn) = thread::scope(|scope| {
            let made = self.page.as_ref().map(|_| {
                Work::begin_in(scope, || {
                    let mut page = HeldBytes::nothing(MemoryOf::Rows);
                    write_page(report, &mut page).map(|()| page)
                })
            });
            let drawn = self.plots.as_ref().map_or(Ok(Vec::new()), |plots| plots.draw(report, stop));
            (made.map(Work::result), drawn)
        });
        let drawn = drawn?;
        let made = made.transpose().map_err(Error::Page)?;
        if stop() {
            return Ok(None);
        }
        if let (Some(made), Some(PageTo::File(folder, name, path))) = (&made, &self.page) {
            written.push(WrittenFile { is_page: true, ..write(folder, name, path.clone(), made.as_slice())? });
        }
        written.extend(drawn);
        let of_page = match &self.page {
            Some(PageTo::File(folder, ..)) => Some(folder),
            _ => None,
        };
        self.plots.iter().map(|plots| &plots.folder).chain(of_page).try_for_each(Folder::commit)?;
        // Last, because its reader may close the pipe early.
        if let (Some(made), Some(PageTo::Stdout)) = (made, &self.page) {
            let write = |mut stdout: io::Stdout| stdout.write_all(made.as_slice()).and_then(|()| stdout.flush());
            match stdout().and_then(write) {
                Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(recording::Error::Io { verb: "write to", path: "standard output".into(), cause }.into());
                }
                _ => {}
            }
        }
        Ok(Some(written))
    }
}

/// Fails if a file to be written is one of those to be read.
fn refuse_sources(places: &[Place], path: &Path) -> Result<(), Error> {
    match places.iter().any(|place| place.reads(path)) {
        true => Err(Error::OwnSource(path.to_owned())),
        false => Ok(()),
    }
}

fn page_file(path: &Path, force: bool) -> Result<PageTo, Error> {
    let (folder, name) = Folder::of_file(path, force)?.ok_or_else(|| Error::NoFile(path.to_owned()))?;
    Ok(PageTo::File(folder, name, path.to_owned()))
}

pub(super) fn write(folder: &Folder, name: &str, path: PathBuf, bytes: &[u8]) -> Result<WrittenFile, Error> {
    let mut file = folder.file(name)?;
    file.write(bytes)?;
    file.finish();
    Ok(WrittenFile { is_page: false, path, bytes: bytes.len() as u64 })
}
