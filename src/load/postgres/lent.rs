//! A stream that is lent to a library and taken back.

use crate::load::net::Stream;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The library's hold on a stream.
pub struct Lent(Rc<RefCell<Stream>>);

/// The owner's; the stream can be taken back once the library has dropped its own.
pub struct Owner(Rc<RefCell<Stream>>);

/// Lends a stream.
#[must_use]
pub fn lend(stream: Stream) -> (Owner, Lent) {
    let shared = Rc::new(RefCell::new(stream));
    (Owner(Rc::clone(&shared)), Lent(shared))
}

impl Owner {
    /// Takes the stream back; none where the library still holds it.
    #[must_use]
    pub fn take_back(self) -> Option<Stream> {
        Rc::into_inner(self.0).map(RefCell::into_inner)
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Lent {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)
    }
}
