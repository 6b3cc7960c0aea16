//! How the rows of the page are arranged: orders, groups, the search, keys, the address, and what is saved.

use super::browser::Page;
use super::{Made, known, place, visible};
use crate::common::perf_file;
use crate::common::report::{fixture, json};
use std::ffi::OsStr;

/// The rows of the graph of tracepoints, from the top.
fn rows(page: &Page) -> Vec<String> {
    let text = page.text("JSON.stringify(selection.graphs[0].rows.map(row => row.name).reverse())");
    serde_json::from_str(&text).unwrap()
}

fn example() -> Made {
    Made::with(["--example"].iter().map(OsStr::new))
}

fn order(page: &Page, order: &str) {
    page.text(&format!(
        "(select => {{ select.value = '{order}'; select.dispatchEvent(new Event('change')); return ''; }})(document.getElementById('order'))"
    ));
    page.scroll_to("[data-graph=tracepoints]");
}

pub fn orders() {
    let names = [("a", "late"), ("a", "often"), ("b", "early"), ("b", "with_late")];
    let mut samples = vec![(5_000_000, 3, 0)];
    samples.extend((1..=60).map(|n| (5_000_000 + n * 10_000, 2, 0)));
    samples.extend((80..=90).flat_map(|n| [(5_000_000 + n * 10_000, 1, 0), (5_000_001 + n * 10_000, 4, 1)]));
    samples.push((6_000_000, 4, 1));
    let page = Made::of(&[perf_file(&names, &[&samples], None).path()]).open();
    assert_eq!(rows(&page), ["b:with_late", "b:early", "a:often", "a:late"]);
    order(&page, "activity");
    assert_eq!(rows(&page), ["a:often", "b:with_late", "a:late", "b:early"]);
    order(&page, "first");
    assert_eq!(rows(&page), ["b:early", "a:often", "a:late", "b:with_late"]);
    order(&page, "similarity");
    let similar = rows(&page);
    let at = |name: &str| similar.iter().position(|row| row == name).unwrap();
    assert_eq!(similar[0], "a:often");
    assert_eq!(at("a:late").abs_diff(at("b:with_late")), 1, "{similar:?}");
    // The labels, the rows, and what is under the pointer agree.
    order(&page, "activity");
    let labels = page.text("selection.graphs[0].plot.axes[1]._values.join()");
    assert_eq!(labels, "b:early 3,a:late 1,b:with_late 4,a:often 2");
    page.hover(place(&page, "tracepoints", 4, 3, 0.3));
    assert!(super::tip(&page, "tracepoints").starts_with("a:often"));
    // The names of the fixtures of a real machine, in all orders.
    let page = example().open();
    let mut named = rows(&page);
    named.sort();
    for name in ["activity", "first", "similarity"] {
        order(&page, name);
        let mut here = rows(&page);
        here.sort();
        assert_eq!(here, named, "{name}");
    }
    assert_eq!(page.complaints(), Vec::<String>::new());
}

pub fn groups() {
    let page = known().open();
    assert_eq!(rows(&page), ["sched:wakeup", "irq:exit", "irq:entry"]);
    page.click_on("[data-graph=tracepoints] .toggle:nth-of-type(2)");
    assert_eq!(rows(&page), ["sched:wakeup", "irq"]);
    page.hover(place(&page, "tracepoints", 2, 0, 0.5));
    assert!(super::tip(&page, "tracepoints").starts_with("irq\nclosed group of 2 tracepoints\n"));
    let sums = page
        .numbers("[...selection.graphs[0].cells.sums(0, views[0].span, selection.graphs[0].map, 2, views[0].span)]");
    assert_eq!(sums, [102.0, 3.0]);
    page.click_on("[data-graph=tracepoints] .toggle:nth-of-type(2)");
    assert_eq!(rows(&page).len(), 3);
    // With the keyboard: the lowest row is `irq:entry`.
    page.click_on("[data-graph=tracepoints]");
    page.press("ArrowUp");
    page.press("o");
    assert_eq!(rows(&page), ["sched:wakeup", "irq"]);
    page.click_on("#close");
    assert_eq!(rows(&page).len(), 3, "it opens the closed ones");
    page.click_on("#close");
    assert_eq!(rows(&page), ["sched", "irq"]);
    // A click on a closed group shows its rows.
    page.click(place(&page, "tracepoints", 2, 0, 0.5));
    assert_eq!(
        (rows(&page), visible(&page, "tracepoints").len()),
        (vec!["irq:exit".to_owned(), "irq:entry".to_owned()], 2)
    );
    assert_eq!(page.complaints(), Vec::<String>::new());
}

