//! Reads HTTP requests (RFC 9112) from bytes.

use super::answer::HttpStatus;

/// The most bytes of a request, with its body.
pub(super) const LONGEST_REQUEST: usize = 8 << 10;

/// The methods that the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Post,
    Other,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpRequest {
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The values of all headers `Accept`, with commas between them.
    pub accept: String,
    pub body: Vec<u8>,
    /// Whether the client may send another request on this connection.
    pub keeps_alive: bool,
}

/// The beginning of the bytes of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parsed {
    /// More bytes are needed.
    Incomplete,
    /// A request, and the number of its bytes.
    Complete(HttpRequest, usize),
    /// Bytes that are no request, or one that the server does not take. The rest of the stream has no meaning.
    Refused(HttpStatus),
}

/// Reads the first request in `bytes`, of which there are at most [`LONGEST_REQUEST`].
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    // A client may send line ends before a request (RFC 9112, section 2.2).
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let Some(length) = head_length(&bytes[blank..]) else {
        return match bytes.len() < LONGEST_REQUEST {
            true => Parsed::Incomplete,
            false => Parsed::Refused(HttpStatus::HeadTooLarge),
        };
    };
    let body_begin = blank + length;
    let (mut request, body_length) = match head(&bytes[blank..body_begin]) {
        Ok(parsed) => parsed,
        Err(status) => return Parsed::Refused(status),
    };
    if body_length > LONGEST_REQUEST - body_begin {
        return Parsed::Refused(HttpStatus::BodyTooLarge);
    }
    let end = body_begin + body_length;
    match bytes.get(body_begin..end) {
        Some(body) => {
            request.body = body.to_vec();
            Parsed::Complete(request, end)
        }
        None => Parsed::Incomplete,
    }
}

/// The number of bytes up to the empty line behind the headers, with that line.
fn head_length(bytes: &[u8]) -> Option<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place);
    ends.map(|end| end + 1).find_map(|next| match &bytes[next..] {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

/// Reads the request line and the headers. Returns the request without its body, and the length of the body.
fn head(bytes: &[u8]) -> Result<(HttpRequest, usize), HttpStatus> {
    let text = std::str::from_utf8(bytes).map_err(|_| HttpStatus::BadRequest)?;
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let (mut request, version) = request_line(lines.next().unwrap_or_default())?;
    let mut body = None;
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(HttpStatus::BadRequest)?;
        let value = value.trim_matches([' ', '\t']);
        if !is_token(name) || value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(HttpStatus::BadRequest);
        }
        match name.to_ascii_lowercase().as_str() {
            "accept" => {
                let comma = if request.accept.is_empty() { "" } else { "," };
                request.accept.extend([comma, value]);
            }
            "connection" => {
                let mut options = value.split(',').map(str::trim);
                request.keeps_alive &= !options.any(|option| option.eq_ignore_ascii_case("close"));
            }
            "content-length" => {
                let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let length =
                    if is_number { value.parse().unwrap_or(usize::MAX) } else { return Err(HttpStatus::BadRequest) };
                if body.is_some_and(|other| other != length) {
                    return Err(HttpStatus::BadRequest);
                }
                body = Some(length);
            }
            // The server does not know chunks, so it would not find the next request.
            "transfer-encoding" => return Err(HttpStatus::NotImplemented),
            _ => {}
        }
    }
    request.keeps_alive &= version == "HTTP/1.1";
    Ok((request, body.unwrap_or(0)))
}

/// Reads a line such as `GET /metrics HTTP/1.1`.
fn request_line(line: &str) -> Result<(HttpRequest, &str), HttpStatus> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(HttpStatus::BadRequest);
    };
    if !is_token(method) || target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(HttpStatus::BadRequest);
    }
    match version.strip_prefix("HTTP/").map(str::as_bytes) {
        Some(b"1.1" | b"1.0") => {}
        Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit() => {
            return Err(HttpStatus::VersionNotSupported);
        }
        _ => return Err(HttpStatus::BadRequest),
    }
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        _ => Method::Other,
    };
    let path = path_of(target).to_owned();
    Ok((HttpRequest { method, path, accept: String::new(), body: Vec::new(), keeps_alive: true }, version))
}

