//! The HTTP server of the metrics.
//!
//! It works in the thread of the count, between two ticks: [`MetricsServer::act`] does a limited amount of work and never waits.
//! The rest of the work comes with the next calls.
//!
//! ```text
//!   descriptor readable ──> act ──> accept, read, ask RequestAnswers, write ──> the next time
//! ```
//!
//! It has no TLS and no passwords: whoever can connect can read the metrics, so it should listen on this machine alone. Only those
//! who may write to the unix socket can ask for a recording.

mod address;
mod answer;
mod connection;
mod listener;
mod pace;
mod request;

pub use address::ServerAddress;
pub use answer::FlightAnswer;

use super::{Error, Metrics, MetricsFormat, ServerFigures};
use answer::{HttpAnswer, HttpStatus};
use connection::{Connection, Next};
use listener::{Listener, Stream};
use pace::ServerPace;
use request::{HttpRequest, Method};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The most open connections.
const MOST_CONNECTIONS: usize = 64;
/// The most steps, and the most bytes that are written, in one call.
const STEPS_OF_CALL: usize = 32;
const BYTES_OF_CALL: usize = 256 << 10;
/// If the system has no descriptor for a connection, the next one is accepted after this time.
const NO_DESCRIPTORS: Duration = Duration::from_secs(1);
/// If there are too many connections, one on which nothing was sent for this time makes room for a new one.
const QUIET: Duration = Duration::from_secs(1);

/// What the server asks for to answer requests.
pub trait RequestAnswers {
    /// The metrics in this format.
    fn metrics(&mut self, format: MetricsFormat) -> Rc<[u8]>;

    /// Asks for a recording of the last seconds. `note` is the body of the request: any text of the user who asks.
    fn flight(&mut self, note: &str) -> FlightAnswer;
}

impl RequestAnswers for Metrics {
    fn metrics(&mut self, format: MetricsFormat) -> Rc<[u8]> {
        self.scrape(format)
    }

    fn flight(&mut self, _: &str) -> FlightAnswer {
        FlightAnswer::Off("there is no flight recorder".to_owned())
    }
}

/// The server.
#[derive(Debug)]
pub struct MetricsServer {
    epoll: OwnedFd,
    listeners: Vec<Listener>,
    connections: Vec<Option<OpenConnection>>,
    /// No connection is accepted until then.
    accepts_after: Option<Instant>,
    pace: ServerPace,
    /// The places of connections that wait for nothing but their turn, and since when.
    turns: Vec<usize>,
    turns_since: Instant,
    figures: ServerFigures,
}

/// A connection, and the events that are awaited.
#[derive(Debug)]
struct OpenConnection {
    connection: Connection,
    awaited: EventFlags,
}

impl MetricsServer {
    /// Listens on these addresses. Connections are accepted by [`act`](Self::act).
    ///
    /// # Errors
    /// If an address is in use or not allowed.
    pub fn listen(addresses: &[ServerAddress]) -> Result<Self, Error> {
        let listeners = addresses.iter().map(Listener::listen).collect::<Result<Vec<_>, _>>()?;
        let add = |epoll: &OwnedFd| {
            listeners.iter().zip(0..).try_for_each(|(listener, place)| {
                epoll::add(epoll, listener, EventData::new_u64(place), EventFlags::IN)
            })
        };
        let epoll = epoll::create(CreateFlags::CLOEXEC).and_then(|epoll| add(&epoll).map(|()| epoll));
        let now = Instant::now();
        Ok(MetricsServer {
            epoll: epoll.map_err(|errno| Error::Wait(errno.into()))?,
            listeners,
            connections: Vec::new(),
            accepts_after: None,
            pace: ServerPace::new(now),
            turns: Vec::new(),
            turns_since: now,
            figures: ServerFigures::default(),
        })
    }

    /// Where it listens: the addresses with the ports that the kernel chose.
    ///
    /// # Errors
    /// If the kernel does not know them.
    pub fn addresses(&self) -> io::Result<Vec<ServerAddress>> {
        self.listeners.iter().map(Listener::address).collect()
    }

