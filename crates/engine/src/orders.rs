//! Orders: checked, written to the action log, then carried out. The same guards for every door.
//!
//! Invariant: nothing is done before its line in the action log is durable; the same id twice does nothing twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::api::Notice;
use skydeck_core::domain::command::{Command, Order, Receipt, Refusal, Selection, StartParams};
use skydeck_core::domain::event::{ActionEntry, Event};
use skydeck_core::domain::ids::{EnvId, FormId, PlanId, RunId};
use skydeck_core::domain::listed;
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::range::Range;
use skydeck_core::domain::reason::{LeftOut, Reason};
use skydeck_core::domain::run::{DueTime, Revision, RunHead, RunKind};
use skydeck_core::domain::who::Who;
use skydeck_core::text::readable;
use skydeck_plan::render::{self, RenderContext, RenderError, feed};
use skydeck_store::actions::{IDS, Phase};

use super::Inner;
use super::authorize::{Given, audit_record, ids, with_reason};
use super::collect::{self, Floor, What};
use super::command_outcome::{About, CommandOutcome, OnCommit, bad_plan};
use super::control::Shared;
use super::dispatch::Dispatch;
use super::plans::Silent;
use super::revision::{self, Group};
use super::run_commands::Approval;
use super::runner::Job;
use super::scope;
use super::select::{self, Selected};
use super::server_time::server_time;
use super::servers;
use super::tasks::Work;

/// A run to be opened, and what it collects.
type NewRun = (RunHead, Arc<Plan>, Arc<Dispatch>, What);

/// Entries of another form or environment than the plan's.
fn not_here(group: &Group) -> Refusal {
    let (plan, form, env) = (group.plan.clone(), group.form.clone(), group.env.clone());
    Refusal::BadPlan(Reason::NotHere { plan, form, env })
}

/// A query of a plan that cannot be rendered.
pub(super) fn unrendered(error: &RenderError) -> Refusal {
    Refusal::BadPlan(Reason::PlanProblem { said: error.to_string(), zh: Some(error.in_chinese()) })
}

impl Inner {
    pub(super) async fn carry_out(
        self: &Arc<Self>,
        order: &Order,
        mut taken: CommandOutcome,
    ) -> Result<Receipt, Refusal> {
        let line = self.shared.log(audit_record(order, Phase::Before, &taken, String::new())).await?;
        let result = if taken.note.is_empty() { "accepted".to_owned() } else { format!("accepted; {}", taken.note) };
        let entry = ActionEntry {
            order: taken.instead.is_none().then_some(order.id),
            by: order.by.clone(),
            verb: order.command.verb().to_owned(),
            run: taken.run,
            plan: taken.plan.clone(),
            bills: taken.bills,
            reason: taken.reason.clone(),
            result: result.clone(),
            line: Some(line),
            why: None,
        };
        let mut events = std::mem::take(&mut taken.events);
        events.insert(0, Event::ActionTaken(Box::new(entry)));
        self.shared.ledger.append(events).await?;
        for group in std::mem::take(&mut taken.more) {
            self.shared.ledger.append(group).await?;
        }
        if let Some(on_commit) = taken.on_commit.take() {
            on_commit(self);
        }
        let after = audit_record(order, Phase::After, &taken, result);
        let after = match &taken.instead {
            Some(refusal) => with_reason(after, refusal.reason()),
            None => after,
        };
        let receipt = match taken.instead.take() {
            Some(refusal) => Receipt::Refused(refusal),
            None => Receipt::Accepted { run: taken.run, more: std::mem::take(&mut taken.also), bills: taken.bills },
        };
        self.log_after(after).await;
        Ok(receipt)
    }

