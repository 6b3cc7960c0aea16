//! What the user has chosen to see, and how keys change it.

use super::keys::{Key, KeyRequest};
use super::rows::{LiveRow, RowName, RowsWanted, SortBy, rows};
use super::windows::LiveWindows;
use crate::tracefs::Table;
use std::collections::BTreeSet;

/// What the screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LivePage {
    /// A row for each tracepoint.
    #[default]
    Tracepoints,
    /// A row for each group. Groups open.
    Groups,
    /// Tracepoints over time.
    Graph,
}

impl LivePage {
    /// All of them.
    pub const ALL: [LivePage; 3] = [LivePage::Tracepoints, LivePage::Groups, LivePage::Graph];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            LivePage::Tracepoints => "tracepoints",
            LivePage::Groups => "groups",
            LivePage::Graph => "graph",
        }
    }
}

/// Who is shown for the row under the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhoBy {
    /// The processes of the same name.
    #[default]
    Process,
    /// The cgroups.
    Cgroup,
    /// Neither, which costs nothing.
    Nobody,
}

/// What the user has chosen to see.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The page.
    pub page: LivePage,
    /// The order of the rows.
    pub sort: SortBy,
    /// Whether the order is reversed.
    pub is_reversed: bool,
    /// The words that names must contain.
    pub filter: String,
    /// Whether the user is typing the filter.
    pub is_typing: bool,
    /// Whether the help is shown.
    pub shows_help: bool,
    /// Whether rows have the rates of each CPU.
    pub per_cpu: bool,
    /// Who is shown for the row under the cursor.
    pub who: WhoBy,
    /// The window that is shown, if it is not the newest one.
    pub frozen_at: Option<u64>,
    /// The windows that the user has marked.
    pub marks: BTreeSet<u64>,
    /// What the last key led to.
    pub message: Option<String>,
    /// The row under the cursor, and its last place.
    cursor: Option<(RowName, usize)>,
    /// The groups that are open.
    open: BTreeSet<String>,
    /// The first row on the screen.
    first: usize,
}

impl View {
    /// The number of the window to show; `None` if there is none.
    pub fn at(&self, windows: &LiveWindows) -> Option<u64> {
        let numbers = windows.numbers();
        let newest = numbers.end.checked_sub(1).filter(|newest| numbers.contains(newest))?;
        Some(self.frozen_at.map_or(newest, |at| at.clamp(numbers.start, newest)))
    }

    /// The rows to show.
    pub fn rows(&self, windows: &LiveWindows, table: &Table) -> Vec<LiveRow> {
        let Some(at) = self.at(windows) else { return Vec::new() };
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let is_graph = self.page == LivePage::Graph;
        let wanted = RowsWanted {
            at,
            words: &words,
            // The rows of the graph stay where they are while time passes.
            sort: if is_graph { SortBy::Name } else { self.sort },
            is_reversed: self.is_reversed && !is_graph,
            open: (self.page == LivePage::Groups).then_some(&self.open),
            per_cpu: self.per_cpu && !is_graph,
        };
        rows(windows, table, &wanted)
    }

    /// The place of the chosen row, if it is among these.
    pub fn cursor(&self, rows: &[LiveRow]) -> Option<usize> {
        let (name, _) = self.cursor.as_ref()?;
        rows.iter().position(|row| row.name == *name)
    }

    /// The name of the row under the cursor.
    pub fn chosen(&self) -> Option<&RowName> {
        self.cursor.as_ref().map(|(name, _)| name)
    }

    /// The first row on a screen for this many rows. If a change of rates moves the chosen row off the screen, the screen does
    /// not follow it: the hottest rows matter more.
    pub fn first(&self, rows: &[LiveRow], height: usize) -> usize {
        self.first.min(rows.len().saturating_sub(height))
    }

