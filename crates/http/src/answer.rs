//! The answer to a read: asked for once, once more under a new token where the one before was lost, and read by the tests that
//! the plan gives.
//!
//! Invariant: an answer is used only where the plan's tests take it; what says that it is none is a fault with its evidence.

use serde_json::Value;

use skydeck_core::domain::sending::{Check, Request};
use skydeck_engine::ports::{Fault, FaultKind};
use skydeck_kingdee::evidence;
use skydeck_kingdee::transport::{CallKind, HttpReply};

use super::client::HttpErp;
use super::outgoing::{Holes, Outgoing};
use super::said::{excerpt, words};
use super::token::Access;
use super::tree::{Checked, check, read, rows};

/// A read, and how its answer is understood.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    /// What it is called in faults.
    pub what: &'static str,
    pub request: &'a Request,
    /// All hold: the answer can be read.
    pub ok: &'a [Check],
    /// Path of the system's words.
    pub said: Option<&'a str>,
    /// All hold, where there are any: nothing is there.
    pub absent: &'a [Check],
    /// Statuses that say so.
    pub absent_status: &'a [u16],
    pub kind: CallKind,
}

/// Why an answer cannot be used.
enum Unusable {
    /// The system does not know the token any more.
    Lost(Fault),
    Fault(Fault),
}

impl Unusable {
    fn with(self, change: impl Fn(Fault) -> Fault) -> Self {
        match self {
            Self::Lost(fault) => Self::Lost(change(fault)),
            Self::Fault(fault) => Self::Fault(change(fault)),
        }
    }
}

impl HttpErp {
    /// The answer to one read; a token that was lost is fetched anew once. `None`: the system says that nothing is there.
    pub(super) async fn answer(&self, asking: &Asking<'_>, holes: Holes<'_>) -> Result<Option<Value>, Fault> {
        let access = self.ready().await?;
        match self.answer_once(asking, holes, &access).await {
            Ok(tree) => Ok(tree),
            Err(Unusable::Fault(fault)) => Err(fault),
            Err(Unusable::Lost(_)) => {
                self.token_lost(&access);
                let access = self.ready().await?;
                match self.answer_once(asking, holes, &access).await {
                    Ok(tree) => Ok(tree),
                    Err(Unusable::Fault(fault)) => Err(fault),
                    Err(Unusable::Lost(fault)) => {
                        self.refuse(&fault);
                        Err(fault)
                    }
                }
            }
        }
    }

    async fn answer_once(
        &self,
        asking: &Asking<'_>,
        holes: Holes<'_>,
        access: &Access,
    ) -> Result<Option<Value>, Unusable> {
        let out = Outgoing::of(asking.request, holes);
        let out = out.map_err(|why| Unusable::Fault(self.fault(FaultKind::Config, asking.what, &why)))?;
        let (sent, answer) = self.exchange(out, access, asking.kind).await;
        let with_evidence = |fault: Fault| Fault {
            evidence: Some(Box::new(evidence::of(&sent, &answer, evidence::KEPT_OF_READS))),
            ..fault
        };
        match &answer {
            Err(fault) => Err(Unusable::Fault(with_evidence(self.transport_fault(asking.what, fault)))),
            Ok(reply) => self.of_reply(asking, reply).map_err(|why| why.with(with_evidence)),
        }
    }

    /// What an answer says as a whole.
    fn of_reply(&self, asking: &Asking<'_>, reply: &HttpReply) -> Result<Option<Value>, Unusable> {
        let what = asking.what;
        let redactor = self.redactor();
        let tree = read(&reply.body, &redactor);
        let text = || excerpt(&redactor.text(&String::from_utf8_lossy(&reply.body)));
        let fault = |kind: FaultKind, why: &str| Unusable::Fault(self.fault(kind, what, why));
        if self.is_lost(reply.status, tree.as_ref().ok()) {
            let why = format!("the system does not know us: HTTP {}: {}", reply.status, text());
            return Err(Unusable::Lost(self.fault(FaultKind::Credentials, what, &why)));
        }
        if asking.absent_status.contains(&reply.status) {
            return Ok(None);
        }
        match (reply.status, tree) {
            (401, _) => {
                let fault = self.fault(FaultKind::Credentials, what, &format!("HTTP 401: {}", text()));
                self.refuse(&fault);
                Err(Unusable::Fault(fault))
            }
            (200..=299, Ok(tree)) => self.of_tree(asking, tree),
            (200..=299, Err(why)) => Err(fault(FaultKind::Unreadable, &why.to_string())),
            (400 | 403 | 422, Ok(tree)) => Err(Unusable::Fault(self.refusal(what, &words(&tree, asking.said)))),
            (status, _) => {
                let slow = Fault {
                    retry_after: reply.retry_after(),
                    ..self.fault(FaultKind::Http(status), what, &format!("HTTP {status}: {}", text()))
                };
                Err(Unusable::Fault(slow))
            }
        }
    }

    fn of_tree(&self, asking: &Asking<'_>, tree: Value) -> Result<Option<Value>, Unusable> {
        if !asking.absent.is_empty() && check(&tree, asking.absent) == Checked::Holds {
            return Ok(None);
        }
        match check(&tree, asking.ok) {
            Checked::Holds => Ok(Some(tree)),
            Checked::Fails(..) => Err(Unusable::Fault(self.refusal(asking.what, &words(&tree, asking.said)))),
            Checked::Unclear(path) => {
                let why = format!("the answer cannot be read: nothing, or several, at {path}");
                Err(Unusable::Fault(self.fault(FaultKind::Unreadable, asking.what, &why)))
            }
        }
    }

    /// The records that an answer shows.
    pub(super) fn records(&self, asking: &Asking<'_>, tree: &Value, path: &str) -> Result<Vec<Value>, Fault> {
        let Some(rows) = rows(tree, path) else {
            let why = format!("the answer shows no list of records at {path}");
            return Err(self.fault(FaultKind::Unreadable, asking.what, &why));
        };
        Ok(rows.into_iter().cloned().collect())
    }
}
