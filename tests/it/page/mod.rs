//! The page in a real browser, headless Chromium: what it shows, what a mouse, a keyboard and a finger do to it, and that it
//! asks nothing of any network.

mod browser;
mod part;
mod processes;
mod rows;

use crate::common::budget::{FileEnd, budgeted};
use crate::common::report::fixture;
use crate::common::{Test, nothing_more, perf_file};
use browser::Page;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub const TESTS: &[Test] = &[
    ("it_loads_without_errors_and_asks_nothing_of_any_network", nothing_more, loads),
    ("hovering_names_the_tracepoint_that_is_there", nothing_more, hovering),
    ("a_click_isolates_and_another_shows_all", nothing_more, clicking),
    ("searching_hides_what_does_not_match", nothing_more, searching),
    ("columns_sort", nothing_more, sorting),
    ("keys_and_drags_zoom_and_pan", nothing_more, zooming),
    ("names_that_are_html_are_text", nothing_more, hostile),
    ("the_policy_refuses_all_that_tp_perf_did_not_write", nothing_more, foreign),
    ("dense_sources_of_several_show_their_counts", nothing_more, dense),
    ("it_fits_a_phone_and_prints", nothing_more, narrow),
    ("states_stand_above_the_graphs_at_their_times", nothing_more, states),
    ("what_was_thinned_is_hatched_and_what_was_detached_has_a_band", nothing_more, thinned),
    ("a_cpu_that_was_not_watched_has_a_band_at_the_time", nothing_more, unwatched),
    ("a_process_is_followed_by_the_other_graphs_and_the_tables", nothing_more, processes::following),
    ("a_part_of_the_time_shows_the_processes_in_it", nothing_more, processes::part),
    ("tables_have_the_numbers_of_the_time_shown", nothing_more, part::numbers),
    ("the_command_of_a_part_runs_as_it_is_shown", nothing_more, part::commands),
    #[cfg(feature = "monitor")]
    ("a_part_of_a_history_has_estimates", nothing_more, part::history),
    ("the_closest_zoom_is_a_step_of_the_page", nothing_more, part::closest),
    ("sources_show_the_same_time_until_they_are_unlinked", nothing_more, part::linked),
    ("the_overview_moves_and_draws_the_frame", nothing_more, part::overview),
    ("a_place_without_events_explains_itself", nothing_more, part::silence),
    ("rows_are_sorted_in_each_order", nothing_more, rows::orders),
    ("groups_close_to_one_row_and_open", nothing_more, rows::groups),
    ("searching_means_the_globs_of_the_command_line", nothing_more, rows::globs),
    ("the_name_of_each_row_is_under_the_pointer", nothing_more, rows::names),
    ("keys_work_wherever_the_keyboard_is", nothing_more, rows::keys),
    ("the_address_has_the_state", nothing_more, rows::address),
    ("an_address_with_anything_in_it_does_no_harm", nothing_more, rows::hostile_address),
    ("what_is_on_the_screen_is_saved", nothing_more, rows::saving),
    ("colours_go_from_light_to_dark_or_from_dark_to_light", nothing_more, rows::colours),
    ("facts_fold_on_a_phone", nothing_more, rows::folding),
];

pub fn has_browser() -> Result<(), String> {
    browser::path().map(drop).ok_or_else(|| "Chromium (`apt-get install chromium`)".to_owned())
}

/// The page of a report on these sources.
struct Made {
    folder: TempDir,
}

impl Made {
    fn of(sources: &[&Path]) -> Self {
        Self::with(sources.iter().map(|source| source.as_os_str()))
    }

    fn with<'a>(words: impl Iterator<Item = &'a OsStr>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_tp-perf"))
            .args(["report", "-q", "--html"])
            .arg(folder.path().join("page.html"))
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        // The page of a source with missing hits is whole, and the exit code is 1.
        assert!(output.status.code() < Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        Made { folder }
    }

    fn open(&self) -> Page {
        self.open_at("")
    }

