//! Opening a page in the user's browser.

use crate::os::privileges::invoker;
use crate::terminal::Unopened;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// tp-perf looks this often whether the browser has failed, with a pause in between.
const ATTEMPTS: u32 = 15;
const PAUSE: Duration = Duration::from_millis(20);

/// Starts the browser with a page, and does not wait for the browser. The browser gets no terminal: its messages must not mix
/// with those of tp-perf, and Ctrl-C must not end it.
///
/// # Errors
/// If no browser was started.
pub fn open_page(page: &Path) -> Result<(), Unopened> {
    if invoker().is_some() {
        return Err(Unopened::UnderSudo);
    }
    let page = std::path::absolute(page).unwrap_or_else(|_| page.to_owned());
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| variable(name).is_some());
    let browsers = browsers(variable("BROWSER").as_deref(), has_display);
    let started = browsers.iter().any(|words| start(&command_line(words, &page)).is_ok());
    if started { Ok(()) } else { Err(Unopened::NoBrowser) }
}

/// An environment variable, if it is set and not empty.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The words of the commands to try. $BROWSER has several commands with colons between them. If $BROWSER is not set, the command
/// is xdg-open, but only with a display: without one, xdg-open would start a browser in this terminal.
fn browsers(variable: Option<&OsStr>, has_display: bool) -> Vec<Vec<String>> {
    let words = |command: &str| command.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let commands: Vec<_> = match variable {
        Some(variable) => variable.to_string_lossy().split(':').map(words).collect(),
        None => Vec::new(),
    };
    let commands = commands.into_iter().chain(has_display.then(|| words("xdg-open")));
    commands.filter(|words| !words.is_empty()).collect()
}

/// A command with the page in the place of `%s`. If the command has no `%s`, the page is its last word.
fn command_line(words: &[String], page: &Path) -> Vec<OsString> {
    let name = page.to_string_lossy();
    let mut line: Vec<OsString> = words.iter().map(|word| word.replace("%s", &name).into()).collect();
    if !words.iter().any(|word| word.contains("%s")) {
        line.push(PathBuf::from(page).into_os_string());
    }
    line
}

fn start(line: &[OsString]) -> io::Result<()> {
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut browser = command.spawn()?;
    // A browser may run for hours. One that fails does so at once.
    for _ in 0..ATTEMPTS {
        match browser.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(io::Error::other(format!("it ended with {status}"))),
            None => std::thread::sleep(PAUSE),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_browser_comes_before_that_of_the_desktop() {
        let of = |variable: Option<&str>, has_display| browsers(variable.map(OsStr::new), has_display);
        assert_eq!(of(None, true), [["xdg-open"]]);
        assert!(of(None, false).is_empty());
        assert_eq!(of(Some("firefox --new-tab:w3m"), false), [&["firefox", "--new-tab"][..], &["w3m"]]);
        assert!(of(Some(" : "), false).is_empty());
        assert_eq!(of(Some("firefox"), true), [["firefox"], ["xdg-open"]], "which is tried if firefox does not start");
    }

    #[test]
    fn the_page_stands_where_the_browser_wants_it() {
        let line = |words: &str| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            command_line(&words, Path::new("/a b/page.html"))
        };
        assert_eq!(line("firefox -P x"), ["firefox", "-P", "x", "/a b/page.html"]);
        assert_eq!(line("open %s now"), ["open", "/a b/page.html", "now"]);
    }
}
