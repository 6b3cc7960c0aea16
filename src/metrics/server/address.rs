//! Where the metrics server listens.

use super::super::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// An address for the metrics server: a TCP address such as `127.0.0.1:9464`, or the path of a unix socket such as
/// `unix:/run/tp-perf/socket`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerAddress {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// A path for a socket.
    Unix(PathBuf),
}

/// The longest path of a unix socket in bytes (unix(7)).
const LONGEST_PATH: usize = 107;

impl FromStr for ServerAddress {
    type Err = Error;

    /// Reads an address as the user types it. Names of hosts are not looked up, except `localhost`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |reason: String| Error::BadAddress { text: text.to_owned(), reason };
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.len() {
                0 => Err(bad("write the path of the socket, as in `unix:/run/tp-perf/socket`".to_owned())),
                length if length > LONGEST_PATH => {
                    Err(bad(format!("the path has {length} bytes, and a socket's path has at most {LONGEST_PATH}")))
                }
                _ if path.contains('\0') => Err(bad("no path has a NUL".to_owned())),
                _ => Ok(ServerAddress::Unix(Path::new(path).to_owned())),
            };
        }
        if let Ok(address) = text.parse() {
            return Ok(ServerAddress::Tcp(address));
        }
        let port = |port: &str| port.parse::<u16>().ok();
        let reason = match text.rsplit_once(':') {
            Some(("localhost", number)) if port(number).is_some() => {
                let port = port(number).unwrap_or_default();
                return Ok(ServerAddress::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
            }
            Some(("", number)) if port(number).is_some() => {
                format!(
                    "write `127.0.0.1:{number}` for this machine alone, or `0.0.0.0:{number}` for the whole network"
                )
            }
            _ if port(text).is_some() => format!("write `127.0.0.1:{text}`"),
            _ if text.starts_with('/') => format!("write `unix:{text}` for a socket"),
            _ if text.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) => format!("write `[{text}]:9464`"),
            _ if text == "localhost" || text.parse::<IpAddr>().is_ok() => {
                format!("write the port too, as in `{text}:9464`")
            }
            _ => "write an IP address and a port, as in `127.0.0.1:9464`, or a path, as in `unix:/run/tp-perf/socket`"
                .to_owned(),
        };
        Err(bad(reason))
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerAddress::Tcp(address) => address.fmt(f),
            ServerAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_it_was_typed_as() {
        for text in ["127.0.0.1:9464", "0.0.0.0:0", "[::1]:9464", "unix:/run/tp-perf/socket", "unix:a b"] {
            assert_eq!(text.parse::<ServerAddress>().unwrap().to_string(), text);
        }
        assert_eq!("localhost:1".parse::<ServerAddress>().unwrap().to_string(), "127.0.0.1:1");
    }

    #[test]
    fn a_mistake_names_its_fix() {
        let long = format!("unix:/{}", "a".repeat(107));
        for (text, fix) in [
            (":9464", "`127.0.0.1:9464`"),
            ("9464", "`127.0.0.1:9464`"),
            ("127.0.0.1", "`127.0.0.1:9464`"),
            ("localhost", "`localhost:9464`"),
            ("::1", "`[::1]:9464`"),
            ("/run/tp-perf/socket", "`unix:/run/tp-perf/socket`"),
            ("unix:", "`unix:/run/tp-perf/socket`"),
            (&long, "108 bytes"),
            ("example.org:9464", "an IP address"),
            ("127.0.0.1:99999", "an IP address"),
            ("localhost:http", "an IP address"),
            ("", "an IP address"),
            ("unix:/a\0b", "NUL"),
        ] {
            let error = text.parse::<ServerAddress>().unwrap_err().to_string();
            assert!(error.contains(fix), "{text}: {error}");
        }
    }
}
