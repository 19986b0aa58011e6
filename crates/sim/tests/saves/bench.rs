//! A client that signs in by password, with a world and a clock.
#![expect(clippy::needless_pass_by_value, reason = "json!(…) reads best where it is used")]

use serde_json::{Value, json};
use skydeck_sim::{Reply, RequestParts, World, WorldConfig, demo_credentials};

pub const NOW: i64 = 1_795_471_200_000;

pub struct Bench {
    pub world: World,
    pub now: i64,
    session: String,
}

pub fn parts(class: &str, name: &str, session: &str, body: &Value) -> RequestParts {
    RequestParts {
        method: "POST".to_owned(),
        path: format!("/k3cloud/Kingdee.BOS.WebApi.ServicesStub.{class}.{name}.common.kdsvc"),
        headers: vec![("kdservice-sessionid".to_owned(), session.to_owned())],
        body: body.to_string().into(),
    }
}

impl Bench {
    pub fn new(settings: Value) -> Self {
        let config =
            WorldConfig { bills: 40, settings: serde_json::from_value(settings).unwrap(), ..WorldConfig::default() };
        let mut world = World::new(config, NOW);
        let c = demo_credentials();
        let body = json!({"acctid": c.account, "username": c.user, "password": c.password, "lcid": 2052});
        let reply = world.handle(parts("AuthService", "ValidateUser", "", &body), NOW);
        let reply: Value = serde_json::from_slice(&reply.body).unwrap();
        Self { world, now: NOW, session: reply["KDSVCSessionId"].as_str().unwrap().to_owned() }
    }

    pub fn plain() -> Self {
        Self::new(json!({}))
    }

    pub fn send(&mut self, service: &str, body: Value) -> Reply {
        self.world.handle(parts("DynamicFormService", service, &self.session, &body), self.now)
    }

    pub fn raw(&mut self, service: &str, body: &str) -> Reply {
        let mut request = parts("DynamicFormService", service, &self.session, &json!(null));
        request.body = body.to_owned().into();
        self.world.handle(request, self.now)
    }

    /// The body of an answer of any class of services.
    pub fn answer_of(&mut self, class: &str, service: &str, body: &Value) -> String {
        let reply = self.world.handle(parts(class, service, &self.session, body), self.now);
        String::from_utf8(reply.body.to_vec()).unwrap()
    }

    /// What the list of data centres says.
    pub fn data_centres(&mut self) -> String {
        let mut request = parts("", "", &self.session, &json!({}));
        "/k3cloud/Kingdee.BOS.ServiceFacade.ServicesStub.Account.AccountService.GetDataCenterList.common.kdsvc"
            .clone_into(&mut request.path);
        String::from_utf8(self.world.handle(request, self.now).body.to_vec()).unwrap()
    }

    /// The body of an answer.
    pub fn answer(&mut self, service: &str, body: Value) -> String {
        String::from_utf8(self.send(service, body).body.to_vec()).unwrap()
    }

    /// Puts one rule of faults in place of those there are.
    pub fn faults(&mut self, rule: Value) {
        self.admin("POST", "/admin/faults", json!({"fault": [rule], "replace": true}));
    }

    /// How many bills a query finds by number, and how many were made with it.
    pub fn made(&mut self, form: &str, number: &str) -> (usize, u32) {
        let rows = self.rows(form, "FID", &format!("FBillNo='{number}'"));
        (rows.as_array().unwrap().len(), self.world.key_counts(form, number).changed)
    }

