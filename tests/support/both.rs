//! Beside the ERP of a place a JSON system, an environment for it, and a plan that sends records of the one to the other. The
//! JSON simulator counts what was made.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use skydeck::sim::faults::FaultPlan;
use skydeck::sim::json::settings::JsonSettings;
use skydeck::sim::json::{JsonConfig, JsonWorld};
use skydeck::sim::{self, RequestParts, SimConfig, SimHandle};

use crate::place::Place;

/// The plan, a shipped one.
pub const SENDS: &str = "outstock_to_order";

/// Both systems, and where the program works between them.
pub struct Both {
    pub place: Place,
    pub there: SimHandle<JsonWorld>,
}

impl Both {
    /// `settings`: what the JSON system decides. `environment`: how its environment signs in, and what else it says.
    pub fn new(bills: usize, settings: &str, environment: &str, change: impl Fn(&mut Value)) -> Self {
        let place = Place::new(bills);
        let settings = JsonSettings::from_toml(settings).unwrap();
        let world = JsonConfig { orders: 30, settings, ..JsonConfig::default() };
        let config = SimConfig { bind: ([127, 0, 0, 1], 0).into(), world, record: None };
        let there: SimHandle<JsonWorld> = place.runtime.block_on(sim::start_as(config)).unwrap();
        let file = place.dir.path().join("config.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let table = format!(
            "[environment.wms]\nkind = \"http\"\nurl = \"{}\"\naccount_set = \"wms-1\"\nuser = \"demo\"\napp_id = \"demo-app\"\n\
             allow_operations = [\"Send\"]\n{environment}\n[environment.wms.limits]\nper_minute = 6000\nsettle = \"1s\"\n\
             call_timeout = \"5s\"\n",
            there.url()
        );
        std::fs::write(&file, format!("{text}\n{table}")).unwrap();
        let both = Self { place, there };
        let plans = both.place.dir.path().join("plans");
        std::fs::remove_file(plans.join("sal_outstock_audit.json")).unwrap();
        let mut plan: Value =
            serde_json::from_str(&std::fs::read_to_string(format!("plans/{SENDS}.json")).unwrap()).unwrap();
        plan["skydeck"]["env"] = "test".into();
        change(&mut plan);
        std::fs::write(plans.join(format!("{SENDS}.json")), plan.to_string()).unwrap();
        both
    }

    /// Nobody asks who we are.
    pub fn open(bills: usize) -> Self {
        Self::new(bills, "auth = \"none\"\n", "sign_in = \"none\"", |_| {})
    }

    /// Where the JSON system listens.
    pub fn addr(&self) -> SocketAddr {
        self.there.url().trim_start_matches("http://").split('/').next().unwrap().parse().unwrap()
    }

    /// Changes the configuration.
    pub fn configure(&self, changes: &[(&str, &str)]) {
        let file = self.place.dir.path().join("config.toml");
        let mut text = std::fs::read_to_string(&file).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{from} in {text}");
            text = text.replacen(from, to, 1);
        }
        std::fs::write(&file, text).unwrap();
    }

    pub fn faults(&self, text: &str) {
        let plan: FaultPlan = toml::from_str(text).unwrap();
        self.there.with_world(|world| world.add_faults(plan));
    }

    /// How often an order was made of each record.
    pub fn made(&self) -> BTreeMap<String, u32> {
        // What is late is carried out when the next request comes.
        let poke =
            RequestParts { method: "GET".to_owned(), path: "/admin/stats".to_owned(), ..RequestParts::default() };
        drop(self.there.ask(poke));
        self.there.with_world(|world| {
            let mut made = BTreeMap::new();
            for line in world.record().after(0, usize::MAX) {
                if line.verb == "create" && line.refused.is_none() {
                    *made.entry(line.number.clone()).or_default() += 1;
                }
            }
            made
        })
    }

    /// How many calls that make an order of these records arrived there.
    pub fn calls(&self, records: &[&str]) -> u32 {
        let calls = |no: &&str| self.there.with_world(|world| world.key_counts("orders", no).calls);
        records.iter().map(calls).sum()
    }
}