    pub(super) async fn take(
        self: &Arc<Self>,
        order: &Order,
        fresh: Result<Silent, Refusal>,
        from: Given,
    ) -> Result<CommandOutcome, Refusal> {
        if self.closing.load(Ordering::SeqCst) {
            return Err(Refusal::WrongState(Reason::EngineEnds {}));
        }
        if let Some(error) = self.shared.ledger.failed() {
            return Err(error.into());
        }
        self.acceptable(order, from)?;
        if self.shared.store.hosts().is_some() {
            // Other machines note that, too.
            self.shared.remember_servers().await?;
        }
        self.allowed(order, from).await?;
        self.log_allows(&order.command)?;
        let (silent, by) = (fresh?, &order.by);
        match &order.command {
            Command::Start { plan, params } => {
                silent.check(plan)?;
                self.start_run(plan, params, order).await
            }
            Command::Retry { selection, revision } => {
                self.run_of_entries(RunKind::Retry, selection, *revision, order, &silent).await
            }
            Command::Verify { selection } => {
                self.run_of_entries(RunKind::Verify, selection, Revision::Newest, order, &silent).await
            }
            Command::Approve { run, hash, typed, flags, reason } => {
                let (typed, reason) = (typed.as_deref(), reason.as_deref().and_then(readable));
                self.approve(*run, Approval { hash, typed, flags, reason, by }, order.headless).await
            }
            Command::Decline { run } => self.decline(*run).await,
            Command::Pause { run } => self.pause(*run, by).await,
            Command::Resume { run } => self.resume(*run, order).await,
            Command::Cancel { run } => self.cancel(*run, by).await,
            Command::SetPace { env, per_minute, concurrency } => self.set_pace(env, *per_minute, *concurrency, by),
            Command::Reopen { keys, reason } => self.reopen(keys, reason, by).await,
            Command::AdoptServer { env, reason } => self.adopt_server(env, reason, by),
            Command::AcceptLog { reason } => self.accept_log(reason).await,
            Command::Resolve { selection, reason } => self.resolve(selection, reason, by).await,
            Command::Evict { host, reason } => self.evict(*host, reason).await,
            Command::Unlock { env, reason } => self.unlock(env, reason, order),
            Command::Lock { env } => self.relock(env),
            Command::Take { plan, records, first } => {
                silent.check(plan)?;
                self.take_records(plan, records, *first).await
            }
            Command::Deny { alarm } => self.deny(alarm, by),
            Command::ReloadPlans => {
                let on_commit: OnCommit = Box::new(|inner| inner.shared.ledger.tell(&Notice::PlansReloaded));
                Ok(CommandOutcome { on_commit: Some(on_commit), ..CommandOutcome::default() })
            }
        }
    }

    async fn start_run(&self, id: &PlanId, params: &StartParams, order: &Order) -> Result<CommandOutcome, Refusal> {
        let by = &order.by;
        listed::check(&params.numbers).map_err(Refusal::BadPlan)?;
        let (plan, env) = self.shared.usable(id)?;
        if by.is_schedule() && env.env.production && !plan.policy.schedule.as_ref().is_some_and(|s| s.production) {
            return Err(Refusal::BadPlan(Reason::OffInProduction { plan: id.clone() }));
        }
        if let (Some(hosts), Some(due)) = (self.shared.store.hosts(), params.due)
            && hosts.is_started(id, DueTime { at: due, remedy: params.remedy }).await?
        {
            return Err(Refusal::WrongState(Reason::StartedElsewhere { plan: id.clone() }));
        }
        // Where another machine's sign-in was refused, trying again is a person's order: too many lock the user.
        if by.is_schedule()
            && let Some(why @ Reason::SignInRefused { .. }) = env.why_held().await?
        {
            return Err(Refusal::WrongState(Reason::BreakerOpen { env: env.env.id.clone(), why: Box::new(why) }));
        }
        self.shared.idle(id)?;
        // Said before anything is read: nobody could approve what it finds.
        if !plan.target.collects {
            env.env.allows(&plan.target.verb).map_err(Refusal::BadPlan)?;
        }
        let run = self.run_of_plan((plan, env), params, by, order.headless).await?;
        self.opening(vec![run], 0, params.words()).await
    }

