//! A world from its record file: the same bills as before, with everything that was done to them.
//!
//! Invariant: a simulator started again on its record file answers as the one that was killed would have. The state of
//! fault counters and of packets that were remembered is not kept.

use std::io::{self, BufRead, BufReader, Read};

use serde_json::{Value as Json, json};

use super::admin::Stats;
use super::backend::Backend;
use super::config::WorldConfig;
use super::form;
use super::kept::MAKING;
use super::record::Applied;
use super::reply::{Reply, RequestParts};
use super::state::State;
use super::states::Moved;
use super::world::World;

/// Verbs that leave a bill in the state the line says.
const VERBS: [&str; 10] = [
    "Submit",
    "Audit",
    "UnAudit",
    "CancelAssign",
    "Delete",
    "WorkflowAudit",
    "BillClose",
    "Forbid",
    "Enable",
    "Outside",
];

/// The first line of a record file.
pub fn header<W: Backend>(config: &W::Config, began_ms: i64) -> String {
    let mut head = json!({"began_ms": began_ms});
    if let (Some(head), Json::Object(data)) = (head.as_object_mut(), W::data_of(config)) {
        head.extend(data);
    }
    format!("{head}\n")
}

/// A world with the time its bills were made at.
#[derive(Debug)]
pub struct Restored<W = World> {
    /// The world.
    pub world: W,
    /// Unix milliseconds of its first start.
    pub began_ms: i64,
}

/// Why a record file is not taken, where the system has nothing against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOurs {
    /// It was begun with other options.
    OtherData,
    /// Its first line does not say when it was begun.
    NoBeginning,
    /// Its first line is none of a record file.
    NoRecord,
}

impl NotOurs {
    /// In English and in Chinese.
    pub fn said(self) -> (&'static str, &'static str) {
        match self {
            Self::OtherData => (
                "it was begun with other data: give the same --kind, --seed and --bills as then, or another place",
                "其中是其他数据的记录：请使用当时的 --kind、--seed 和 --bills，或换一个位置",
            ),
            Self::NoBeginning => {
                ("it does not say when it was begun: name another file", "其中没有开始时间：请换一个文件")
            }
            Self::NoRecord => {
                ("it is no record of a simulator: name another file", "不是模拟器的记录文件：请换一个文件")
            }
        }
    }
}

impl std::fmt::Display for NotOurs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.said().0)
    }
}

impl std::error::Error for NotOurs {}

/// Reads a record file into a world. `None` when the file is empty. A last line that was cut by a kill is left out: it
/// was never answered.
///
/// # Errors
/// The file cannot be read, or was written for other data.
pub fn from<W: Backend>(source: impl Read, config: &W::Config) -> io::Result<Option<Restored<W>>> {
    let mut lines = BufReader::new(source).lines();
    let Some(first) = lines.next() else { return Ok(None) };
    let mut head: Json = serde_json::from_str(&first?).map_err(|_| io::Error::other(NotOurs::NoRecord))?;
    let began_ms = head.get("began_ms").and_then(Json::as_i64);
    if let Some(head) = head.as_object_mut() {
        head.remove("began_ms");
    }
    if head != W::data_of(config) {
        return Err(io::Error::other(NotOurs::OtherData));
    }
    let began_ms = began_ms.ok_or_else(|| io::Error::other(NotOurs::NoBeginning))?;
    let mut world = W::begin(config, began_ms);
    for line in lines {
        let Ok(line) = serde_json::from_str::<Json>(&line?) else { break };
        world.redo(&line);
    }
    Ok(Some(Restored { world, began_ms }))
}

impl Backend for World {
    type Config = WorldConfig;
    type Stats = Stats;
    const HOME: &'static str = "k3cloud/";

    fn begin(config: &WorldConfig, now_ms: i64) -> Self {
        Self::new(config.clone(), now_ms)
    }

    fn answer(&mut self, request: RequestParts, now_ms: i64) -> Reply {
        self.handle(request, now_ms)
    }

    fn answer_parked(&mut self, ticket: u64, now_ms: i64) -> Reply {
        self.resume(ticket, now_ms)
    }

    fn counts(&self) -> Stats {
        self.stats()
    }

    fn recorded(&self) -> u64 {
        self.record().len() as u64
    }

    fn lines_after(&self, seq: u64) -> Vec<Json> {
        self.record().after(seq, usize::MAX).iter().map(|line| self.line_json(line)).collect()
    }

    fn data_of(config: &WorldConfig) -> Json {
        json!({"seed": config.seed, "bills": config.bills})
    }

    fn redo(&mut self, line: &Json) {
        self.done_again(line);
    }
}

