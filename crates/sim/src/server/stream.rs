//! The socket hyper writes through: passes everything, until a fault tells it to swallow one answer and send other bytes.
//!
//! Invariant: what stands in for an answer goes out whole and in order before anything that follows it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What to do instead of sending the next answer.
#[derive(Debug)]
pub(super) enum Raw {
    /// RST, at once.
    Reset,
    /// These bytes.
    Bytes {
        /// To send.
        bytes: Vec<u8>,
        /// Close afterwards.
        close: bool,
    },
}

/// The line between the service, which decides, and the stream, which does it. One request is in flight at a time on a
/// connection, so one slot is enough.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire(Arc<Mutex<Option<Raw>>>);

impl Wire {
    /// Orders what happens to the next answer.
    pub(super) fn set(&self, raw: Raw) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(raw);
    }

    fn take(&self) -> Option<Raw> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The stream.
#[derive(Debug)]
pub(super) struct WireStream {
    socket: TcpStream,
    wire: Wire,
    pending: Option<Pending>,
    closed: bool,
}

#[derive(Debug)]
struct Pending {
    bytes: Vec<u8>,
    sent: usize,
    close: bool,
}

impl WireStream {
    pub(super) fn new(socket: TcpStream, wire: Wire) -> Self {
        Self { socket, wire, pending: None, closed: false }
    }

    /// Takes an order, if there is one; a reset is an error to hyper, which then drops the socket.
    fn obey(&mut self) -> io::Result<()> {
        match self.wire.take() {
            None => Ok(()),
            Some(Raw::Bytes { bytes, close }) => {
                self.pending = Some(Pending { bytes, sent: 0, close });
                Ok(())
            }
            Some(Raw::Reset) => {
                // Without lingering, closing the socket sends RST instead of FIN.
                self.socket.set_zero_linger()?;
                self.closed = true;
                Err(io::Error::from(io::ErrorKind::ConnectionReset))
            }
        }
    }

    fn send_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(pending) = &mut self.pending {
            let left = pending.bytes.get(pending.sent..).unwrap_or(&[]);
            if left.is_empty() {
                self.closed |= pending.close;
                self.pending = None;
                break;
            }
            match Pin::new(&mut self.socket).poll_write(cx, left) {
                Poll::Ready(Ok(n)) => pending.sent += n,
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for WireStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closed {
            // End of stream: hyper finishes the connection and closes the socket.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for WireStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.obey()?;
        if this.pending.is_some() {
            // hyper's own answer is swallowed; the flush that follows it sends the other one.
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut this.socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.send_pending(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut this.socket).poll_flush(cx),
            other => other,
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.obey()?;
        match this.send_pending(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut this.socket).poll_shutdown(cx),
            other => other,
        }
    }
}

impl Drop for WireStream {
    /// hyper drops the stream without touching it when the service fails, so this is where an ordered reset takes effect.
    fn drop(&mut self) {
        // Nothing to report to: a socket that cannot be reset is closed.
        let _ = self.obey();
    }
}