    /// Opens it on a phone.
    fn open_narrow(&self) -> Page {
        Page::open_in(&self.folder.path().join("page.html"), "", (500, 800))
    }

    /// Opens it with a fragment of its address.
    fn open_at(&self, fragment: &str) -> Page {
        Page::open(&self.folder.path().join("page.html"), fragment)
    }
}

/// Three tracepoints of two groups over a millisecond: `irq:entry` every 10 µs, `irq:exit` once at 250 µs, and
/// `sched:wakeup` three times at 750 µs, on CPU 3.
const NAMES: [(&str, &str); 3] = [("irq", "entry"), ("irq", "exit"), ("sched", "wakeup")];
const SPAN: f64 = 1_000_000.0;

fn known() -> Made {
    let mut samples: Vec<_> = (0..=100).map(|n| (5_000_000 + n * 10_000, 1, 0)).collect();
    samples.insert(26, (5_250_001, 2, 1));
    for _ in 0..3 {
        samples.insert(77, (5_750_002, 3, 3));
    }
    Made::of(&[perf_file(&NAMES, &[&samples], None).path()])
}

/// Where in a graph of so many rows a row and a part of the time are: reckoned from where its frame is, and not by the page's
/// own code.
fn place(page: &Page, graph: &str, rows: usize, row: usize, part: f64) -> (f64, f64) {
    page.scroll_to(&format!("[data-graph={graph}]"));
    let frame = page.numbers(&format!(
        "(({{left, top, width, height}}) => [left, top, width, height])(document.querySelector('[data-graph={graph}] .u-over').getBoundingClientRect())"
    ));
    let [left, top, width, height] = frame[..] else { panic!("a frame has four numbers: {frame:?}") };
    (left + part * width, top + height * (1.0 - (row as f64 + 0.5) / rows as f64))
}

/// The colour of the pixel at a [`place`]. Chromium complains about reading it, so read it after the complaints.
fn pixel(page: &Page, graph: &str, rows: usize, row: usize, part: f64) -> Vec<f64> {
    let (x, y) = place(page, graph, rows, row, part);
    page.numbers(&format!(
        "(() => {{ const canvas = document.querySelector('[data-graph={graph}] canvas'); \
         const box = canvas.getBoundingClientRect(); const scale = canvas.width / box.width; \
         const [x, y] = [({x} - box.left) * scale, ({y} - box.top) * scale].map(Math.round); \
         return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data]; }})()"
    ))
}

fn tip(page: &Page, graph: &str) -> String {
    page.text(&format!("(tip => tip.hidden ? '' : tip.innerText)(document.querySelector('[data-graph={graph}] .tip'))"))
}

fn loads() {
    for sources in
        [&["idle.perf.zst"][..], &["make.perf.zst", "apache.perf.zst", "overflow.perf.zst", "perf-file.data"]]
    {
        let sources: Vec<PathBuf> = sources.iter().map(|name| fixture(name)).collect();
        let page = Made::of(&sources.iter().map(PathBuf::as_path).collect::<Vec<_>>()).open();
        assert_eq!(page.numbers("[document.querySelectorAll('.graph canvas').length]"), [3.0 * sources.len() as f64]);
        assert_eq!(page.text("String(document.getElementById('failure').hidden)"), "true");
        assert_eq!(page.complaints(), Vec::<String>::new());
        assert_eq!(page.requests(), Vec::<String>::new());
    }
}

