//! What is to be made of the records of a run: rendered from their rows, looked for, and frozen with the set.
//!
//! Invariant: a body is made before anybody approves, and what is sent is that body byte by byte; of a record of which none can
//! be made, and of two that would have one key, nothing is sent.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::ports::{FoundPage, PageQuery};
use skydeck_core::domain::bill::{Failure, Found, Rendered, Sight};
use skydeck_core::domain::cause::{Cause, known};
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::operation::Seen;
use skydeck_core::domain::plan::{Make, Origin};
use skydeck_core::domain::run::{BillRow, PauseWhy};
use skydeck_plan::make::{Bodies, BodyFault};
use skydeck_plan::render::RenderContext;

use super::bill_history::BillHistory;
use super::control::Stop;
use super::decide::{Case, Judgement, Moment, judge};
use super::looks::sight;
use super::pages::{Failed, Pages};
use super::realigned::Realigned;
use super::run_context::Making;
use super::runner::Runner;
use super::server_time::server_time;
use super::status_reads::{self, ReadFault};

/// Keys that two records of one set share and that are kept by name, at most.
const DOUBLES: usize = 1000;
/// Ids in one query of the source, at most.
const IDS: usize = 100;

/// What is known of the bodies of a set.
#[derive(Default)]
pub(super) struct ToMake {
    /// Each key in lower case, and whether its first record would be called.
    keys: HashMap<String, bool>,
    /// Keys that came again.
    pub doubles: Vec<String>,
    /// What the looks found, how often.
    pub sights: BTreeMap<Sight, u64>,
    /// Records of which no body could be made.
    pub unmade: u64,
    /// Fields that are sent and cannot be compared.
    pub not_compared: Vec<String>,
}

impl ToMake {
    /// Counts a record.
    pub fn count(&mut self, body: &Rendered) {
        match &body.fault {
            Some(_) => self.unmade += 1,
            None => *self.sights.entry(body.sight).or_insert(0) += 1,
        }
    }

    /// Takes note of the keys of records that come into the set. Gives how many calls will not be made because two records
    /// share a key.
    pub fn note(&mut self, bills: &[Found]) -> u64 {
        let bodies = bills.iter().filter_map(|found| found.body.as_deref()).filter(|body| !body.key.is_empty());
        bodies.map(|body| self.add(body)).sum()
    }

    fn add(&mut self, body: &Rendered) -> u64 {
        let key = body.key.trim().to_lowercase();
        let Some(first) = self.keys.insert(key.clone(), false) else {
            self.keys.insert(key, body.calls);
            return 0;
        };
        if self.doubles.len() < DOUBLES && !self.doubles.iter().any(|known| known.to_lowercase() == key) {
            self.doubles.push(body.key.trim().to_owned());
        }
        u64::from(first) + u64::from(body.calls)
    }
}

/// Why no body could be made for a record.
fn refused(fault: &BodyFault) -> Rendered {
    let failure = Failure {
        cause: Cause::new(known::MAPPING),
        msg_code: None,
        field: fault.field().map(str::to_owned),
        message: fault.to_string(),
    };
    Rendered { fault: Some(Box::new(failure)), ..Rendered::default() }
}

/// Why nothing is sent for a record of which a call left, and whose body was dropped since: what is there cannot be compared.
fn kept_no_longer() -> Failure {
    Failure { cause: Cause::new(known::BODY_GONE), msg_code: None, field: None, message: String::new() }
}

/// Why nothing is sent for a record whose key another one has.
pub(super) fn same_key(key: &str) -> Failure {
    Failure { cause: Cause::new(known::SAME_KEY), msg_code: None, field: None, message: key.to_owned() }
}

impl Runner {
    /// The records of a page with what is to be made of each, as it is found now.
    pub(super) async fn made_of(
        &mut self,
        page: FoundPage,
        context: Option<&RenderContext>,
    ) -> Result<FoundPage, Failed> {
        if self.run.plan.target.collects {
            let FoundPage { bills, raw_rows, rows } = page;
            // A record of one row has it in its columns.
            let with = |(found, lines): (Found, Vec<Vec<String>>)| match lines.len() {
                0 | 1 => found,
                _ => Found { lines, ..found },
            };
            return Ok(FoundPage {
                bills: bills.into_iter().zip(rows).map(with).collect(),
                raw_rows,
                rows: Vec::new(),
            });
        }
        let (Some(make), Some(context)) = (self.run.plan.target.make.clone(), context) else { return Ok(page) };
        let FoundPage { bills, raw_rows, rows } = page;
        let bills = {
            let plan = &self.run.plan;
            let columns: Vec<String> = plan.source.columns.iter().map(|c| c.key.clone()).collect();
            let maker = Bodies::new(&make, (&plan.source, &plan.target.form), context.clone(), &self.lookups);
            let of = |(found, rows): (Found, Vec<Vec<String>>)| {
                let body = match maker.of((&found.fid, &found.no), &rows, &columns) {
                    Ok(body) => Rendered {
                        key: body.key,
                        hash: body.hash,
                        body: Some(body.text),
                        quantity: body.quantity,
                        ..Rendered::default()
                    },
                    Err(fault) => refused(&fault),
                };
                Found { body: Some(Box::new(body)), ..found }
            };
            bills.into_iter().zip(rows).map(of).collect::<Vec<_>>()
        };
        Ok(FoundPage { bills: self.sighted(&make, bills).await?, raw_rows, rows: Vec::new() })
    }