impl World {
    /// Does again what a line says was done.
    pub(super) fn done_again(&mut self, line: &Json) {
        let text = |key: &str| line.get(key).and_then(Json::as_str).unwrap_or_default();
        let whole = |key: &str| line.get(key).and_then(Json::as_i64).unwrap_or_default();
        let letter = |key: &str| text(key).chars().next().unwrap_or('-');
        let Some(verb) = VERBS.iter().chain(&MAKING).find(|verb| **verb == text("verb")) else { return };
        let (Some(form), Ok(id)) = (form::find(text("form")), u32::try_from(whole("id"))) else { return };
        let applied = line.get("applied").and_then(Json::as_bool).unwrap_or_default();
        let user = text("user").to_owned();
        // Lines of before there were other fields name none.
        let state = State::by_key(text("field")).unwrap_or(State::Document);
        self.now_ms = whole("at_ms");
        if let Some(row) = line.get("row").filter(|_| applied) {
            let pushed = self.put_row(form, id, row).unwrap_or_default();
            if let Some(origin) = pushed.first().filter(|_| *verb == "Push") {
                self.tally.call("Push", origin.form, origin.bill);
                self.tally.outcome("Push", origin.form, origin.bill, true);
            }
            if letter("before") == '-' {
                self.keys.outcome(form, text("number"), true);
            }
        } else if applied && letter("after").is_ascii() {
            self.move_state(form, id, Moved { state, to: letter("after") as u8, by: &user });
        }
        if *verb != "Outside" {
            // The line proves that a call arrived. One that came to nothing left no line, and is forgotten.
            self.tally.call(verb, form, id);
        }
        self.note(Applied {
            seq: 0,
            at_ms: whole("at_ms"),
            call: whole("call").unsigned_abs(),
            verb,
            form,
            id,
            number: text("number").into(),
            state,
            before: letter("before"),
            after: letter("after"),
            user: user.as_str().into(),
            refused: (!applied).then(|| text("refused").into()),
        });
        if applied && *verb == "Audit" && form == 0 {
            // The line of the side effect itself is not redone: it comes from here, as it did then.
            let _ = self.receivable(id, &user, whole("call").unsigned_abs());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_started_again_stands_where_it_stood() {
        let config = WorldConfig { bills: 40, ..WorldConfig::default() };
        let world = World::new(config.clone(), 1_700_000_000_000);
        let submitted: Vec<u32> = (0..500_000).filter(|id| world.status(0, *id) == "B").collect();
        assert!(submitted.len() > 3, "the seed has submitted bills");
        let mut file = header::<World>(&config, 1_700_000_000_000);
        let close = |id: u32, before: &str, after: &str, verb: &str| {
            let line = json!({"seq": 1, "at_ms": 1_700_000_002_000_i64, "call": 8, "verb": verb, "form": "SAL_OUTSTOCK", "id": id,
                "number": "N", "field": "FCloseStatus", "before": before, "after": after, "user": "demo", "applied": true,
                "refused": null});
            format!("{line}\n")
        };
        let line = |id: u32, verb: &str, after: &str, applied: bool| {
            let line = json!({"seq": 1, "at_ms": 1_700_000_001_000_i64, "call": 7, "verb": verb, "form": "SAL_OUTSTOCK", "id": id,
                "number": "N", "before": "B", "after": after, "user": "demo", "applied": applied, "refused": null});
            format!("{line}\n")
        };
        file += &line(submitted[0], "Audit", "C", true);
        file += &line(submitted[1], "Audit", "B", false);
        file += &line(submitted[2], "CancelAssign", "D", true);
        file += &close(submitted[0], "A", "B", "BillClose");
        file += &close(submitted[1], "A", "B", "BillClose");
        file += &close(submitted[1], "B", "A", "Outside");
        file.push_str("{\"seq\": 7, \"at_ms\":");
        let again: World = from(file.as_bytes(), &config).unwrap().unwrap().world;
        assert!(again.record().len() >= 3);
        assert_eq!(again.status(0, submitted[0]), "C");
        assert_eq!(again.status(0, submitted[1]), "B");
        assert_eq!(again.status(0, submitted[2]), "D");
        let counts = |id| again.counts("SAL_OUTSTOCK", id, "Audit");
        assert_eq!((counts(submitted[0]).changed, counts(submitted[1]).refused), (1, 1));
        let letter = |id| char::from(again.letter(0, id, State::Close));
        assert_eq!((letter(submitted[0]), letter(submitted[1])), ('B', 'A'));
        assert_eq!(again.counts("SAL_OUTSTOCK", submitted[1], "BillClose").calls, 1);
        let other = WorldConfig { bills: 41, ..WorldConfig::default() };
        assert!(from::<World>(file.as_bytes(), &other).is_err());
        assert!(from::<World>(&b""[..], &config).unwrap().is_none());
    }
}
