//! A connection: it reads a request, writes the answer, and reads the next request.

use super::answer::{Body, HttpAnswer, HttpStatus};
use super::listener::Stream;
use super::request::{HttpRequest, LONGEST_REQUEST, Method, Parsed, parse};
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

/// The longest time for sending a request, from its first byte on (of the first request, from the connection on), and the
/// longest time for reading an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The longest time between two requests.
pub(super) const IDLE: Duration = Duration::from_secs(120);
/// How long to wait for the end of the client's bytes after the last answer.
const LAST: Duration = Duration::from_secs(2);
/// A client that sends more after the last answer is cut off.
const MOST_DISCARDED: usize = 256 << 10;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Bytes of the client.
    Bytes,
    /// Room for bytes to the client.
    Room,
    /// Nothing: it has the next request already. Others come first.
    Turn,
    /// Its end.
    End,
}

#[derive(Debug)]
enum ConnectionStage {
    Reading,
    Answering {
        head: Vec<u8>,
        body: Body,
        /// The bytes of both that were sent.
        sent: usize,
        keeps_alive: bool,
    },
    /// The last answer was sent. If a socket is closed before all bytes of the client were read, the kernel drops the answer, so
    /// they are read first.
    Discarding {
        discarded: usize,
    },
}

/// A connection to a client.
#[derive(Debug)]
pub(super) struct Connection {
    pub stream: Stream,
    /// Whether it came by a unix socket.
    pub is_local: bool,
    input: Vec<u8>,
    stage: ConnectionStage,
    deadline: Instant,
    /// Since when nothing is expected but a request.
    quiet_since: Instant,
    has_answered: bool,
}

impl Connection {
    /// A new connection.
    pub fn new(stream: Stream, is_local: bool, now: Instant) -> Self {
        let deadline = now + PATIENCE;
        Connection {
            stream,
            is_local,
            input: Vec::new(),
            stage: ConnectionStage::Reading,
            deadline,
            quiet_since: now,
            has_answered: false,
        }
    }

    /// When the client is too slow.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Since when the client has sent nothing of a request; `None` while it sends one or gets an answer.
    pub fn quiet_since(&self) -> Option<Instant> {
        (matches!(self.stage, ConnectionStage::Reading) && self.input.is_empty()).then_some(self.quiet_since)
    }

    /// Whether the client should do something. Nothing is expected between two requests and behind the last answer.
    pub fn is_awaited(&self) -> bool {
        match self.stage {
            ConnectionStage::Reading => !self.input.is_empty() || !self.has_answered,
            ConnectionStage::Answering { .. } => true,
            ConnectionStage::Discarding { .. } => false,
        }
    }

    /// Ends the patience with the client. A client in the middle of a request gets an answer for that.
    pub fn be_overdue(&mut self, now: Instant) -> Next {
        if matches!(self.stage, ConnectionStage::Reading) && !self.input.is_empty() {
            self.begin_answer(HttpAnswer::of(HttpStatus::RequestTimeout), false, now);
            return Next::Room;
        }
        Next::End
    }

    /// Does one step: reads once, or writes at most `room` bytes, of which it takes away those that were written. Each request is
    /// answered by `answer`.
    pub fn advance(
        &mut self,
        now: Instant,
        room: &mut usize,
        answer: &mut dyn FnMut(&HttpRequest) -> HttpAnswer,
    ) -> Next {
        let next = match &self.stage {
            ConnectionStage::Reading => self.read_request(now, answer),
            ConnectionStage::Answering { .. } => Ok(Next::Room),
            ConnectionStage::Discarding { .. } => self.discard(),
        };
        let next = match (next, &self.stage) {
            (Ok(Next::Room), ConnectionStage::Answering { .. }) => self.write_answer(now, room),
            (next, _) => next,
        };
        match next {
            Ok(next) => next,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => match self.stage {
                ConnectionStage::Answering { .. } => Next::Room,
                _ => Next::Bytes,
            },
            // The client is gone.
            Err(_) => Next::End,
        }
    }

    /// Reads once, unless a whole request is there already.
    fn read_request(&mut self, now: Instant, answer: &mut dyn FnMut(&HttpRequest) -> HttpAnswer) -> io::Result<Next> {
        let mut parsed = parse(&self.input);
        if parsed == Parsed::Incomplete {
            let mut bytes = [0; LONGEST_REQUEST];
            let length = self.stream.read(&mut bytes[self.input.len()..])?;
            if length == 0 {
                return Ok(Next::End);
            }
            if self.input.is_empty() && self.has_answered {
                self.deadline = now + PATIENCE;
            }
            let before = self.input.len();
            self.input.extend_from_slice(&bytes[before..before + length]);
            parsed = parse(&self.input);
        }
        match parsed {
            Parsed::Incomplete => Ok(Next::Bytes),
            Parsed::Refused(status) => {
                self.begin_answer(HttpAnswer::of(status), false, now);
                Ok(Next::Room)
            }
            Parsed::Complete(request, length) => {
                self.input.drain(..length);
                self.begin_answer(answer(&request), request.keeps_alive, now);
                if let (Method::Head, ConnectionStage::Answering { body, .. }) = (request.method, &mut self.stage) {
                    // The head has the length of the body that another method would get.
                    *body = [].into();
                }
                Ok(Next::Room)
            }
        }
    }

    fn begin_answer(&mut self, answer: HttpAnswer, keeps_alive: bool, now: Instant) {
        let (head, body) = answer.into_parts(keeps_alive);
        self.stage = ConnectionStage::Answering { head, body, sent: 0, keeps_alive };
        self.deadline = now + PATIENCE;
    }

    fn write_answer(&mut self, now: Instant, room: &mut usize) -> io::Result<Next> {
        let ConnectionStage::Answering { head, body, sent, keeps_alive } = &mut self.stage else {
            return Ok(Next::Bytes);
        };
        while *sent < head.len() + body.len() {
            let rest = if *sent < head.len() { &head[*sent..] } else { &body[*sent - head.len()..] };
            let rest = &rest[..rest.len().min(*room)];
            if rest.is_empty() {
                return Ok(Next::Room);
            }
            let length = self.stream.write(rest)?;
            if length == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            *sent += length;
            *room -= length.min(*room);
        }
        self.has_answered = true;
        if *keeps_alive {
            self.stage = ConnectionStage::Reading;
            (self.quiet_since, self.deadline) = (now, now + if self.input.is_empty() { IDLE } else { PATIENCE });
            return Ok(if self.input.is_empty() { Next::Bytes } else { Next::Turn });
        }
        self.stream.end_writing()?;
        self.stage = ConnectionStage::Discarding { discarded: 0 };
        self.deadline = now + LAST;
        self.input = Vec::new();
        Ok(Next::Bytes)
    }

    fn discard(&mut self) -> io::Result<Next> {
        let ConnectionStage::Discarding { discarded } = &mut self.stage else { return Ok(Next::Bytes) };
        let length = self.stream.read(&mut [0; LONGEST_REQUEST])?;
        *discarded += length;
        Ok(if length == 0 || *discarded > MOST_DISCARDED { Next::End } else { Next::Bytes })
    }
}
