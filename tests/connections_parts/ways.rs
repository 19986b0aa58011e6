//! Ways to a server, on loopback: TLS with certificates made here, and a proxy.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto::ring};

use super::place::Place;

/// Who signs certificates.
pub type Authority = CertifiedIssuer<'static, KeyPair>;

/// An authority of our own.
pub fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for a name, and its key, signed by an authority.
pub fn signed(name: &str, authority: &Authority) -> Own {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    Own { pem: certificate.pem(), der: certificate.der().clone(), key }
}

/// A certificate and its key.
pub struct Own {
    pub pem: String,
    der: tokio_rustls::rustls::pki_types::CertificateDer<'static>,
    pub key: KeyPair,
}

/// One of its own authority.
pub fn self_signed(name: &str) -> Own {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    Own { pem: certificate.pem(), der: certificate.der().clone(), key }
}

/// TLS in front of `to`. `clients`: the authority whose certificates are asked for. Gives the port.
pub fn tls(place: &Place, to: SocketAddr, server: &Own, clients: Option<&Authority>) -> u16 {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = server.key.serialize_der().try_into().unwrap();
    let config = builder.with_single_cert(vec![server.der.clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = place.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    place.runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut encrypted) = acceptor.accept(stream).await else { return };
                let mut plain = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut encrypted, &mut plain).await;
            });
        }
    });
    port
}

/// A proxy on loopback that leads everything to `to`: tunnels for `CONNECT`, the rest as it is. `login`: what it asks for.
pub struct Proxy {
    pub port: u16,
    pub heads: Arc<Mutex<Vec<String>>>,
}

pub fn proxy(place: &Place, to: SocketAddr, login: Option<&str>) -> Proxy {
    let listener = place.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let (port, heads) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<String>>>::default());
    let wanted = login.map(|login| format!("proxy-authorization: basic {}", STANDARD.encode(login)).to_lowercase());
    let seen = heads.clone();
    place.runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(relay(stream, to, wanted.clone(), seen.clone()));
        }
    });
    Proxy { port, heads }
}

async fn relay(mut client: TcpStream, to: SocketAddr, wanted: Option<String>, seen: Arc<Mutex<Vec<String>>>) {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let mut more = [0; 4096];
        match client.read(&mut more).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&more[..n]),
            _ => return,
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let welcome = wanted.is_none_or(|wanted| head.to_lowercase().contains(&wanted));
    seen.lock().unwrap().push(head.clone());
    if !welcome {
        let _ = client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").await;
        return;
    }
    let mut server = TcpStream::connect(to).await.unwrap();
    if head.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    } else {
        server.write_all(&bytes).await.unwrap();
    }
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
