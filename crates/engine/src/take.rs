//! Records that are handed in: checked against their plan, and kept as facts.
//!
//! Invariant: all records of an order are kept or none; one whose newest body is the same is kept once.

use std::collections::HashMap;

use skydeck_core::domain::bounds;
use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::handed_in::HandedIn;
use skydeck_core::domain::ids::{Fid, PlanId, RecordKey};
use skydeck_core::domain::plan::{Origin, Plan};
use skydeck_core::domain::reason::{BadRecord, Reason};
use skydeck_plan::record::{self, Unfit, Whole};
use skydeck_store::actions::IDS;

use super::Inner;
use super::command_outcome::{About, CommandOutcome};

/// The id of a record: the field that the plan names, as text.
fn id_of(plan: &Plan, body: &str) -> Result<Fid, BadRecord> {
    record::whole(body).map_err(|why| match why {
        Whole::TooLong => BadRecord::TooLong(record::MOST_BYTES as u64),
        Whole::NotJson | Whole::NotAnObject => BadRecord::NotAnObject,
    })?;
    let field = &plan.source.id_path;
    let id = record::cell(body, field).map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| BadRecord::NoId(field.clone()))?;
    let paths: Vec<&str> = plan.source.columns.iter().map(|column| column.path.as_str()).collect();
    record::rows(body, &paths).map_err(|why| match why {
        Unfit::NotAnObject => BadRecord::NotAnObject,
        Unfit::TwoLists { one, other } => BadRecord::TwoLists { one, other },
    })?;
    let is_good = id.chars().nth(bounds::NUMBER).is_none() && !id.chars().any(char::is_control);
    if is_good { Ok(Fid::new(id)) } else { Err(BadRecord::BadId(bounds::NUMBER as u64)) }
}

impl Inner {
    /// Keeps records for a plan. `first`: which record of what was handed in the first of them is.
    pub(super) async fn take_records(
        &self,
        id: &PlanId,
        records: &[String],
        first: u64,
    ) -> Result<CommandOutcome, Refusal> {
        let (plan, env) = self.shared.usable(id)?;
        if plan.source.origin != Origin::HandedIn {
            return Err(Refusal::BadPlan(Reason::TakesNothing { plan: id.clone() }));
        }
        let (mut events, mut newest): (Vec<Event>, HashMap<Fid, String>) = (Vec::new(), HashMap::new());
        let mut ids = Vec::new();
        for (nth, body) in (first..).zip(records) {
            let bad = |why| Refusal::BadPlan(Reason::HandedInBad { nth, why });
            let fid = id_of(&plan, body).map_err(bad)?;
            let key = RecordKey { env: env.env.id.clone(), form: plan.source.form.clone(), fid };
            let record = HandedIn::new(id.clone(), key, record::compact(body));
            let known = match newest.get(&record.key.fid) {
                Some(hash) => Some(hash.clone()),
                None => self.shared.store.handed_in_of(id, &record.key).await?.map(|taken| taken.record.hash),
            };
            if known.as_ref() == Some(&record.hash) {
                continue;
            }
            newest.insert(record.key.fid.clone(), record.hash.clone());
            if ids.len() < IDS {
                ids.push(record.key.fid.to_string());
            }
            events.push(Event::HandedIn(Box::new(record)));
        }
        let about = About { env: Some(env.env.id.clone()), rev: Some(plan.rev.to_string()), ids, ..About::default() };
        Ok(CommandOutcome {
            plan: Some(id.clone()),
            bills: events.len() as u64,
            about,
            events,
            ..CommandOutcome::default()
        })
    }
}
