//! From an address to a connection: which server, whom TLS believes, how long anything may take.
//!
//! Invariant: what is neither a socket of this machine nor its loopback is asked only over TLS whose certificate is verified
//! for the host's name; a password is never part of an address, and never shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::BuilderVerifierExt;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::fault::{PgFault, said};

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(3);
/// Silence after which a connection is dead.
const DEAD: Duration = Duration::from_secs(10);
/// Seconds between signs of life of a connection that is not used.
const ALIVE: Duration = Duration::from_secs(5);

/// What one question may take: a limit of the server's does not help where the server cannot be reached.
pub(crate) const LIMIT: Duration = Duration::from_secs(12);

/// For how long a machine counts after a sign of life.
pub const LEASE: Duration = Duration::from_secs(15);

/// Where a store is, and how to get in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `postgresql://ROLE@HOST,HOST/DATABASE`, without a password.
    pub url: String,
    /// The role's password.
    pub password: Option<SecretString>,
    /// Authorities that are believed instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// A certificate of ours, and its key.
    pub certificate: Option<(PathBuf, SecretString)>,
    /// How this machine is called, for people.
    pub host: String,
    /// For how long one of several machines that write counts after a sign of life. Whole seconds.
    pub lease: Duration,
}

impl Settings {
    /// An address, nothing else.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            ca_file: None,
            certificate: None,
            host: "localhost".to_owned(),
            lease: LEASE,
        }
    }

    /// Reads the address. Asks nobody.
    pub(crate) fn config(&self) -> Result<Config, PgFault> {
        // The client knows no `verify-full`; here nothing else is ever done.
        let url = self.url.replace("sslmode=verify-full", "sslmode=require");
        let mut config: Config = url.parse().map_err(|e: tokio_postgres::Error| PgFault::Url(said(&whole(&e))))?;
        if config.get_password().is_some() {
            return Err(PgFault::PasswordInUrl);
        }
        if config.get_hosts().is_empty() || config.get_user().is_none() || config.get_dbname().is_none() {
            return Err(PgFault::Url("it names no host, no role or no database".to_owned()));
        }
        match config.get_hosts().iter().find(|host| !is_near(host)) {
            Some(Host::Tcp(name)) => {
                let plain = matches!(config.get_ssl_mode(), SslMode::Disable | SslMode::Prefer);
                if plain && url.contains("sslmode=") {
                    return Err(PgFault::Plain(said(name)));
                }
                config.ssl_mode(SslMode::Require);
            }
            _ if !url.contains("sslmode=") => {
                config.ssl_mode(SslMode::Disable);
            }
            _ => {}
        }
        if let Some(password) = &self.password {
            config.password(password.expose_secret());
        }
        config.connect_timeout(CONNECT).tcp_user_timeout(DEAD).keepalives(true);
        config.keepalives_idle(ALIVE).keepalives_interval(ALIVE).keepalives_retries(3);
        config.application_name("skydeck");
        Ok(config)
    }

    /// Whom TLS believes, and what it shows of us.
    pub(crate) fn tls(&self) -> Result<MakeRustlsConnect, PgFault> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let system = |e: rustls::Error| PgFault::Certificates { file: "TLS".to_owned(), said: said(&e.to_string()) };
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(system)?;
        let builder = match &self.ca_file {
            Some(file) => {
                let mut roots = rustls::RootCertStore::empty();
                for certificate in certificates(file)? {
                    roots.add(certificate).map_err(|e| bad(file, &e.to_string()))?;
                }
                builder.with_root_certificates(roots)
            }
            None => builder.with_platform_verifier().map_err(system)?,
        };
        let config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some((file, key)) => {
                // What the parser says of a key is not passed on: it could hold a part of it.
                let no_key = || bad(file, "its key cannot be read, or is another one's");
                let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(|_| no_key())?;
                builder.with_client_auth_cert(certificates(file)?, key).map_err(|_| no_key())?
            }
        };
        Ok(MakeRustlsConnect::new(config))
    }
}

fn bad(file: &Path, why: &str) -> PgFault {
    PgFault::Certificates { file: said(&file.display().to_string()), said: said(why) }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, PgFault> {
    let pem = std::fs::read(file).map_err(|e| bad(file, &e.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(bad(file, "it holds no certificate")),
        Ok(found) => Ok(found),
        Err(e) => Err(bad(file, &e.to_string())),
    }
}

/// Whether nothing leaves this machine on the way.
fn is_near(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

fn whole(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// One connection; its messages are read by a task of the runtime that asks.
pub(crate) async fn connect(settings: &Settings) -> Result<tokio_postgres::Client, PgFault> {
    let config = settings.config()?;
    let connecting = async {
        if config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(async move {
                let _ = connection.await;
            });
            return Ok(client);
        }
        let (client, connection) = config.connect(settings.tls()?).await?;
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok::<_, PgFault>(client)
    };
    let each = u32::try_from(config.get_hosts().len()).unwrap_or(1).max(1);
    tokio::time::timeout(CONNECT * each * 2, connecting).await.unwrap_or(Err(PgFault::Slow))
}

/// Reads a connection, and passes on that it was notified.
pub(crate) fn hear<S, T>(
    mut connection: tokio_postgres::Connection<S, T>,
    heard: tokio::sync::mpsc::UnboundedSender<()>,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let mut messages = futures_util::stream::poll_fn(move |cx| connection.poll_message(cx));
        while let Some(Ok(message)) = futures_util::StreamExt::next(&mut messages).await {
            if matches!(message, AsyncMessage::Notification(_)) && heard.send(()).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_on_this_machine_goes_without_tls_and_no_password_stands_in_an_address() {
        let config = |url: &str| Settings::new(url).config();
        for (url, mode) in [
            ("postgresql://skydeck_host@pg1,pg2/skydeck?target_session_attrs=read-write", SslMode::Require),
            ("postgresql://skydeck_host@db.example/skydeck?sslmode=verify-full", SslMode::Require),
            ("postgresql://skydeck_host@127.0.0.1/skydeck", SslMode::Disable),
            ("postgresql://skydeck_host@localhost/skydeck?sslmode=verify-full", SslMode::Require),
            ("postgresql://skydeck_host@%2Frun%2Fpostgresql/skydeck", SslMode::Disable),
            ("host=/run/postgresql user=skydeck_host dbname=skydeck", SslMode::Disable),
        ] {
            assert_eq!(config(url).unwrap().get_ssl_mode(), mode, "{url}");
        }
        for url in ["sslmode=disable", "sslmode=prefer"] {
            let fault = config(&format!("postgresql://r@db.example/skydeck?{url}")).unwrap_err();
            assert_eq!(fault, PgFault::Plain("db.example".into()));
        }
        assert_eq!(config("postgresql://r:secret@127.0.0.1/skydeck").unwrap_err(), PgFault::PasswordInUrl);
        for url in ["", "mysql://x", "postgresql://", "postgresql://r@/x\u{1b}[2J"] {
            let fault = config(url).unwrap_err();
            assert!(matches!(fault, PgFault::Url(_)), "{url} {fault:?}");
            assert!(!fault.en().contains('\u{1b}') && fault.zh().contains("postgresql://"));
        }
    }
}