    /// Takes a key. `height` is the number of rows on the screen.
    pub fn key(&mut self, key: Key, rows: &[LiveRow], height: usize, windows: &LiveWindows) -> KeyRequest {
        self.message = None;
        match key {
            Key::Interrupt => return KeyRequest::Quit,
            Key::Suspend => return KeyRequest::Suspend,
            _ if self.shows_help => self.shows_help = false,
            _ if self.is_typing => self.type_filter(key),
            Key::Char('q') => return KeyRequest::Quit,
            Key::Char('w') => return KeyRequest::Write,
            Key::Char('?' | 'h') => self.shows_help = true,
            Key::Char('/') => self.is_typing = true,
            Key::Char('<' | '>') => self.sort_by_neighbour(key == Key::Char('>')),
            Key::Char('r') => self.is_reversed = !self.is_reversed,
            Key::Char('c') => self.per_cpu = !self.per_cpu,
            Key::Char('p') => {
                self.who = match self.who {
                    WhoBy::Process => WhoBy::Cgroup,
                    WhoBy::Cgroup => WhoBy::Nobody,
                    WhoBy::Nobody => WhoBy::Process,
                }
            }
            Key::Char('m') => self.mark(windows),
            Key::Char(' ') => self.frozen_at = if self.frozen_at.is_some() { None } else { self.at(windows) },
            Key::Left | Key::Right => self.move_in_time(key == Key::Right, windows),
            Key::Tab | Key::BackTab => self.turn_page(key == Key::Tab),
            Key::Char(number @ '1'..='3') => self.turn_to(LivePage::ALL[number as usize - '1' as usize]),
            Key::Up | Key::Char('k') => self.go(-1, rows, height),
            Key::Down | Key::Char('j') => self.go(1, rows, height),
            Key::PageUp => self.go(-(height as isize), rows, height),
            Key::PageDown => self.go(height as isize, rows, height),
            Key::Home => self.go(isize::MIN / 2, rows, height),
            Key::End => self.go(isize::MAX / 2, rows, height),
            Key::Enter => self.open_group(rows),
            Key::Escape => self.step_back(),
            Key::Backspace | Key::Char(_) => {}
        }
        KeyRequest::None
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Char(letter) => self.filter.push(letter),
            Key::Backspace => drop(self.filter.pop()),
            Key::Escape => {
                self.filter.clear();
                self.is_typing = false;
            }
            _ => self.is_typing = false,
        }
    }

    fn sort_by_neighbour(&mut self, is_next: bool) {
        let place = SortBy::ALL.iter().position(|sort| *sort == self.sort).unwrap_or(0);
        let place = if is_next { place + 1 } else { place + SortBy::ALL.len() - 1 };
        self.sort = SortBy::ALL[place % SortBy::ALL.len()];
        self.is_reversed = false;
    }

    fn turn_page(&mut self, is_next: bool) {
        let place = LivePage::ALL.iter().position(|page| *page == self.page).unwrap_or(0);
        let place = if is_next { place + 1 } else { place + LivePage::ALL.len() - 1 };
        self.turn_to(LivePage::ALL[place % LivePage::ALL.len()]);
    }

    fn turn_to(&mut self, page: LivePage) {
        (self.page, self.first) = (page, 0);
        // Only the page of groups has groups.
        if page != LivePage::Groups && matches!(self.cursor, Some((RowName::Group(_), _))) {
            self.cursor = None;
        }
    }

    fn mark(&mut self, windows: &LiveWindows) {
        let Some(at) = self.at(windows) else { return };
        let is_new = self.marks.insert(at);
        if !is_new {
            self.marks.remove(&at);
        }
        self.message = Some(if is_new { "marked this window" } else { "removed the mark" }.to_owned());
    }

    fn move_in_time(&mut self, is_later: bool, windows: &LiveWindows) {
        let Some(at) = self.at(windows) else { return };
        let numbers = windows.numbers();
        let then = if is_later { at + 1 } else { at.saturating_sub(1) };
        // A step forward from the newest window leads nowhere. A step back from it freezes the screen.
        self.frozen_at =
            Some(then.clamp(numbers.start, numbers.end - 1)).filter(|_| !is_later || self.frozen_at.is_some());
    }

    /// Moves the cursor by so many rows. The first move sets it on the first or the last row.
    fn go(&mut self, by: isize, rows: &[LiveRow], height: usize) {
        let Some(last) = rows.len().checked_sub(1) else { return };
        // A row that is not here any more was at its last place.
        let place = match self.cursor(rows).or(self.cursor.as_ref().map(|(_, place)| *place)) {
            Some(place) => place.saturating_add_signed(by).min(last),
            None if by > 0 => self.first(rows, height),
            None => last,
        };
        self.cursor = Some((rows[place].name.clone(), place));
        self.first = self.first(rows, height).clamp((place + 1).saturating_sub(height.max(1)), place);
    }

    fn open_group(&mut self, rows: &[LiveRow]) {
        let Some(row) = self.cursor(rows).and_then(|place| rows.get(place)) else { return };
        // On a tracepoint below its group, it closes the group.
        let group = row.name.name().split(':').next().unwrap_or_default().to_owned();
        match self.page {
            LivePage::Groups if self.open.remove(&group) => self.cursor = Some((RowName::Group(group), 0)),
            LivePage::Groups => drop(self.open.insert(group)),
            LivePage::Tracepoints | LivePage::Graph => {}
        }
    }

    /// Takes back the last choice.
    fn step_back(&mut self) {
        if !self.filter.is_empty() {
            self.filter.clear();
        } else if self.cursor.is_some() {
            self.cursor = None;
        } else {
            self.frozen_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::testing::{table, windows};

    /// A view with its screen of two rows.
    struct Screen {
        view: View,
        windows: LiveWindows,
    }

    impl Screen {
        fn new() -> Self {
            Screen { view: View::default(), windows: windows(1, &[[5, 9, 30], [5, 9, 3], [1, 2, 3]]) }
        }

        fn rows(&self) -> Vec<LiveRow> {
            self.view.rows(&self.windows, &table())
        }

        fn names(&self) -> Vec<String> {
            self.rows().iter().map(|row| row.name.name().to_owned()).collect()
        }

        fn press(&mut self, keys: &[Key]) -> KeyRequest {
            let mut request = KeyRequest::None;
            for key in keys {
                request = self.view.key(*key, &self.rows(), 2, &self.windows);
            }
            request
        }

        fn type_in(&mut self, text: &str) {
            self.press(&text.chars().map(Key::Char).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_cursor_stays_on_its_row_while_rows_move() {
        let mut screen = Screen::new();
        assert_eq!(
            (screen.names().join(" ").as_str(), screen.view.chosen()),
            ("sched:wakeup irq:exit irq:entry", None)
        );
        screen.press(&[Key::Down, Key::Down]);
        assert_eq!(screen.view.chosen().unwrap().name(), "irq:exit");
        screen.press(&[Key::Left]);
        assert_eq!(screen.names()[0], "irq:exit");
        assert_eq!((screen.view.cursor(&screen.rows()), screen.view.chosen().unwrap().name()), (Some(0), "irq:exit"));
        screen.press(&[Key::End]);
        let rows = screen.rows();
        assert_eq!((screen.view.cursor(&rows), screen.view.first(&rows, 2)), (Some(2), 1));
        screen.press(&[Key::Up, Key::Up]);
        assert_eq!(screen.view.first(&screen.rows(), 2), 0);
        // A row that moves away takes the screen with it only when the user moves.
        screen.press(&[Key::Right, Key::Right]);
        let rows = screen.rows();
        assert_eq!((screen.view.cursor(&rows), screen.view.first(&rows, 2)), (Some(1), 0));
        screen.press(&[Key::End]);
        screen.press(&[Key::Home]);
        assert_eq!(screen.view.first(&screen.rows(), 2), 0);
        screen.press(&[Key::PageDown]);
        assert_eq!(screen.view.cursor(&screen.rows()), Some(2));
    }

    #[test]
    fn time_stops_and_moves() {
        let mut screen = Screen::new();
        let at = |screen: &Screen| (screen.view.at(&screen.windows), screen.view.frozen_at);
        assert_eq!(at(&screen), (Some(2), None));
        screen.press(&[Key::Right]);
        assert_eq!(at(&screen), (Some(2), None), "nothing is later than now");
        screen.press(&[Key::Left]);
        assert_eq!(at(&screen), (Some(1), Some(1)));
        screen.press(&[Key::Left, Key::Left, Key::Left]);
        assert_eq!(at(&screen), (Some(0), Some(0)));
        screen.press(&[Key::Right, Key::Char('m')]);
        assert_eq!((at(&screen), screen.view.marks.len()), ((Some(1), Some(1)), 1));
        screen.press(&[Key::Char('m'), Key::Char(' ')]);
        assert_eq!((at(&screen), screen.view.marks.len()), ((Some(2), None), 0));
        assert_eq!(View::default().at(&LiveWindows::default()), None);
    }

    #[test]
    fn a_filter_is_typed_and_taken_back() {
        let mut screen = Screen::new();
        screen.type_in("/IRQ ex");
        assert_eq!((screen.names(), screen.view.is_typing), (vec!["irq:exit".to_owned()], true));
        screen.press(&[Key::Backspace, Key::Backspace, Key::Enter]);
        assert_eq!((screen.names().len(), screen.view.is_typing), (2, false));
        assert_eq!(screen.press(&[Key::Escape]), KeyRequest::None);
        assert_eq!(screen.names().len(), 3);
        screen.type_in("/q");
        assert_eq!(screen.press(&[Key::Escape, Key::Char('q')]), KeyRequest::Quit);
        screen.type_in("?");
        assert_eq!((screen.press(&[Key::Char('q')]), screen.view.shows_help), (KeyRequest::None, false));
        screen.type_in("/x");
        assert_eq!(screen.press(&[Key::Interrupt]), KeyRequest::Quit);
    }

    #[test]
    fn groups_open_and_close_and_columns_sort() {
        let mut screen = Screen::new();
        screen.press(&[Key::Tab, Key::Down, Key::Enter]);
        assert_eq!(screen.names(), ["irq", "irq:exit", "irq:entry", "sched"].map(str::to_owned).to_vec());
        screen.press(&[Key::Down, Key::Enter]);
        assert_eq!((screen.names().len(), screen.view.chosen().unwrap().name()), (2, "irq"));
        screen.type_in("1<");
        assert_eq!((screen.view.page, screen.view.sort), (LivePage::Tracepoints, SortBy::Name));
        screen.type_in("r");
        assert_eq!(screen.names()[0], "sched:wakeup");
        screen.type_in("<");
        assert_eq!((screen.view.sort, screen.view.is_reversed), (SortBy::Change, false));
        screen.press(&[Key::BackTab]);
        assert_eq!(screen.view.page, LivePage::Graph);
        assert_eq!(screen.names()[0], "irq:entry", "the graph has its own order");
    }
}