    pub fn call(&mut self, service: &str, body: Value) -> Value {
        let reply = self.send(service, body);
        serde_json::from_slice(&reply.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&reply.body)))
    }

    pub fn write(&mut self, service: &str, form: &str, data: Value) -> Value {
        self.call(service, json!({"formid": form, "data": data}))["Result"].clone()
    }

    pub fn save(&mut self, form: &str, model: Value) -> Value {
        self.write("Save", form, json!({"Model": model}))
    }

    /// Saves what has to be there; its id and number.
    pub fn saved(&mut self, form: &str, model: Value) -> (i64, String) {
        let result = self.save(form, model);
        assert_eq!(result["ResponseStatus"]["IsSuccess"], true, "{result}");
        (result["Id"].as_i64().unwrap(), result["Number"].as_str().unwrap().to_owned())
    }

    pub fn rows(&mut self, form: &str, keys: &str, filter: &str) -> Value {
        let data = json!({"FormId": form, "FieldKeys": keys, "FilterString": filter, "OrderString": ""});
        self.call("ExecuteBillQuery", json!({"data": data}))
    }

    /// Submits and audits.
    pub fn audited(&mut self, form: &str, id: i64) {
        for verb in ["Submit", "Audit"] {
            let result = self.write(verb, form, json!({"Ids": id.to_string()}));
            assert_eq!(result["ResponseStatus"]["IsSuccess"], true, "{verb}: {result}");
        }
    }

    pub fn admin(&mut self, method: &str, path: &str, body: Value) -> Value {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let request = RequestParts {
            method: method.to_owned(),
            path: path.to_owned(),
            body: body.into(),
            ..RequestParts::default()
        };
        let reply = self.world.handle(request, self.now);
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        serde_json::from_slice(&reply.body).unwrap()
    }
}

/// A purchase order with two lines.
pub fn order(number: &str) -> Value {
    json!({
        "FBillNo": number, "FDate": "2026-11-20", "FSupplierId": {"FNumber": "VEN00003"}, "F_QEB_SrcNo": format!("S-{number}"),
        "FPOOrderFinance": {"FSettleCurrId": {"FNumber": "PRE007"}, "FExchangeRate": "7.1234"},
        "FPOOrderEntry": [
            {"FMaterialId": {"FNumber": "MAT00001"}, "FQty": 10, "FTaxPrice": "1.25", "FEntryNote": "一", "F_QEB_Line": 1},
            {"FMaterialId": {"FNumber": "MAT00002"}, "FQty": "3.5", "FTaxPrice": 2, "F_QEB_Line": 2},
        ],
    })
}

/// The same over a socket's worth of server, where a world is behind a handle.
pub struct Client<'a> {
    sim: &'a skydeck_sim::SimHandle,
    session: String,
}

impl<'a> Client<'a> {
    pub fn new(sim: &'a skydeck_sim::SimHandle) -> Self {
        let mut client = Self { sim, session: String::new() };
        let c = demo_credentials();
        let body = json!({"acctid": c.account, "username": c.user, "password": c.password, "lcid": 2052});
        let reply = client.call("AuthService", "ValidateUser", &body);
        client.session.push_str(reply["KDSVCSessionId"].as_str().unwrap());
        client
    }

    fn call(&mut self, class: &str, service: &str, body: &Value) -> Value {
        let request = parts(class, service, &self.session, body);
        // Through the server, so that the record file is written.
        let reply = self.sim.ask(request);
        serde_json::from_slice(&reply.body).unwrap()
    }

    pub fn write(&mut self, service: &str, form: &str, data: Value) -> Value {
        self.call("DynamicFormService", service, &json!({"formid": form, "data": data}))["Result"].clone()
    }

    pub fn saved(&mut self, form: &str, model: Value) -> (i64, String) {
        let result = self.write("Save", form, json!({"Model": model}));
        assert_eq!(result["ResponseStatus"]["IsSuccess"], true, "{result}");
        (result["Id"].as_i64().unwrap(), result["Number"].as_str().unwrap().to_owned())
    }

    pub fn rows(&mut self, form: &str, keys: &str, filter: &str) -> Value {
        let data = json!({"FormId": form, "FieldKeys": keys, "FilterString": filter, "OrderString": "FID"});
        self.call("DynamicFormService", "ExecuteBillQuery", &json!({"data": data}))
    }
}
