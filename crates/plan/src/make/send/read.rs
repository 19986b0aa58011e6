//! The target of a plan that sends records: what is called, what the answer has to say, how a record is looked for.

use skydeck_core::domain::ids::FormId;
use skydeck_core::domain::mapping::{Field, Mapping, Table};
use skydeck_core::domain::plan::{Make, Source, Target};
use skydeck_core::domain::sending::{Place, Request, Search, Sending};
use skydeck_core::domain::step::Verb;

use super::super::find;
use super::super::policy::MakePolicy;
use super::super::read::{Check, key};
use super::super::table::{self, Beside};
use super::super::template::Names;
use super::super::tree::tree;
use super::parts::{holes, method, url_path};
use super::policy::{ANSWER, EXAMPLE as LOOK, LookPolicy, RequestPolicy, SendPolicy};
use crate::problem::make::MakeProblem;
use crate::problem::send::SendProblem as P;
use crate::reading::{Findings, nowhere, text_at};
use crate::vendor::{List, Side};

/// Refuses the keys of a plan that sends where the plan sends nothing.
pub(crate) fn refuse_policy(policy: &SendPolicy, findings: &mut Findings) {
    for key in policy.given() {
        findings.refuse(format!("skydeck.{key}"), P::OnlyForSending { key });
    }
}

/// Reads the target of a plan that sends.
pub(in crate::make) fn read(
    side: &Side<'_>,
    source: &Source,
    (policy, send, beside): (&MakePolicy, &SendPolicy, &dyn Beside),
    findings: &mut Findings,
) -> Target {
    let mut out = Target { verb: Verb::Send, ..nowhere() };
    for (key, given) in [("steps", policy.first.is_some()), ("link", policy.link.is_some())] {
        if given {
            findings.refuse(format!("skydeck.{key}"), P::NotForSending { key });
        }
    }
    for entry in side.asked.iter().filter(|entry| entry.list == List::OtherRequest && entry.value.is_some()) {
        findings.refuse(entry.at.clone(), P::OtherRequest { field: entry.field.clone() });
    }
    out.form = FormId::new(send.record.clone().unwrap_or_default());
    if send.record.is_none() {
        findings.refuse("skydeck.record", P::Missing { key: "record", example: "\"record\": \"order\"" });
    }
    let fields = tree(side, None, findings);
    if fields.is_empty() {
        findings.refuse(side.path("request"), MakeProblem::NoFields);
    }
    let before = findings.blocking.len();
    let sheets = table::read(&policy.tables, beside, findings);
    let unread = findings.blocking.len() > before;
    let tables: Vec<Table> = sheets.iter().map(|sheet| sheet.table.clone()).collect();
    let names = Names { source, tables: &tables };
    Check { names, unread, findings }.all(&fields, None);
    let tables = table::used(sheets, &find::wanted(&fields, None, names), findings);
    let (key, keyed) = key(side, &fields, policy, findings);
    let sending = sending(side, send, (&key, &fields), findings);
    if policy.probe.is_none() && send.look.is_some() {
        findings.note(
            "skydeck.look",
            "before a record was sent nothing is known to be there that a look could find: name one in skydeck.probe",
        );
    }
    // The system's own number is told by the answer; one that we choose has to come back in it.
    let number_path = match &sending.answer.no {
        Some(no) if *no == sending.answer.key => key.clone(),
        Some(no) => no.clone(),
        None => String::new(),
    };
    out.make = Some(Box::new(Make {
        mapping: Mapping { fields, tables },
        key,
        keyed,
        then: Vec::new(),
        compare: policy.compare.clone(),
        probe: policy.probe.clone(),
        id_path: sending.answer.id.clone().unwrap_or_default(),
        number_path,
        push: None,
        send: Some(Box::new(sending)),
    }));
    out
}

fn sending(side: &Side<'_>, send: &SendPolicy, (key, fields): (&str, &[Field]), findings: &mut Findings) -> Sending {
    let call = call(side, send.call.clone().unwrap_or_default(), findings);
    let missing = |key: &'static str, example: &'static str, findings: &mut Findings| {
        if !send.given().contains(&key) {
            findings.refuse(format!("skydeck.{key}"), P::Missing { key, example });
        }
    };
    missing("ok", "\"ok\": [[\"code\", \"eq\", \"0\"]]", findings);
    missing("answer", ANSWER, findings);
    missing("look", LOOK, findings);
    let ok = send.ok.clone().unwrap_or_default();
    let key_path = format!("$.{key}");
    let (names, said) = send.answer.clone().unwrap_or_default();
    if send.answer.is_some() && names.rows.is_none() {
        findings.refuse("skydeck.answer.rows", P::Missing { key: "answer.rows", example: ANSWER });
    }
    let answer = names.names(&key_path);
    let look = match &send.look {
        Some(given) => look(given.clone(), (&key_path, ok.clone()), findings),
        None => Search::default(),
    };
    token(&call, send, fields, findings);
    Sending { call, ok, said, answer, look, token: send.token.clone() }
}

