//! Golden screens: compares the output that a user sees with the files in `screens/`.

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;

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

/// Opens a terminal with this many columns: its two ends, the one of the user first.
pub fn open_terminal(columns: u16) -> (File, OwnedFd) {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(&size, None).unwrap();
    // Programs that other tests start at the same time must not inherit the terminal.
    for end in [&master, &slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    (File::from(master), slave)
}

/// Reads what a child writes to a terminal, until the child ends. `see` gets all bytes up to now after each read.
///
/// On a busy machine, the kernel can report the end of a closed terminal before its last bytes. So this holds
/// the program's end open, and writes a mark there when the child has ended.
pub fn read_terminal(
    terminal: &mut File,
    programs_end: OwnedFd,
    child: &mut Child,
    mut see: impl FnMut(&mut File, &[u8]),
) -> (ExitStatus, Vec<u8>) {
    const END: &[u8] = b"\0the child has ended\0";
    thread::scope(|scope| {
        let status = scope.spawn(move || {
            let status = child.wait().unwrap();
            File::from(programs_end).write_all(END).unwrap();
            status
        });
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while !seen.ends_with(END) {
            match terminal.read(&mut buffer) {
                Ok(length) => seen.extend_from_slice(&buffer[..length]),
                // The mark was written, and then the terminal was closed.
                Err(e) => panic!("the terminal ended before the mark: {e}"),
            }
            see(terminal, &seen);
        }
        seen.truncate(seen.len() - END.len());
        (status.join().unwrap(), seen)
    })
}

/// Runs a command whose stdout is a terminal with this many columns. Its stderr is a pipe, so it draws no
/// progress.
pub fn on_terminal(mut command: Command, columns: u16) -> Output {
    let (mut terminal, programs_end) = open_terminal(columns);
    // The terminal must not translate line ends.
    let mut settings = tcgetattr(&programs_end).unwrap();
    cfmakeraw(&mut settings);
    tcsetattr(&programs_end, SetArg::TCSANOW, &settings).unwrap();
    let stdout = programs_end.try_clone().unwrap();
    let mut child = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = child.stderr.take().unwrap();
    let (status, stdout) = read_terminal(&mut terminal, programs_end, &mut child, |_, _| ());
    let mut stderr = Vec::new();
    errors.read_to_end(&mut stderr).unwrap();
    Output { status, stdout, stderr }
}