pub fn globs() {
    let file = fixture("example.perf.zst");
    let page = Made::of(&[&file]).open();
    for (search, patterns) in [
        ("irq:*", "irq:*"),
        ("*_{entry,exit}", "*_{entry,exit}"),
        ("timer:*, sched:sched_process_*", "timer:*,sched:sched_process_*"),
        ("{kmem,mmap*}:mm*", "{kmem,mmap*}:mm*"),
        ("ma_[!r]*", "ma_[!r]*"),
        ("*[a-f]", "*[a-f]"),
        ("m?ap_lock*:*", "m?ap_lock*:*"),
        ("{x86_fpu:*,}", "{x86_fpu:*,}"),
    ] {
        page.type_into("#search", search);
        let report = json(&[file.to_str().unwrap(), "-t", patterns]);
        let names = |kind: &str| {
            let rows = report["sources"][0][kind].as_array().unwrap();
            let mut names: Vec<String> = rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
            names.sort();
            names
        };
        let mut in_graph = rows(&page);
        in_graph.sort();
        assert_eq!(in_graph, names("tracepoints"), "{search}");
        for kind in ["tracepoints", "groups"] {
            let mut in_table = visible(&page, kind);
            in_table.sort();
            assert_eq!(in_table, names(kind), "{search}");
        }
        assert_eq!(
            page.text("document.getElementById('found').innerText").split(' ').next(),
            Some(&*in_graph.len().to_string())
        );
    }
    // Words narrow the search, in any order, and a word without the signs of globs finds what contains it.
    page.type_into("#search", "FAULT page");
    assert_eq!(visible(&page, "tracepoints"), ["exceptions:page_fault_user", "exceptions:page_fault_kernel"]);
    page.type_into("#search", "irq:* exit, hrtimer_init");
    let mut found = visible(&page, "tracepoints");
    found.sort();
    assert_eq!(found, ["irq:softirq_exit", "timer:hrtimer_init"]);
    // What is no glob finds nothing, and many stars take no time.
    for search in ["[a", "{a", "a}", "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"] {
        page.type_into("#search", search);
        assert!(rows(&page).is_empty(), "{search}");
    }
    page.type_into("#search", " ");
    assert!(rows(&page).len() > 60);
    assert_eq!(page.complaints(), Vec::<String>::new());
}

pub fn names() {
    // Of so many rows, not all have room for a label.
    let names: Vec<(String, String)> =
        (0..400).map(|n| ("group".to_owned(), format!("tracepoint_{n:03}_{}", "long_".repeat(20)))).collect();
    let named: Vec<(&str, &str)> = names.iter().map(|(group, name)| (group.as_str(), name.as_str())).collect();
    let samples: Vec<_> = (0..400).map(|n| (5_000_000 + n * 1_000, 1 + n as u32, 0)).collect();
    let page = Made::of(&[perf_file(&named, &[&samples], None).path()]).open();
    assert!(page.numbers("[selection.graphs[0].labels().length]")[0] < 100.0);
    let name = || {
        page.text(
            "(name => name.hidden ? '' : name.innerText)(document.querySelector('[data-graph=tracepoints] .name'))",
        )
    };
    page.hover(place(&page, "tracepoints", 400, 333, 0.1));
    assert!(name().starts_with("group:tracepoint_333_long_") && name().ends_with("long_ 334"), "{}", name());
    // Also left of the graph.
    let (_, y) = place(&page, "tracepoints", 400, 123, 0.0);
    let left = page.numbers("[document.querySelector('[data-graph=tracepoints]').getBoundingClientRect().left]")[0];
    page.hover((left + 40.0, y));
    assert!(name().starts_with("group:tracepoint_123_"), "{}", name());
    page.click((left + 40.0, y));
    assert!(page.text("document.querySelector('#isolated span').innerText").starts_with("group:tracepoint_123_"));
    assert_eq!(page.complaints(), Vec::<String>::new());
}