fn hovering() {
    let page = known().open();
    let marks = [
        (
            "tracepoints",
            3,
            1,
            250_001.0 / SPAN,
            &["irq:exit", "group irq", "0.000250001 s: 1 event", "timestamp 5250001 ns"][..],
        ),
        (
            "tracepoints",
            3,
            2,
            750_002.0 / SPAN,
            &["sched:wakeup", "group sched", "0.000750002 s: 3 events", "timestamp 5750002 ns"],
        ),
        ("groups", 2, 1, 750_002.0 / SPAN, &["sched", "0.000750002 s: 3 events", "timestamp 5750002 ns"]),
        ("groups", 2, 0, 500_000.0 / SPAN, &["irq", "0.000500000 s: 1 event", "timestamp 5500000 ns"]),
        ("cpus", 3, 2, 750_002.0 / SPAN, &["CPU 3", "0.000750002 s: 3 events", "timestamp 5750002 ns"]),
    ];
    for (graph, rows, row, part, said) in marks {
        page.hover(place(&page, graph, rows, row, part));
        assert_eq!(tip(&page, graph).lines().collect::<Vec<_>>(), said, "{graph}");
    }
    page.hover(place(&page, "tracepoints", 3, 2, 0.3));
    assert_eq!(
        tip(&page, "tracepoints").lines().collect::<Vec<_>>()[..2],
        ["sched:wakeup", "no events from 0.0000000 to 0.0007500 s (750 µs)"]
    );
    assert_eq!(page.complaints(), Vec::<String>::new());

    // They are painted there, too, and nothing is where nothing is: coloured or grey.
    let colour = |graph, rows, row, part| {
        let pixel = pixel(&page, graph, rows, row, part);
        let most = pixel[..3].iter().copied().fold(0.0, f64::max);
        most - pixel[..3].iter().copied().fold(255.0, f64::min)
    };
    for (graph, rows, row, part, _) in marks {
        assert!(colour(graph, rows, row, part) > 60.0, "{graph} {row}");
        assert!(colour(graph, rows, rows - 1, 0.333) < 30.0, "{graph}");
    }
}

fn visible(page: &Page, table: &str) -> Vec<String> {
    let rows = page.text(&format!(
        "[...document.querySelectorAll('table.{table} tbody tr')].filter(row => row.checkVisibility()).map(row => row.cells[0].innerText).join(' ')"
    ));
    rows.split_whitespace().map(str::to_owned).collect()
}

fn clicking() {
    let page = known().open();
    let chip = || {
        page.text("(chip => chip.hidden ? '' : chip.firstElementChild.innerText)(document.getElementById('isolated'))")
    };
    assert_eq!(visible(&page, "tracepoints"), ["irq:entry", "sched:wakeup", "irq:exit"]);
    page.click(place(&page, "tracepoints", 3, 1, 250_001.0 / SPAN));
    assert_eq!((chip().as_str(), visible(&page, "tracepoints")), ("irq:exit", vec!["irq:exit".to_owned()]));
    // The rows of its group are shown, and it alone is lit.
    assert_eq!(
        page.text("JSON.stringify([selection.graphs[0].span, selection.graphs[0].lit])"),
        "[[-0.5,1.5],[false,true]]"
    );
    page.click_on("#isolated button");
    assert_eq!((chip().as_str(), visible(&page, "tracepoints").len()), ("", 3));
    page.click(place(&page, "groups", 2, 0, 0.5));
    assert_eq!((chip().as_str(), visible(&page, "groups")), ("group irq", vec!["irq".to_owned()]));
    assert_eq!(visible(&page, "tracepoints"), ["irq:entry", "irq:exit"]);
    page.click(place(&page, "tracepoints", 2, 0, 0.5));
    page.click(place(&page, "tracepoints", 2, 0, 0.5));
    assert_eq!((chip().as_str(), visible(&page, "tracepoints").len()), ("", 3));
    page.click_on("table.tracepoints tbody tr:nth-child(2) button");
    assert_eq!(chip(), "sched:wakeup");
    page.click_on("[data-graph=tracepoints]");
    page.press("Escape");
    assert_eq!(chip(), "");
    assert_eq!(page.complaints(), Vec::<String>::new());
}