/// What is called: method and path stand in the vendor's form, the rest in `skydeck.call`.
fn call(side: &Side<'_>, given: RequestPolicy, findings: &mut Findings) -> Request {
    let api = side.api.clone().unwrap_or_default();
    let path = given.path.clone().or_else(|| url_path(&api, &side.path("api"), findings)).unwrap_or_default();
    let written = text_at(side.raw.get("method"));
    let written = written.and_then(|written| method(&written, &side.path("method"), findings));
    let method = given.method.clone().or(written).unwrap_or_else(|| "POST".to_owned());
    if method == "GET" {
        findings.refuse(side.path("method"), P::Method { value: method.clone() });
    }
    let request = request(given, method, path);
    let holes = holes(&request);
    for name in holes.iter().filter(|name| !matches!(name.as_str(), "key" | "body")) {
        findings.refuse("skydeck.call", P::Hole { name: name.clone() });
    }
    if let Some(body) = &request.body {
        let n = body.matches("\"{{body}}\"").count();
        if n != 1 || holes.iter().filter(|name| *name == "body").count() != 1 {
            findings.refuse("skydeck.call.body", P::BodyHole { n });
        }
    } else if holes.iter().any(|name| name == "body") {
        findings.refuse("skydeck.call", P::BodyHole { n: 0 });
    }
    request
}

fn request(given: RequestPolicy, method: String, path: String) -> Request {
    let RequestPolicy { query, headers, body, form, .. } = given;
    Request { method, path, query, headers, body, form }
}

fn look(
    given: LookPolicy,
    (key_path, ok): (&str, Vec<skydeck_core::domain::sending::Check>),
    findings: &mut Findings,
) -> Search {
    let LookPolicy { request: asked, names, ok: own, absent, absent_status, pages, lag_secs } = given;
    if names.rows.is_none() {
        findings.refuse("skydeck.look.rows", P::Missing { key: "look.rows", example: LOOK });
    }
    if asked.path.is_none() {
        findings.refuse("skydeck.look.path", P::Missing { key: "look.path", example: LOOK });
    }
    let (method, path) =
        (asked.method.clone().unwrap_or_else(|| "GET".to_owned()), asked.path.clone().unwrap_or_default());
    let request = request(asked, method, path);
    let holes = holes(&request);
    for name in holes.iter().filter(|name| !matches!(name.as_str(), "key" | "page")) {
        findings.refuse("skydeck.look", P::Hole { name: name.clone() });
    }
    let has = |hole: &str| holes.iter().any(|name| name == hole);
    if !has("key") && pages.is_none() {
        findings.refuse("skydeck.look", P::NoKeyHole);
    }
    if pages.is_some() && !has("page") {
        findings.refuse("skydeck.look.pages", P::NoPageHole);
    }
    if has("page") && pages.is_none() {
        findings.refuse("skydeck.look", P::Hole { name: "page".to_owned() });
    }
    if request.method == "GET" && request.body.is_some() {
        findings.refuse("skydeck.look.body", P::GetWithBody);
    }
    let ok = own.unwrap_or(ok);
    Search { request, ok, absent, absent_status, names: names.names(key_path), pages, lag_secs }
}

/// A token that is a field needs an object to stand in.
fn token(call: &Request, send: &SendPolicy, fields: &[Field], findings: &mut Findings) {
    let Some(Place::Field(name)) = send.token.as_ref().map(|token| &token.place) else { return };
    if call.body.as_ref().is_some_and(|body| !body.trim_start().starts_with('{')) {
        findings.refuse("skydeck.token", P::TokenInList);
    }
    if call.body.is_none() && fields.iter().any(|field| field.name.eq_ignore_ascii_case(name)) {
        findings.refuse("skydeck.token", MakeProblem::FieldTwice { name: name.clone() });
    }
}
