//! A JSON system under a clock that is moved by hand.

use serde_json::{Value as Json, json};
use skydeck_sim::faults::{FaultPlan, Rule};
use skydeck_sim::json::settings::JsonSettings;
use skydeck_sim::json::{JsonConfig, JsonWorld};
use skydeck_sim::{Reply, RequestParts};

pub const START: i64 = 1_700_000_000_000;

pub struct Bench {
    pub world: JsonWorld,
    pub now_ms: i64,
    pub headers: Vec<(String, String)>,
}

impl Bench {
    /// Settings in TOML. Where they say nothing of it, everybody is let in.
    pub fn with(settings: &str) -> Self {
        let text =
            if settings.contains("auth =") { settings.to_owned() } else { format!("auth = \"none\"\n{settings}") };
        let settings = JsonSettings::from_toml(&text).unwrap();
        let config = JsonConfig { orders: 60, settings, ..JsonConfig::default() };
        Self { world: JsonWorld::new(config, START), now_ms: START, headers: Vec::new() }
    }

    pub fn plain() -> Self {
        Self::with("")
    }

    pub fn raw(&mut self, method: &str, path: &str, body: &str) -> Reply {
        let request = RequestParts {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: self.headers.clone(),
            body: body.to_owned().into(),
        };
        self.world.handle(request, self.now_ms)
    }

    pub fn get(&mut self, path: &str) -> Json {
        json_of(&self.raw("GET", path, ""))
    }

    pub fn post(&mut self, path: &str, body: &Json) -> Json {
        json_of(&self.raw("POST", path, &body.to_string()))
    }

    /// The same, under a token of its own.
    pub fn post_as(&mut self, token: &str, path: &str, body: &Json) -> Json {
        self.headers.push(("Idempotency-Key".to_owned(), token.to_owned()));
        let answer = self.post(path, body);
        self.headers.pop();
        answer
    }

    pub fn fault(&mut self, rule: Rule) {
        self.world.add_faults(FaultPlan { rules: vec![rule] });
    }

    pub fn made(&self, key: &str) -> u32 {
        self.world.key_counts("orders", key).changed
    }

    pub fn later(&mut self, ms: i64) {
        self.now_ms += ms;
    }
}

pub fn json_of(reply: &Reply) -> Json {
    serde_json::from_slice(&reply.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&reply.body)))
}

pub fn order(key: &str) -> Json {
    json!({"so_id": key, "customer": "C0001", "lines": [{"sku": "A", "qty": 2}]})
}

pub fn keys(page: &Json) -> Vec<String> {
    page["data"]["list"].as_array().unwrap().iter().map(|row| row["so_id"].as_str().unwrap().to_owned()).collect()
}
