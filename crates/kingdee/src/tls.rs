//! Whom TLS believes, and what it shows of us: authorities, a pinned certificate, a certificate of ours.
//!
//! Invariant: a pinned certificate is the only one that is believed, byte for byte; nothing here makes TLS believe more than
//! a file that the configuration names.

use std::path::Path;
use std::sync::Arc;

use reqwest::{Certificate, ClientBuilder, Identity};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::config::{ClientCertificate, ConfigError, Reach};
use super::files;
use super::pem_fault::PemFault;
use super::transport::chain;

/// Tells a client whom to believe. Reads the files that the configuration names.
pub(super) fn trust(builder: ClientBuilder, reach: &Reach, plain: bool) -> Result<ClientBuilder, ConfigError> {
    if let Some(file) = &reach.pinned_certificate {
        return Ok(builder.tls_backend_preconfigured(pinned(file, reach.client_certificate.as_ref())?));
    }
    let authorities = authorities(reach)?;
    // Plain HTTP needs no roots, and a machine without any must still run the demo. An encrypted proxy needs them.
    let proxied = reach.proxy_address()?.is_some_and(|proxy| proxy.scheme() == "https");
    let builder = if reach.ca_only || (plain && !proxied) {
        builder.tls_certs_only(authorities)
    } else {
        builder.tls_certs_merge(authorities)
    };
    match &reach.client_certificate {
        Some(ours) => Ok(builder.identity(identity(ours)?)),
        None => Ok(builder),
    }
}

fn read(key: &'static str, file: &Path) -> Result<Vec<u8>, ConfigError> {
    files::read(file, files::LARGEST).map_err(|unread| {
        let (en, zh) = unread.words();
        fault(key, file, PemFault::Unread(en, zh))
    })
}

fn fault(key: &'static str, file: &Path, reason: PemFault) -> ConfigError {
    ConfigError::Pem { key, path: file.display().to_string(), reason }
}

fn authorities(reach: &Reach) -> Result<Vec<Certificate>, ConfigError> {
    let Some(file) = &reach.ca_file else { return Ok(Vec::new()) };
    let pem = read("ca_file", file)?;
    let certificates = Certificate::from_pem_bundle(&pem)
        .map_err(|e| fault("ca_file", file, PemFault::Parser(chain(&e.without_url()))))?;
    if certificates.is_empty() {
        return Err(fault("ca_file", file, PemFault::Empty));
    }
    Ok(certificates)
}

fn certificates(key: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let pem = read(key, file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(certificates) if certificates.is_empty() => Err(fault(key, file, PemFault::Empty)),
        Ok(certificates) => Ok(certificates),
        Err(e) => Err(fault(key, file, PemFault::Parser(e.to_string()))),
    }
}

/// What the parser says of a key is not passed on: it could hold a part of it.
fn no_key(ours: &ClientCertificate) -> ConfigError {
    fault("client_certificate", &ours.file, PemFault::Key)
}

fn identity(ours: &ClientCertificate) -> Result<Identity, ConfigError> {
    let chain = certificates("client_certificate", &ours.file)?;
    let key = PrivateKeyDer::from_pem_slice(ours.key.expose_secret().as_bytes()).map_err(|_| no_key(ours))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|_| no_key(ours))?;
    let mut pem = Zeroizing::new(read("client_certificate", &ours.file)?);
    pem.push(b'\n');
    pem.extend_from_slice(ours.key.expose_secret().as_bytes());
    Identity::from_pem(&pem).map_err(|_| no_key(ours))
}

fn pinned(file: &Path, ours: Option<&ClientCertificate>) -> Result<rustls::ClientConfig, ConfigError> {
    let provider = Arc::new(ring::default_provider());
    let only = Pinned { certificates: certificates("pinned_certificate", file)?, provider: Arc::clone(&provider) };
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| ConfigError::Client(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(only));
    let mut tls = match ours {
        None => builder.with_no_client_auth(),
        Some(ours) => {
            let chain = certificates("client_certificate", &ours.file)?;
            let key = PrivateKeyDer::from_pem_slice(ours.key.expose_secret().as_bytes()).map_err(|_| no_key(ours))?;
            builder.with_client_auth_cert(chain, key).map_err(|_| no_key(ours))?
        }
    };
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

/// Believes these certificates and no other, for any name and any date: the file is the proof. Whoever shows one still has
/// to sign with its key.
#[derive(Debug)]
struct Pinned {
    certificates: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.certificates.iter().any(|pinned| pinned.as_ref() == shown.as_ref()) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, shown, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, shown, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
