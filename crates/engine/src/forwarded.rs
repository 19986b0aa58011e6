//! Where an order is carried out: here, or by the machine that has its run; and what others ask of this one.
//!
//! Invariant: whoever gave an order is told what became of it, that nothing is done, or that it is not known; roles are those of the
//! machine where it was given, everything else is checked where the run is.

use std::sync::{Arc, Weak};
use std::time::Duration;

use skydeck_core::domain::access::Role;
use skydeck_core::domain::command::{Command, Order, Receipt, Refusal};
use skydeck_core::domain::event::{ActionEntry, Event};
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::reason::Reason;
use skydeck_store::actions::Phase;
use skydeck_store::hosts::{Forwarded, FromAfar};

use super::Inner;
use super::authorize::{Given, audit_record};
use super::command_outcome::{About, CommandOutcome};
use super::control::Shared;
use super::plans::Silent;

/// Until a store that did not answer is asked for orders again.
const AGAIN: Duration = Duration::from_secs(1);

/// The run that an order is about, where another machine may have it.
fn run_of(command: &Command) -> Option<RunId> {
    match command {
        Command::Approve { run, .. }
        | Command::Decline { run }
        | Command::Pause { run }
        | Command::Resume { run }
        | Command::Cancel { run } => Some(*run),
        Command::Start { .. }
        | Command::Take { .. }
        | Command::Retry { .. }
        | Command::Verify { .. }
        | Command::Resolve { .. }
        | Command::Reopen { .. }
        | Command::SetPace { .. }
        | Command::Unlock { .. }
        | Command::Lock { .. }
        | Command::AdoptServer { .. }
        | Command::Deny { .. }
        | Command::AcceptLog { .. }
        | Command::Evict { .. }
        | Command::ReloadPlans => None,
    }
}

/// A refusal of another machine: where it is about that machine and not about the run, its name is said.
fn there(host: &str, refusal: Refusal) -> Refusal {
    let of = |why: Reason| Reason::OnHost { host: host.to_owned(), why: Box::new(why) };
    match refusal {
        Refusal::Denied(why) => Refusal::Denied(of(why)),
        Refusal::BadPlan(why) => Refusal::BadPlan(of(why)),
        Refusal::Store(why) => Refusal::Store(of(why)),
        Refusal::WrongState(why @ (Reason::BreakerOpen { .. } | Reason::EngineEnds {})) => Refusal::WrongState(of(why)),
        other => other,
    }
}

impl Inner {
    /// Takes or refuses one order of this machine, or has the one that has its run do so.
    pub(super) async fn order(self: &Arc<Self>, order: Order) -> Receipt {
        if let Some(receipt) = super::lock(&self.receipts).get(order.id) {
            return receipt;
        }
        let forwarded = match self.placed(order.clone()).await {
            Ok(placed) => self.forward(&placed).await.map(|receipt| (placed, receipt)),
            Err(refusal) => Err(refusal),
        };
        match forwarded {
            Ok((_, Some(receipt))) => {
                super::lock(&self.receipts).put(order.id, receipt.clone());
                receipt
            }
            Ok((placed, None)) => self.order_here(placed, Given::Here).await,
            Err(refusal) => {
                self.log_refused(&order, &refusal).await;
                Receipt::Refused(refusal)
            }
        }
    }

    /// The same for an order that another machine's user may give, as that machine says.
    pub(super) async fn order_from_afar(self: &Arc<Self>, order: Order, role: Role) -> Receipt {
        self.order_here(order, Given::Elsewhere(role)).await
    }

    /// One at a time, so that two cannot pass the same check.
    async fn order_here(self: &Arc<Self>, order: Order, from: Given) -> Receipt {
        if let Some(receipt) = super::lock(&self.receipts).get(order.id) {
            return receipt;
        }
        // For somebody who may not give it nothing is read.
        let may = self.acceptable(&order, from).is_ok();
        let fresh = if may { self.refresh_for(&order).await } else { Ok(Silent::default()) };
        let _one = self.one_order.lock().await;
        if let Some(receipt) = super::lock(&self.receipts).get(order.id) {
            return receipt;
        }
        let receipt = match self.take(&order, fresh, from).await {
            Ok(taken) => self.carry_out(&order, taken).await,
            Err(refusal) => Err(refusal),
        };
        let receipt = match receipt {
            Ok(receipt) => receipt,
            // Every machine has the same clock: that another one was first is nothing that happened here.
            Err(refusal @ Refusal::WrongState(Reason::StartedElsewhere { .. })) => Receipt::Refused(refusal),
            Err(refusal) => {
                self.log_refused(&order, &refusal).await;
                Receipt::Refused(refusal)
            }
        };
        super::lock(&self.receipts).put(order.id, receipt.clone());
        receipt
    }

