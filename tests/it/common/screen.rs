//! Golden screens: compares the output that a user sees with the files in `screens/`.

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::Read;
use std::process::{Command, Output, Stdio};

/// Compares a screen with the file of this name.
pub fn assert_screen(name: &str, screen: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../screens");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, screen));
}

/// Escapes control characters, so a reviewer can see them, and replaces the version, because it changes.
pub fn visible(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace(env!("CARGO_PKG_VERSION"), "[version]");
    let shown = |c: char| if c.is_control() && c != '\n' { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// Runs a command whose stdout is a terminal with this many columns. Its stderr is a pipe, so it draws no
/// progress.
pub fn on_terminal(mut command: Command, columns: u16) -> Output {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(&size, None).unwrap();
    // Programs that other tests start at the same time must not inherit the terminal.
    for end in [&terminal.master, &terminal.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    // The terminal must not translate line ends.
    let mut settings = tcgetattr(&terminal.slave).unwrap();
    cfmakeraw(&mut settings);
    tcsetattr(&terminal.slave, SetArg::TCSANOW, &settings).unwrap();
    let child = command.stdin(Stdio::null()).stdout(terminal.slave).stderr(Stdio::piped()).spawn().unwrap();
    // `command` also holds the other end of the terminal. If it stayed open, reading would never end.
    drop(command);
    let mut stdout = Vec::new();
    // Once nobody holds the other end, reading ends with an error (EIO).
    let _ = File::from(terminal.master).read_to_end(&mut stdout);
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    Output { status, stdout, stderr }
}
