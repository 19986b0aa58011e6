//! The 51 pairs of tests/pairs/pairs.toml: each plan of them previews against the simulator, and the body of a documented one is
//! what its published mapping makes of the record, field by field.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use skydeck::sim::json::settings::JsonSettings;
use skydeck::sim::json::{JsonConfig, JsonWorld};
use skydeck::sim::{self, RequestParts, SimConfig, SimHandle};

use crate::pairs_expected::{Expected, Rows, differences};
use crate::place::{Place, ended_as_it_says};

/// Which pairs touch 金蝶云星空, by their numbers in the list that was collected.
const NUMBERS: [u8; 51] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29, 33, 38, 42,
    46, 47, 48, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
enum Class {
    #[serde(rename = "documented")]
    Documented,
    #[serde(rename = "shape only")]
    ShapeOnly,
    #[serde(rename = "refused")]
    Refused,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the file tells people more than the test asks for")]
struct Pair {
    n: u8,
    source: String,
    target: String,
    object: String,
    seen: String,
    class: Class,
    plan: Option<String>,
    by: Option<String>,
    printed: Option<String>,
    stands_in: Option<String>,
    operation: Option<String>,
    filter: Option<String>,
    why: Option<String>,
    note: Option<String>,
}

#[derive(Deserialize)]
struct List {
    pair: Vec<Pair>,
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs")
}

fn pairs() -> Vec<Pair> {
    let text = std::fs::read_to_string(home().join("pairs.toml")).unwrap();
    toml::from_str::<List>(&text).unwrap().pair
}

fn files(folder: &str, end: &str) -> BTreeSet<String> {
    let all = std::fs::read_dir(home().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
    all.filter_map(|name| name.to_str().unwrap().strip_suffix(end).map(str::to_owned)).collect()
}

/// The collections of the other system: the field that names a record of each.
const COLLECTIONS: [(&str, &str); 10] = [
    ("units", "unitCode"),
    ("instances", "textField_ku6aw61h"),
    ("stockouts", "deliveryOrderCode"),
    ("purchaseins", "so_id"),
    ("entries", "order_no"),
    ("items", "code"),
    ("forms", "form_no"),
    ("workorders", "woNo"),
    ("sf_orders", "erp_order"),
    ("accounts", "account_no"),
];

/// A place with every plan of the pairs, the tables they look in, and a system that speaks JSON for those that end in one.
fn place() -> (Place, SimHandle<JsonWorld>) {
    let place = Place::with(300, "allow_operations = [\"Save\", \"Push\"]", "");
    let mut settings = String::from("auth = \"none\"\n");
    for (name, key) in COLLECTIONS {
        let _ = write!(settings, "[collection.{name}]\nkey = \"{key}\"\nrequired = [\"{key}\"]\n");
    }
    let world = JsonConfig { settings: JsonSettings::from_toml(&settings).unwrap(), ..JsonConfig::default() };
    let config = SimConfig { bind: ([127, 0, 0, 1], 0).into(), world, record: None };
    let there: SimHandle<JsonWorld> = place.runtime.block_on(sim::start_as(config)).unwrap();
    for (name, key) in COLLECTIONS {
        // A record that is known to be there, which each plan names to show that its look sees any.
        let body = json!({key: "THERE-1"}).to_string().into();
        let request = RequestParts { method: "POST".into(), path: format!("/api/{name}"), headers: vec![], body };
        let said: Value = serde_json::from_slice(&there.ask(request).body).unwrap();
        assert_eq!(said["code"], 0, "{name}: {said}");
    }
    let url = there.url();
    let config = place.dir.path().join("config.toml");
    let environment = format!(
        "[environment.there]\nkind = \"http\"\nurl = \"{}\"\naccount_set = \"there-1\"\nuser = \"demo\"\nsign_in = \"none\"\n\
         allow_operations = [\"Send\"]\n[environment.there.limits]\nsettle = \"1s\"\nper_minute = 6000\n",
        url.trim_end_matches("api/")
    );
    std::fs::write(&config, std::fs::read_to_string(&config).unwrap() + &environment).unwrap();
    let plans = place.dir.path().join("plans");
    std::fs::create_dir(plans.join("tables")).unwrap();
    for (from, to, end) in [("plans", plans.clone(), ".json"), ("plans/tables", plans.join("tables"), ".csv")] {
        for name in files(from, end) {
            let name = format!("{name}{end}");
            std::fs::copy(home().join(from).join(&name), to.join(&name)).unwrap();
        }
    }
    (place, there)
}

fn preview(place: &Place, plan: &str) -> Value {
    let out = place.verb(&["plan", "preview", plan, "--json"]);
    let said = String::from_utf8_lossy(&out.stdout);
    let line = said.lines().find(|line| line.contains("\"preview\""));
    serde_json::from_str(line.unwrap_or_else(|| panic!("{plan}: {out:?}"))).unwrap()
}

#[test]
fn the_list_is_whole_and_every_pair_says_what_becomes_of_it() {
    let pairs = pairs();
    assert_eq!(pairs.iter().map(|pair| pair.n).collect::<Vec<_>>(), NUMBERS);
    for pair in &pairs {
        let has = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        let told = match pair.class {
            Class::Documented => has(&pair.plan) && has(&pair.by) && has(&pair.printed),
            Class::ShapeOnly => has(&pair.plan) && pair.by.is_none(),
            Class::Refused => has(&pair.why) && pair.plan.is_none(),
        };
        assert!(told, "{pair:?}");
    }
    let plans: BTreeSet<String> = pairs.iter().filter_map(|pair| pair.plan.clone()).collect();
    assert_eq!(plans, files("plans", ".json"), "each plan is of one pair");
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/design/pairs.md")).unwrap();
    let class = |class: Class| match class {
        Class::Documented => "documented",
        Class::ShapeOnly => "shape only",
        Class::Refused => "refused",
    };
    for pair in &pairs {
        let row = page.lines().find(|line| line.starts_with(&format!("| {} |", pair.n)));
        let row = row.unwrap_or_else(|| panic!("docs/design/pairs.md has no row {}", pair.n));
        assert!(row.contains(&format!("| {} |", class(pair.class))) && row.contains(&pair.object), "{row}");
    }
    let mut counts = String::new();
    for wanted in [Class::Documented, Class::ShapeOnly, Class::Refused] {
        let of: Vec<&Pair> = pairs.iter().filter(|pair| pair.class == wanted).collect();
        let stand_in = of.iter().filter(|pair| pair.stands_in.is_some()).count();
        let _ = write!(counts, "{} {} ({stand_in} with a source that stands in), ", of.len(), class(wanted));
    }
    println!("of 51 pairs: {counts}");
    assert!(page.contains(counts.trim_end_matches(", ")), "docs/design/pairs.md: {counts}");
}

#[test]
fn a_documented_pair_sends_what_its_published_mapping_says_field_by_field() {
    let (place, _there) = place();
    let rows = Rows::of(&place);
    let (mut compared, mut bodies, mut calls) = (0, 0, 0);
    for pair in pairs().iter().filter(|pair| pair.class == Class::Documented) {
        let name = pair.plan.as_deref().unwrap();
        let seen = preview(&place, name);
        assert!(seen["found"].as_u64().unwrap() > 0 && seen["runnable"] == true, "{name}: {seen}");
        assert_eq!(seen["unmade"], 0, "{name}: {}", seen["samples"]);
        if let Some(filter) = &pair.filter {
            assert!(seen["filter"].as_str().unwrap().contains(filter.as_str()), "{name}: {}", seen["filter"]);
            calls += 1;
        }
        if pair.n == 68 {
            // A field that the form takes and cannot be asked for: said, and no reason to refuse the plan.
            let named = seen["not_compared"].as_array().unwrap();
            assert!(named.iter().any(|field| field == "FSplitEntry"), "{seen}");
        }
        let Ok(text) = std::fs::read_to_string(home().join(format!("expected/{name}.json"))) else {
            assert!(pair.filter.is_some(), "{name} has neither an expected body nor a filter");
            continue;
        };
        let expected: Expected = serde_json::from_str(&text).unwrap();
        for sample in seen["samples"].as_array().unwrap() {
            let record = rows.of_record(&expected, sample["number"].as_str().unwrap());
            let (fields, wrong) = differences(&expected.body, &sample["body"], &record);
            assert!(wrong.is_empty(), "{name}, {}: {wrong:#?}\n{}", sample["number"], sample["body"]);
            compared += fields;
            bodies += 1;
        }
    }
    println!("documented: {compared} fields of {bodies} bodies as published, {calls} queries and calls");
    assert!(bodies > 30 && compared > 500, "{bodies} {compared}");
}

#[test]
fn a_pair_of_which_only_the_shape_is_known_lints_clean_and_makes_a_body_of_an_invented_request() {
    let (place, _there) = place();
    for pair in pairs().iter().filter(|pair| pair.class == Class::ShapeOnly) {
        let name = pair.plan.as_deref().unwrap();
        let out = place.verb(&["plan", "lint", name]);
        assert_eq!(out.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&out.stdout));
        let seen = preview(&place, name);
        assert!(seen["found"].as_u64().unwrap() > 0 && seen["unmade"] == 0, "{name}: {seen}");
        let samples = seen["samples"].as_array().unwrap();
        let made = samples.iter().all(|sample| sample["body"].is_object());
        assert!(made && (!samples.is_empty() || seen["callable"] == 0), "{name}: {seen}");
    }
}

/// The records of a collection of the other system, without the one that was there before.
fn there_are(there: &SimHandle<JsonWorld>, collection: &str) -> Vec<Value> {
    let path = format!("/api/{collection}?page_size=100&page=1");
    let request = RequestParts { method: "GET".into(), path, headers: vec![], body: Vec::new().into() };
    let said: Value = serde_json::from_slice(&there.ask(request).body).unwrap();
    let all = said["data"]["list"].as_array().unwrap_or_else(|| panic!("{said}")).clone();
    all.into_iter().filter(|record| !record.to_string().contains("THERE-1")).collect()
}

#[test]
fn an_oa_form_a_work_order_a_wms_order_and_a_crm_customer_are_each_made_once() {
    let (place, there) = place();
    let customer = json!({
        "name": "客户 → CRM",
        "source": {
            "api": "executeBillQuery", "effect": "QUERY", "method": "POST", "id": "FCUSTID", "number": "FNumber",
            "request": [
                {"field": "FCUSTID", "type": "string", "value": "FCUSTID"},
                {"field": "FNumber", "type": "string", "value": "FNumber"},
                {"field": "FName", "type": "string", "value": "FName"}
            ],
            "otherRequest": [
                {"field": "FormId", "type": "string", "value": "BD_Customer"},
                {"field": "FilterString", "type": "string", "value": "FModifyDate>='{{LAST_SYNC_TIME|datetime}}' and FNumber like '%1'"}
            ]
        },
        "target": {"api": "/api/accounts", "effect": "EXECUTE", "method": "POST", "request": [
            {"field": "account_no", "type": "string", "value": "{{FNumber}}"},
            {"field": "account_name", "type": "string", "value": "{{FName}}"}
        ]},
        "skydeck": {
            "target_env": "there", "record": "account", "key": {"number": "account_no", "unique": true},
            "ok": [["code", "eq", "0"]],
            "answer": {"rows": "$.data", "key": "account_no", "id": "id", "said": "msg"},
            "look": {"method": "GET", "path": "/api/accounts", "query": {"keys": "{{key}}"}, "rows": "$.data.list", "key": "account_no"},
            "probe": "THERE-1"
        }
    });
    std::fs::write(place.dir.path().join("plans/customer_to_crm.json"), customer.to_string()).unwrap();
    for (plan, collection, key) in [
        ("56_order_to_oa", "forms", "form_no"),
        ("57_order_to_smom", "workorders", "woNo"),
        ("60_transfer_to_sf", "sf_orders", "erp_order"),
        ("customer_to_crm", "accounts", "account_no"),
    ] {
        let before = there_are(&there, collection).len();
        let out = place.verb(&["run", plan, "--yes", "--json"]);
        ended_as_it_says(&out);
        let done = place.run()["done"].as_u64().unwrap();
        let made = there_are(&there, collection);
        let keys: BTreeSet<&str> = made.iter().filter_map(|record| record[key].as_str()).collect();
        assert!(done > 0, "{plan}: {}", String::from_utf8_lossy(&out.stdout));
        assert_eq!((made.len() - before, keys.len() - before), (done as usize, done as usize), "{plan}");
    }
}
