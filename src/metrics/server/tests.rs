use super::connection::{IDLE, PATIENCE};
use super::pace::MOST_STEPS;
use super::*;
use crate::control::wait_for_any;
use fastrand::Rng;
use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

mod limits;

/// Answers that note the questions.
struct Noted {
    body: Rc<[u8]>,
    formats: Vec<MetricsFormat>,
    notes: Vec<String>,
    flight: FlightAnswer,
}

impl Noted {
    fn of(bytes: usize) -> Self {
        let body = (0..bytes).map(|n| b'a' + (n % 26) as u8).collect::<Vec<_>>().into();
        Noted { body, formats: Vec::new(), notes: Vec::new(), flight: FlightAnswer::Written("made rec1".to_owned()) }
    }
}

impl RequestAnswers for Noted {
    fn metrics(&mut self, format: MetricsFormat) -> Rc<[u8]> {
        self.formats.push(format);
        Rc::clone(&self.body)
    }

    fn flight(&mut self, note: &str) -> FlightAnswer {
        self.notes.push(note.to_owned());
        self.flight.clone()
    }
}

fn tcp() -> MetricsServer {
    MetricsServer::listen(&["127.0.0.1:0".parse().unwrap()]).unwrap()
}

fn unix(path: PathBuf) -> MetricsServer {
    MetricsServer::listen(&[ServerAddress::Unix(path)]).unwrap()
}

/// Connects to the first address.
fn connect(server: &MetricsServer) -> TcpStream {
    connect_to(&server.addresses().unwrap()[0])
}

fn connect_to(address: &ServerAddress) -> TcpStream {
    let ServerAddress::Tcp(address) = address else { panic!("no TCP address") };
    TcpStream::connect(address).unwrap()
}

/// Runs the server as a count does, until the client's thread has ended.
fn serve<T: Send + 'static>(
    server: &mut MetricsServer,
    answers: &mut Noted,
    client: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (ended, has_ended) = mpsc::channel();
    let client = thread::spawn(move || {
        let result = client();
        ended.send(()).unwrap();
        result
    });
    while matches!(has_ended.try_recv(), Err(mpsc::TryRecvError::Empty)) {
        // The client's end wakes nobody, so the sleep is short.
        let patience = server.due().map(|due| due.saturating_duration_since(Instant::now()));
        let patience = patience.unwrap_or(Duration::MAX).min(Duration::from_millis(5));
        wait_for_any(server.wake_descriptor().into_iter(), Some(patience)).unwrap();
        server.act(Instant::now(), answers);
    }
    client.join().unwrap()
}

/// Lets the server do all that it can at this time.
fn settle(server: &mut MetricsServer, answers: &mut Noted, now: Instant) {
    for _ in 0..100_000 {
        let Some(descriptor) = server.wake_descriptor() else { return };
        let is_ready = wait_for_any([descriptor].into_iter(), Some(Duration::ZERO)).unwrap()[0];
        if !is_ready && server.turns.is_empty() {
            return;
        }
        server.act(now, answers);
    }
    panic!("the descriptor wakes the count without end");
}

/// Lets the server work at this time until something has happened.
fn act_until(
    server: &mut MetricsServer,
    answers: &mut Noted,
    now: Instant,
    has_happened: impl Fn(&MetricsServer) -> bool,
) {
    for _ in 0..1_000_000 {
        if has_happened(server) {
            return;
        }
        server.act(now, answers);
    }
    panic!("it does not happen: {:?}", server.figures());
}

fn open(server: &MetricsServer) -> usize {
    server.connections.iter().flatten().count()
}

