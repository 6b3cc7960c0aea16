//! The files that a report leaves: plots and the page.

use super::page;
use crate::os::thread::Work;
use crate::plot::{self, Axis, Figure, MOST_ROWS, Plot, Subject};
use crate::recording::{self, FILES, Folder, LOG};
use crate::report::{Detail, Report, SourceReport, file_name};
use crate::source::Place;
use nix::sys::stat::fstat;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

const FIGURES: [Figure; 2] = [Figure::Tracepoints, Figure::Groups];

/// The files that are wanted of a report.
#[derive(Debug, Clone, Default)]
pub struct FileOptions {
    /// The page to write; `-` is standard output.
    pub html: Option<PathBuf>,
    /// The folder to write plots into.
    pub plots: Option<PathBuf>,
    /// Replace files that are there.
    pub force: bool,
}

impl FileOptions {
    /// Whether any are wanted.
    pub fn is_any(&self) -> bool {
        self.html.is_some() || self.plots.is_some()
    }

    /// How finely a report has to be read for them.
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
    /// A plot could not be drawn.
    #[error("failed to draw {file}: {cause}")]
    Plot {
        /// Which.
        file: String,
        /// Why not.
        cause: plot::Error,
    },
    /// The page has no name.
    #[error("`{0}` names no file that can be written")]
    NoFile(PathBuf),
    /// Too many rows for a picture.
    #[error("{0} tracepoints were hit, and a plot has room for {MOST_ROWS}")]
    TooManyRows(usize),
    /// The page would be one of the plots.
    #[error("`{0}` is the name of a plot too")]
    OwnPlot(PathBuf),
    /// A source would be replaced.
    #[error("`{0}` is a source of this report, and would be replaced")]
    OwnSource(PathBuf),
}

/// Where files are to be written, found out to be possible.
#[derive(Debug)]
pub struct Files {
    page: Option<PageTo>,
    plots: Option<Folder>,
}

/// Where the page goes.
#[derive(Debug)]
enum PageTo {
    Stdout,
    File(Folder, String),
}

impl Files {
    /// For sources with these labels, none of which is to be replaced.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn new(options: &FileOptions, places: &[Place], labels: &[String]) -> Result<Self, Error> {
        let FileOptions { html, plots, force } = options;
        let plots = match plots.as_deref() {
            Some(path) => {
                let names = labels.iter().flat_map(|label| plot_names(label)).flat_map(|(_, names)| names);
                names.map(|name| path.join(name)).try_for_each(|path| refuse_sources(places, &path))?;
                Some(plot_folder(path, labels, *force)?)
            }
            None => None,
        };
        // Behind the plots: it may be in their folder, which is new.
        let page = match html.as_deref() {
            Some(path) if path.as_os_str() == "-" => Some(PageTo::Stdout),
            Some(path) => {
                refuse_sources(places, path)?;
                Some(page_file(path, *force)?)
            }
            None => None,
        };
        if let (Some(plots), Some(PageTo::File(folder, name))) = (&plots, &page)
            && folder.is(plots)
            && labels.iter().flat_map(|label| plot_names(label)).any(|(_, names)| names.contains(name))
        {
            return Err(Error::OwnPlot(folder.path().join(name)));
        }
        Ok(Files { page, plots })
    }

    /// Writes all of them, unless `stop` says that nobody wants them any more: false then. None has its name before all are
    /// written.
    ///
    /// # Errors
    /// If one cannot be drawn or written: then none is there.
    pub fn write(self, report: &Report, stop: &mut dyn FnMut() -> bool) -> Result<bool, Error> {
        if stop() {
            return Ok(false);
        }
        // The page is made while the plots are drawn.
        let (made, drawn) = thread::scope(|scope| {
            let made = self.page.as_ref().map(|_| Work::begin_in(scope, || page(report)));
            let drawn = self.plots.as_ref().map_or(Ok(()), |folder| draw(&report.sources, folder, stop));
            (made.map(Work::result), drawn)
        });
        drawn?;
        if stop() {
            return Ok(false);
        }
        if let (Some(made), Some(PageTo::File(folder, name))) = (&made, &self.page) {
            write(folder, name, made.as_bytes())?;
        }
        let of_page = match &self.page {
            Some(PageTo::File(folder, _)) => Some(folder),
            _ => None,
        };
        self.plots.iter().chain(of_page).try_for_each(Folder::commit)?;
        // Last: whoever reads it may have seen enough.
        if let (Some(made), Some(PageTo::Stdout)) = (made, &self.page) {
            let mut stdout = io::stdout().lock();
            match stdout.write_all(made.as_bytes()).and_then(|()| stdout.flush()) {
                Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(recording::Error::Io { verb: "write to", path: "standard output".into(), cause }.into());
                }
                _ => {}
            }
        }
        Ok(true)
    }
}

