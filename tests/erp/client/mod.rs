//! The client as the engine sees it: sessions, keyset pages, optional columns, one POST a write.

mod requests;
mod sign_in;

use std::sync::Arc;

use crate::support::clock::TokioClock;
use crate::support::stub::{Answer, Script, Seen, Stub};
use skydeck::domain::cause::{BUILT_IN, CauseTable};
use skydeck::domain::ids::{EnvId, Fid, FormId};
use skydeck::domain::plan::WriteOptions;
use skydeck::domain::step::Verb;
use skydeck::engine::ports::{PageQuery, WriteCall, WriteToken};
use skydeck::erp::KingdeeErp;
use skydeck::erp::config::{ClientConfig, SignIn};

const SECRET: &str = "canary-secret-4711";

fn causes() -> Arc<CauseTable> {
    Arc::new(toml::from_str(BUILT_IN).unwrap())
}

fn password() -> SignIn {
    SignIn::Password { password: SECRET.into() }
}

fn signed() -> SignIn {
    SignIn::Signed {
        app_id: "123456_dGVzdC1zZWNyZXQtMjQtYnl0ZXMtYWJj".to_owned(),
        app_secret: "0123456789abcdef0123456789abcdef".into(),
    }
}

fn config(url: &str, sign_in: SignIn) -> ClientConfig {
    ClientConfig::new(EnvId::new("test"), url, "60aa0000000000", "demo", sign_in)
}

fn client(stub: &Stub, sign_in: SignIn) -> KingdeeErp {
    KingdeeErp::new(config(&stub.url(), sign_in), causes(), Arc::new(TokioClock::start())).unwrap()
}

async fn stub(script: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Stub {
    let script: Script = Arc::new(script);
    Stub::start(script).await
}

fn says(body: &str) -> Answer {
    Answer { body: Some(body.to_owned()), ..Answer::default() }
}

fn page(after: Option<&str>) -> PageQuery {
    PageQuery {
        form: FormId::new("SAL_OUTSTOCK"),
        columns: ["FBillTypeID.FNumber", "FID", "FBillNo", "FApproveDate"].map(str::to_owned).to_vec(),
        id_path: "FID".to_owned(),
        number_path: "FBillNo".to_owned(),
        mark_column: Some("FCreateDate".to_owned()),
        filter: "FCreateDate>='2025-01-01' or FNote=' '".to_owned(),
        after: after.map(Fid::new),
        limit: 9999,
        lines: false,
        fields: Vec::new(),
    }
}

fn audit(bills: &[(&str, &str)]) -> WriteCall {
    WriteCall {
        verb: Verb::Audit,
        form: FormId::new("SAL_OUTSTOCK"),
        bills: bills.iter().map(|(fid, no)| (Fid::new(*fid), (*no).to_owned())).collect(),
        options: WriteOptions::default(),
        flags: Vec::new(),
        bodies: Vec::new(),
        sending: None,
    }
}

fn token() -> WriteToken {
    WriteToken::for_tests(EnvId::new("test"))
}

fn data(seen: &Seen) -> serde_json::Value {
    serde_json::from_slice::<serde_json::Value>(&seen.body).unwrap()["data"].clone()
}

const LOST: &str = r#"{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":null,"Message":"会话信息已丢失，请重新登录","DIndex":0}],"SuccessEntitys":[],"SuccessMessages":[],"MsgCode":1}}}"#;
