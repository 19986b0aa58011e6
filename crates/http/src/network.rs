//! One request and what came of it: the seam between this client and the network.
//!
//! Invariant: only [`TransportFault::NotSent`] says that nothing left; a request goes out once, and no redirect is followed.

use async_trait::async_trait;
use reqwest::{Client, Method, Url};

use skydeck_kingdee::config::{Address, ConfigError, Reach};
use skydeck_kingdee::http::{client, exchange, header_map};
use skydeck_kingdee::transport::{CallKind, HttpReply, TransportFault};

/// A request as it goes over the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Wired {
    /// The method.
    pub method: String,
    /// Path below the system's address, with its parameters.
    pub path: String,
    /// Headers, in order. They may say who we are, so that nothing prints them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The network, or something in its place.
#[async_trait]
pub trait Network: Send + Sync {
    /// Sends one request exactly once and reads the whole answer. The caller sets the time limit by dropping the future.
    async fn exchange(&self, request: Wired, kind: CallKind) -> Result<HttpReply, TransportFault>;
}

/// HTTP over TCP and TLS.
pub(super) struct Http {
    address: Address,
    /// Keeps connections alive between pages.
    pooled: Client,
    /// One connection a call.
    fresh: Client,
    max_body: usize,
}

impl Http {
    /// Reads the certificates that are named; sends nothing.
    pub fn new(reach: &Reach, max_body: usize) -> Result<Self, ConfigError> {
        Ok(Self { address: reach.address()?, pooled: client(reach, 2)?, fresh: client(reach, 0)?, max_body })
    }

    fn request(&self, wired: Wired, kind: CallKind) -> Result<reqwest::RequestBuilder, String> {
        let text = format!("{}{}", self.address.shown().trim_end_matches('/'), wired.path);
        let url = Url::parse(&text).map_err(|_| format!("`{}` cannot stand in an address", wired.path))?;
        let method = Method::from_bytes(wired.method.as_bytes());
        let method = method.map_err(|_| format!("`{}` is no method", wired.method))?;
        let client = match kind {
            CallKind::Read => &self.pooled,
            CallKind::Status | CallKind::Write | CallKind::SignIn => &self.fresh,
        };
        // Whatever is sent in a header may say who we are.
        let headers = header_map(&wired.headers, |_| true).map_err(|fault| fault.to_string())?;
        Ok(client.request(method, url).headers(headers).body(wired.body))
    }
}

#[async_trait]
impl Network for Http {
    async fn exchange(&self, request: Wired, kind: CallKind) -> Result<HttpReply, TransportFault> {
        match self.request(request, kind) {
            Ok(request) => exchange(request, self.max_body).await,
            Err(why) => Err(TransportFault::NotSent(why)),
        }
    }
}
