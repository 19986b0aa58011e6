//! Signature vectors, and recorded requests replayed byte for byte against the simulator's core.
use serde_json::Value;
use skydeck::sim::sign::{api_signature, client_secret, kd_signature};
use skydeck::sim::{Reply, RequestParts, World, WorldConfig, demo_credentials};

fn wire() -> Value {
    serde_json::from_str(include_str!("../official_client/wire.json")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

#[test]
fn every_vector_is_equal() {
    let wire = wire();
    let vectors = wire["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 9);
    for v in vectors {
        let name = text(v, "name");
        let (_, secret) = client_secret(text(v, "app_id"));
        assert_eq!(secret, text(v, "client_secret"), "{name}");
        let api = api_signature(&secret, text(v, "path"), text(v, "nonce"), text(v, "timestamp"));
        assert_eq!(api, text(v, "x_api_signature"), "{name}");
        let kd = kd_signature(text(v, "app_secret"), text(v, "app_id"), text(v, "app_data").as_bytes());
        assert_eq!(kd, text(v, "x_kd_signature"), "{name}");
    }
}

#[test]
fn a_client_secret_is_empty_where_the_official_client_has_none() {
    // The official client signs with an empty key then.
    let (_, secret) = client_secret("123456");
    assert_eq!(secret, "");
    let path = "/k3cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.ExecuteBillQuery.common.kdsvc";
    assert_ne!(api_signature(&secret, path, "1", "1"), api_signature("x", path, "1", "1"));
    for odd in ["1_2_3", "1_short", "123456_dGVzdC1zZWNyZXQtMjQtYnl0ZXMtYW=="] {
        assert_eq!(client_secret(odd).1, "", "{odd}");
    }
}

fn requests(client: &str) -> Vec<RequestParts> {
    let wire = wire();
    let capture = wire["captures"].as_array().unwrap().iter().find(|c| c["client"] == client).unwrap().clone();
    let parse = |r: &Value| {
        let mut line = text(r, "line").split(' ');
        let headers = r["headers"].as_array().unwrap().iter().map(|h| {
            let (name, value) = h.as_str().unwrap().split_once(':').unwrap();
            (name.to_owned(), value.trim().to_owned())
        });
        RequestParts {
            method: line.next().unwrap().to_owned(),
            path: line.next().unwrap().to_owned(),
            headers: headers.collect(),
            body: text(r, "body").to_owned().into(),
        }
    };
    capture["requests"].as_array().unwrap().iter().map(parse).collect()
}

fn json(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body)
        .unwrap_or_else(|e| panic!("{e} in {} {}", reply.status, String::from_utf8_lossy(&reply.body)))
}

/// Gateway mode also checks the X-Api headers, so a replay under the recorded clock proves both signatures.
fn world(now_ms: i64) -> World {
    World::new(WorldConfig { bills: 30, gateway: true, ..WorldConfig::default() }, now_ms)
}

const PYTHON_CLOCK_MS: i64 = 1_735_787_045_250;
const JAVA_CLOCK_MS: i64 = 1_795_462_876_000;

#[test]
fn the_python_clients_requests_are_served() {
    for client in ["official_python_8.2.0_InitConfig", "official_python_8.2.0_Init_conf_ini"] {
        let mut world = world(PYTHON_CLOCK_MS);
        let [query, audit] = requests(client).try_into().unwrap();
        let reply = world.handle(query, PYTHON_CLOCK_MS);
        if client.ends_with("InitConfig") {
            let rows = json(&reply);
            assert!(!rows.as_array().unwrap().is_empty(), "{client}: {rows}");
            for row in rows.as_array().unwrap() {
                assert_eq!((row[0].as_str(), &row[7]), (Some("XSCKD07_SYS"), &Value::Null), "{row}");
            }
        } else {
            // The recorded filter is on FName, which outstock bills do not have.
            assert_eq!(json(&reply)[0][0]["Result"]["ResponseStatus"]["MsgCode"], 9, "{client}");
        }
        assert!(reply.header("set-cookie").unwrap().starts_with("kdservice-sessionid="), "{client}");
        // Carries a session id this world never gave: the signature counts, and a new one comes back.
        let reply = world.handle(audit, PYTHON_CLOCK_MS);
        let status = json(&reply)["Result"]["ResponseStatus"].clone();
        assert!(status["IsSuccess"].is_boolean() && status["MsgCode"] != 1, "{client}: {status}");
        assert!(reply.header("set-cookie").is_some());
        assert!(world.record().after(0, 9).iter().any(|l| &*l.number == "XSCKD000001"), "{client}");
    }
}

#[test]
fn the_python_clients_other_services_are_served() {
    let mut world = world(PYTHON_CLOCK_MS);
    let mut polled = None;
    for request in requests("official_python_8.2.0_other_services") {
        let path = request.path.clone();
        let reply = world.handle(request, PYTHON_CLOCK_MS);
        assert_eq!(reply.status, 200, "{path}");
        let body = json(&reply);
        let code = body.pointer("/Result/ResponseStatus/MsgCode").cloned();
        assert_ne!(code, Some(1.into()), "{path}: credentials");
        match path.rsplit('.').nth(2).unwrap() {
            "BillQuery" => assert!(body[0]["FBillTypeID.FNumber"] == "XSCKD07_SYS", "{body}"),
            "View" => assert_eq!(body["Result"]["Result"]["BillNo"], "XSCKD000001"),
            // The recorded call forbids an outstock bill, which has nothing to forbid.
            "ExcuteOperation" => assert_eq!(code, Some(3.into()), "{body}"),
            "BatchSave" => polled = Some((body["TaskId"].clone(), body["Status"].clone())),
            _ => {}
        }
    }
    assert_eq!(polled.unwrap().1, 0);
}

#[test]
fn the_java_clients_requests_are_served() {
    let mut world = world(JAVA_CLOCK_MS);
    let replies: Vec<Value> = requests("official_java_8.2.0")
        .into_iter()
        .map(|request| json(&world.handle(request, JAVA_CLOCK_MS)))
        .collect();
    assert!(replies[0][0][0].is_i64(), "{}", replies[0]);
    assert!(replies[1]["Result"]["ResponseStatus"].as_object().unwrap().contains_key("SuccessEntitys"));
    // The same bill again, by id: it was audited by the call before, or never submitted; never a credential question.
    let again = &replies[2]["Result"]["ResponseStatus"];
    assert!(again["MsgCode"] == 11 || again["MsgCode"] == 9, "{again}");
    assert!(replies[3][0]["FBillNo"].is_string(), "{}", replies[3]);
}

#[test]
fn a_changed_byte_is_refused() {
    let mut query = requests("official_python_8.2.0_InitConfig").remove(0);
    for (name, value) in &mut query.headers {
        if name.eq_ignore_ascii_case("x-kd-signature") {
            value.replace_range(0..1, "A");
        }
    }
    let mut world = World::new(WorldConfig { bills: 30, ..WorldConfig::default() }, PYTHON_CLOCK_MS);
    let reply = world.handle(query.clone(), PYTHON_CLOCK_MS);
    assert_eq!(json(&reply)[0][0]["Result"]["ResponseStatus"]["MsgCode"], 1);
    assert_eq!(world.record().len(), 0);
    // Under the gateway an old timestamp is refused before anything else.
    let mut gateway = self::world(PYTHON_CLOCK_MS);
    let late = gateway.handle(query, PYTHON_CLOCK_MS + 13 * 60_000);
    assert_eq!((late.status, json(&late)["errcode"].as_i64()), (519, Some(4006)));
}

#[test]
fn the_scripts_form_encoded_requests_are_served() {
    let mut config = WorldConfig { bills: 30, ..WorldConfig::default() };
    config.credentials.account = "xxxx".to_owned();
    config.credentials.password = "xxxx".to_owned();
    config.users[0].name = "xxxx".to_owned();
    let mut world = World::new(config, JAVA_CLOCK_MS);
    let mut session = String::new();
    for mut request in requests("python_script_K3CloudAutoAudit") {
        let path = request.path.clone();
        // The recorded cookie names the recorder's session; ours stands in for it, every other byte stays.
        for (name, value) in &mut request.headers {
            if name == "Cookie" {
                *value = value.replace("0f1e2d3c-4b5a-4978-8899-aabbccddeeff", &session);
            }
        }
        let reply = world.handle(request, JAVA_CLOCK_MS);
        let body = json(&reply);
        if path.contains("ValidateUser") {
            assert_eq!(body["LoginResultType"], 1, "{body}");
            session = text(&body, "KDSVCSessionId").to_owned();
        } else {
            // The request was understood: its form (4) or the id it names (9) is not there, or rows are answered.
            let status = body.pointer("/0/0/Result/ResponseStatus").or_else(|| body.pointer("/Result/ResponseStatus"));
            match status {
                Some(status) => assert!(status["MsgCode"] == 4 || status["MsgCode"] == 9, "{path}: {body}"),
                None => assert!(body.as_array().is_some_and(|rows| rows.iter().all(Value::is_array)), "{path}: {body}"),
            }
        }
    }
    assert_eq!(demo_credentials().account, "60aa0000000000");
}