    /// Adds where an order was given, and by which person.
    pub(super) async fn placed(&self, mut order: Order) -> Result<Order, Refusal> {
        if let Some(hosts) = self.shared.store.hosts() {
            order.by.host = Some(hosts.name().to_owned());
            order.by.person = hosts.person(order.by.uid).await?;
        }
        Ok(order)
    }

    /// Gives an order to the machine that has its run; nothing where that is this one, or none.
    pub(super) async fn forward(&self, order: &Order) -> Result<Option<Receipt>, Refusal> {
        let (Some(hosts), Some(run)) = (self.shared.store.hosts(), run_of(&order.command)) else { return Ok(None) };
        let has = hosts.elsewhere().await?.into_iter().find(|(other, host)| *other == run && !host.is_empty());
        let Some((_, host)) = has else { return Ok(None) };
        self.acceptable(order, Given::Here)?;
        self.allowed(order, Given::Here).await?;
        self.log_allows(&order.command)?;
        // The one that has the run asks it again, by what the environment is there.
        let role = self.shared.access.role(order.by.uid).unwrap_or(Role::Viewer);
        let row = self.shared.open_run(run).await?;
        let about = About { env: Some(row.head.env.clone()), rev: Some(row.head.rev.to_string()), ..About::default() };
        let plan = Some(row.head.plan.clone());
        let of = CommandOutcome { run: Some(run), plan: plan.clone(), about, ..CommandOutcome::default() };
        let line = self.shared.log(audit_record(order, Phase::Before, &of, String::new())).await?;
        let entry = ActionEntry {
            order: None,
            by: order.by.clone(),
            verb: order.command.verb().to_owned(),
            run: Some(run),
            plan,
            bills: 0,
            reason: None,
            result: format!("accepted; handed to {host}"),
            line: Some(line),
            why: None,
        };
        self.shared.ledger.append(vec![Event::ActionTaken(Box::new(entry))]).await?;
        let (said, receipt) = match hosts.forward(run, order, role).await? {
            Forwarded::Nobody => return Ok(None),
            Forwarded::Answered { host, receipt: Receipt::Refused(refusal) } => {
                let refusal = there(&host, refusal);
                (format!("refused by {host}: {refusal}"), Receipt::Refused(refusal))
            }
            Forwarded::Answered { host, receipt } => (format!("accepted by {host}"), receipt),
            Forwarded::NotTaken { host } => {
                let refusal = Refusal::WrongState(Reason::OrderNotTaken { run, host });
                (refusal.to_string(), Receipt::Refused(refusal))
            }
            Forwarded::Unanswered { host } => {
                let refusal = Refusal::WrongState(Reason::OrderUnanswered { run, host });
                (refusal.to_string(), Receipt::Refused(refusal))
            }
        };
        self.log_after(audit_record(order, Phase::After, &of, said)).await;
        Ok(Some(receipt))
    }
}

/// Carries out what other machines ask of this one, for as long as the engine lives.
pub(super) async fn obey(shared: Arc<Shared>, owner: Weak<Inner>) {
    while let Some(hosts) = shared.store.hosts() {
        let orders = match hosts.orders().await {
            Ok(orders) => orders,
            Err(error) => {
                tracing::warn!(%error, "orders of other machines cannot be looked for now");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        for FromAfar { id, order } in orders {
            let Some(inner) = owner.upgrade() else { return };
            let receipt = if let Some((order, role)) = order {
                inner.order_from_afar(order, role).await
            } else {
                let host = hosts.name().to_owned();
                Receipt::Refused(Refusal::WrongState(Reason::OlderProgram { host }))
            };
            if let Err(error) = hosts.answer(id, &receipt).await {
                tracing::warn!(order = %id, %error, "another machine is not told what became of its order");
            }
        }
    }
}