fn searching() {
    let page = known().open();
    page.type_into("#search", "WAKE");
    assert_eq!(
        (visible(&page, "tracepoints"), visible(&page, "groups")),
        (vec!["sched:wakeup".to_owned()], vec!["sched".to_owned()])
    );
    assert_eq!(
        page.text("JSON.stringify(selection.graphs.map(graph => graph.rows.map(row => row.name)))"),
        r#"[["sched:wakeup"],["sched"],["CPU 0","CPU 1","CPU 3"]]"#
    );
    page.type_into("#search", "no such thing");
    assert!(visible(&page, "tracepoints").is_empty() && visible(&page, "groups").is_empty());
    page.type_into("#search", "irq");
    assert_eq!(visible(&page, "tracepoints"), ["irq:entry", "irq:exit"]);
}

fn sorting() {
    let page = known().open();
    page.click_on("table.tracepoints thead th:nth-child(1) button");
    assert_eq!(visible(&page, "tracepoints"), ["irq:entry", "irq:exit", "sched:wakeup"]);
    page.click_on("table.tracepoints thead th:nth-child(3) button");
    assert_eq!(visible(&page, "tracepoints"), ["irq:entry", "sched:wakeup", "irq:exit"]);
    page.click_on("table.tracepoints thead th:nth-child(3) button");
    assert_eq!(visible(&page, "tracepoints"), ["irq:exit", "sched:wakeup", "irq:entry"]);
    assert_eq!(page.text("document.querySelector('table.tracepoints th[aria-sort]').innerText.trim()"), "events");
}

/// The times shown, as parts of the whole.
fn exactly_shown(page: &Page) -> [f64; 2] {
    let view = page.numbers("(view => [view.from / view.span, view.to / view.span])(selection.graphs[0].view)");
    [view[0], view[1]]
}

/// The same to three decimals.
fn shown(page: &Page) -> [f64; 2] {
    exactly_shown(page).map(|part| (part * 1_000.0).round() / 1_000.0)
}

fn zooming() {
    let page = known().open();
    page.click_on("[data-graph=tracepoints]");
    for (key, expected) in [
        ("+", [0.25, 0.75]),
        ("+", [0.375, 0.625]),
        ("ArrowRight", [0.438, 0.688]),
        ("-", [0.313, 0.813]),
        ("0", [0.0, 1.0]),
    ] {
        page.press(key);
        let [from, to] = exactly_shown(&page);
        assert!((from - expected[0]).abs() < 0.001 && (to - expected[1]).abs() < 0.001, "{key}: {from} to {to}");
    }
    page.drag(place(&page, "groups", 2, 1, 0.7), place(&page, "groups", 2, 1, 0.8), false);
    let [from, to] = exactly_shown(&page);
    assert!((from - 0.7).abs() < 0.01 && (to - 0.8).abs() < 0.01, "{from} to {to}");
    assert!(page.text("document.querySelector('.shown').innerText").starts_with("0.000"), "the time shown is said");
    // What is under the pointer is what is drawn there now.
    page.hover(place(&page, "tracepoints", 3, 2, (0.750002 - from) / (to - from)));
    assert_eq!(tip(&page, "tracepoints").lines().next(), Some("sched:wakeup"));
    page.drag(place(&page, "groups", 2, 0, 0.8), place(&page, "groups", 2, 0, 0.3), true);
    assert!((shown(&page)[0] - 0.75).abs() < 0.01, "{:?}", shown(&page));
    page.click_on("[data-zoom=all]");
    assert_eq!(shown(&page), [0.0, 1.0]);
    page.drag(place(&page, "tracepoints", 3, 0, 0.5), place(&page, "tracepoints", 3, 1, 0.5), false);
    assert_eq!(
        (shown(&page), page.text("JSON.stringify(selection.graphs[0].span)").as_str()),
        ([0.0, 1.0], "[-0.5,1.5]")
    );
    page.press("0");
    page.press("ArrowUp");
    page.press("ArrowUp");
    let said = page.text("document.getElementById('announce').innerText");
    assert!(said.starts_with("irq:exit, group irq, 0.000250001 s: 1 event, timestamp 5250001 ns; 1 in all"), "{said}");
    page.press("Enter");
    assert_eq!(visible(&page, "tracepoints"), ["irq:exit"]);
    assert_eq!(page.complaints(), Vec::<String>::new());
}

