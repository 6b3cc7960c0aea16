//! The figures of real recordings, at several sizes.

use super::*;
use crate::report::{Report, compare};
use crate::source::Place;

fn report(names: &[&str]) -> Report {
    let places: Vec<Place> = names.iter().map(|name| Place::Path(format!("fixtures/{name}").into())).collect();
    compare(&places).unwrap()
}

fn scenes(paper: &Paper, report: &Report) -> Vec<Scene> {
    let subjects: Vec<Subject<'_>> = report.sources.iter().map(Subject::of).collect();
    let scene = |figure| paper.figure(figure, &subjects, report.differences.as_ref()).unwrap();
    PaperFigure::ALL.into_iter().filter_map(scene).collect()
}

/// The places of all texts: left, top, right, bottom, and the text.
fn texts(scene: &Scene) -> Vec<([f64; 4], String)> {
    let text = |item: &Item| {
        let Item::Text(text) = item else { return None };
        let size = text.size.unwrap();
        assert!(size >= 6.0, "{}", text.text);
        let width = width(&text.text, size);
        let left = match text.anchor {
            Anchor::Start => text.x,
            Anchor::Middle => text.x - width / 2.0,
            Anchor::End => text.x - width,
        };
        // Letters reach a little below their line, and capital letters up to three quarters of the size.
        Some(([left, text.y - 0.75 * size, left + width, text.y + 0.22 * size], text.text.clone()))
    };
    scene.items.iter().filter_map(text).collect()
}

fn check(scene: &Scene, what: &str) {
    let texts = texts(scene);
    assert!(texts.len() > 5, "{what}");
    for (number, ([left, top, right, bottom], text)) in texts.iter().enumerate() {
        assert!(*left >= 0.0 && *top >= 0.0, "{what}: {text}");
        assert!(*right <= scene.width + 0.01 && *bottom <= scene.height + 0.01, "{what}: {text}");
        for (other, text_of_other) in &texts[number + 1..] {
            let is_apart = *right <= other[0] || other[2] <= *left || *bottom <= other[1] || other[3] <= *top;
            assert!(is_apart, "{what}: {text} and {text_of_other}");
        }
    }
}

#[test]
fn no_text_overlaps_or_is_cut_and_all_letters_have_6_points() {
    let title = "A title that is much longer than a column of a paper, so it takes several lines of the figure";
    let papers = [
        Paper::default(),
        Paper { title: PaperTitle::None, ..Paper::default() },
        Paper { title: PaperTitle::Own(title.to_owned()), ..Paper::default() },
        Paper { rows: PaperRows::All, ..Paper::default() },
        Paper { width: Some(504.0), rows: PaperRows::Top(3), ..Paper::default() },
        Paper { width: Some(252.0), height: Some(160.0), ..Paper::default() },
        Paper { width: Some(600.0), height: Some(800.0), ..Paper::default() },
    ];
    for names in [
        &["idle.perf.zst"][..],
        &["idle.perf.zst", "make.perf.zst"],
        &["idle.perf.zst", "make.perf.zst", "overflow.perf.zst"],
        &["idle.log.csv.zst", "perf-file.data"],
    ] {
        let report = report(names);
        for paper in &papers {
            if names.len() > 2 && paper.height == Some(160.0) {
                continue;
            }
            for scene in scenes(paper, &report) {
                check(&scene, &format!("{names:?} {paper:?} {}", scene.title));
            }
        }
    }
}

#[test]
fn a_picture_has_the_size_that_the_user_chose_in_every_format() {
    let report = report(&["idle.perf.zst", "make.perf.zst"]);
    let paper = Paper { width: Some(252.0), height: Some(288.0), ..Paper::default() };
    let scenes = scenes(&paper, &report);
    assert_eq!(scenes.len(), 4);
    for scene in scenes {
        let svg = scene.svg();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let of_root = |name| document.root_element().attribute(name).unwrap();
        assert_eq!((of_root("width"), of_root("height")), ("252pt", "288pt"));
        let png = png::Decoder::new(std::io::Cursor::new(scene.png().unwrap())).read_info().unwrap();
        let info = png.info();
        assert_eq!((info.width, info.height), (1_050, 1_200), "300 pixels per inch");
        assert_eq!(info.pixel_dims.unwrap().xppu, 11_811);
        let pdf = scene.pdf();
        let text = String::from_utf8_lossy(&pdf);
        assert!(text.starts_with("%PDF-") && text.trim_end().ends_with("%%EOF") && text.contains("[0 0 252 288]"));
        assert_eq!(scene.pdf(), pdf, "the same bytes each time");
    }
}

#[test]
fn what_has_no_room_is_an_error_that_names_a_size_with_room() {
    let few = report(&["idle.perf.zst", "make.perf.zst"]);
    let figure = |paper: &Paper, report: &Report| {
        let subjects: Vec<Subject<'_>> = report.sources.iter().map(Subject::of).collect();
        paper.figure(PaperFigure::ALL[0], &subjects, None).map(|scene| scene.is_some())
    };
    let low = Paper { height: Some(144.0), rows: PaperRows::All, ..Paper::default() };
    let Err(NoRoom::Rows { fit, rows, .. }) = figure(&low, &few) else { panic!("it has room") };
    assert!((3..20).contains(&fit) && rows > 100, "{fit} of {rows}");
    assert_eq!(figure(&Paper { rows: PaperRows::Top(fit), ..low.clone() }, &few), Ok(true));
    assert!(figure(&Paper { rows: PaperRows::Top(fit + 1), ..low.clone() }, &few).is_err());
    assert_eq!(figure(&Paper { rows: PaperRows::Fitting, ..low }, &few), Ok(true));
    let flat = Paper { height: Some(50.0), ..Paper::default() };
    assert!(matches!(figure(&flat, &few), Err(NoRoom::Height { .. })));
    let many = report(&["idle.perf.zst"; 6]);
    let Err(NoRoom::Width { inches, .. }) = figure(&Paper::default(), &many) else { panic!("it has room") };
    assert_eq!(figure(&Paper { width: Some(72.0 * inches), ..Paper::default() }, &many), Ok(true));
}

#[test]
fn the_busiest_rows_are_drawn_and_a_sources_events_are_its_rates() {
    let report = report(&["make.perf.zst"]);
    let paper = Paper { rows: PaperRows::Top(2), title: PaperTitle::None, ..Paper::default() };
    let names = |scene: &Scene| texts(scene).into_iter().take(2).map(|(_, text)| text).collect::<Vec<_>>();
    let scenes = scenes(&paper, &report);
    let busiest = |rows: Vec<String>| rows.into_iter().take(2).collect::<Vec<_>>();
    let recorded = {
        let mut rows: Vec<_> = report.sources[0].summary.per_tracepoint.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.recorded));
        busiest(rows.into_iter().map(|row| row.name.clone()).collect())
    };
    assert_eq!(names(&scenes[0]), recorded);
    // The areas of the bars are the events: height / panel × end of the axis × seconds of a column.
    let bars = scenes[2].items.iter().filter_map(|item| match item {
        Item::Rect { class, area } if class == "bar" => Some(area.height),
        _ => None,
    });
    assert!(bars.clone().count() > 20 && bars.fold(0.0, f64::max) <= 44.0 + 1e-9);
}
