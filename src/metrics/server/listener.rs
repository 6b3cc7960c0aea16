//! Sockets that wait for connections.

use super::super::Error;
use super::ServerAddress;
use rustix::fs::{Mode, chmod, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// Everybody in the group of tp-perf may use the socket.
const OF_GROUP: u32 = 0o660;

/// A socket that waits for connections. Accepting does not wait.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// A connection. Reading and writing do not wait.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The file of a unix socket. It is removed at the end, unless another program has replaced it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Its device and inode.
    identity: Option<(u64, u64)>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && self.identity == identity(&self.path) {
            // Nobody could do anything about a failure now, and the next start removes the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

impl Listener {
    /// Listens on this address. A socket's file that nobody listens on is replaced.
    pub fn listen(address: &ServerAddress) -> Result<Self, Error> {
        let failed = |cause: io::Error| match cause.kind() {
            ErrorKind::AddrInUse => Error::InUse { address: address.clone() },
            _ => Error::Listen { address: address.clone(), cause },
        };
        match address {
            ServerAddress::Tcp(tcp) => {
                let listener = TcpListener::bind(tcp).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                Ok(Listener::Tcp(listener))
            }
            ServerAddress::Unix(path) => {
                remove_stale(path, address)?;
                listen_on(path).map_err(failed)
            }
        }
    }

    /// The address with the port that the kernel chose, if the port was 0.
    pub fn address(&self) -> io::Result<ServerAddress> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().map(ServerAddress::Tcp),
            Listener::Unix(_, file) => Ok(ServerAddress::Unix(file.path.clone())),
        }
    }

    /// Whether only this machine's users with a right to the file can connect.
    pub fn is_local(&self) -> bool {
        matches!(self, Listener::Unix(..))
    }

    /// Accepts a connection that waits.
    pub fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                // The head of an answer should not wait for its body. If this fails, it only takes longer.
                let _ = stream.set_nodelay(true);
                Ok(Stream::Tcp(stream))
            }
            Listener::Unix(listener, _) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Stream::Unix(stream))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener) => listener.as_fd(),
            Listener::Unix(listener, _) => listener.as_fd(),
        }
    }
}

/// Removes a socket's file if nobody listens on it.
fn remove_stale(path: &Path, address: &ServerAddress) -> Result<(), Error> {
    let failed = |cause| Error::Listen { address: address.clone(), cause };
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => return Err(Error::NoSocket { path: path.to_owned() }),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    // A connection would wait if the other program accepts none for a while, so the socket must not block.
    match can_connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        // Somebody listens, even if too many others wait to be accepted.
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(failed(error)),
        _ => Err(Error::InUse { address: address.clone() }),
    }
}

/// Tries to connect, and hangs up at once.
fn can_connect(path: &Path) -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    Ok(rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?)
}

fn listen_on(path: &Path) -> io::Result<Listener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let mode = Mode::from_raw_mode(OF_GROUP);
    // The file gets the mode of the socket without the bits of the umask, so nobody else can connect before the next call.
    fchmod(&socket, mode)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    let file = SocketFile { path: path.to_owned(), identity: identity(path) };
    chmod(path, mode)?;
    listen(&socket, BACKLOG)?;
    Ok(Listener::Unix(UnixListener::from(socket), file))
}

impl Stream {
    /// Ends the stream to the client, and still takes what the client sends.
    pub fn end_writing(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(bytes),
            Stream::Unix(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    /// Writes without a signal if the client is gone.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn unix(path: &Path) -> ServerAddress {
        ServerAddress::Unix(path.to_owned())
    }

    #[test]
    fn a_socket_is_for_the_group_and_is_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = Listener::listen(&unix(&path)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(listener.address().unwrap(), unix(&path));
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves the file");
        let listener = Listener::listen(&unix(&path)).unwrap();
        let error = Listener::listen(&unix(&path)).unwrap_err();
        assert_eq!(error.to_string(), format!("another program already listens on unix:{}", path.display()));
        UnixStream::connect(&path).unwrap();
        // Another program has replaced the file, so it is not ours.
        fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        drop(listener);
        assert!(path.exists());
        drop(other);
    }

    #[test]
    fn other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "kept").unwrap();
        assert!(matches!(Listener::listen(&unix(&path)), Err(Error::NoSocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
        let missing = folder.path().join("missing/socket");
        assert!(matches!(Listener::listen(&unix(&missing)), Err(Error::Listen { .. })));
    }

    #[test]
    fn a_port_has_one_listener() {
        let listener = Listener::listen(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address().unwrap();
        assert!(matches!(Listener::listen(&address), Err(Error::InUse { .. })));
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