fn hostile() {
    let names = [
        ("<img src=x onerror=alert(1)>", "<script>alert(2)</script>"),
        ("q\"'", "&amp;</script><!--"),
        ("z", "\u{202e}back"),
    ];
    let file = perf_file(&names, &[&[(1, 1, 0), (2, 2, 0), (3, 3, 0)]], None);
    let page = Made::of(&[file.path(), file.path()]).open();
    assert_eq!(page.numbers("[document.scripts.length, document.images.length]"), [3.0, 0.0]);
    let first = visible(&page, "tracepoints").join(" ");
    assert!(first.starts_with("<img src=x onerror=alert(1)>:<script>alert(2)</script>"), "{first}");
    page.hover(place(&page, "tracepoints", 3, 0, 0.0));
    assert!(tip(&page, "tracepoints").starts_with("<img src=x onerror"), "{}", tip(&page, "tracepoints"));
    page.type_into("#search", "</script>");
    assert_eq!(page.complaints(), Vec::<String>::new());
    assert_eq!(page.requests(), Vec::<String>::new());
}

/// A page into which a name got as HTML, as if the escaping had failed.
fn foreign() {
    let made = known();
    let file = made.folder.path().join("page.html");
    let page = std::fs::read_to_string(&file).unwrap();
    let foreign = r#"<base href="https://example.org/"><script>document.title = "obeyed"</script>
        <img src="data:," onerror="document.title = 'obeyed'"><style>#foreign { color: rgb(1, 2, 3) }</style>
        <p id="foreign" style="color: rgb(1, 2, 3)"></p><form action="https://example.org/"></form>"#;
    let whole = page.replacen("<body>", &format!("<body>{foreign}"), 1);
    assert_ne!(whole, page);
    std::fs::write(&file, whole).unwrap();
    let page = made.open();
    page.text("(document.forms[0].submit(), 'asked')");
    for directive in ["base-uri 'none'", "form-action 'none'", "script-src 'sha256-", "style-src 'sha256-"] {
        page.wait_for_complaint(directive);
    }
    assert!(page.text("document.title").ends_with("tp-perf"));
    assert!(page.text("document.baseURI").starts_with("file:///"));
    assert_ne!(page.text("getComputedStyle(document.getElementById('foreign')).color"), "rgb(1, 2, 3)");
    assert_eq!(page.requests(), Vec::<String>::new());
}

fn dense() {
    let mut samples: Vec<_> = (0..400_000u64).map(|n| (1_000 + n * 1_000, 1, 0)).collect();
    samples.insert(300_000, (1_000 + 300_000 * 1_000, 3, 1));
    let file = perf_file(&NAMES, &[&samples], None);
    let page = Made::of(&[file.path(), &fixture("idle.perf.zst")]).open();
    page.hover(place(&page, "tracepoints", 2, 1, 0.75));
    assert_eq!(
        tip(&page, "tracepoints").lines().next(),
        Some("sched:wakeup"),
        "the rare one is beside the frequent one"
    );
    let events = page.numbers("[selection.graphs[0].cells.count.reduce((sum, count) => sum + count, 0)]");
    assert_eq!(events, [400_001.0]);
    // However wide the columns are, all is painted, and once.
    for columns in [7, 800, 1_044, 40_000] {
        let painted = page.numbers(&format!(
            "(({{cells, map, view}}) => [cells.grid(0, view.span, {columns}, map, 2, view.span).reduce((sum, n) => sum + n, 0)])(selection.graphs[0])"
        ));
        assert!((painted[0] - 400_001.0).abs() < 40.0, "{columns}: {painted:?}");
    }
    assert_eq!(page.complaints(), Vec::<String>::new());
}