    /// Looks for what is to be made of these records. The revision of each tells its body, too: where a mapping changed, the
    /// record did.
    async fn sighted(&mut self, make: &Make, bills: Vec<Found>) -> Result<Vec<Found>, Failed> {
        let text = |found: &Found| found.body.as_ref().and_then(|body| body.body.clone()).unwrap_or_default();
        let wanted: Vec<(Found, String)> =
            bills.iter().map(|found| (Found { columns: Vec::new(), ..found.clone() }, text(found))).collect();
        let mut n = 0;
        let seen = loop {
            match self.run.looking().of_bodies(make, &wanted).await {
                Ok(seen) => break seen,
                Err(fault) => self.again(&fault, n, false).await?,
            }
            n += 1;
        };
        Ok(bills.into_iter().map(|found| self.with_sight(found, &seen)).collect())
    }

    fn with_sight(&self, mut found: Found, seen: &HashMap<Fid, Found>) -> Found {
        let there = seen.get(&found.fid);
        let Some(body) = &mut found.body else { return found };
        if body.fault.is_none() {
            body.sight = sight(there);
        }
        body.calls = body.fault.is_none() && body.sight != Sight::Several && self.would_call(there);
        found.rev.state = Some(short(if body.hash.is_empty() { &body.key } else { &body.hash }));
        found
    }

    /// Whether a record would be called, for all that the look shows.
    fn would_call(&self, there: Option<&Found>) -> bool {
        let untouched = BillHistory::default();
        let rev = there.map(|found| found.rev.clone());
        let case = Case { approved: rev.as_ref(), ..self.run.case(Seen::of(there), &untouched, Moment::Before) };
        matches!(judge(&case), Judgement::Call(_))
    }

    /// Ledger rows as records whose bills are to be made. A record of which a call left keeps the body of that call: that is
    /// what may be there. Of the others the source is read again, and the body is made by the plan as it is now.
    pub(super) async fn read_made(&mut self, make: &Make, rows: &[BillRow]) -> Result<Vec<Found>, Failed> {
        let mut all = Vec::new();
        let mut anew = Vec::new();
        let mut kept = HashSet::new();
        let run = Arc::clone(&self.run);
        let mut realigned = Realigned::new(run.shared.store.as_ref(), &run.head);
        for row in rows {
            let fid = row.fid().clone();
            let Some(found) = self.run.shared.store.found(row.run, &fid).await? else { continue };
            let mut found = realigned.found(row.run, found).await?;
            let past = BillHistory::of(self.run.shared.store.as_ref(), &row.key, self.run.head.id).await?;
            let text = self.run.shared.store.body(row.run, &fid).await?;
            if let Some(body) = &mut found.body {
                if text.is_none() && body.fault.is_none() {
                    body.fault = Some(Box::new(kept_no_longer()));
                }
                body.body = text;
            }
            found.marked = None;
            let keeps = past.made.is_some() || past.open.is_some() || past.refused_call.is_some();
            // What a conversion is told is which record: the same of a record that was changed since.
            if keeps && (make.push.is_none() || past.made.is_some()) {
                all.push(found);
            } else if past.open.is_some() {
                kept.insert(found.fid.clone());
                anew.push(found);
            } else {
                anew.push(found);
            }
        }
        let read = self.read_source(&anew).await?;
        let (read, gone): (Vec<Found>, Vec<Found>) = anew
            .into_iter()
            .map(|old| match read.get(&old.fid) {
                Some(found) => (found.clone(), true),
                None => (Found { absent: !kept.contains(&old.fid), ..old }, false),
            })
            .fold((Vec::new(), Vec::new()), |(mut read, mut gone), (found, is_there)| {
                if is_there {
                    read.push(found)
                } else {
                    gone.push(found)
                }
                (read, gone)
            });
        let mut all = self.sighted(make, all).await?;
        all.extend(read);
        all.extend(gone);
        Ok(all)
    }

