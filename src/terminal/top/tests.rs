use super::*;
use crate::events::{Cpu, Estimated, Ns, Partly, Rung, Slot, Tick};
use crate::live::{Key, View, WhoRow};
use crate::tracefs::Tpid;
use std::fmt::Write;

/// Four tracepoints over 70 windows: one steady, one that began 20 s ago, one that is visited, and one that is detached.
fn windows() -> LiveWindows {
    let slot = |tpid, cpu| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) };
    let slots = [slot(1, 0), slot(1, 1), slot(2, 0), slot(2, 1), slot(3, 0), slot(4, 0)];
    let mut windows = LiveWindows::default();
    for n in 0..70u64 {
        let begun = if n < 50 { 0 } else { 40 * (n - 49) };
        let visited = Partly {
            tpid: Tpid::new(3),
            rung: Rung::Visited,
            watched: 0.05,
            estimated: Some(Estimated { hits: 1e6 + 1e4 * (n % 7) as f64, variance: 1e6 }),
        };
        let detached = Partly { tpid: Tpid::new(4), rung: Rung::Detached, watched: 0.0, estimated: None };
        let partly = [visited, detached];
        windows.add(&Tick {
            from: Ns(n * 1_000_000_000),
            to: Ns((n + 1) * 1_000_000_000),
            late_ns: 0,
            slots: &slots,
            hits: &[900 + n % 5, 100, begun, 0, 0, 0],
            partly: if n < 60 { &partly[..1] } else { &partly },
            cost: Some(0.0123),
        });
    }
    windows
}

fn table() -> Table {
    let names = [
        ("kmem", "mm_page_alloc"),
        ("net", "netif_receive_skb_list_internal_entry"),
        ("kmem", "kfree"),
        ("memcg", "count_memcg_events"),
    ];
    let entries = names.map(|(group, name)| (group.to_owned(), name.to_owned(), 1)).to_vec();
    Table::from_entries(entries)
}

fn facts(has_colours: bool) -> TopFacts {
    TopFacts {
        hostname: "db1".to_owned(),
        kernel: "6.18.44".to_owned(),
        tracepoints: (1_568, 2_307),
        cpus: "0-1".parse().unwrap(),
        budget: Some(0.05),
        has_colours,
        is_live: true,
    }
}

fn answer() -> WhoShown {
    let row = |words: &str, processes, mostly: Option<&str>, share: f64| WhoRow {
        words: words.to_owned(),
        processes,
        mostly: mostly.map(str::to_owned),
        share,
        interval: Some((share - 0.05, share + 0.05)),
    };
    let answer = WhoAnswer {
        samples: 1_234,
        lost: 0,
        time: Duration::from_secs(4),
        rows: vec![
            row("postgres", 14, Some("/system.slice/postgresql.service"), 0.62),
            row("[kworker/0:1-events]", 1, None, 0.25),
            row("evil\u{1b}[2J", 1, Some("/user.slice"), 0.13),
        ],
        is_exact: false,
    };
    WhoShown::Answer(answer, 1, Some(1_004.0))
}

/// The screen as text, after these keys.
fn screen(width: u16, height: u16, keys: &[Key], who: WhoShown) -> (String, Buffer) {
    let (windows, table, facts) = (windows(), table(), facts(true));
    let mut view = View::default();
    let screen = TopScreen {
        facts: &facts,
        windows: &windows,
        table: &table,
        who: &who,
        states: None,
        own: Some(0.004),
        note: None,
    };
    for key in keys {
        let rows = screen.rows(&view);
        view.key(*key, &rows, usize::from(screen.height(&view, height)), &windows);
    }
    let area = Rect { x: 0, y: 0, width, height };
    let mut buffer = Buffer::empty(area);
    screen.draw(&mut view, area, &mut buffer);
    (text_of(&buffer), buffer)
}