fn narrow() {
    let page = Made::of(&[&fixture("make.perf.zst"), &fixture("overflow.perf.zst")]).open();
    page.resize(360, 740);
    let [scroll, inner] = page.numbers("[document.documentElement.scrollWidth, innerWidth]")[..] else { panic!() };
    assert!(scroll <= inner, "it is {scroll} wide on a screen of {inner}");
    let canvas = page.numbers("[document.querySelector('.graph canvas').getBoundingClientRect().width]")[0];
    assert!((250.0..=inner).contains(&canvas), "the graph is {canvas} wide");
    page.click_on("[data-zoom=in]");
    assert_eq!(shown(&page), [0.25, 0.75]);
    let pdf = page.pdf();
    assert!(pdf.starts_with(b"%PDF") && pdf.len() > 20_000, "{}", pdf.len());
    assert_eq!(page.complaints(), Vec::<String>::new());
}

fn states() {
    let page = Made::with([OsStr::new("--example")].into_iter()).open();
    let edges = |selector: &str| {
        page.numbers(&format!(
            "(({{left, right}}) => [left, right])(document.querySelector('{selector}').getBoundingClientRect())"
        ))
    };
    assert_eq!(
        page.text("[...document.querySelectorAll('.states span')].map(span => span.innerText).join()"),
        "idle,build"
    );
    // Half of the idle time is shown, and then all: the strip is at the place of the rows, and the states at their times.
    for zoom in ["view.set(1.5e9, view.span)", "view.all()"] {
        page.text(&format!("(view => {{ {zoom}; return ''; }})(selection.graphs[0].view)"));
        page.scroll_to(".states");
        let (strip, frame) = (edges(".states"), edges("[data-graph=tracepoints] .u-over"));
        assert!((strip[0] - frame[0]).abs() < 2.0 && (strip[1] - frame[1]).abs() < 2.0, "{strip:?} and {frame:?}");
        let change = page.numbers("[selection.graphs[0].plot.valToPos(3, 'x')]")[0] + frame[0];
        assert!((edges(".states span:nth-child(2)")[0] - change).abs() < 2.0, "{zoom}: {change}");
    }
    assert_eq!(page.complaints(), Vec::<String>::new());
}

/// The places of a part of the time, in a row of a graph, of which a pixel has this colour: 30 pixels from there on.
fn pixels_of(page: &Page, graph: &str, (rows, row): (usize, usize), part: f64, colour: [u8; 3]) -> f64 {
    let (x, y) = place(page, graph, rows, row, part);
    page.numbers(&format!(
        "(() => {{ const canvas = document.querySelector('[data-graph={graph}] canvas'); \
         const box = canvas.getBoundingClientRect(); const scale = canvas.width / box.width; \
         const [x, y] = [({x} - box.left) * scale, ({y} - box.top) * scale].map(Math.round); \
         const {{data}} = canvas.getContext('2d').getImageData(x, y, 30, 1); \
         const near = (at) => {colour:?}.every((value, n) => Math.abs(data[at * 4 + n] - value) < 30); \
         return [Array.from({{length: 30}}, (_, at) => at).filter(near).length]; }})()"
    ))[0]
}