    /// What a fresh run of a plan is, and what it collects.
    pub(super) async fn run_of_plan(
        &self,
        (plan, env): (Arc<Plan>, Arc<Dispatch>),
        params: &StartParams,
        by: &Who,
        headless: bool,
    ) -> Result<NewRun, Refusal> {
        self.shared.may_open(&env).await?;
        self.shared.resolves(&plan).await?;
        let (plan_id, env_id) = (plan.id.clone(), env.env.id.clone());
        let mark = self.shared.store.mark(&plan_id, &env_id).await?;
        let now = self.shared.clock.now();
        let source = self.shared.feeder(&plan)?;
        let was = mark.as_ref().and_then(|mark| mark.clock.as_ref());
        let clock = source.as_ref().unwrap_or(&env).erp_clock_beside(now, was);
        let floor = collect::floor(&plan, mark.as_ref(), params, now, clock.as_ref()).map_err(Refusal::BadPlan)?;
        if let Some(source) = &source {
            if plan.target.make.is_some() {
                self.shared.may_open(source).await?;
            } else if let Some(why) = source.astray() {
                return Err(Refusal::Denied(why));
            }
        }
        let (server_now, zone_minutes) = server_time(source.as_ref().unwrap_or(&env), now)?;
        let context = RenderContext {
            last_sync: floor.since.clone(),
            now: server_now,
            zone_minutes,
            page_size: plan.policy.page_size,
            open: false,
        };
        let from = source.as_ref().unwrap_or(&env);
        if !from.env.system.gives(&plan.source.origin) {
            let (env, lists) = (from.env.id.clone(), plan.source.origin.feed().is_some());
            return Err(Refusal::BadPlan(Reason::OtherSource { env, lists }));
        }
        let filter = if let Some(feed) = plan.source.origin.feed() {
            feed::request(feed, &context).map_err(|e| unrendered(&e))?.shown()
        } else if params.remedy {
            let remedy = render::remedy_filter(&plan, &context).map_err(|e| unrendered(&e))?;
            remedy.ok_or_else(|| Refusal::BadPlan(Reason::NoRemedy { plan: plan.id.clone() }))?
        } else {
            render::filter(&plan, &context).map_err(|e| unrendered(&e))?
        };
        let floor = Floor { scopes: scope::of(&context), ..floor };
        let range = Range::of(params, &plan);
        let due = params.due.map(|at| DueTime { at, remedy: params.remedy });
        let head = RunHead { filter, range, due, ..self.head(RunKind::Fresh, &plan, &env, by, headless)? };
        Ok((head, plan, env, What::Query(Box::new(floor), params.clone(), source)))
    }

    async fn run_of_entries(
        &self,
        kind: RunKind,
        selection: &Selection,
        revision: Revision,
        order: &Order,
        silent: &Silent,
    ) -> Result<CommandOutcome, Refusal> {
        let mut selected = self.select(selection, kind == RunKind::Verify).await?;
        if kind == RunKind::Verify {
            selected.keep_called();
        }
        let rows = std::mem::take(&mut selected.rows);
        let groups = revision::groups(self.shared.store.as_ref(), rows, revision).await?;
        let mut held: BTreeMap<EnvId, Reason> = BTreeMap::new();
        for env in &self.shared.envs {
            if groups.iter().any(|group| group.env == env.env.id) {
                held.extend(self.shared.held(env).await?.map(|why| (env.env.id.clone(), why)));
            }
        }
        let single = groups.len() == 1;
        let (mut runs, mut bills) = (Vec::new(), 0);
        let (mut named, mut noted) = (Vec::new(), Vec::new());
        let mut opened: Vec<PlanId> = Vec::new();
        for group in groups {
            if revision == Revision::Original && group.rev.is_none() {
                selected.leave_many(LeftOut::RunUnknown, group.rows.len());
                continue;
            }
            if opened.contains(&group.plan) && group.rev.is_some() {
                selected.leave_many(LeftOut::OtherRevision, group.rows.len());
                continue;
            }
            let mut usable = self.usable(kind, &group, &held, silent).await;
            if opened.contains(&group.plan) {
                usable = usable.and(Err(not_here(&group)));
            }
            let Group { plan: id, rev, rows, .. } = group;
            match usable {
                Ok((plan, env)) => {
                    let of = rows.first().map(|r| r.run).filter(|run| rows.iter().all(|r| r.run == *run));
                    let head = RunHead { of, revision, ..self.head(kind, &plan, &env, &order.by, order.headless)? };
                    if rev.is_some() {
                        noted.push(format!("{id} under its original revision {}", plan.rev.short()));
                    }
                    bills += rows.len() as u64;
                    opened.push(id);
                    named.extend(ids(&rows));
                    runs.push((head, plan, env, What::Entries(rows)));
                }
                Err(refusal) if single => return Err(refusal),
                Err(Refusal::Denied(_)) => selected.leave_many(LeftOut::OtherServer, rows.len()),
                Err(_) => selected.leave_many(LeftOut::PlanBusy, rows.len()),
            }
        }
        noted.extend(Some(selected.words()).filter(|words| !words.is_empty()));
        let words = noted.join("; ");
        if runs.is_empty() {
            return Err(Refusal::Nothing(Reason::NothingMatches { left_out: selected.counts() }));
        }
        named.truncate(IDS);
        let taken = self.opening(runs, bills, words).await?;
        Ok(CommandOutcome { about: About { ids: named, ..taken.about }, ..taken })
    }

