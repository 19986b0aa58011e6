//! The client of verbs that only read the history: they need no secret and no network.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::bill::Found;
use crate::domain::ids::{EnvId, Fid};
use crate::domain::step::{Evidence, Verdict};
use crate::engine::ports::{
    Erp, Fault, FaultKind, FoundPage, Greeting, Look, PageQuery, WriteCall, WriteReply, WriteToken,
};

/// The client of a verb that only reads the history: every call is refused, none leaves.
pub struct Offline(pub EnvId);

impl Offline {
    fn fault(&self) -> Fault {
        Fault {
            kind: FaultKind::Config,
            message: format!("environment {} is not connected in this verb", self.0),
            retry_after: None,
            evidence: None,
        }
    }
}

#[async_trait]
impl Erp for Offline {
    async fn sign_in(&self) -> Result<Greeting, Fault> {
        Err(self.fault())
    }

    async fn fetch_page(&self, _: &PageQuery) -> Result<FoundPage, Fault> {
        Err(self.fault())
    }

    async fn read_bills(&self, _: &Look<'_>, _: &[Fid]) -> Result<Vec<Found>, Fault> {
        Err(self.fault())
    }

    async fn write(&self, _: &WriteToken, call: &WriteCall) -> WriteReply {
        let not_sent = |(fid, _): &(Fid, String)| (fid.clone(), Verdict::NotSent(self.fault().message));
        WriteReply {
            verdicts: call.bills.iter().map(not_sent).collect(),
            evidence: Evidence::default(),
            took: Duration::ZERO,
            side: Vec::new(),
            alarm: None,
            made: Vec::new(),
        }
    }

    fn session(&self) -> String {
        "not connected".to_owned()
    }
}
