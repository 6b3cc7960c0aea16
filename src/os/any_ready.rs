//! One descriptor for several.

use rustix::event::epoll;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A descriptor that polls readable when one of several does.
#[derive(Debug)]
pub struct AnyReady(OwnedFd);

impl AnyReady {
    /// For these descriptors. `None` if one of them is always ready, as a file is.
    ///
    /// # Errors
    /// If the kernel has no room for it.
    pub fn of<'a>(descriptors: impl IntoIterator<Item = BorrowedFd<'a>>) -> io::Result<Option<Self>> {
        let all = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, descriptor) in (0..).zip(descriptors) {
            match epoll::add(&all, descriptor, epoll::EventData::new_u64(number), epoll::EventFlags::IN) {
                Ok(()) => {}
                Err(rustix::io::Errno::PERM) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(Some(AnyReady(all)))
    }
}

impl AsFd for AnyReady {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::fs::File;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn it_is_readable_when_one_of_them_is() {
        let ((a, _keep), (b, mut sender)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let any = AnyReady::of([a.as_fd(), b.as_fd()]).unwrap().unwrap();
        let is_ready =
            || poll(&mut [PollFd::new(any.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).is_ok_and(|ready| ready > 0);
        assert!(!is_ready());
        sender.write_all(b"x").unwrap();
        assert!(is_ready());
        assert!(AnyReady::of([File::open("/dev/null").unwrap().as_fd()]).unwrap().is_none());
    }
}