    /// The plan and the environment that a run over these entries would have, unless something stands against it.
    async fn usable(
        &self,
        kind: RunKind,
        group: &Group,
        held: &BTreeMap<EnvId, Reason>,
        silent: &Silent,
    ) -> Result<(Arc<Plan>, Arc<Dispatch>), Refusal> {
        let (plan, env) = self.shared.under(&group.plan, group.rev.as_ref()).await?;
        silent.check(&group.plan)?;
        self.shared.idle(&group.plan)?;
        // Who only reads back needs nothing of other plans: what was sent is kept.
        if kind == RunKind::Retry {
            env.env.allows(&plan.target.verb).map_err(Refusal::BadPlan)?;
            self.shared.resolves(&plan).await?;
        }
        let is = Operation::id_of(&plan.target);
        if is != group.op {
            let (plan, was) = (group.plan.clone(), group.op.clone());
            return Err(Refusal::BadPlan(Reason::OtherOperation { plan, was, is }));
        }
        if let Some(why) = held.get(&env.env.id) {
            return Err(Refusal::Denied(why.clone()));
        }
        let here = env.env.id == group.env && self.shared.record_form(&plan)? == group.form;
        here.then_some((plan, env)).ok_or_else(|| not_here(group))
    }

    /// The facts and tasks that open runs; the first one is the receipt's.
    async fn opening(&self, runs: Vec<NewRun>, bills: u64, note: String) -> Result<CommandOutcome, Refusal> {
        let first = runs.first().map(|(head, ..)| (head.id, head.plan.clone()));
        let also = runs.iter().skip(1).map(|(head, ..)| head.id).collect();
        let about = runs.first().map(|(head, ..)| About {
            env: Some(head.env.clone()),
            rev: Some(head.rev.to_string()),
            ..About::default()
        });
        // Records that are read elsewhere are known by the ids they have there: that server is bound, too.
        let sources = runs.iter().filter(|(_, plan, ..)| plan.target.make.is_some());
        let sources = sources.filter_map(|(_, plan, ..)| self.shared.feeder(plan).ok().flatten());
        let touched: Vec<Arc<Dispatch>> = runs.iter().map(|(_, _, env, _)| Arc::clone(env)).chain(sources).collect();
        let free = servers::unbound(touched.iter());
        let mut events: Vec<Event> = free.iter().map(|(env, server)| self.shared.bound(env, server, None)).collect();
        for (head, plan, ..) in &runs {
            events.push(Event::RunOpened(Box::new(self.shared.told(head, plan).await?)));
        }
        let knock = runs.iter().all(|(head, ..)| !head.by.is_schedule());
        let on_commit: OnCommit = Box::new(move |inner| {
            for (env, server) in free {
                env.bind(server);
            }
            for (head, plan, env, what) in runs {
                let headless = head.headless;
                let job = Job { head, plan, env, flags: Vec::new(), canary: false, headless, knock };
                inner.tasks.start(&inner.shared, job, Work::Collect(what));
            }
        });
        let (run, plan) = first.unzip();
        let about = about.unwrap_or_default();
        Ok(CommandOutcome {
            events,
            run,
            also,
            plan,
            bills,
            note,
            on_commit: Some(on_commit),
            about,
            ..CommandOutcome::default()
        })
    }

