//! The processes on the page: the other graphs and the tables follow the chosen one.

use super::Made;
use super::browser::Page;
use crate::common::report::{fixture, json};

/// The visible rows of a table: the first cell, and the cell in the column of hits.
pub fn rows_with_hits(page: &Page, table: &str) -> Vec<(String, u64)> {
    let text = page.text(&format!(
        "(table => {{ const column = [...table.tHead.rows[0].cells].findIndex(head => head.dataset.column === 'events'); \
         return [...table.tBodies[0].rows].filter(row => row.checkVisibility()).map(row => row.cells[0].innerText + '\\t' + row.cells[column].innerText).join('\\n'); }}) \
         (document.querySelector('table.{table}'))"
    ));
    let row = |line: &str| {
        let (name, hits) = line.split_once('\t').unwrap();
        (name.trim().to_owned(), hits.replace(',', "").trim().parse().unwrap())
    };
    text.lines().map(row).collect()
}

/// The events that a graph shows, by row.
fn shown_events(page: &Page, graph: &str) -> Vec<f64> {
    page.numbers(&format!(
        "(graph => [...graph.cells.grid(0, graph.view.span, 1, graph.map, graph.rows.length, graph.view.span)]) \
         (selection.graphs.find(graph => graph.kind === '{graph}'))"
    ))
}

pub fn following() {
    let file = fixture("perf-tasks.data");
    let page = Made::with(["--by".as_ref(), "process".as_ref(), file.as_os_str()].into_iter()).open();
    let all = ["tracepoints", "groups", "cpus"].map(|table| rows_with_hits(&page, table));
    let everything = shown_events(&page, "tracepoints");
    let chip = || page.text("(chip => chip.hidden ? '' : chip.innerText)(document.getElementById('followed'))");
    // The truth comes from the report as JSON.
    let report = json(&[file.to_str().unwrap(), "--by", "process"]);
    let processes = report["sources"][0]["processes"].as_array().unwrap();
    assert!(processes.len() > 3);
    for (number, process) in processes.iter().enumerate().take(4) {
        page.click_on(&format!("tr[data-process=\"{number}\"] button"));
        let mut truth: Vec<(String, u64)> = process["tracepoints"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (it["name"].as_str().unwrap().to_owned(), it["events"].as_u64().unwrap()))
            .collect();
        let mut shown = rows_with_hits(&page, "tracepoints");
        assert!(shown.is_sorted_by_key(|(_, hits)| std::cmp::Reverse(*hits)), "the table is sorted again");
        truth.sort();
        shown.sort();
        assert_eq!(shown, truth);
        let events: u64 = truth.iter().map(|(_, hits)| hits).sum();
        for table in ["groups", "cpus"] {
            assert_eq!(rows_with_hits(&page, table).iter().map(|(_, hits)| hits).sum::<u64>(), events, "{table}");
        }
        for graph in ["tracepoints", "groups", "cpus"] {
            assert_eq!(shown_events(&page, graph).iter().sum::<f64>().round() as u64, events, "{graph}");
        }
        let name = process["name"].as_str().unwrap_or_default();
        assert!(chip().contains(name), "{} lacks {name}", chip());
    }
    page.click_on("#followed button");
    assert_eq!(
        (["tracepoints", "groups", "cpus"].map(|table| rows_with_hits(&page, table)), chip()),
        (all.clone(), String::new())
    );
    assert_eq!(shown_events(&page, "tracepoints"), everything);
    // A click on the row in the graph does the same, and Escape takes it back.
    page.text("(() => { const graph = selection.graphs.find(graph => graph.kind === 'processes'); graph.onPick(graph.rows[1]); return ''; })()");
    assert!(!chip().is_empty());
    page.click_on("[data-graph=processes]");
    page.press("Escape");
    assert_eq!(chip(), "");
    assert_eq!(rows_with_hits(&page, "tracepoints"), all[0]);
    assert_eq!(page.complaints(), Vec::<String>::new());
}

pub fn part() {
    let file = fixture("perf-tasks.data");
    let page = Made::with(["--by".as_ref(), "process".as_ref(), file.as_os_str()].into_iter()).open();
    let [span] = page.numbers("[views[0].span]")[..] else { panic!() };
    let [from, to] = [span * 0.2, span * 0.7].map(f64::round);
    page.text(&format!("(views[0].set({from}, {to}), '')"));
    page.scroll_to("table.processes");
    let words = [file.to_str().unwrap(), "--by", "process", "--from", &format!("{from}ns"), "--to", &format!("{to}ns")];
    let report = json(&words);
    let truth = report["sources"][0]["processes"].as_array().unwrap();
    let mut expected: Vec<u64> = truth.iter().map(|process| process["events"].as_u64().unwrap()).collect();
    let shown: Vec<u64> = rows_with_hits(&page, "processes").into_iter().map(|(_, hits)| hits).collect();
    expected.sort_by_key(|hits| std::cmp::Reverse(*hits));
    assert_eq!(shown, expected);
    let first = page.text(
        "[...document.querySelectorAll('table.processes tbody tr')].find(row => row.checkVisibility()).innerText",
    );
    let most = truth[0]["tracepoints"][0]["name"].as_str().unwrap();
    assert!(first.contains(most), "{first} lacks {most}");
    // One process in a part of the time.
    page.text("(selection.follow([...selection.processes.values()][0], 1), '')");
    page.scroll_to("table.tracepoints");
    let name = page.text("selection.graphs.find(graph => graph.kind === 'processes').base.rows[1].name");
    let of_it = truth.iter().find(|process| name.starts_with(process["name"].as_str().unwrap_or("?")));
    let mut expected: Vec<(String, u64)> = of_it.unwrap_or_else(|| panic!("{name} is not in {truth:?}"))["tracepoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["name"].as_str().unwrap().to_owned(), it["events"].as_u64().unwrap()))
        .collect();
    let mut shown = rows_with_hits(&page, "tracepoints");
    expected.sort();
    shown.sort();
    assert_eq!(shown, expected);
    assert_eq!(page.complaints(), Vec::<String>::new());
}
