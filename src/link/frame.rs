//! What goes over the owner's socket: length-prefixed MessagePack frames, a version first.
//!
//! Invariant: no length is believed beyond its bound, and a frame that was begun is waited for only so long.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use ulid::Ulid;

use crate::domain::command::{Order, Receipt};
use crate::domain::event::Fact;
use crate::domain::live::{Live, Pulse};
use crate::domain::query::{Answer, Query};
use crate::store::msgpack;

/// Version of this protocol; both sides must speak the same.
pub const VERSION: u32 = 5;
/// Longest frame taken from a client, bytes.
pub const REQUEST_MAX: u32 = 1 << 20;
/// Longest frame taken from the owner, bytes.
pub const REPLY_MAX: u32 = 16 << 20;
/// How long the rest of a frame may take once it was begun.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// From a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// First of all. Login and address are hints; the user id comes from the kernel.
    Hello {
        /// Protocol version.
        version: u32,
        /// Login name.
        login: String,
        /// Address of the SSH client.
        from: Option<String>,
        /// It is a console, not a verb: somebody sits there.
        #[serde(default)]
        console: bool,
    },
    /// An order.
    Submit(u64, Order),
    /// A question.
    Ask(u64, Query),
    /// Send the state and everything after it on this connection.
    Watch,
}

/// From the owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The hello was accepted.
    Welcome {
        /// The owner's process id.
        pid: u32,
        /// This owner and no other, not even a later one with the same process id.
        instance: Ulid,
    },
    /// Why this connection is closed.
    Refused(String),
    /// The owner ends because somebody wants it to: nobody is to start another one by himself.
    Bye {
        /// The owner's process id.
        pid: u32,
        /// The signal that ended it.
        by: String,
    },
    /// What became of an order.
    Receipt(u64, Receipt),
    /// The answer to a question, or why there is none.
    Answer(u64, Result<Answer, String>),
    /// The state; facts go on after it.
    State(Box<Live>),
    /// Facts in order.
    Facts(Vec<Fact>),
    /// A pulse.
    Pulse(Pulse),
    /// The plans were read again.
    PlansReloaded,
}

/// Why no frame could be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side closed between two frames.
    #[error("the connection was closed")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] std::io::Error),
    /// Longer than allowed.
    #[error("a frame of {0} bytes; at most {1} are taken")]
    TooLong(u32, u32),
    /// Begun and not ended in time.
    #[error("a frame was begun and not ended within {} s", PATIENCE.as_secs())]
    Slow,
    /// Not what was expected.
    #[error("a frame that cannot be read")]
    Garbage,
}

/// Reads one frame. Waits without limit for its first byte.
pub async fn read<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin), max: u32) -> Result<T, FrameError> {
    let mut first = [0u8; 1];
    if from.read(&mut first).await? == 0 {
        return Err(FrameError::Closed);
    }
    let rest = async {
        let mut tail = [0u8; 3];
        from.read_exact(&mut tail).await?;
        let ([a], [b, c, d]) = (first, tail);
        let length = u32::from_be_bytes([a, b, c, d]);
        if length > max {
            return Err(FrameError::TooLong(length, max));
        }
        // Grows with what arrives, not with what is promised.
        let mut body = Vec::new();
        (&mut *from).take(u64::from(length)).read_to_end(&mut body).await?;
        if body.len() < usize::try_from(length).unwrap_or(usize::MAX) {
            return Err(FrameError::Broken(std::io::ErrorKind::UnexpectedEof.into()));
        }
        msgpack::read(&body).map_err(|_| FrameError::Garbage)
    };
    tokio::time::timeout(PATIENCE, rest).await.unwrap_or(Err(FrameError::Slow))
}

/// A frame's bytes.
pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let body = rmp_serde::to_vec_named(value).map_err(|_| FrameError::Garbage)?;
    let length = u32::try_from(body.len()).map_err(|_| FrameError::TooLong(u32::MAX, REPLY_MAX))?;
    if length > REPLY_MAX {
        return Err(FrameError::TooLong(length, REPLY_MAX));
    }
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend(body);
    Ok(frame)
}

/// Writes one frame.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> Result<(), FrameError> {
    Ok(to.write_all(&encode(value)?).await?)
}