/// All bytes until the server ends the stream.
fn rest(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Sends bytes, and returns all that comes back.
fn asked(request: &str) -> String {
    let (mut server, mut answers) = (tcp(), Noted::of(3));
    let (mut stream, request) = (connect(&server), request.to_owned());
    serve(&mut server, &mut answers, move || {
        stream.write_all(request.as_bytes()).unwrap();
        rest(stream)
    })
}

fn status(answer: &str) -> &str {
    answer.lines().next().unwrap_or_default()
}

const GET: &str = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST_GET: &str = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn the_metrics_have_the_type_that_the_client_prefers() {
    let mut answers = Noted::of(3);
    let mut server = tcp();
    let mut stream = connect(&server);
    let answer = serve(&mut server, &mut answers, move || {
        stream.write_all(LAST_GET.replace("Host: a", "Accept: application/openmetrics-text").as_bytes()).unwrap();
        rest(stream)
    });
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\nContent-Length: 3\r\n\
         Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\nabc"
    );
    assert!(asked(LAST_GET).contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_eq!(answers.formats, [MetricsFormat::OpenMetrics]);
    assert_eq!(server.figures(), ServerFigures { requests: 1, refused: 0, overdue: 0 });
}

#[test]
fn each_mistake_has_its_status_and_ends_the_connection() {
    let huge = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(100_000));
    for (request, expected) in [
        ("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK"),
        ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK"),
        ("GET /nothing HTTP/1.0\r\n\r\n", "HTTP/1.1 404 Not Found"),
        ("GET /metrics/ HTTP/1.0\r\n\r\n", "HTTP/1.1 404 Not Found"),
        ("POST /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        ("DELETE / HTTP/1.0\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        ("OPTIONS * HTTP/1.0\r\n\r\n", "HTTP/1.1 404 Not Found"),
        ("GET /flight HTTP/1.0\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        ("POST /flight HTTP/1.0\r\n\r\n", "HTTP/1.1 403 Forbidden"),
        ("POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", "HTTP/1.1 413 Content Too Large"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 501 Not Implemented"),
        ("hello\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\n\n", "HTTP/1.1 400 Bad Request"),
        (&huge, "HTTP/1.1 431 Request Header Fields Too Large"),
    ] {
        let answer = asked(request);
        assert_eq!(status(&answer), expected, "{request:.60}");
        assert!(answer.contains("\r\nConnection: close\r\n") && !answer.contains("Access-Control"), "{answer}");
    }
    assert!(asked("PUT / HTTP/1.0\r\n\r\n").contains("\r\nAllow: GET, HEAD\r\n"));
    assert!(asked("GET / HTTP/1.0\r\n\r\n").contains("<a href=\"/metrics\">"));
}

#[test]
fn a_head_has_the_length_and_no_body() {
    let answer = asked(&LAST_GET.replace("GET", "HEAD"));
    assert!(answer.contains("\r\nContent-Length: 3\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn requests_that_come_together_are_answered_in_their_order() {
    let requests = format!("{}{}{}{}", GET, "GET /nothing HTTP/1.1\r\n\r\n", GET.replace("GET", "HEAD"), LAST_GET);
    // Behind the last request, nothing is answered.
    let answer = asked(&format!("{requests}{GET}"));
    let statuses: Vec<_> = answer.lines().filter_map(|line| line.find("HTTP/1.1").map(|at| &line[at..])).collect();
    assert_eq!(statuses, ["HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK"]);
}

#[test]
fn bytes_may_come_one_by_one() {
    let (mut server, mut answers) = (tcp(), Noted::of(3));
    let mut stream = connect(&server);
    let answer = serve(&mut server, &mut answers, move || {
        stream.set_nodelay(true).unwrap();
        for byte in LAST_GET.as_bytes() {
            stream.write_all(&[*byte]).unwrap();
            thread::yield_now();
        }
        rest(stream)
    });
    assert!(answer.ends_with("abc"), "{answer}");
}

#[test]
fn a_connection_is_used_again_until_the_client_hangs_up() {
    let (mut server, mut answers) = (tcp(), Noted::of(1_000));
    let mut stream = connect(&server);
    serve(&mut server, &mut answers, move || {
        for _ in 0..20 {
            stream.write_all(GET.as_bytes()).unwrap();
            let mut bytes = Vec::new();
            while bytes.len() < 1_000 || !bytes.windows(4).any(|four| four == b"\r\n\r\n") || !ends(&bytes) {
                let mut more = [0; 100];
                let length = stream.read(&mut more).unwrap();
                assert!(length > 0, "the server hung up");
                bytes.extend(&more[..length]);
            }
        }
    });
    settle(&mut server, &mut answers, Instant::now());
    assert_eq!((open(&server), server.figures().requests), (0, 20));
}

/// Whether an answer of a thousand bytes is whole.
fn ends(bytes: &[u8]) -> bool {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").is_some_and(|head| bytes.len() == head + 4 + 1_000)
}

#[test]
fn a_large_answer_arrives_whole_at_a_slow_reader() {
    let (mut server, mut answers) = (tcp(), Noted::of(20 << 20));
    let mut stream = connect(&server);
    let length = serve(&mut server, &mut answers, move || {
        stream.write_all(LAST_GET.as_bytes()).unwrap();
        let answer = rest(stream);
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        assert!(body.bytes().zip((b'a'..=b'z').cycle()).all(|(byte, expected)| byte == expected));
        body.len()
    });
    assert_eq!(length, 20 << 20);
}

#[test]
fn a_recording_can_be_asked_for_on_the_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut server = unix(path.clone());
    for (flight, expected) in [
        (FlightAnswer::Written("made rec1".to_owned()), "HTTP/1.1 200 OK"),
        (FlightAnswer::Begun("a recording is being written".to_owned()), "HTTP/1.1 202 Accepted"),
        (FlightAnswer::Off("there is no flight recorder".to_owned()), "HTTP/1.1 409 Conflict"),
        (FlightAnswer::Failed("no space left".to_owned()), "HTTP/1.1 500 Internal Server Error"),
    ] {
        let mut answers = Noted { flight: flight.clone(), ..Noted::of(3) };
        let mut stream = UnixStream::connect(&path).unwrap();
        let answer = serve(&mut server, &mut answers, move || {
            stream.write_all(b"POST /flight HTTP/1.0\r\nContent-Length: 4\r\n\r\nwhy?").unwrap();
            rest(stream)
        });
        assert_eq!(status(&answer), expected);
        assert_eq!(answers.notes, ["why?"]);
        let (FlightAnswer::Written(text)
        | FlightAnswer::Begun(text)
        | FlightAnswer::Off(text)
        | FlightAnswer::Failed(text)) = flight;
        assert!(answer.ends_with(&format!("\r\n\r\n{text}\n")), "{answer}");
    }
    // The metrics are there too.
    let mut stream = UnixStream::connect(&path).unwrap();
    let answer = serve(&mut server, &mut Noted::of(3), move || {
        stream.write_all(LAST_GET.as_bytes()).unwrap();
        rest(stream)
    });
    assert_eq!(status(&answer), "HTTP/1.1 200 OK");
    drop(server);
    assert!(!path.exists());
}

#[test]
fn the_rest_of_a_refused_request_is_read_so_that_the_client_gets_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut server = unix(path.clone());
    // A unix socket that is closed with unread bytes gives the client an error instead of the end.
    let mut stream = UnixStream::connect(&path).unwrap();
    let answer = serve(&mut server, &mut Noted::of(3), move || {
        stream.write_all(format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(100_000)).as_bytes()).unwrap();
        rest(stream)
    });
    assert_eq!(status(&answer), "HTTP/1.1 431 Request Header Fields Too Large");
}

#[test]
fn one_server_listens_on_several_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let addresses = ["127.0.0.1:0".parse().unwrap(), ServerAddress::Unix(path.clone())];
    let mut server = MetricsServer::listen(&addresses).unwrap();
    let (mut tcp, mut unix) = (connect(&server), UnixStream::connect(&path).unwrap());
    let answers = serve(&mut server, &mut Noted::of(3), move || {
        unix.write_all(b"POST /flight HTTP/1.0\r\n\r\n").unwrap();
        tcp.write_all(b"POST /flight HTTP/1.0\r\n\r\n").unwrap();
        [rest(unix), rest(tcp)]
    });
    assert_eq!(answers.each_ref().map(|answer| status(answer)), ["HTTP/1.1 200 OK", "HTTP/1.1 403 Forbidden"]);
}

#[test]
fn metrics_answer_for_themselves() {
    let mut metrics = crate::metrics::testing::example();
    assert!(RequestAnswers::metrics(&mut metrics, MetricsFormat::OpenMetrics).ends_with(b"# EOF\n"));
    assert!(matches!(metrics.flight("why?"), FlightAnswer::Off(_)));
}

#[test]
fn whatever_a_client_sends_it_gets_an_answer_or_a_close() {
    let mut random = Rng::with_seed(24);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let (mut server, mut answers) = (unix(path.clone()), Noted::of(3));
    let seeds = [GET, LAST_GET, "POST /flight HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "\r\n\r\n"];
    // A clock that only this test moves.
    let mut now = Instant::now();
    for round in 0..500 {
        let mut bytes: Vec<u8> = (0..random.usize(0..4)).flat_map(|_| random.choice(seeds).unwrap().bytes()).collect();
        for _ in 0..random.usize(0..8) {
            let at = random.usize(0..=bytes.len());
            match random.u8(0..4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, random.u8(..)),
                2 => bytes
                    .splice(at..at, (0..random.usize(0..3_000)).map(|_| random.u8(..)).collect::<Vec<_>>())
                    .for_each(drop),
                _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.u8(0..8)),
            }
        }
        let mut client = UnixStream::connect(&path).unwrap();
        let mut sent = 0;
        while sent < bytes.len() {
            let end = (sent + random.usize(1..2_000)).min(bytes.len());
            // The server may have ended the connection.
            if client.write_all(&bytes[sent..end]).is_err() {
                break;
            }
            sent = end;
            settle(&mut server, &mut answers, now);
        }
        match random.bool() {
            true => client.shutdown(Shutdown::Write).unwrap_or_default(),
            false => {
                settle(&mut server, &mut answers, now);
                now += PATIENCE;
            }
        }
        now += Duration::from_secs(1);
        settle(&mut server, &mut answers, now);
        // The last bytes may be the begin of a request, and the connection may be kept for the next one.
        for _ in 0..3 {
            now += IDLE;
            server.act(now, &mut answers);
            settle(&mut server, &mut answers, now);
        }
        assert_eq!(open(&server), 0, "round {round}: {:?}", String::from_utf8_lossy(&bytes));
        let mut answer = Vec::new();
        // The kernel may say that bytes were not read.
        let _ = client.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{:?}", String::from_utf8_lossy(&answer));
    }
    assert!(server.figures().requests > 100, "{:?}", server.figures());
}