/// The path in a target such as `/metrics?a=b` or, as a proxy gets it, `http://host:9464/metrics`.
fn path_of(target: &str) -> &str {
    let without_host = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').map_or("/", |slash| &rest[slash..]),
        _ => target,
    };
    without_host.split(['?', '#']).next().unwrap_or_default()
}

/// Whether the text is a name of a method or a header.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(text: &str) -> HttpRequest {
        match parse(text.as_bytes()) {
            Parsed::Complete(request, length) => {
                assert_eq!(length, text.len(), "{text:?}");
                request
            }
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn requests_of_usual_clients_are_read() {
        let prometheus = "GET /metrics?a=b HTTP/1.1\r\nHost: localhost:9464\r\nUser-Agent: Prometheus/2.42\r\nAccept: a/b;q=0.5\r\n\
                          accept:c/d\r\nX-Empty:\r\n\r\n";
        let expected = HttpRequest {
            method: Method::Get,
            path: "/metrics".to_owned(),
            accept: "a/b;q=0.5,c/d".to_owned(),
            body: Vec::new(),
            keeps_alive: true,
        };
        assert_eq!(request(prometheus), expected);
        let typed = request("\r\n\nHEAD / HTTP/1.0\n\n");
        assert_eq!((typed.method, typed.path.as_str(), typed.keeps_alive), (Method::Head, "/", false));
        let post = request("POST /flight HTTP/1.1\r\nContent-Length: 3\r\nConnection: TE, Close\r\n\r\nabc");
        assert_eq!((post.method, &*post.body, post.keeps_alive), (Method::Post, &b"abc"[..], false));
        assert_eq!(request("GET http://host:1/metrics HTTP/1.1\r\n\r\n").path, "/metrics");
        assert_eq!(request("GET http://host HTTP/1.1\r\n\r\n").path, "/");
        assert_eq!(request("BREW /a://b HTTP/1.1\r\n\r\n").path, "/a://b");
    }

    #[test]
    fn a_second_request_is_left_for_later() {
        let two = b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
        let Parsed::Complete(first, length) = parse(two) else { panic!() };
        let Parsed::Complete(second, _) = parse(&two[length..]) else { panic!() };
        assert_eq!((first.path, second.path), ("/a".to_owned(), "/b".to_owned()));
    }

    #[test]
    fn each_part_of_a_request_is_incomplete() {
        let whole = b"POST /flight HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), Parsed::Incomplete, "{end}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_status() {
        use HttpStatus::*;
        let long = format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(LONGEST_REQUEST));
        for (text, expected) in [
            ("GET\r\n\r\n", BadRequest),
            ("GET /\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1 x\r\n\r\n", BadRequest),
            ("GET  / HTTP/1.1\r\n\r\n", BadRequest),
            ("G(T / HTTP/1.1\r\n\r\n", BadRequest),
            ("GET /\u{e9} HTTP/1.1\r\n\r\n", BadRequest),
            ("GET /\0 HTTP/1.1\r\n\r\n", BadRequest),
            ("GET / HTTP/x\r\n\r\n", BadRequest),
            ("GET / HTTP/2.0\r\n\r\n", VersionNotSupported),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nA : b\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nA: \0\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nContent-Length:\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", BodyTooLarge),
            ("GET / HTTP/1.1\r\nContent-Length: 8192\r\n\r\n", BodyTooLarge),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", NotImplemented),
            (&long[..LONGEST_REQUEST], HeadTooLarge),
        ] {
            assert_eq!(parse(text.as_bytes()), Parsed::Refused(expected), "{text:?}");
        }
        assert_eq!(parse(b"GET / HTTP/1.1\r\nA: \xff\r\n\r\n"), Parsed::Refused(BadRequest));
        assert_eq!(parse(&[b'\n'; LONGEST_REQUEST]), Parsed::Refused(HeadTooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200), pieces in "[GEPOST /HTTP1.\r\n:a-c0-9]{0,200}") {
            for bytes in [&bytes, pieces.as_bytes()] {
                if let Parsed::Complete(_, length) = parse(bytes) {
                    prop_assert!(0 < length && length <= bytes.len());
                }
            }
        }
    }
}
