//! Where the records of a plan come from and what their bills are made of, by the real program against the simulator: mapping
//! tables, look-ups, plans that only collect, lists of bill numbers.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

#[path = "../support/place.rs"]
mod place;
#[path = "../support/pty.rs"]
mod pty;

mod collected;
mod listed;
mod tables;

use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};

use place::Place;
use serde_json::Value;

const PLAN: &str = "sal_outstock_to_instock";

/// The shipped plan that makes receipts of outstocks.
fn making() -> Value {
    serde_json::from_str(&std::fs::read_to_string(format!("plans/{PLAN}.json")).unwrap()).unwrap()
}

/// A place with 40 outstocks, 8 of them records of the plan, without any plan.
fn place() -> Place {
    let place = Place::with(40, "allow_operations = [\"Save\"]", "");
    std::fs::remove_file(place.dir.path().join("plans/sal_outstock_audit.json")).unwrap();
    place
}

/// Puts a plan, or a file beside it, into the plan directory.
fn put(place: &Place, file: &str, text: &str) {
    let path = place.dir.path().join("plans").join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A process that owns the data directory.
fn served(place: &Place) -> Child {
    let mut command = Command::new(place::PROGRAM);
    command.arg("serve").args(place.options()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let socket = place.data().join("owner.sock");
    place::until("an owner", || place.is_owned() && socket.exists());
    child
}

/// What the verb prints, line by line.
fn lines(out: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&out.stdout).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The same verb in Chinese.
fn in_chinese(place: &Place, verb: &[&str]) -> Output {
    let mut options = place.options();
    "zh".clone_into(options.last_mut().unwrap());
    Command::new(place::PROGRAM).args(verb).args(options).stdin(Stdio::null()).output().unwrap()
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// The bills that were made, by number, and how often each was.
fn made(place: &Place) -> BTreeMap<String, u64> {
    place.sim.as_ref().unwrap().with_world(|world| {
        let mut made = BTreeMap::new();
        for line in world.record().after(0, usize::MAX) {
            if line.verb == "Save" && line.refused.is_none() {
                *made.entry(line.number.to_string()).or_default() += 1;
            }
        }
        made
    })
}
