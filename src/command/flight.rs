//! `tp-perf flight`: asks a monitor for a recording of the last seconds.

use super::context::Context;
use crate::cli::{FlightAct, FlightArgs};
use anyhow::{Context as _, bail};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// A monitor answers between two ticks, so within its window.
const PATIENCE: Duration = Duration::from_secs(20);
/// No answer of a monitor is nearly as long.
const LONGEST: usize = 64 << 10;

/// Asks, and prints the answer.
pub fn run(args: FlightArgs, context: &mut Context) -> anyhow::Result<u8> {
    let FlightAct::Dump { note, socket } = args.act;
    let (note, shown) = (note.unwrap_or_default(), socket.display());
    let answer = match ask(&socket, &note) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            bail!(
                "no monitor listens on {shown}: start one with `--metrics unix:{shown}`, or name its socket with --socket"
            )
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            bail!("you may not write to {shown}: use sudo")
        }
        answer => answer.with_context(|| format!("failed to ask the monitor at {shown}"))?,
    };
    let (status, text) = parts(&answer).with_context(|| format!("{shown} is not the socket of a monitor"))?;
    match status {
        200..=299 => {
            context.out.print(format!("{}\n", text.trim_end()).as_bytes())?;
            Ok(0)
        }
        _ => bail!("{}", text.trim_end()),
    }
}

/// Sends the request, and reads the answer.
fn ask(socket: &Path, note: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!(
        "POST /flight HTTP/1.1\r\nHost: tp-perf\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        note.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(note.as_bytes())?;
    let end = Instant::now() + PATIENCE;
    let mut answer = Vec::new();
    let mut bytes = [0; 4_096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || answer.len() > LONGEST {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut bytes)? {
            0 => return String::from_utf8(answer).map_err(|_| io::ErrorKind::InvalidData.into()),
            length => answer.extend_from_slice(&bytes[..length]),
        }
    }
}

/// The status and the text of an answer.
fn parts(answer: &str) -> Option<(u16, &str)> {
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_text() {
        assert_eq!(parts("HTTP/1.1 202 Accepted\r\nA: b\r\n\r\nbegun\n"), Some((202, "begun\n")));
        for wrong in ["", "HTTP/1.1 202 Accepted\r\n", "HTTP/1.1 2\r\n\r\n", "SSH-2.0\r\n\r\n"] {
            assert_eq!(parts(wrong), None, "{wrong:?}");
        }
    }
}
