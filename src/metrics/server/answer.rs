//! HTTP answers.

use super::super::MetricsFormat;
use std::rc::Rc;

/// The statuses of answers (RFC 9110, section 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HttpStatus {
    Ok,
    Accepted,
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    Conflict,
    BodyTooLarge,
    HeadTooLarge,
    InternalError,
    NotImplemented,
    Unavailable,
    VersionNotSupported,
}

impl HttpStatus {
    /// The number and the words of the status line.
    pub fn line(self) -> &'static str {
        match self {
            HttpStatus::Ok => "200 OK",
            HttpStatus::Accepted => "202 Accepted",
            HttpStatus::BadRequest => "400 Bad Request",
            HttpStatus::Forbidden => "403 Forbidden",
            HttpStatus::NotFound => "404 Not Found",
            HttpStatus::MethodNotAllowed => "405 Method Not Allowed",
            HttpStatus::RequestTimeout => "408 Request Timeout",
            HttpStatus::Conflict => "409 Conflict",
            HttpStatus::BodyTooLarge => "413 Content Too Large",
            HttpStatus::HeadTooLarge => "431 Request Header Fields Too Large",
            HttpStatus::InternalError => "500 Internal Server Error",
            HttpStatus::NotImplemented => "501 Not Implemented",
            HttpStatus::Unavailable => "503 Service Unavailable",
            HttpStatus::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// The answer to a request for a recording of the last seconds. The texts are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlightAnswer {
    /// The recording was written.
    Written(String),
    /// The recording is being written, or will be.
    Begun(String),
    /// There is no flight recorder.
    Off(String),
    /// The recording could not be written.
    Failed(String),
}

/// The body of an answer, which several connections may share.
pub(super) type Body = Rc<[u8]>;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpAnswer {
    status: HttpStatus,
    content_type: &'static str,
    /// The methods of a path, for a request with another one.
    allow: Option<&'static str>,
    body: Body,
}

const TEXT: &str = "text/plain; charset=utf-8";

/// The page at `/`.
const PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>tp-perf</title></head>\n<body><h1>tp-perf</h1>\n\
                    <p><a href=\"/metrics\">Metrics</a> for Prometheus</p></body></html>\n";

impl HttpAnswer {
    /// An answer of its status line alone.
    pub fn of(status: HttpStatus) -> Self {
        HttpAnswer::text(status, status.line())
    }

    /// A text for people.
    pub fn text(status: HttpStatus, text: &str) -> Self {
        HttpAnswer { status, content_type: TEXT, allow: None, body: format!("{text}\n").into_bytes().into() }
    }

    /// The refusal of a method.
    pub fn not_allowed(allow: &'static str) -> Self {
        HttpAnswer { allow: Some(allow), ..HttpAnswer::of(HttpStatus::MethodNotAllowed) }
    }

    /// The page with the link to the metrics.
    pub fn page() -> Self {
        HttpAnswer {
            status: HttpStatus::Ok,
            content_type: "text/html; charset=utf-8",
            allow: None,
            body: PAGE.as_bytes().into(),
        }
    }

    /// Metrics in this format.
    pub fn metrics(format: MetricsFormat, body: Body) -> Self {
        HttpAnswer { status: HttpStatus::Ok, content_type: format.content_type(), allow: None, body }
    }

    /// The answer to a request for a recording.
    pub fn flight(answer: &FlightAnswer) -> Self {
        match answer {
            FlightAnswer::Written(text) => HttpAnswer::text(HttpStatus::Ok, text),
            FlightAnswer::Begun(text) => HttpAnswer::text(HttpStatus::Accepted, text),
            FlightAnswer::Off(text) => HttpAnswer::text(HttpStatus::Conflict, text),
            FlightAnswer::Failed(text) => HttpAnswer::text(HttpStatus::InternalError, text),
        }
    }

    /// The head, with the empty line behind it, and the body.
    pub fn into_parts(self, keeps_alive: bool) -> (Vec<u8>, Body) {
        let HttpAnswer { status, content_type, allow, body } = self;
        let allow = allow.map(|methods| format!("Allow: {methods}\r\n")).unwrap_or_default();
        let connection = if keeps_alive { "" } else { "Connection: close\r\n" };
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}{connection}\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n",
            status.line(),
            body.len(),
        );
        (head.into_bytes(), body)
    }
}
