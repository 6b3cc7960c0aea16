//! The files that a report leaves: plots and the page.

use super::label::file_name;
use super::{Error, Options, Report, SourceReport, page};
use crate::plot::{self, Axis, Figure, Plot};
use crate::recording::{self, EVENTS, Folder, LOG};
use crate::source::Place;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

const FIGURES: [Figure; 2] = [Figure::Tracepoints, Figure::Groups];

/// Where files are to be written, found out to be possible.
pub(super) struct Files {
    page: Option<PageTo>,
    plots: Option<Folder>,
}

/// Where the page goes.
enum PageTo {
    Stdout,
    File(Folder, String),
}

impl Files {
    /// For sources of these labels.
    pub fn new(options: &Options, labels: &[String]) -> Result<Self, Error> {
        let Options { html, plots, force, .. } = options;
        let page = match html.as_deref() {
            Some(path) if path.as_os_str() == "-" => Some(PageTo::Stdout),
            Some(path) => {
                refuse_sources(options, path)?;
                Some(page_file(path, *force)?)
            }
            None => None,
        };
        let plots = match plots.as_deref() {
            Some(path) => {
                let names = labels.iter().flat_map(|label| plot_names(label)).flat_map(|(_, names)| names);
                names.map(|name| path.join(name)).try_for_each(|path| refuse_sources(options, &path))?;
                Some(plot_folder(path, labels, *force)?)
            }
            None => None,
        };
        Ok(Files { page, plots })
    }

    /// Writes all of them. None has its name before all are written.
    pub fn write(self, report: &Report) -> Result<(), Error> {
        // The page is made while the plots are drawn.
        let (made, drawn) = thread::scope(|scope| {
            let made = self.page.as_ref().map(|_| scope.spawn(|| page(report)));
            let drawn = self.plots.as_ref().map_or(Ok(()), |folder| draw(&report.sources, folder));
            (made.map(|made| made.join().expect("making a page does not panic")), drawn)
        });
        drawn?;
        let mut folders: Vec<&Folder> = self.plots.iter().collect();
        match (made, &self.page) {
            (Some(made), Some(PageTo::File(folder, name))) => {
                write(folder, name, made.as_bytes())?;
                folders.push(folder);
            }
            (Some(made), Some(PageTo::Stdout)) => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(made.as_bytes()).and_then(|()| stdout.flush()).map_err(|cause| {
                    recording::Error::Io { verb: "write to", path: "standard output".into(), cause }
                })?;
            }
            _ => {}
        }
        Ok(folders.into_iter().try_for_each(Folder::commit)?)
    }
}

/// That a file to be written is none of those to be read.
fn refuse_sources(options: &Options, path: &Path) -> Result<(), Error> {
    let number = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
    let Some(target) = number(path) else { return Ok(()) };
    let of_place = |place: &Place| match place {
        Place::Path(path) => [path.clone(), path.join(EVENTS), path.join(LOG)].map(|path| number(&path)).to_vec(),
        _ => Vec::new(),
    };
    match options.places.iter().flat_map(of_place).any(|source| source == Some(target)) {
        true => Err(Error::OwnSource(path.to_owned())),
        false => Ok(()),
    }
}

fn page_file(path: &Path, force: bool) -> Result<PageTo, Error> {
    let no_file = || Error::NoFile(path.to_owned());
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(no_file)?.to_owned();
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = Folder::open(&unlinked(parent))?;
    folder.check(&name, force)?;
    folder.file(&name)?;
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
    let folder = Folder::create(&unlinked(path))?;
    for name in labels.iter().flat_map(|label| plot_names(label)).flat_map(|(_, names)| names) {
        folder.check(&name, force)?;
    }
    folder.file("tp-perf")?;
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
fn draw(sources: &[SourceReport], folder: &Folder) -> Result<(), Error> {
    let subjects: Vec<_> = sources.iter().map(SourceReport::subject).collect();
    let axes = FIGURES.map(|figure| Axis::new(figure, &subjects));
    for subject in &subjects {
        let drawn: Vec<_> = thread::scope(|scope| {
            let figures = plot_names(subject.label).zip(&axes).map(|((figure, names), axis)| {
                scope.spawn(move || {
                    let svg = Plot::new(figure, axis, subject).svg();
                    let png = plot::png(&svg);
                    (names, svg, png)
                })
            });
            let drawing: Vec<_> = figures.collect();
            drawing.into_iter().map(|thread| thread.join().expect("drawing does not panic")).collect()
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
