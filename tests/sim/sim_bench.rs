//! A client that signs every call, with a world and a clock: the simulator's core without a network.
#![expect(clippy::needless_pass_by_value, reason = "json!(…) reads best where it is used")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use skydeck::sim::sign::kd_signature;
use skydeck::sim::{Reply, RequestParts, World, WorldConfig, demo_credentials};

pub const NOW: i64 = 1_795_471_200_000;
pub const FORM: &str = "SAL_OUTSTOCK";

/// A client that signs every call, with a world and a clock.
pub struct Bench {
    pub world: World,
    pub now: i64,
    pub user: &'static str,
    pub cookie: Option<String>,
}

pub fn service(name: &str) -> String {
    let class = match name {
        "ValidateUser" | "LoginByAppSecret" | "LoginBySign" => "AuthService",
        _ => "DynamicFormService",
    };
    format!("/k3cloud/Kingdee.BOS.WebApi.ServicesStub.{class}.{name}.common.kdsvc")
}

pub fn parts(path: &str, headers: Vec<(String, String)>, body: String) -> RequestParts {
    RequestParts { method: "POST".to_owned(), path: path.to_owned(), headers, body: body.into() }
}

pub fn signed(account: &str, user: &str, app: &str, secret: &str, lcid: &str) -> Vec<(String, String)> {
    let data = format!("{account},{user},{lcid},0");
    vec![
        ("X-Kd-Appkey".to_owned(), app.to_owned()),
        ("X-Kd-Appdata".to_owned(), STANDARD.encode(&data)),
        ("X-Kd-Signature".to_owned(), kd_signature(secret, app, data.as_bytes())),
    ]
}

pub fn as_demo(user: &str) -> Vec<(String, String)> {
    let c = demo_credentials();
    signed(&c.account, user, &c.app_id, &c.app_secret, "2052")
}

pub fn body(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body)
        .unwrap_or_else(|e| panic!("{e} in {} {}", reply.status, String::from_utf8_lossy(&reply.body)))
}

impl Bench {
    pub fn new(config: WorldConfig) -> Self {
        Self { world: World::new(config, NOW), now: NOW, user: "demo", cookie: None }
    }

    pub fn plain(bills: usize) -> Self {
        Self::new(WorldConfig { bills, ..WorldConfig::default() })
    }

    pub fn send(&mut self, name: &str, body: Value) -> Reply {
        let mut headers = as_demo(self.user);
        if let Some(id) = &self.cookie {
            headers.push(("Cookie".to_owned(), format!("Theme=standard;kdservice-sessionid={id}; path=/; HttpOnly")));
        }
        self.world.handle(parts(&service(name), headers, body.to_string()), self.now)
    }

    pub fn call(&mut self, name: &str, body: Value) -> Value {
        self::body(&self.send(name, body))
    }

    pub fn query(&mut self, keys: &str, filter: &str, more: Value) -> Value {
        let mut data = json!({"FormId": FORM, "FieldKeys": keys, "FilterString": filter, "OrderString": "FID ASC"});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call("ExecuteBillQuery", json!({"data": data}))
    }

    pub fn rows(&mut self, keys: &str, filter: &str, more: Value) -> Vec<Value> {
        let rows = self.query(keys, filter, more);
        rows.as_array().unwrap_or_else(|| panic!("{rows}")).clone()
    }

    pub fn write(&mut self, verb: &str, data: Value) -> Value {
        self.call(verb, json!({"formid": FORM, "data": data}))["Result"]["ResponseStatus"].clone()
    }

    /// `ExecuteOperation` by name.
    pub fn operate(&mut self, operation: &str, form: &str, data: Value) -> Value {
        let body = json!({"formid": form, "opNumber": operation, "data": data});
        self.call("ExcuteOperation", body)["Result"]["ResponseStatus"].clone()
    }

    /// One cell of one row of any form.
    pub fn cell(&mut self, form: &str, key: &str, id: i64) -> Value {
        self.rows(key, &format!("FID={id}"), json!({"FormId": form}))[0][0].clone()
    }

    pub fn submitted(&mut self) -> Vec<(i64, String)> {
        let rows = self.rows("FID,FBillNo", "FDocumentStatus='B'", json!({}));
        rows.iter().map(|r| (r[0].as_i64().unwrap(), r[1].as_str().unwrap().to_owned())).collect()
    }

    pub fn status(&mut self, id: i64) -> String {
        self.rows("FDocumentStatus", &format!("FID={id}"), json!({}))[0][0].as_str().unwrap().to_owned()
    }

    pub fn admin(&mut self, path: &str, body: Value) -> Value {
        let request = parts(path, Vec::new(), body.to_string());
        let reply = self.world.handle(request, self.now);
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        self::body(&reply)
    }

    pub fn admin_get(&mut self, path: &str) -> Value {
        let request = RequestParts { method: "GET".to_owned(), path: path.to_owned(), ..RequestParts::default() };
        body(&self.world.handle(request, self.now))
    }
}

pub fn message(status: &Value) -> &str {
    status["Errors"][0]["Message"].as_str().unwrap_or_else(|| panic!("{status}"))
}
