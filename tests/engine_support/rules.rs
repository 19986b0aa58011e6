//! What each operation asks of a bill and leads to, and the rules of the product that every call is held against.

use std::time::Duration;

use skydeck::domain::bill::Status;
use skydeck::domain::ids::Fid;
use skydeck::domain::step::Verb;
use skydeck::engine::ports::WriteCall;

use super::world::{Doc, Post, Trouble, World};

/// Audit, with or without a submit before it.
pub const AUDIT: &str = "";
/// Submit alone.
pub const SUBMIT: &str = "Submit";
/// Closing: judged by a field of its own, whatever the status.
pub const CLOSE: &str = "BillClose";
/// Making bills of records: not an operation of this world, but of the simulator's.
pub const SAVE: &str = "Save:STK_InStock";
/// The operation of a plan that pushes receivables.
pub const PUSH: &str = "Push:AR_receivable";
/// The operation of a plan that sends records to a JSON system.
pub const SEND: &str = "Send:order";
/// The operations of this world, by their names in keys.
pub const OPS: [&str; 3] = [AUDIT, SUBMIT, CLOSE];

/// What one call of ours brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    pub fid: Fid,
    pub op: &'static str,
    /// Changes by others before it.
    pub edition: u64,
}

/// The operation a call belongs to. Any but closing does what an audit does.
pub fn op_of(verb: &Verb) -> &'static str {
    match verb {
        Verb::Submit => SUBMIT,
        Verb::Operation(name) if name == CLOSE => CLOSE,
        Verb::Audit | Verb::Operation(_) | Verb::Save | Verb::Push | Verb::Send => AUDIT,
    }
}

/// Whether what an operation leads to is there.
pub fn is_done(op: &str, doc: &Doc) -> bool {
    match op {
        CLOSE => doc.closed,
        SUBMIT => matches!(doc.status, Status::Submitted | Status::Audited),
        _ => doc.status == Status::Audited,
    }
}

/// Whether a call may be made for a bill in this state.
pub fn is_ready(verb: &Verb, status: &Status, closed: bool, closes_any: bool) -> bool {
    match op_of(verb) {
        SUBMIT => matches!(status, Status::Draft | Status::Created | Status::Reaudit),
        CLOSE => !closed && (closes_any || matches!(status, Status::Submitted | Status::Audited)),
        _ => *status == Status::Submitted,
    }
}

impl World {
    /// Notes a request and holds it against the rules of the product. `takes`: how long the server is at work on it beyond
    /// the answer.
    pub fn note(&self, call: &WriteCall, trouble: &Trouble, at: Duration, takes: Duration) {
        let fresh = Duration::from_secs(31);
        let looked_at_fields = op_of(&call.verb) == CLOSE;
        self.with(|s| {
            for (fid, _) in &call.bills {
                let doc = s.docs[fid].clone();
                let read = s.reads.get(&(fid.clone(), looked_at_fields)).cloned();
                let mut broken = Vec::new();
                match &read {
                    None => broken.push(format!("{fid}: called without a read")),
                    Some((when, glance)) => {
                        if at.saturating_sub(*when) > fresh {
                            broken.push(format!("{fid}: called {:?} after its read", at.saturating_sub(*when)));
                        }
                        let ready = |(rev, closed): &(skydeck::domain::bill::Rev, bool)| {
                            is_ready(&call.verb, &rev.status, *closed, true)
                        };
                        if !glance.as_ref().is_some_and(ready) {
                            broken.push(format!("{fid}: {:?} called though it was read as {glance:?}", call.verb));
                        }
                    }
                }
                let read_at = read.map_or(Duration::ZERO, |(when, _)| when);
                broken.extend(self.beside_earlier(&s.posts, fid, &call.verb, at, read_at));
                s.broken_rules.extend(broken);
                s.posts.push(Post {
                    fid: fid.clone(),
                    verb: call.verb.clone(),
                    at,
                    status: doc.status,
                    version: doc.version,
                    answered: !trouble.loses_the_answer(),
                    heard: trouble.is_heard(),
                    done: at + takes,
                    batch: call.bills.len(),
                    was_done: false,
                    hollow: false,
                });
            }
        });
    }

    /// A call beside the newest one of each operation on the same record.
    fn beside_earlier(&self, posts: &[Post], fid: &Fid, verb: &Verb, at: Duration, read_at: Duration) -> Vec<String> {
        let mut broken = Vec::new();
        for op in OPS {
            let Some(before) = posts.iter().rev().find(|p| p.fid == *fid && op_of(&p.verb) == op) else { continue };
            if !before.heard && read_at < before.at + self.settle && before.verb == *verb {
                broken.push(format!("{fid}: blind repeat at {at:?} of the call at {:?}", before.at));
            }
            let ends = if before.heard { before.done } else { before.done.max(before.at + self.server_limit) };
            if ends > at {
                let words = format!("overlapping calls: {:?} at {:?} and {verb:?} at {at:?}", before.verb, before.at);
                broken.push(format!("{fid}: {words}"));
            }
        }
        broken
    }
}
