//! What the runs of listed bills say about their columns: asked once of each run, labels of each plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use skydeck_core::domain::ids::{PlanId, RunId};
use skydeck_core::domain::plan::Column;
use skydeck_core::domain::query::{Answer, Query};
use skydeck_core::domain::run::RunRow;
use skydeck_engine::api::Link;

use super::ExportError;

/// Runs that are remembered.
const RUNS: usize = 512;

/// What is known of runs.
pub(crate) struct Heads {
    link: Arc<dyn Link>,
    runs: BTreeMap<RunId, Arc<Head>>,
    plans: Option<BTreeMap<PlanId, Vec<Column>>>,
}

/// What a run says of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Head {
    /// What people call its plan.
    pub plan: String,
    /// Names of its columns.
    pub names: Vec<String>,
    /// What the plan calls them now; of one that it has lost, what it was last called, as far as that plan is kept.
    pub labels: Vec<String>,
}

impl Heads {
    pub fn new(link: Arc<dyn Link>) -> Self {
        Self { link, runs: BTreeMap::new(), plans: None }
    }

    /// Names of a run's columns.
    pub async fn names(&mut self, run: RunId) -> Result<Vec<String>, ExportError> {
        if let Some(head) = self.runs.get(&run) {
            return Ok(head.names.clone());
        }
        Ok(self.ask(run).await?.map(|row| row.head.columns).unwrap_or_default())
    }

    /// A run's head with the labels of its plan.
    pub async fn head(&mut self, run: RunId) -> Result<Arc<Head>, ExportError> {
        if let Some(head) = self.runs.get(&run) {
            return Ok(Arc::clone(head));
        }
        let head = match self.ask(run).await? {
            None => Head::default(),
            Some(row) => {
                let (plan, names) = (row.head.plan, row.head.columns);
                let columns = self.plans().await?.get(&plan).map_or(&[][..], Vec::as_slice);
                let now = |name: &String| {
                    let column = columns.iter().find(|column| column.key == *name || column.path == *name);
                    column.map(|column| &column.label)
                };
                let label = |(at, name): (usize, &String)| {
                    let label = now(name).or(row.labels.get(at)).filter(|label| !label.is_empty());
                    label.unwrap_or(name).clone()
                };
                let labels = names.iter().enumerate().map(label).collect();
                let plan = if row.head.name.is_empty() { plan.to_string() } else { row.head.name };
                Head { plan, names, labels }
            }
        };
        if self.runs.len() >= RUNS {
            self.runs.pop_first();
        }
        let head = Arc::new(head);
        self.runs.insert(run, Arc::clone(&head));
        Ok(head)
    }

    /// A run.
    pub async fn ask(&self, run: RunId) -> Result<Option<RunRow>, ExportError> {
        match self.link.ask(Query::Run(run)).await? {
            Answer::Run(row) => Ok(row.map(|row| *row)),
            _ => Err(ExportError::WrongAnswer),
        }
    }

    async fn plans(&mut self) -> Result<&BTreeMap<PlanId, Vec<Column>>, ExportError> {
        if self.plans.is_none() {
            let Answer::Plans(rows) = self.link.ask(Query::Plans).await? else { return Err(ExportError::WrongAnswer) };
            let plans = rows.into_iter().filter_map(|row| row.plan.ok());
            self.plans = Some(plans.map(|plan| (plan.id, plan.source.columns)).collect());
        }
        Ok(self.plans.get_or_insert_default())
    }
}