pub fn keys() {
    let page = known().open();
    let times = || {
        page.numbers("[views[0].from / views[0].span, views[0].to / views[0].span]")
            .iter()
            .map(|part| (part * 1e3).round() / 1e3)
            .collect::<Vec<_>>()
    };
    for (key, expected) in [("w", [0.25, 0.75]), ("d", [0.375, 0.875]), ("a", [0.25, 0.75]), ("s", [0.0, 1.0])] {
        page.press(key);
        assert_eq!(times(), expected, "{key}");
    }
    page.press("/");
    assert_eq!(page.text("document.activeElement.id"), "search");
    page.press("w");
    assert_eq!((times(), page.text("document.getElementById('search').value")), (vec![0.0, 1.0], "w".to_owned()));
    page.press("Escape");
    page.type_into("#search", "irq");
    page.press("Escape");
    page.press("g");
    assert_eq!(rows(&page), ["irq"]);
    page.press("?");
    assert_eq!(page.text("String(document.getElementById('help').open)"), "true");
    page.press("w");
    assert_eq!(times(), [0.0, 1.0], "keys are for the help");
    page.press("Escape");
    assert_eq!(page.text("String(document.getElementById('help').open)"), "false");
    assert_eq!(page.complaints(), Vec::<String>::new());
}

/// The state of a page: what is shown, in words.
fn state(page: &Page) -> String {
    page.text(
        "JSON.stringify([views.map(view => [view.from, view.to]), selection.graphs.map(graph => [graph.span, graph.lit, graph.rows.map(row => row.name)]), \
         [...document.querySelectorAll('tbody tr')].filter(row => row.checkVisibility()).map(row => row.innerText), \
         document.getElementById('search').value.trim(), document.getElementById('isolated').innerText, document.getElementById('followed').innerText, selection.isLinked])",
    )
}

/// Fails if two pages differ, and shows where.
fn same(a: &Page, b: &Page, fragment: &str) {
    let (a, b) = (state(a), state(b));
    let until = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        String::from_utf8_lossy(&text.as_bytes()[until.saturating_sub(100)..text.len().min(until + 100)]).into_owned()
    };
    assert!(a == b, "{fragment}: {} differs from {}", around(&a), around(&b));
}

pub fn address() {
    let file = fixture("perf-tasks.data");
    let made = Made::with(["--by".as_ref(), "process".as_ref(), file.as_os_str(), file.as_os_str()].into_iter());
    let page = made.open();
    let first = state(&page);
    assert_eq!(page.text("location.hash"), "");
    for act in [
        "views[0].set(views[0].span / 4, views[0].span / 2)",
        "selection.follow([...selection.processes.values()][1], 1)",
        "selection.graphs.at(-1).showRows(1, 2)",
        "document.querySelector('#source-1 table.tracepoints th button').click()",
        "selection.toggle(selection.graphs[0].rows[0].group)",
        "selection.link(false)",
        "views[1].set(views[0].span / 8, views[0].span)",
        "(document.getElementById('order').value = 'activity', document.getElementById('order').dispatchEvent(new Event('change')))",
    ] {
        page.text(&format!("({act}, '')"));
    }
    page.type_into("#search", "s*:*, a+b & c=d #e");
    page.wait("location.hash.includes('search')");
    let fragment = page.text("location.hash");
    let there = made.open_at(&fragment);
    same(&there, &page, &fragment);
    assert_eq!(there.text("document.getElementById('search').value"), "s*:*, a+b & c=d #e");
    // An isolated row, and another address in the same window.
    page.text("(selection.isolate({group: selection.graphs[0].base.rows[0].group, name: selection.graphs[0].base.rows[0].name}), '')");
    page.type_into("#search", " ");
    page.wait("location.hash.includes('tracepoint=') && !location.hash.includes('search')");
    let fragment = page.text("location.hash");
    there.text(&format!("(location.hash = {fragment:?}, '')"));
    there.wait("selection.isolated !== null");
    there.scroll_to("table.tracepoints");
    page.scroll_to("table.tracepoints");
    same(&there, &page, &fragment);
    // Nothing of it is left at the end.
    there.text("(location.hash = '', '')");
    there.wait("selection.isolated === null");
    there.scroll_to("table.tracepoints");
    assert_eq!(state(&there), first);
    assert_eq!((page.complaints(), there.complaints()), (Vec::new(), Vec::new()));
}

pub fn hostile_address() {
    let made = known();
    let whole = state(&made.open());
    for fragment in [
        "#source-0",
        "#time0=9-3&time1=1-2&time7=x",
        "#time0=9999999999999999-9999999999999999",
        "#order=__proto__&closed=constructor&closed=no&tracepoint=no:such&process=7-9&linked=%FF",
        "#tracepoints0=5-9&groups0=3-1&cpus0=0-99",
        "#process=0-0&group=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "#&&=&=x&%&sort-tracepoints0=77-up&sort-groups0=-1",
    ] {
        let page = made.open_at(fragment);
        assert_eq!(state(&page), whole, "{fragment}");
        assert_eq!((page.complaints(), page.requests()), (Vec::new(), Vec::new()), "{fragment}");
    }
    let page = made.open_at("#search=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E");
    assert!(rows(&page).is_empty());
    assert_eq!(page.numbers("[document.images.length]"), [0.0]);
}

