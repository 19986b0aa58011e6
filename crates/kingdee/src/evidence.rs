//! What a call leaves behind: bodies as they went over the wire, cut at a limit with the hash of the whole.

use sha2::{Digest as _, Sha256};

use super::sign::hex;
use super::transport::{HttpReply, TransportFault};
use skydeck_core::domain::step::{Blob, Body, Evidence};

/// Most bytes kept of one body.
pub const KEPT: usize = 1 << 20;

/// Most bytes kept of a body that belongs to no bill.
pub const KEPT_OF_READS: usize = 64 << 10;

/// Evidence of a call; headers are never kept.
pub fn of(request: &[u8], answer: &Result<HttpReply, TransportFault>, kept: usize) -> Evidence {
    let request = body(request, kept);
    match answer {
        Ok(reply) => {
            Evidence { request, http: Some(reply.status), response: Some(body(&reply.body, kept)), error: None }
        }
        Err(fault) => {
            let http = match fault {
                TransportFault::Redirected { status, .. } => Some(*status),
                TransportFault::NotSent(_)
                | TransportFault::TimedOut(_)
                | TransportFault::Broken(_)
                | TransportFault::TooLarge { .. } => None,
            };
            Evidence { request, http, response: None, error: Some(fault.to_string()) }
        }
    }
}

fn body(bytes: &[u8], kept: usize) -> Body {
    let cut = bytes.len() > kept;
    Body {
        bytes: Blob(bytes.get(..kept).unwrap_or(bytes).to_vec()),
        len: bytes.len() as u64,
        sha256: cut.then(|| hex(&Sha256::digest(bytes))),
    }
}
