//! What goes over the owner's socket: length-prefixed MessagePack frames, a version first.
//!
//! Invariant: no length is believed beyond its bound, and a frame that was begun is waited for only so long.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use ulid::Ulid;

use skydeck_core::domain::command::{Order, Receipt};
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::live::{Live, Pulse};
use skydeck_core::domain::query::{Answer, Query};
use skydeck_store::msgpack;

/// Version of this protocol; both sides must speak the same.
pub const VERSION: u32 = 9;
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
    /// What stands out of plans changed.
    Unusual,
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn given(bytes: &[u8], max: u32) -> Result<String, FrameError> {
        read::<String>(&mut &bytes[..], max).await
    }

    #[tokio::test]
    async fn a_frame_is_its_length_and_its_body_up_to_the_bound_and_not_a_byte_more() {
        assert_eq!((VERSION, REQUEST_MAX, REPLY_MAX, PATIENCE.as_secs()), (9, 1_048_576, 16_777_216, 10));
        let text = "y".repeat(300);
        let frame = encode(&text).unwrap();
        // A text of 300 bytes: its mark, two bytes of length, itself.
        assert_eq!(frame[..7], [0, 0, 1, 47, 0xda, 1, 44]);
        assert_eq!(given(&frame, 303).await.unwrap(), text);
        assert!(matches!(given(&frame, 302).await, Err(FrameError::TooLong(303, 302))));
        assert!(matches!(given(&[0xff; 4], REPLY_MAX).await, Err(FrameError::TooLong(u32::MAX, REPLY_MAX))));
        assert!(matches!(given(b"", 9).await, Err(FrameError::Closed)));
        for cut in 1..frame.len() {
            assert!(matches!(given(&frame[..cut], 303).await, Err(FrameError::Broken(_))), "{cut}");
        }
        assert!(matches!(given(&[0, 0, 0, 0], 9).await, Err(FrameError::Garbage)));
        assert!(matches!(given(&[0, 0, 0, 1, 0xc1], 9).await, Err(FrameError::Garbage)));
        // Two frames in a row are two.
        let both = [frame.clone(), encode(&"z").unwrap()].concat();
        let mut from = &both[..];
        assert_eq!(read::<String>(&mut from, 303).await.unwrap(), text);
        assert_eq!((read::<String>(&mut from, 303).await.unwrap().as_str(), from.len()), ("z", 0));
    }

    #[test]
    fn the_longest_reply_fits_and_one_byte_more_does_not() {
        let most = REPLY_MAX as usize - 5;
        assert_eq!(encode(&"x".repeat(most)).unwrap().len(), 4 + REPLY_MAX as usize);
        let longer = encode(&"x".repeat(most + 1));
        assert!(matches!(longer, Err(FrameError::TooLong(n, REPLY_MAX)) if n == REPLY_MAX + 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_byte_is_waited_for_and_the_rest_only_so_long() {
        let (mut here, mut there) = tokio::io::duplex(64);
        let frame = encode(&"late").unwrap();
        let sent = frame.clone();
        let sender = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            here.write_all(&sent[..1]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(9_999)).await;
            here.write_all(&sent[1..]).await.unwrap();
            here.write_all(&sent[..2]).await.unwrap();
            here
        });
        assert_eq!(read::<String>(&mut there, 99).await.unwrap(), "late");
        let _open = sender.await.unwrap();
        let before = tokio::time::Instant::now();
        assert!(matches!(read::<String>(&mut there, 99).await, Err(FrameError::Slow)));
        assert_eq!(before.elapsed().as_secs(), PATIENCE.as_secs());
    }
}