    fn head(&self, kind: RunKind, plan: &Plan, env: &Dispatch, by: &Who, headless: bool) -> Result<RunHead, Refusal> {
        Ok(RunHead {
            id: RunId(self.shared.ulid()),
            kind,
            plan: plan.id.clone(),
            name: plan.name.clone(),
            rev: plan.rev.clone(),
            env: env.env.id.clone(),
            production: env.env.production,
            form: self.shared.record_form(plan)?,
            columns: plan.source.columns.iter().map(|c| c.key.clone()).collect(),
            by: by.clone(),
            opened: self.shared.clock.now(),
            of: None,
            filter: String::new(),
            revision: Revision::Newest,
            op: Operation::id_of(&plan.target),
            server: Some(env.server()),
            range: None,
            headless,
            due: None,
            text: None,
        })
    }

    pub(super) async fn select(&self, selection: &Selection, quarantined: bool) -> Result<Selected, Refusal> {
        Ok(select::select(self.shared.store.as_ref(), selection, quarantined, self.shared.clock.now()).await?)
    }
}

impl Shared {
    /// A plan that can run, and the environment its bills are in.
    pub(super) fn usable(&self, id: &PlanId) -> Result<(Arc<Plan>, Arc<Dispatch>), Refusal> {
        let plan = self.current(id)?;
        let env = self.callable(&plan, false)?;
        Ok((plan, env))
    }

    /// A plan as last read.
    pub(super) fn current(&self, id: &PlanId) -> Result<Arc<Plan>, Refusal> {
        let plans = self.plans();
        let same = |entry: &&super::control::PlanEntry| match &entry.0 {
            Ok(plan) => plan.id == *id,
            Err(problem) => problem.id == *id,
        };
        match plans.iter().find(same) {
            Some((Ok(plan), _)) => Ok(Arc::clone(plan)),
            Some((Err(problem), _)) => Err(match &problem.reason {
                Some(reason) => Refusal::BadPlan((**reason).clone()),
                None => bad_plan(problem.clone()),
            }),
            None => Err(Refusal::NotFound(Reason::NoPlan { plan: id.clone() })),
        }
    }

    /// The environment a plan's bills are in, when what it calls can be read back there. `older`: not the newest revision.
    pub(super) fn callable(&self, plan: &Plan, older: bool) -> Result<Arc<Dispatch>, Refusal> {
        let env = self.named(&plan.id, plan.target_env.as_ref().or(plan.env.as_ref()))?;
        if let Some(operation) = Operation::of(plan).blind() {
            let (plan, operation, rev) = (plan.id.clone(), operation.to_owned(), older.then(|| plan.rev.clone()));
            return Err(Refusal::BadPlan(Reason::NoEffect { plan, operation, rev }));
        }
        // What is made is of another form, and is found by its key.
        if plan.target.form != plan.source.form && plan.target.make.is_none() {
            let (source, target) = (plan.source.form.clone(), plan.target.form.clone());
            return Err(Refusal::BadPlan(Reason::FormsDiffer { plan: plan.id.clone(), source, target }));
        }
        Ok(env)
    }

    /// The environment a plan queries, where it calls another one.
    pub(super) fn feeder(&self, plan: &Plan) -> Result<Option<Arc<Dispatch>>, Refusal> {
        let Some(target) = &plan.target_env else { return Ok(None) };
        let source = self.named(&plan.id, plan.env.as_ref())?;
        Ok((source.env.id != *target).then_some(source))
    }

    /// What a plan's records are called in keys: their form; with the environment it is read in, where what is made of them is
    /// made in another one ([`FormId::read_in`]).
    pub(super) fn record_form(&self, plan: &Plan) -> Result<FormId, Refusal> {
        let form = &plan.source.form;
        Ok(match self.feeder(plan)?.filter(|_| plan.target.make.is_some()) {
            Some(source) => form.read_in(&source.env.id),
            None => form.clone(),
        })
    }

    fn named(&self, plan: &PlanId, env: Option<&EnvId>) -> Result<Arc<Dispatch>, Refusal> {
        self.env(env).cloned().ok_or_else(|| match env {
            Some(env) => Refusal::NotFound(Reason::PlanNamesNoEnvironment { plan: plan.clone(), env: env.clone() }),
            None => Refusal::NotFound(Reason::NothingConfigured {}),
        })
    }
}
