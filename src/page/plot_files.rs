//! The plots of a report as files.

use super::written::{Error, WrittenFile, write};
use crate::os::thread::Work;
use crate::plot::paper::{Paper, PaperFigure};
use crate::plot::{self, Axis, Figure, MOST_ROWS, Plot, PlotFormat, Scene, Subject};
use crate::recording::{Folder, Readers};
use crate::report::{Report, file_name};
use std::path::PathBuf;
use std::thread;

const FIGURES: [Figure; 2] = [Figure::Tracepoints, Figure::Groups];

/// The plots that the user asked for.
#[derive(Debug, Clone)]
pub struct PlotOptions {
    /// The folder to write them into.
    pub folder: PathBuf,
    /// Their formats.
    pub formats: Vec<PlotFormat>,
    /// How they look on paper. `None` if they are for a screen.
    pub paper: Option<Paper>,
}

impl PlotOptions {
    /// The names of all files that may be written.
    pub(super) fn names(&self, labels: &[String]) -> Vec<String> {
        let names: Vec<String> = match self.paper {
            Some(_) => PaperFigure::ALL.iter().map(|figure| figure.name().to_owned()).collect(),
            None => labels.iter().flat_map(|label| FIGURES.map(|figure| screen_name(label, figure))).collect(),
        };
        names.iter().flat_map(|name| self.formats.iter().map(move |format| with_format(name, *format))).collect()
    }
}

fn screen_name(label: &str, figure: Figure) -> String {
    format!("{}.{}", file_name(label), figure.name())
}

fn with_format(name: &str, format: PlotFormat) -> String {
    format!("{name}.{}", format.name())
}

/// The folder of the plots, and their look.
#[derive(Debug)]
pub(super) struct PlotFiles {
    pub folder: Folder,
    /// The folder as the user named it, and the look of the plots.
    options: PlotOptions,
}

/// A picture in each format.
type Pictures = Result<Vec<(PlotFormat, Vec<u8>)>, plot::Error>;

impl PlotFiles {
    /// Plots of these names in a folder, which is made if necessary.
    pub fn new(options: &PlotOptions, names: &[String], force: bool) -> Result<Self, Error> {
        let folder = Folder::create(&Folder::unlinked(&options.folder), Readers::Umask)?.shared(force)?;
        names.iter().try_for_each(|name| folder.check(name, force))?;
        Ok(PlotFiles { folder, options: options.clone() })
    }

    /// Draws all plots of a report.
    pub fn draw(&self, report: &Report, stop: &mut dyn FnMut() -> bool) -> Result<Vec<WrittenFile>, Error> {
        let subjects: Vec<_> = report.sources.iter().map(Subject::of).collect();
        match &self.options.paper {
            Some(paper) => self.draw_paper(paper, report, &subjects, stop),
            None => self.draw_screen(&subjects, stop),
        }
    }

    /// Draws the figures for a paper, each with all sources.
    fn draw_paper(
        &self,
        paper: &Paper,
        report: &Report,
        subjects: &[Subject<'_>],
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<WrittenFile>, Error> {
        let mut written = Vec::new();
        for figure in PaperFigure::ALL {
            if stop() {
                return Ok(written);
            }
            let scene = paper.figure(figure, subjects, report.differences.as_ref());
            let scene = scene.map_err(|cause| Error::NoRoom { file: figure.name().to_owned(), cause })?;
            if let Some(scene) = scene {
                written.extend(self.write(figure.name(), pictures(&scene, &self.options.formats))?);
            }
        }
        Ok(written)
    }

    /// Draws every figure of every source. Draws the figures of one source at the same time.
    fn draw_screen(&self, subjects: &[Subject<'_>], stop: &mut dyn FnMut() -> bool) -> Result<Vec<WrittenFile>, Error> {
        let axes = FIGURES.map(|figure| Axis::new(figure, subjects));
        if let Some(axis) = axes.iter().find(|axis| axis.rows() > MOST_ROWS) {
            return Err(Error::TooManyRows(axis.rows()));
        }
        let mut written = Vec::new();
        for subject in subjects {
            if stop() {
                return Ok(written);
            }
            // The folder stays with this thread.
            let formats = &self.options.formats;
            let drawn: Vec<Pictures> = thread::scope(|scope| {
                let figures = FIGURES.into_iter().zip(&axes).map(|(figure, axis)| {
                    Work::begin_in(scope, move || pictures(&Plot::new(figure, axis, subject).scene(), formats))
                });
                let drawing: Vec<_> = figures.collect();
                drawing.into_iter().map(Work::result).collect()
            });
            for (figure, pictures) in FIGURES.into_iter().zip(drawn) {
                written.extend(self.write(&screen_name(subject.label, figure), pictures)?);
            }
        }
        Ok(written)
    }

    fn write(&self, name: &str, pictures: Pictures) -> Result<Vec<WrittenFile>, Error> {
        let pictures = pictures.map_err(|cause| Error::Plot { file: name.to_owned(), cause })?;
        let written = pictures.into_iter().map(|(format, bytes)| {
            let name = with_format(name, format);
            write(&self.folder, &name, self.options.folder.join(&name), &bytes)
        });
        written.collect()
    }
}

fn pictures(scene: &Scene, formats: &[PlotFormat]) -> Pictures {
    formats.iter().map(|format| Ok((*format, scene.picture(*format)?))).collect()
}
