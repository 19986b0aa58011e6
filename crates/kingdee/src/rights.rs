//! Whether the user may call something, found out without changing anything.
//!
//! Invariant: the one call names a bill that no server has (id 0), and it is never repeated.

use super::classify::{Ask, Mode, transport_fault};
use super::client::KingdeeErp;
use super::transport::CallKind;
use super::wire::{Envelope, Operation, Reason, write_body};
use skydeck_core::domain::ids::{Fid, FormId};
use skydeck_core::domain::plan::WriteOptions;
use skydeck_core::domain::step::Verb;
use skydeck_engine::ports::Right;

/// MsgCodes that refuse the user, whatever the bill: no permission, no licence, administrators barred
/// (docs/design/wire.md#msgcode).
const REFUSES_THE_USER: [i64; 3] = [2, 7, 15];

/// MsgCodes of a server that looked for the bill: nothing given, no such value, no such data, a rule that fails.
const LOOKED_FOR_THE_BILL: [i64; 4] = [8, 9, 10, 11];

impl KingdeeErp {
    pub(super) async fn ask_right(&self, form: &FormId, verb: &Verb) -> Right {
        // A call that makes bills would make one.
        if verb.makes() {
            let called = Operation::of(verb).service;
            return Right::Unclear(format!("not tried: a trial call of {called} could make a bill"));
        }
        if let Err(fault) = self.ready().await {
            return Right::Unclear(fault.message);
        }
        let nobody = Fid::new("0");
        let body = write_body(verb, form, &[&nobody], &WriteOptions::default(), &[]);
        let reply = match self.call(Operation::of(verb).service, body, CallKind::Write).await {
            Ok(reply) => reply,
            Err(fault) => {
                let server = self.address.shown();
                return Right::Unclear(transport_fault(&fault, Ask { what: "trial call", server: &server }).message);
            }
        };
        if reply.status != 200 {
            return Right::Unclear(format!("HTTP {}", reply.status));
        }
        let status = match Envelope::read(&reply.body) {
            Ok(status) => status,
            Err(why) => return Right::Unclear(format!("the answer cannot be read: {why}")),
        };
        let code = status.msg_code();
        let said = status.errors.iter().map(Reason::message).find(|m| !m.is_empty()).unwrap_or_default().to_owned();
        let field = status.errors.first().and_then(Reason::field);
        let permission = self.causes.classify(code, field, &said).as_str() == "permission";
        match code {
            _ if status.is_success() => Right::NotRefused,
            _ if permission => Right::Refused(said),
            Some(code) if REFUSES_THE_USER.contains(&code) => Right::Refused(said),
            Some(code) if LOOKED_FOR_THE_BILL.contains(&code) => Right::NotRefused,
            Some(1) if self.mode() == Mode::Signed => Right::Refused(said),
            _ => Right::Unclear(said),
        }
    }
}
