//! Keys from the bytes that a terminal sends.
//!
//! A key is a letter in UTF-8, a control character, or an escape sequence (ECMA-48). Nothing here waits for the rest of a
//! sequence: the thread that reads keys also counts.

use crate::live::Key;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::read;
use std::io;
use std::os::fd::BorrowedFd;

/// The keys that wait in a terminal.
///
/// # Errors
/// If the terminal cannot be read, or is gone.
pub fn keys(terminal: BorrowedFd<'_>) -> io::Result<Vec<Key>> {
    let mut bytes = Vec::new();
    loop {
        let mut polled = [PollFd::new(terminal, PollFlags::POLLIN)];
        match poll(&mut polled, PollTimeout::ZERO) {
            // A signal arrived.
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        let ready = polled[0].revents().unwrap_or(PollFlags::empty());
        if ready.intersects(PollFlags::POLLHUP | PollFlags::POLLERR) {
            // It would poll readable for ever. SIGHUP comes too, but a parent may have ignored it.
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the terminal is gone"));
        }
        if !ready.contains(PollFlags::POLLIN) {
            return Ok(parse(&bytes));
        }
        let mut more = [0; 1_024];
        match read(terminal, &mut more) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the terminal is gone")),
            Ok(length) => bytes.extend_from_slice(&more[..length]),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The keys of these bytes. Sequences that are not known, and those that are cut off, are left out.
fn parse(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let Some((first, rest)) = bytes.split_first() {
        let (key, length) = match (first, rest) {
            (0x1b, []) => (Some(Key::Escape), 1),
            (0x1b, [b'[', rest @ ..]) => {
                let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte));
                (end.and_then(|end| of_sequence(rest[end], &rest[..end])), 2 + end.map_or(rest.len(), |end| end + 1))
            }
            (0x1b, [b'O', last, ..]) => (of_sequence(*last, &[]), 3),
            // Two Escapes, or a letter with Alt.
            (0x1b, [0x1b, ..]) => (Some(Key::Escape), 1),
            (0x1b, _) => (None, 2),
            (b'\r' | b'\n', _) => (Some(Key::Enter), 1),
            (b'\t', _) => (Some(Key::Tab), 1),
            (0x7f | 0x08, _) => (Some(Key::Backspace), 1),
            (0x03, _) => (Some(Key::Interrupt), 1),
            (0x1a, _) => (Some(Key::Suspend), 1),
            (0..=0x1f, _) => (None, 1),
            _ => {
                let length = match first {
                    0xf0.. => 4,
                    0xe0.. => 3,
                    0xc0.. => 2,
                    _ => 1,
                };
                let letter = bytes.get(..length).and_then(|bytes| str::from_utf8(bytes).ok());
                (
                    letter.and_then(|letter| letter.chars().next()).map(Key::Char),
                    if letter.is_some() { length } else { 1 },
                )
            }
        };
        keys.extend(key);
        bytes = &bytes[length.min(bytes.len())..];
    }
    keys
}

/// The key of a sequence with this last byte and these parameters.
fn of_sequence(last: u8, parameters: &[u8]) -> Option<Key> {
    let number = parameters.split(|byte| *byte == b';').next().unwrap_or_default();
    Some(match (last, number) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', b"1" | b"7") => Key::Home,
        (b'F', _) | (b'~', b"4" | b"8") => Key::End,
        (b'~', b"5") => Key::PageUp,
        (b'~', b"6") => Key::PageDown,
        (b'Z', _) => Key::BackTab,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_keys_and_no_sequence_is_waited_for() {
        let of = |text: &str| parse(text.as_bytes());
        assert_eq!(
            of("qé中\r\t\u{7f}"),
            [Key::Char('q'), Key::Char('é'), Key::Char('中'), Key::Enter, Key::Tab, Key::Backspace]
        );
        assert_eq!(of("\u{1b}[A\u{1b}OB\u{1b}[1;5C\u{1b}[D"), [Key::Up, Key::Down, Key::Right, Key::Left]);
        assert_eq!(
            of("\u{1b}[5~\u{1b}[6~\u{1b}[H\u{1b}[4~\u{1b}[Z"),
            [Key::PageUp, Key::PageDown, Key::Home, Key::End, Key::BackTab]
        );
        assert_eq!(of("\u{3}\u{1a}\u{1}"), [Key::Interrupt, Key::Suspend]);
        assert_eq!((of("\u{1b}"), of("\u{1b}\u{1b}")), (vec![Key::Escape], vec![Key::Escape; 2]));
        for nothing in ["\u{1b}[", "\u{1b}[?1;2c", "\u{1b}O", "\u{1b}x", "\u{1b}[200~"] {
            assert_eq!(of(nothing), [], "{nothing:?}");
        }
        assert_eq!(parse(b"a\xe4\xb8b\xffc"), ['a', 'b', 'c'].map(Key::Char));
    }

    #[test]
    fn any_bytes_are_taken() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..2_000 {
            let bytes: Vec<u8> =
                (0..random.usize(0..40)).map(|_| [0x1b, b'[', random.u8(..)][random.usize(0..3)]).collect();
            assert!(parse(&bytes).len() <= bytes.len());
        }
    }
}