fn text_of(buffer: &Buffer) -> String {
    let mut text = String::new();
    for line in buffer.content.chunks(usize::from(buffer.area.width)) {
        let line: String = line.iter().map(|cell| cell.symbol()).collect();
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

#[test]
fn it_fits_60_80_and_200_columns() {
    for width in [60, 80, 200] {
        let keys = [Key::Down, Key::Down];
        insta::assert_snapshot!(format!("top_{width}"), screen(width, 24, &keys, answer()).0);
    }
}

#[test]
fn the_other_pages() {
    insta::assert_snapshot!("top_groups", screen(100, 18, &[Key::Tab, Key::Down, Key::Enter], WhoShown::Waiting).0);
    insta::assert_snapshot!(
        "top_graph",
        screen(100, 18, &[Key::BackTab, Key::Left, Key::Char('m'), Key::Right], WhoShown::Nothing).0
    );
    insta::assert_snapshot!("top_cpus", screen(80, 14, &[Key::Char('c')], WhoShown::Nothing).0);
    insta::assert_snapshot!("top_help", screen(80, 24, &[Key::Char('?')], WhoShown::Nothing).0);
    let keys = [Key::Char('/'), Key::Char('z')];
    insta::assert_snapshot!("top_filter", screen(80, 14, &keys, WhoShown::Nothing).0);
}

#[test]
fn no_size_breaks_it_and_no_name_reaches_the_terminal_as_it_is() {
    for width in [1, 5, 19, 20, 33, 60, 121, 300] {
        for height in [1, 4, 5, 6, 7, 13, 60] {
            for keys in [&[Key::Down][..], &[Key::Tab, Key::Down], &[Key::BackTab, Key::End], &[Key::Char('?')]] {
                let (text, _) = screen(width, height, keys, answer());
                assert!(!text.contains('\u{1b}'), "{text}");
            }
        }
    }
}

#[test]
fn without_colours_nothing_is_coloured() {
    let (windows, table, facts, who) = (windows(), table(), facts(false), answer());
    for page in [Key::Char('1'), Key::Char('2'), Key::Char('3')] {
        let mut view = View::default();
        let screen = TopScreen {
            facts: &facts,
            windows: &windows,
            table: &table,
            who: &who,
            states: None,
            own: None,
            note: None,
        };
        for key in [page, Key::Down, Key::Char(' ')] {
            view.key(key, &screen.rows(&view), 10, &windows);
        }
        let area = Rect { x: 0, y: 0, width: 100, height: 24 };
        let mut buffer = Buffer::empty(area);
        screen.draw(&mut view, area, &mut buffer);
        use ratatui_core::style::Color::Reset;
        assert!(buffer.content.iter().all(|cell| (cell.fg, cell.bg) == (Reset, Reset)));
        // The graph shows how much with characters instead.
        if page == Key::Char('3') {
            insta::assert_snapshot!("top_graph_without_colours", text_of(&buffer));
        }
    }
}

#[test]
fn the_learned_state_is_in_the_second_line() {
    let (windows, table, facts, who) = (windows(), table(), facts(true), WhoShown::Nothing);
    let names = ["redis-get".to_owned(), "redis\u{1b}set".to_owned()];
    let known: Option<&[String]> = Some(&names);
    for (states, shown) in [
        (Some(None), "state: not known yet"),
        (Some(Some(&[][..])), "state: unknown"),
        (Some(known), "state: redis-get or redis\\u{1b}set"),
    ] {
        let screen =
            TopScreen { facts: &facts, windows: &windows, table: &table, who: &who, states, own: None, note: None };
        let area = Rect { x: 0, y: 0, width: 100, height: 24 };
        let mut buffer = Buffer::empty(area);
        screen.draw(&mut View::default(), area, &mut buffer);
        let text = text_of(&buffer);
        assert!(text.lines().nth(1).unwrap().contains(shown), "{text}");
    }
}

#[test]
fn the_first_screen_says_that_it_counts() {
    let (table, facts) = (table(), facts(true));
    let (windows, who) = (LiveWindows::default(), WhoShown::Nothing);
    let screen =
        TopScreen { facts: &facts, windows: &windows, table: &table, who: &who, states: None, own: None, note: None };
    let area = Rect { x: 0, y: 0, width: 80, height: 24 };
    let mut buffer = Buffer::empty(area);
    screen.draw(&mut View::default(), area, &mut buffer);
    assert!(text_of(&buffer).contains("counting the first window"));
}
