//! The records that a JSON system begins with.
//!
//! Invariant: the same seed, number and start give the same records.

use serde_json::{Map, Value as Json, json};

use super::rows::{Collection, Row};
use crate::data::{HOSTILE, NOTES};
use crate::rng::{Rng, mix};

/// Numbers of materials that a Kingdee account set of the simulator has, too.
const MATERIALS: u64 = 160;

const DAY_MS: i64 = 86_400_000;

const NAMES: [&str; 8] = ["华东", "北辰", "恒信", "南洋", "宏图", "四海", "金桥", "远大"];
const KINDS: [&str; 4] = ["贸易有限公司", "实业有限公司", "电子商务有限公司", "供应链有限公司"];
const PEOPLE: [&str; 6] = ["张伟", "王芳", "李娜", "刘洋", "陈静", "赵磊"];

/// Makes the record of a position, among so many customers.
type Make = fn(usize, usize, &mut Rng) -> Json;

/// Fills the collections there always are: so many orders, a tenth of customers and of forms, at least eight of each.
pub fn fill(collections: &mut [Collection], seed: u64, orders: usize, hostile: bool, now_ms: i64) {
    let few = (orders / 10).clamp(8, 2_000);
    for collection in collections {
        let (rows, make): (usize, Make) = match collection.name.as_str() {
            "orders" => (orders, order),
            "customers" => (few, customer),
            "forms" => (few, form),
            _ => continue,
        };
        let mut rng = Rng::new(mix(seed).wrapping_add(collection.next_id().into()));
        for at in 0..rows {
            let Json::Object(body) = make(at, few, &mut rng) else { continue };
            // The first member is the key, whatever the settings call it.
            let named = body.into_iter().enumerate();
            let mut body: Map<String, Json> = named
                .map(|(n, (name, value))| (if n == 0 { collection.settings.key.clone() } else { name }, value))
                .collect();
            note(&mut body, hostile, &mut rng);
            let span = 21 * DAY_MS;
            let created_ms = now_ms - span + (span - 3_600_000) * at as i64 / rows.max(1) as i64;
            // Whole seconds, as most systems keep them.
            let created_ms = created_ms - created_ms.rem_euclid(1000);
            let key = body.get(&collection.settings.key).and_then(Json::as_str).unwrap_or_default().to_owned();
            collection.put(Row {
                id: collection.next_id(),
                key,
                status: collection.settings.status.clone(),
                body,
                created_ms,
                updated_ms: created_ms,
                seen_ms: created_ms,
                before: None,
                by: rng.pick(&PEOPLE).copied().unwrap_or_default().to_owned(),
            });
        }
    }
}

fn note(body: &mut Map<String, Json>, hostile: bool, rng: &mut Rng) {
    let note = match rng.below(100) {
        0..20 => rng.pick(&NOTES),
        20..30 if hostile => rng.pick(&HOSTILE),
        _ => None,
    };
    body.insert("note".to_owned(), json!(note));
}

fn order(at: usize, customers: usize, rng: &mut Rng) -> Json {
    let lines: Vec<Json> = (0..=rng.below(3))
        .map(|line| {
            let (qty, cents) = (1 + rng.below(20), 100 + rng.below(50_000));
            json!({"line": line + 1, "sku": format!("MAT{:05}", 1 + rng.below(MATERIALS)), "qty": qty,
                "price": money(cents), "amount": money(qty * cents)})
        })
        .collect();
    json!({"so_id": format!("SO{:08}", at + 1), "customer": format!("C{:04}", 1 + rng.below(customers as u64)),
        "shop": format!("店铺{}", 1 + rng.below(5)), "lines": lines})
}

fn customer(at: usize, _: usize, rng: &mut Rng) -> Json {
    let name = rng.pick(&NAMES).copied().unwrap_or_default();
    let kind = rng.pick(&KINDS).copied().unwrap_or_default();
    json!({"code": format!("C{:04}", at + 1), "name": format!("{name}{kind}"),
        "phone": format!("1300000{:04}", rng.below(10_000)), "city": "深圳"})
}

fn form(at: usize, _: usize, rng: &mut Rng) -> Json {
    let who = rng.pick(&PEOPLE).copied().unwrap_or_default();
    json!({"form_no": format!("OA{:06}", at + 1), "applicant": who, "kind": "费用报销",
        "amount": money(1_000 + rng.below(500_000)), "reason": "差旅"})
}

/// Money as a text, exact.
fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
