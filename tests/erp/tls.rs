//! The client against a TLS server whose certificate is wrong in one way: nothing is sent, and the reason is said.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::clock::TokioClock;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use skydeck::domain::cause::{BUILT_IN, CauseTable};
use skydeck::domain::ids::{EnvId, Fid, FormId};
use skydeck::domain::plan::WriteOptions;
use skydeck::domain::step::{Verb, Verdict};
use skydeck::engine::ports::{Erp, FaultKind, WriteCall, WriteToken};
use skydeck::erp::KingdeeErp;
use skydeck::erp::config::{ClientConfig, SignIn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const AUDITED: &str = r#"{"Result":{"ResponseStatus":{"IsSuccess":true,"Errors":[],"SuccessEntitys":[{"Id":100001,"Number":"XSCKD000001","DIndex":0}],"SuccessMessages":[],"MsgCode":0}}}"#;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server for `name` that `authority` vouches for until the first day of `until`; counts the requests that reach it.
async fn serve(authority: &Authority, name: &str, until: i32) -> (u16, Arc<AtomicUsize>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = params.signed_by(&key, authority).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(stream).await else { continue };
            let mut bytes = vec![0; 64 << 10];
            if matches!(tls.read(&mut bytes).await, Ok(n) if n > 0) {
                seen.fetch_add(1, Ordering::SeqCst);
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{AUDITED}", AUDITED.len());
                let _ = tls.write_all(answer.as_bytes()).await;
                let _ = tls.shutdown().await;
            }
        }
    });
    (port, requests)
}

/// Audits one bill and reads it; gives the verdict, the read's fault, and how many requests arrived.
async fn call(trusted: &Authority, server: (u16, Arc<AtomicUsize>)) -> (Verdict, Option<FaultKind>, String, usize) {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, trusted.pem()).unwrap();
    let sign_in = SignIn::Signed {
        app_id: "123456_dGVzdC1zZWNyZXQtMjQtYnl0ZXMtYWJj".to_owned(),
        app_secret: "canary-secret-4711".into(),
    };
    let address = format!("https://127.0.0.1:{}/k3cloud/", server.0);
    let mut config = ClientConfig::new(EnvId::new("test"), address, "60aa0000000000", "demo", sign_in);
    config.reach.ca_file = Some(ca_file);
    config.reach.ca_only = true;
    config.reach.timeout = Duration::from_secs(10);
    config.reach.connect_timeout = Duration::from_secs(5);
    let causes: CauseTable = toml::from_str(BUILT_IN).unwrap();
    let erp = KingdeeErp::new(config, Arc::new(causes), Arc::new(TokioClock::start())).unwrap();
    let form = FormId::new("SAL_OUTSTOCK");
    let audit = WriteCall {
        verb: Verb::Audit,
        form: form.clone(),
        bills: vec![(Fid::new("100001"), "XSCKD000001".to_owned())],
        options: WriteOptions::default(),
        flags: Vec::new(),
        bodies: Vec::new(),
        sending: None,
    };
    let reply = erp.write(&WriteToken::for_tests(EnvId::new("test")), &audit).await;
    let verdict = reply.verdicts.into_iter().next().expect("one bill, one verdict").1;
    let read = erp.read_bills(&skydeck::engine::ports::Look::of(&form), &[Fid::new("100001")]).await.err();
    let said = read.as_ref().map(ToString::to_string).unwrap_or_default();
    (verdict, read.map(|fault| fault.kind), said, server.1.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_certificate_that_is_right_is_talked_to() {
    let ours = authority("ours");
    let (verdict, _, _, requests) = call(&ours, serve(&ours, "127.0.0.1", 2200).await).await;
    assert_eq!(verdict, Verdict::Done);
    assert!(requests >= 1);
}

#[tokio::test]
async fn a_certificate_that_is_wrong_proves_that_nothing_was_sent_and_says_why() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let cases = [
        ("unknown authority", serve(&theirs, "127.0.0.1", 2200).await, "UnknownIssuer"),
        ("expired", serve(&ours, "127.0.0.1", 2021).await, "expired"),
        ("wrong name", serve(&ours, "elsewhere.invalid", 2200).await, "not valid for name"),
    ];
    for (case, server, reason) in cases {
        let (verdict, read, said, requests) = call(&ours, server).await;
        let Verdict::NotSent(why) = &verdict else { panic!("{case}: {verdict:?}") };
        assert!(why.contains(reason), "{case}: the audit says `{why}`");
        assert_eq!(read, Some(FaultKind::NotConnected), "{case}");
        assert!(said.contains(reason), "{case}: the read says `{said}`");
        assert_eq!(requests, 0, "{case}: a request reached a server that was not trusted");
    }
}