pub fn saving() {
    let names = [("irq", "entry"), ("a&b", "<c>\"d\""), ("=1+1", "wakeup")];
    let mut samples: Vec<_> = (0..=100).map(|n| (5_000_000 + n * 10_000, 1, 0)).collect();
    samples.insert(26, (5_250_001, 2, 1));
    samples.insert(77, (5_750_002, 3, 3));
    let page = Made::of(&[perf_file(&names, &[&samples], None).path()]).open();
    page.text("(URL.createObjectURL = blob => (window.saved = blob, 'blob:'), HTMLAnchorElement.prototype.click = function () { window.named = this.download; }, '')");
    page.text("(views[0].set(200000, 800000), '')");
    page.scroll_to("table.tracepoints");
    let press = |title: &str, button: &str| {
        page.text(&format!(
            "([...document.querySelectorAll('h3')].find(title => title.textContent.startsWith('{title}')).querySelectorAll('.save').forEach(it => it.textContent === '{button}' && it.click()), '')"
        ));
        page.wait("window.saved !== undefined");
        let text = page.text("saved.text()");
        let size = page.numbers("[saved.size]")[0];
        page.text("(delete window.saved, '')");
        (text, size)
    };
    let (csv, _) = press("TracepointsCSV", "CSV");
    assert_eq!(
        csv,
        "tracepoint,tpid,events,share,per_second,lost,from_ns,to_ns\n\
         '=1+1:wakeup,1,60,0.967741935483871,100000.00000000001,,200000,800000\n\
         \"a&b:<c>\"\"d\"\"\",2,1,0.016129032258064516,1666.6666666666667,,200000,800000\n\
         irq:entry,3,1,0.016129032258064516,1666.6666666666667,,200000,800000\n"
    );
    assert!(page.text("named").contains("Tracepoints-of-") && page.text("named").ends_with(".csv"));
    let (svg, _) = press("Tracepoints over time", "SVG");
    let document = page.text(&format!(
        "(svg => [svg.querySelectorAll('parsererror').length, svg.querySelectorAll('path[fill]').length > 40, [...svg.querySelectorAll('text')].map(text => text.textContent).join('|')].join('|'))(new DOMParser().parseFromString({}, 'image/svg+xml'))",
        serde_json::to_string(&svg).unwrap()
    ));
    assert!(document.starts_with("0|true|Tracepoints of "), "{document}");
    for text in ["irq:entry 3", "a&b:<c>\"d\" 2", "=1+1:wakeup 1", "0.0004", "seconds from the start"] {
        assert!(document.contains(text), "{document} lacks {text}");
    }
    let (_, size) = press("Tracepoints over time", "PNG");
    assert!(size > 2_000.0, "{size}");
    assert_eq!(page.complaints(), Vec::<String>::new());
}

pub fn colours() {
    let page = known().open();
    for ramp in ["DARKENING", "LIGHTENING"] {
        let lightness = page.numbers(&format!(
            "[...{ramp}].map(colour => [colour & 255, colour >> 8 & 255, colour >> 16 & 255].map(part => part / 255).map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)).map(([r, g, b]) => 116 * Math.cbrt(0.2126 * r + 0.7152 * g + 0.0722 * b) - 16)"
        ));
        let steps: Vec<f64> = lightness.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let direction = lightness[255] - lightness[0];
        assert!(direction.abs() > 50.0, "{ramp}: {direction}");
        // Colours are whole numbers, so a step may be a little off.
        assert!(steps.iter().all(|step| step * direction.signum() > -0.2), "{ramp}: {steps:?}");
    }
}

pub fn folding() {
    let page = example().open();
    assert_eq!(page.text("String(document.querySelector('.about').open)"), "true");
    assert_eq!(page.text("String(document.querySelector('.about > summary').checkVisibility())"), "false");
    let page = example().open_narrow();
    assert_eq!(page.text("String(document.querySelector('.about').open)"), "false");
    assert_eq!(page.text("String(document.querySelector('.facts').checkVisibility())"), "false");
    page.click_on(".about > summary");
    assert_eq!(page.text("String(document.querySelector('.facts').checkVisibility())"), "true");
    let [scroll, inner] = page.numbers("[document.documentElement.scrollWidth, innerWidth]")[..] else { panic!() };
    assert!(scroll <= inner, "it is {scroll} wide on a screen of {inner}");
}
