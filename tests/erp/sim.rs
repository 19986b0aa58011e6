//! The client against the simulator, two readings of one protocol that share no code: they must agree bill by bill.
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::clock::TokioClock;
use skydeck::domain::bill::{Found, Status};
use skydeck::domain::cause::{BUILT_IN, CauseTable};
use skydeck::domain::ids::{EnvId, Fid, FormId};
use skydeck::domain::plan::WriteOptions;
use skydeck::domain::step::{Verb, Verdict};
use skydeck::engine::ports::{Erp, FaultKind, PageQuery, WriteCall, WriteToken};
use skydeck::erp::KingdeeErp;
use skydeck::erp::config::{ClientConfig, SignIn};
use skydeck::sim::{Credentials, SimConfig, SimHandle, demo_credentials, start};

fn form() -> FormId {
    FormId::new("SAL_OUTSTOCK")
}

fn client(sim: &SimHandle, c: &Credentials, sign_in: SignIn) -> KingdeeErp {
    let config = ClientConfig::new(EnvId::new("t"), sim.url(), c.account.clone(), c.user.clone(), sign_in);
    let causes: CauseTable = toml::from_str(BUILT_IN).unwrap();
    KingdeeErp::new(config, Arc::new(causes), Arc::new(TokioClock::start())).unwrap()
}

async fn collect(erp: &KingdeeErp) -> Vec<Found> {
    let mut query = PageQuery {
        form: form(),
        columns: ["FBillTypeID.FNumber", "FID", "FBillNo", "FDate", "FCustomerID.FNumber", "FApproveDate"]
            .map(str::to_owned)
            .to_vec(),
        id_path: "FID".to_owned(),
        number_path: "FBillNo".to_owned(),
        mark_column: Some("FCreateDate".to_owned()),
        filter: "FCreateDate>='2000-01-01 00:00:00' and FDOCUMENTSTATUS<>'C'".to_owned(),
        after: None,
        limit: 17,
        lines: false,
        fields: Vec::new(),
    };
    let mut all = Vec::new();
    loop {
        let page = erp.fetch_page(&query).await.unwrap();
        let Some(last) = page.bills.last() else { return all };
        query.after = Some(last.fid.clone());
        all.extend(page.bills);
    }
}

async fn audit(erp: &KingdeeErp, bills: &[&Found]) -> Vec<(Fid, Verdict)> {
    let call = WriteCall {
        verb: Verb::Audit,
        form: form(),
        bills: bills.iter().map(|bill| (bill.fid.clone(), bill.no.clone())).collect(),
        options: WriteOptions::default(),
        flags: Vec::new(),
        bodies: Vec::new(),
        sending: None,
    };
    erp.write(&WriteToken::for_tests(EnvId::new("t")), &call).await.verdicts
}

#[tokio::test]
async fn every_way_of_signing_in_audits_what_it_says() {
    let c = demo_credentials();
    let (app_id, app_secret) = (c.app_id.clone(), c.app_secret.clone());
    for sign_in in [
        SignIn::Signed { app_id: app_id.clone(), app_secret: app_secret.clone().into() },
        SignIn::AppSecret { app_id: app_id.clone(), app_secret: app_secret.clone().into() },
        SignIn::AppSign { app_id, app_secret: app_secret.into() },
        SignIn::Password { password: c.password.clone().into() },
    ] {
        let sim = start(SimConfig::default()).await.unwrap();
        let erp = client(&sim, &c, sign_in);
        let greeting = erp.sign_in().await.unwrap();
        let found = collect(&erp).await;
        assert!(found.len() > 50, "{}: {} found", greeting.how, found.len());
        let (singly, batch) = found.split_at(30);
        let mut done = BTreeSet::new();
        for bill in singly {
            let verdict = audit(&erp, &[bill]).await.remove(0).1;
            match (&bill.rev.status, &verdict) {
                (Status::Submitted, Verdict::Done) => assert!(done.insert(bill.fid.clone())),
                (Status::Submitted, Verdict::Rejected(f)) => assert_eq!(f.cause.as_str(), "stock", "{verdict:?}"),
                (_, Verdict::Rejected(f)) => assert_eq!(f.cause.as_str(), "not_submitted", "{verdict:?}"),
                other => panic!("{}: {other:?}", bill.no),
            }
        }
        let batch: Vec<&Found> = batch.iter().take(40).collect();
        for (fid, verdict) in audit(&erp, &batch).await {
            if verdict == Verdict::Done {
                assert!(done.insert(fid));
            }
        }
        let fids: Vec<Fid> = found.iter().map(|bill| bill.fid.clone()).collect();
        let back = erp.read_bills(&skydeck::engine::ports::Look::of(&form()), &fids).await.unwrap();
        let audited: BTreeSet<Fid> =
            back.iter().filter(|bill| bill.rev.status == Status::Audited).map(|bill| bill.fid.clone()).collect();
        assert_eq!(done, audited, "{}: what was called done is what the server audited", greeting.how);
        for bill in back.iter().filter(|bill| bill.rev.status == Status::Audited) {
            assert_eq!(bill.approver.as_deref(), Some(c.user.as_str()));
            assert!(bill.approved.is_some());
        }
        sim.shutdown().await;
    }
}

#[tokio::test]
async fn wrong_secrets_are_refused_in_words() {
    let c = demo_credentials();
    let wrong = || "wrong-secret-4711".into();
    for sign_in in [
        SignIn::Signed { app_id: c.app_id.clone(), app_secret: wrong() },
        SignIn::AppSecret { app_id: c.app_id.clone(), app_secret: wrong() },
        SignIn::AppSign { app_id: c.app_id.clone(), app_secret: wrong() },
        SignIn::Password { password: wrong() },
    ] {
        let sim = start(SimConfig::default()).await.unwrap();
        let fault = client(&sim, &c, sign_in).sign_in().await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Credentials, "{fault}");
        assert!(!fault.message.contains("4711"), "{fault}");
        sim.shutdown().await;
    }
    let sim = start(SimConfig::default()).await.unwrap();
    let other = Credentials { account: "60ff0000000000".to_owned(), ..c.clone() };
    let sign_in = SignIn::Signed { app_id: c.app_id.clone(), app_secret: c.app_secret.clone().into() };
    let fault = client(&sim, &other, sign_in).sign_in().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::AccountSet, "{fault}");
    let sign_in = SignIn::Password { password: c.password.clone().into() };
    let fault = client(&sim, &other, sign_in).sign_in().await.unwrap_err();
    assert!(matches!(fault.kind, FaultKind::AccountSet | FaultKind::Credentials), "{fault}");
    sim.shutdown().await;
}
