//! Conversations with the kernel by netlink.
//!
//! The kernel carries a request out while it is being sent: when `send` returns, the answers are there.

use super::wire::{self, Message, Wire};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind,
    netlink::SocketAddrNetlink, recv, send, socket_with, sockopt,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Larger than any message of the kernel.
const READ: usize = 64 * 1024;
/// A dump in which the kernel says nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(5);
/// A dump that changes underneath is begun again so many times.
const ATTEMPTS: u32 = 8;

/// What the kernel refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{errno}")]
pub struct Refusal {
    /// The message that it was about; none: the conversation as a whole.
    pub sequence: Option<u32>,
    /// Why.
    pub errno: Errno,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self {
            sequence: None,
            errno,
        }
    }
}

/// A netlink socket. What the kernel made for it as its owner goes with it.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// Opens one in the network namespace of this thread.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn open(protocol: Protocol) -> Result<Self, Errno> {
        let fd = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(protocol),
        )?;
        bind(&fd, &SocketAddrNetlink::new(0, 0))?;
        sockopt::set_socket_timeout(&fd, sockopt::Timeout::Recv, Some(SILENCE))?;
        Ok(Self { fd })
    }

    /// Room for so many bytes of answers; as much as is allowed.
    pub fn room(&self, bytes: usize) {
        if sockopt::set_socket_recv_buffer_size_force(&self.fd, bytes).is_err() {
            let _ = sockopt::set_socket_recv_buffer_size(&self.fd, bytes);
        }
    }

    /// Sends, without looking at what the kernel answers.
    ///
    /// # Errors
    /// The kernel's refusal to take it.
    pub fn send(&self, wire: &Wire) -> Result<(), Errno> {
        rustix::io::retry_on_intr(|| send(&self.fd, wire.as_bytes(), SendFlags::empty()))?;
        Ok(())
    }

    /// Reads what is there. `None`: nothing.
    ///
    /// # Errors
    /// Among others `NOBUFS`: something did not find room.
    pub fn read<'b>(&self, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, Errno> {
        match recv(&self.fd, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((length, _)) => Ok(Some(&buffer[..length])),
            Err(Errno::AGAIN) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Sends, and reads what the kernel answered at once.
    ///
    /// # Errors
    /// The first refusal among the answers.
    pub fn transact(&self, wire: &Wire) -> Result<(), Refusal> {
        self.send(wire)?;
        let mut buffer = vec![0; READ];
        let mut result = Ok(());
        while let Some(bytes) = self.read(&mut buffer)? {
            for message in wire::messages(bytes) {
                if let Some(error @ 1..) = message.error()
                    && result.is_ok()
                {
                    result = Err(Refusal {
                        sequence: Some(message.sequence),
                        errno: Errno::from_raw_os_error(error),
                    });
                }
            }
        }
        result
    }

    /// Asks for a list, of which `take` makes something for each message.
    ///
    /// # Errors
    /// The kernel's refusal, or its silence.
    pub fn dump<T>(
        &self,
        request: &Wire,
        take: impl Fn(&Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Errno> {
        for _ in 0..ATTEMPTS {
            self.send(request)?;
            if let Some(all) = self.listed(&take)? {
                return Ok(all);
            }
        }
        Err(Errno::AGAIN)
    }

    /// `None`: the list changed while it was read.
    fn listed<T>(
        &self,
        take: &impl Fn(&Message<'_>) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Errno> {
        let mut buffer = vec![0; READ];
        let mut all = Vec::new();
        let mut whole = true;
        loop {
            let (length, _) =
                rustix::io::retry_on_intr(|| recv(&self.fd, &mut buffer[..], RecvFlags::empty()))?;
            for message in wire::messages(&buffer[..length]) {
                whole &= message.flags & wire::INTERRUPTED == 0;
                match message.error() {
                    Some(0) if message.kind == wire::DONE => return Ok(whole.then_some(all)),
                    Some(0) => {}
                    Some(errno) => return Err(Errno::from_raw_os_error(errno)),
                    None => all.extend(take(&message)),
                }
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