fn thinned() {
    let made = Made::of(&[budgeted(FileEnd::Whole).path(), &fixture("idle.perf.zst")]);
    let page = made.open();
    // The canvas is transparent, so a band has its own colour, and a low opacity.
    // Stripes are over the row of the hot tracepoint from 0.3 to 0.9 of the time, and a band is behind that of the detached
    // one from the middle on.
    let (stripe, band) = ([0x4a, 0x55, 0x63], [0x8a, 0x4f, 0xd0]);
    for (graph, rows, gone) in [("tracepoints", 3, 2), ("groups", 2, 1)] {
        for (row, part, has_stripes) in
            [(0, 0.1, false), (0, 0.4, true), (0, 0.8, true), (0, 0.93, false), (gone, 0.4, false)]
        {
            let stripes = pixels_of(&page, graph, (rows, row), part, stripe);
            assert_eq!(stripes >= 3.0, has_stripes, "{graph} {row} {part}: {stripes}");
        }
        let of_band = [0.3, 0.6, 0.8].map(|part| pixels_of(&page, graph, (rows, gone), part, band) > 20.0);
        assert_eq!(of_band, [false, true, true], "{graph}");
    }
    assert!(pixels_of(&page, "cpus", (3, 2), 0.8, stripe) < 3.0, "a CPU is on no rung");
    let told = |graph, rows, row, part| {
        page.hover(place(&page, graph, rows, row, part));
        tip(&page, graph).lines().last().unwrap_or_default().to_owned()
    };
    assert_eq!(told("tracepoints", 3, 0, 0.5), "irq:hot was thinned here: one hit in 17 was recorded");
    assert_eq!(told("groups", 2, 0, 0.71), "irq:hot was thinned here: one hit in 257 was recorded");
    assert_eq!(told("tracepoints", 3, 2, 0.75), "sched:gone was detached here: its hits were not counted");
    assert!(!told("tracepoints", 3, 0, 0.1).contains("thinned"));
    // Only the source with a budget has a column for the rung, and the legend.
    let count = |selector: &str| page.numbers(&format!("[document.querySelectorAll('{selector}').length]"))[0];
    assert_eq!(["th.rung", ".mark.thinned", ".mark.detached"].map(count), [1.0; 3]);
    // In a part of the time, the tables have events, and not estimates of hits.
    let unit = || page.text("document.querySelector('table.tracepoints th[data-column=events]').textContent.trim()");
    assert_eq!(unit(), "hits");
    page.text("(views[0].set(views[0].span / 2, views[0].span), '')");
    page.scroll_to("#source-0 .tools");
    assert_eq!(unit(), "events");
    let line = page.text("document.querySelector('#source-0 .part').innerText");
    assert!(line.ends_with(" · the command also estimates thinned hits"), "{line}");
    page.click_on("#source-0 [data-zoom=all]");
    assert_eq!(unit(), "hits");
    page.click_on("th.rung button");
    let first = visible(&page, "tracepoints");
    assert_eq!(first[0], "irq:hot", "the part of the time that was not recorded sorts");
    page.resize(360, 740);
    let [scroll, inner] = page.numbers("[document.documentElement.scrollWidth, innerWidth]")[..] else { panic!() };
    assert!(scroll <= inner, "it is {scroll} wide on a screen of {inner}");
    // Chromium remarks that this test reads pixels.
    let complaints: Vec<_> = page.complaints().into_iter().filter(|it| !it.contains("willReadFrequently")).collect();
    assert_eq!(complaints, Vec::<String>::new());
}

fn unwatched() {
    let page = Made::of(&[crate::unwatched::recording(true).path()]).open();
    // The rows are CPUs 0, 1, and 2, which has no event.
    for (part, is_said) in [(0.2, false), (0.5, true), (0.8, false)] {
        page.hover(place(&page, "cpus", 3, 2, part));
        let tip = tip(&page, "cpus");
        assert!(tip.starts_with("CPU 2\nno events from"), "at {part}: {tip}");
        assert_eq!(tip.trim_end().ends_with("tp-perf did not watch CPU 2 here"), is_said, "at {part}: {tip}");
    }
    // In the other graphs, any row may have missed hits.
    for (graph, rows) in [("tracepoints", 2), ("groups", 1)] {
        page.hover(place(&page, graph, rows, 0, 0.5));
        assert!(tip(&page, graph).contains("tp-perf did not watch CPU 2 here"), "{graph}: {}", tip(&page, graph));
        page.hover(place(&page, graph, rows, 0, 0.8));
        assert!(!tip(&page, graph).contains("did not watch"), "{graph}: {}", tip(&page, graph));
    }
    let key = page.text("document.querySelector('.key').innerText");
    assert!(key.contains("did not watch"), "{key}");
    assert_eq!(page.complaints(), Vec::<String>::new());
    let [before, within, after] = [0.2, 0.5, 0.8].map(|part| pixel(&page, "cpus", 3, 2, part));
    assert!(before == after && before != within, "{before:?} {within:?} {after:?}");
}