    /// Records of the source by their ids, with what is to be made of each.
    async fn read_source(&mut self, wanted: &[Found]) -> Result<HashMap<Fid, Found>, Failed> {
        let now = self.run.shared.clock.now();
        let env = self.run.source().map_err(Failed::Erp)?;
        if let Some(why) = env.astray() {
            return Err(Failed::Erp(why));
        }
        let (server_now, zone_minutes) = match server_time(&env, now) {
            Ok(time) => time,
            Err(refusal) => return Err(Failed::Erp(refusal.reason().clone())),
        };
        let page_size = self.run.plan.policy.page_size;
        let context = RenderContext { last_sync: None, now: server_now, zone_minutes, page_size, open: false };
        if self.run.plan.source.origin == Origin::HandedIn {
            return self.read_handed_in(wanted, &context).await;
        }
        if self.run.plan.source.origin.feed().is_some() {
            return self.read_listed(&env, wanted, &context).await;
        }
        let mut read = HashMap::with_capacity(wanted.len());
        for chunk in wanted.chunks(IDS) {
            let ids: Vec<&str> =
                chunk.iter().map(|found| found.fid.as_str()).filter(|id| Fid::new(*id).is_callable()).collect();
            if ids.is_empty() {
                continue;
            }
            let literal = |id: &&str| if Fid::new(*id).is_number() { (*id).to_owned() } else { format!("'{id}'") };
            let ids = ids.iter().map(literal).collect::<Vec<_>>().join(",");
            let filter = format!("{} in ({ids})", self.run.plan.source.id_path);
            let (mut query, mut pages) = (PageQuery { filter, ..self.page_query() }, Pages::default());
            loop {
                let page = self.fetch(&env, &query).await?;
                let page = self.made_of(page, Some(&context)).await?;
                let Some(page) = pages.next(page, &mut query)? else { break };
                read.extend(page.into_iter().map(|found| (found.fid.clone(), found)));
            }
        }
        Ok(read)
    }

    /// A look that finds nothing must be able to find something: checked before anything rests on it.
    pub(super) async fn prove_looks(&mut self) -> Result<(), Failed> {
        if !self.run.op.key.makes() {
            return Ok(());
        }
        let mut n = 0;
        loop {
            match self.run.looking().proves().await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(why)) => return Err(Failed::Erp(why)),
                Err(fault) => self.again(&fault, n, true).await?,
            }
            n += 1;
        }
    }

    /// What a run that makes bills has to know before its first call: that its looks prove something, which keys two of its
    /// records share, and whether the form is known to keep the numbers that are sent.
    pub(super) async fn ready_to_make(&mut self) -> Result<(), Stop> {
        if !self.run.op.key.makes() {
            return Ok(());
        }
        let mut n = 0;
        loop {
            match self.run.looking().proves().await {
                Ok(Ok(())) => break,
                Ok(Err(why)) => return Err(Stop::Pause(PauseWhy::Stopped(why), None)),
                Err(fault) => match status_reads::on_fault(&fault, &self.run.shared.causes) {
                    ReadFault::Stop(why) => return Err(Stop::Pause(why, None)),
                    ReadFault::Again if n + 1 >= status_reads::READ_TRIES => {
                        return Err(Stop::Pause(PauseWhy::Unreachable(status_reads::unread(&fault)), None));
                    }
                    ReadFault::Again => self.wait(status_reads::pause_before(&fault, n)).await?,
                },
            }
            n += 1;
        }
        let row = self.run.shared.store.run(self.run.head.id).await?;
        let doubles = row.and_then(|row| row.collected).map(|collected| collected.doubles).unwrap_or_default();
        let doubles = doubles.into_iter().map(|key| key.to_lowercase()).collect();
        let (env, form) = (self.run.head.env.clone(), self.run.plan.target.form.clone());
        let own = self.run.plan.target.make.as_deref().is_some_and(Make::is_own_number);
        let made = self.run.shared.store.last_made(&env, &form).await?;
        let honoured = !own || made.is_some_and(|made| made.no.trim().eq_ignore_ascii_case(made.key.trim()));
        // Found out once a task: a later pass finds the same.
        let _ = self.run.making.set(Making { honoured: AtomicBool::new(honoured), doubles });
        Ok(())
    }
}

/// The first 64 bits of a hash in hex, or of any other text.
fn short(hash: &str) -> u64 {
    u64::from_str_radix(hash.get(..16).unwrap_or_default(), 16).unwrap_or_default()
}
