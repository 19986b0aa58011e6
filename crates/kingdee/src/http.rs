//! The network behind [`Transport`]: reqwest, held to what a write needs.
//!
//! Invariants: HTTP/1.1, no redirect, no repeat, no proxy but the one configured; calls that decide or write use a fresh
//! connection; memory is bounded by the decoded size of the answer, not by what the server promises.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Proxy, RequestBuilder, Response};
use secrecy::ExposeSecret as _;

use super::config::{Address, ConfigError, Reach, is_loopback};
use super::tls;
use super::transport::{CallKind, HttpReply, Post, Transport, TransportFault, chain};

/// Headers whose values never appear in a debug print of the client.
pub(super) const SENSITIVE: [&str; 5] =
    ["cookie", "kdservice-sessionid", "x-api-signature", "x-kd-signature", "x-kd-appdata"];

/// HTTP over TCP and TLS.
pub struct HttpTransport {
    address: Address,
    /// Keeps connections alive between pages.
    pooled: Client,
    /// One connection a call.
    fresh: Client,
    max_body: usize,
    max_query_body: usize,
}

impl HttpTransport {
    /// Builds the clients; reads the certificates that are named. Nothing is sent.
    pub fn new(reach: &Reach, max_body: usize, max_query_body: usize) -> Result<Self, ConfigError> {
        let (pooled, fresh) = (client(reach, 2)?, client(reach, 0)?);
        Ok(Self { pooled, fresh, address: reach.address()?, max_body, max_query_body })
    }
}

/// A client that keeps so many idle connections. Reads the certificates that are named; nothing is sent.
///
/// # Errors
/// A setting that cannot be used.
pub fn client(reach: &Reach, idle: usize) -> Result<Client, ConfigError> {
    let address = reach.address()?;
    // Fails only when some provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .gzip(true)
        .connect_timeout(reach.connect_timeout)
        .pool_max_idle_per_host(idle)
        .pool_idle_timeout(Duration::from_secs(20))
        .user_agent(concat!("skydeck/", env!("CARGO_PKG_VERSION")));
    builder = tls::trust(builder, reach, address.is_plain())?;
    if let Some(proxy) = proxy(reach)? {
        builder = builder.proxy(proxy);
    } else if address.guards_names(reach.allow_plain_http) {
        builder = builder.dns_resolver(Arc::new(LoopbackOnly));
    }
    builder.build().map_err(|e| ConfigError::Client(chain(&e.without_url())))
}

/// Sends one request and reads the whole answer, at most `limit` bytes of it. A redirect is not followed.
///
/// # Errors
/// Why there is no answer; only [`TransportFault::NotSent`] says that nothing left.
pub async fn exchange(request: RequestBuilder, limit: usize) -> Result<HttpReply, TransportFault> {
    let mut response = request.send().await.map_err(fault)?;
    if response.status().is_redirection() {
        return Err(redirected(&response));
    }
    let mut reply = HttpReply {
        status: response.status().as_u16(),
        headers: response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: Vec::new(),
    };
    while let Some(chunk) = response.chunk().await.map_err(fault)? {
        if reply.body.len().saturating_add(chunk.len()) > limit {
            return Err(TransportFault::TooLarge { limit });
        }
        reply.body.extend_from_slice(&chunk);
    }
    Ok(reply)
}

/// The proxy that every call goes through.
fn proxy(reach: &Reach) -> Result<Option<Proxy>, ConfigError> {
    let (Some(url), Some(set)) = (reach.proxy_address()?, &reach.proxy) else { return Ok(None) };
    let proxy = Proxy::all(url).map_err(|e| ConfigError::Proxy(chain(&e.without_url())))?;
    Ok(Some(match &set.login {
        Some((user, password)) => proxy.basic_auth(user, password.expose_secret()),
        None => proxy,
    }))
}

#[async_trait]
impl Transport for HttpTransport {
    async fn post(&self, Post { path, headers, body, kind }: Post<'_>) -> Result<HttpReply, TransportFault> {
        let (client, limit) = match kind {
            CallKind::Read => (&self.pooled, self.max_query_body),
            CallKind::Status => (&self.fresh, self.max_query_body),
            CallKind::Write | CallKind::SignIn => (&self.fresh, self.max_body),
        };
        let url = self.address.join(path).map_err(|e| TransportFault::NotSent(e.to_string()))?;
        let headers = header_map(&headers, |name| SENSITIVE.contains(&name))?;
        exchange(client.post(url).headers(headers).body(body), limit).await
    }
}

/// Headers as they are sent. `hides`: the value of a header of this name, in lower case, never stands in a debug print.
///
/// # Errors
/// What cannot be sent.
pub fn header_map(headers: &[(String, String)], hides: impl Fn(&str) -> bool) -> Result<HeaderMap, TransportFault> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let bad = |_| {
            TransportFault::NotSent(format!("the value of header {name} cannot be sent: it holds a control character"))
        };
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| TransportFault::NotSent(format!("{name} is no header name")))?;
        let mut value = HeaderValue::from_str(value).map_err(bad)?;
        value.set_sensitive(hides(key.as_str()));
        map.append(key, value);
    }
    Ok(map)
}

fn redirected(response: &Response) -> TransportFault {
    let to = response
        .headers()
        .get("location")
        .map_or(String::new(), |v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    TransportFault::Redirected { status: response.status().as_u16(), to }
}

/// Only a connect error proves that nothing was sent (docs/design/reliability.md#the-three-states-of-a-call).
fn fault(error: reqwest::Error) -> TransportFault {
    let error = error.without_url();
    if error.is_connect() {
        let words = chain(&error);
        TransportFault::NotSent(if error.is_timeout() {
            format!("no connection in time, or no TLS answer: {words}")
        } else if let Some(next) = certificate_advice(&words) {
            format!("{words}; {next}")
        } else {
            words
        })
    } else if error.is_builder() {
        TransportFault::NotSent(chain(&error))
    } else {
        TransportFault::Broken(chain(&error))
    }
}

/// What to do about a certificate that is not believed.
fn certificate_advice(words: &str) -> Option<&'static str> {
    if words.contains("ApplicationVerificationFailure") {
        return Some("the server shows another certificate than the one in pinned_certificate");
    }
    let unknown =
        ["UnknownIssuer", "CaUsedAsEndEntity", "self-signed", "self signed"].iter().any(|w| words.contains(w));
    unknown.then_some("name its authority's certificate in ca_file, or the server's own in pinned_certificate")
}

/// Resolves names, and refuses those that lead to another machine.
struct LoopbackOnly;

impl Resolve for LoopbackOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            match found.iter().find(|at| !is_loopback(at.ip())) {
                Some(other) => Err(ConfigError::PlainHttp(format!("{} ({})", name.as_str(), other.ip())).into()),
                None => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}