/// Fails if a file to be written is one of those to be read.
fn refuse_sources(places: &[Place], path: &Path) -> Result<(), Error> {
    let number = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
    let Some(target) = number(path) else { return Ok(()) };
    // A recording is all of its files, and a log has its tables beside it.
    let of_place = |place: &Place| match place {
        Place::Path(path) => {
            let beside = FILES.map(|name| path.with_file_name(name)).into_iter().filter(|_| path.ends_with(LOG));
            let all = FILES.map(|name| path.join(name)).into_iter().chain(beside).chain([path.clone()]);
            all.map(|path| number(&path)).collect()
        }
        Place::Stdin => vec![fstat(io::stdin()).ok().map(|file| (file.st_dev, file.st_ino))],
        Place::Example => Vec::new(),
    };
    match places.iter().flat_map(of_place).any(|source| source == Some(target)) {
        true => Err(Error::OwnSource(path.to_owned())),
        false => Ok(()),
    }
}

fn page_file(path: &Path, force: bool) -> Result<PageTo, Error> {
    let no_file = || Error::NoFile(path.to_owned());
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.filter(|name| path.as_os_str().as_encoded_bytes().ends_with(name.as_bytes()));
    let name = name.ok_or_else(no_file)?.to_owned();
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = Folder::open(&unlinked(parent))?.shared(force)?;
    folder.check(&name, force)?;
    Ok(PageTo::File(folder, name))
}

/// Where a folder is that may be named by a link. Under sudo no link is followed: it may be another user's.
fn unlinked(folder: &Path) -> PathBuf {
    match recording::is_under_sudo() {
        true => folder.to_owned(),
        false => folder.canonicalize().unwrap_or_else(|_| folder.to_owned()),
    }
}

fn plot_folder(path: &Path, labels: &[String], force: bool) -> Result<Folder, Error> {
    let folder = Folder::create(&unlinked(path))?.shared(force)?;
    for name in labels.iter().flat_map(|label| plot_names(label)).flat_map(|(_, names)| names) {
        folder.check(&name, force)?;
    }
    Ok(folder)
}

/// Each figure of a source, and the names of its SVG and its PNG.
fn plot_names(label: &str) -> impl Iterator<Item = (Figure, [String; 2])> {
    let name = file_name(label);
    FIGURES
        .into_iter()
        .map(move |figure| (figure, ["svg", "png"].map(|extension| format!("{name}.{}.{extension}", figure.name()))))
}

/// Draws every figure of every source, those of one source at the same time.
fn draw(sources: &[SourceReport], folder: &Folder, stop: &mut dyn FnMut() -> bool) -> Result<(), Error> {
    let subjects: Vec<_> = sources.iter().map(Subject::of).collect();
    let axes = FIGURES.map(|figure| Axis::new(figure, &subjects));
    if let Some(axis) = axes.iter().find(|axis| axis.rows() > MOST_ROWS) {
        return Err(Error::TooManyRows(axis.rows()));
    }
    for subject in &subjects {
        if stop() {
            return Ok(());
        }
        let drawn: Vec<_> = thread::scope(|scope| {
            let figures = plot_names(subject.label).zip(&axes).map(|((figure, names), axis)| {
                Work::begin_in(scope, move || {
                    let scene = Plot::new(figure, axis, subject).scene();
                    (names, scene.svg(), scene.png())
                })
            });
            let drawing: Vec<_> = figures.collect();
            drawing.into_iter().map(Work::result).collect()
        });
        for ([svg_name, png_name], svg, png) in drawn {
            write(folder, &svg_name, svg.as_bytes())?;
            let png = png.map_err(|cause| Error::Plot { file: png_name.clone(), cause })?;
            write(folder, &png_name, &png)?;
        }
    }
    Ok(())
}

fn write(folder: &Folder, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let mut file = folder.file(name)?;
    file.write(bytes)?;
    file.finish();
    Ok(())
}