    /// The descriptors that the server needs at most, in addition to those that it has.
    pub fn descriptors_needed() -> u64 {
        // One more to accept and close a connection.
        MOST_CONNECTIONS as u64 + 1
    }

    /// What it has done.
    pub fn figures(&self) -> ServerFigures {
        self.figures
    }

    /// A descriptor that polls readable when there is something to do. `None` while the server rests, because clients wanted too
    /// much of it.
    pub fn wake_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pace.rests_until().is_none().then(|| self.epoll.as_fd())
    }

    /// When there is something to do, even if the descriptor is not readable.
    pub fn due(&self) -> Option<Instant> {
        let deadlines = self.connections.iter().flatten().map(|open| open.connection.deadline());
        let rest = self.pace.rests_until();
        let turn = (rest.is_none() && !self.turns.is_empty()).then_some(self.turns_since);
        deadlines.chain(self.accepts_after).chain(rest).chain(turn).min()
    }

    /// Does what there is to do, at most a few milliseconds' worth. `now` is the current time.
    pub fn act(&mut self, now: Instant, answers: &mut dyn RequestAnswers) {
        self.pace.begin(now);
        self.end_overdue(now);
        if self.accepts_after.is_some_and(|after| now >= after) {
            self.accepts_after = None;
            self.await_connections(EventFlags::IN);
        }
        let mut room = BYTES_OF_CALL;
        let mut steps = STEPS_OF_CALL;
        for place in std::mem::take(&mut self.turns) {
            self.advance(place, now, &mut room, answers);
            steps = steps.saturating_sub(1);
        }
        let mut events = Vec::with_capacity(steps.max(1));
        // The events stay until they are handled, so nothing is lost if this fails.
        if self.pace.rests_until().is_some()
            || epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&NO_WAIT)).is_err()
        {
            return;
        }
        for event in events {
            let place = event.data.u64() as usize;
            match place.checked_sub(self.listeners.len()) {
                None => {
                    for _ in 0..steps {
                        if !self.accept(place, now) {
                            break;
                        }
                    }
                }
                Some(place) => self.advance(place, now, &mut room, answers),
            }
        }
    }

    /// Ends the connections whose client is too slow.
    fn end_overdue(&mut self, now: Instant) {
        for place in 0..self.connections.len() {
            let Some(open) = &mut self.connections[place] else { continue };
            if open.connection.deadline() <= now {
                self.figures.overdue += u64::from(open.connection.is_awaited());
                let next = open.connection.be_overdue(now);
                self.await_next(place, next, now);
            }
        }
    }

    /// Lets a connection do its next step.
    fn advance(&mut self, place: usize, now: Instant, room: &mut usize, answers: &mut dyn RequestAnswers) {
        // An event may come for a connection that has just ended.
        let Some(Some(open)) = self.connections.get_mut(place) else { return };
        let is_local = open.connection.is_local;
        let before = *room;
        let requests = &mut self.figures.requests;
        let next = open.connection.advance(now, room, &mut |request| {
            *requests += 1;
            answer(request, is_local, answers)
        });
        self.pace.step(before - *room);
        self.await_next(place, next, now);
    }

    /// Waits for the next step of a connection, or ends it.
    fn await_next(&mut self, place: usize, next: Next, now: Instant) {
        let Some(open) = &mut self.connections[place] else { return };
        let wanted = match next {
            Next::Bytes => EventFlags::IN,
            Next::Room => EventFlags::OUT,
            Next::Turn => {
                // If the client hangs up meanwhile, an event comes for it too.
                if !self.turns.contains(&place) {
                    self.turns.push(place);
                }
                self.turns_since = now;
                EventFlags::empty()
            }
            Next::End => {
                // Closing it removes it from the descriptor.
                self.connections[place] = None;
                return;
            }
        };
        if open.awaited != wanted {
            open.awaited = wanted;
            let data = EventData::new_u64((self.listeners.len() + place) as u64);
            if epoll::modify(&self.epoll, &open.connection.stream, data, wanted).is_err() {
                self.connections[place] = None;
            }
        }
    }

    /// Accepts a connection that waits at a listener. Returns whether another one may wait.
    fn accept(&mut self, listener: usize, now: Instant) -> bool {
        if self.pace.rests_until().is_some() || self.accepts_after.is_some() {
            return false;
        }
        let accepted = self.listeners[listener].accept();
        self.pace.step(0);
        match accepted {
            Ok(stream) => {
                self.welcome(stream, self.listeners[listener].is_local(), now);
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            // That client is gone already.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => true,
            Err(_) => {
                self.rest_from_accepting(now);
                false
            }
        }
    }

    /// Accepts nothing for a while, because the process or the system has too few descriptors or too little memory. The
    /// connections wait, and do not wake the count.
    fn rest_from_accepting(&mut self, now: Instant) {
        self.accepts_after = Some(now + NO_DESCRIPTORS);
        self.await_connections(EventFlags::empty());
    }

    /// Waits for new connections, or no longer.
    fn await_connections(&self, wanted: EventFlags) {
        for (listener, place) in self.listeners.iter().zip(0..) {
            // It was added at the start, and modifying it needs no memory.
            let _ = epoll::modify(&self.epoll, listener, EventData::new_u64(place), wanted);
        }
    }

    /// Takes a new connection, or refuses it if there are too many.
    fn welcome(&mut self, mut stream: Stream, is_local: bool, now: Instant) {
        let Some(place) = self.free_place(now) else {
            self.figures.refused += 1;
            let (head, body) = HttpAnswer::of(HttpStatus::Unavailable).into_parts(false);
            // A new connection has room for that. If not, the client sees that it was closed.
            let _ = stream.write(&[&head, &*body].concat()).and_then(|_| stream.end_writing());
            return;
        };
        let data = EventData::new_u64((self.listeners.len() + place) as u64);
        if epoll::add(&self.epoll, &stream, data, EventFlags::IN).is_ok() {
            let connection = Connection::new(stream, is_local, now);
            self.connections[place] = Some(OpenConnection { connection, awaited: EventFlags::IN });
        }
    }

    /// A place for a new connection. If there is none, the connection that was quiet for the longest time ends.
    fn free_place(&mut self, now: Instant) -> Option<usize> {
        if let Some(place) = self.connections.iter().position(Option::is_none) {
            return Some(place);
        }
        if self.connections.len() < MOST_CONNECTIONS {
            self.connections.push(None);
            return Some(self.connections.len() - 1);
        }
        let quiet_since = |open: &Option<OpenConnection>| open.as_ref()?.connection.quiet_since();
        let quiet = self.connections.iter().enumerate().filter_map(|(place, one)| Some((quiet_since(one)?, place)));
        let (since, place) = quiet.min()?;
        (now.saturating_duration_since(since) >= QUIET).then(|| {
            self.connections[place] = None;
            place
        })
    }
}

/// epoll returns at once.
const NO_WAIT: rustix::event::Timespec = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };

/// Answers a request.
fn answer(request: &HttpRequest, is_local: bool, answers: &mut dyn RequestAnswers) -> HttpAnswer {
    match (request.path.as_str(), request.method) {
        ("/metrics", Method::Get | Method::Head) => {
            let format = MetricsFormat::of_accept(&request.accept);
            HttpAnswer::metrics(format, answers.metrics(format))
        }
        ("/", Method::Get | Method::Head) => HttpAnswer::page(),
        ("/metrics" | "/", _) => HttpAnswer::not_allowed("GET, HEAD"),
        ("/flight", Method::Post) if is_local => {
            HttpAnswer::flight(&answers.flight(&String::from_utf8_lossy(&request.body)))
        }
        ("/flight", Method::Post) => HttpAnswer::text(HttpStatus::Forbidden, "use the unix socket for that"),
        ("/flight", _) => HttpAnswer::not_allowed("POST"),
        _ => HttpAnswer::of(HttpStatus::NotFound),
    }
}

#[cfg(test)]
mod tests;
