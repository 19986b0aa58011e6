//! What goes to the server: one query of bills, and where a writing call goes with what it carries.

use super::transport::CallKind;
use super::wire::{Operation, push_body, save_body, write_body};
use skydeck_core::domain::ids::{Fid, FormId};
use skydeck_core::domain::step::Verb;
use skydeck_engine::ports::WriteCall;

/// Rows the server promises to give in one answer (docs/design/wire.md#queries).
pub(super) const MAX_LIMIT: u32 = 2000;

/// One query of bills.
pub(super) struct Query<'a> {
    pub what: &'a str,
    pub form: &'a FormId,
    pub columns: &'a [String],
    pub id_path: &'a str,
    pub number_path: &'a str,
    pub mark: Option<&'a str>,
    pub fields: &'a [String],
    pub filter: String,
    pub after: Option<&'a Fid>,
    pub limit: u32,
    pub lines: bool,
    pub kind: CallKind,
}

/// Where a writing call goes, and what it carries. `None`: it cannot be written.
pub(super) fn request(call: &WriteCall, bills: &[(Fid, String)]) -> Option<(&'static str, Vec<u8>)> {
    if call.verb == Verb::Push {
        let [data] = call.bodies.as_slice() else { return None };
        return push_body(&call.form, data)
            .filter(|_| bills.len() == 1)
            .map(|body| (Operation::of(&call.verb).service, body));
    }
    if call.verb == Verb::Save {
        let body = save_body(&call.form, &call.bodies, &call.options, &call.flags);
        let service = if call.bodies.len() == 1 { "Save" } else { "BatchSave" };
        return body.filter(|_| call.bodies.len() == bills.len()).map(|body| (service, body));
    }
    let fids: Vec<&Fid> = bills.iter().map(|(fid, _)| fid).collect();
    let body = write_body(&call.verb, &call.form, &fids, &call.options, &call.flags);
    Some((Operation::of(&call.verb).service, body))
}
