//! The limit a run is held against: the same requests over the same connection policy, from a loop that keeps nothing.
//!
//! Invariant: every answer is read and must say that it succeeded; no store, no decision, no evidence.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use tokio::task::JoinSet;

use super::flow::Cell;
use super::probe;
use super::server::{Server, client, client_config};
use skydeck::domain::cause::CauseTable;
use skydeck::domain::ids::Fid;
use skydeck::domain::plan::Plan;
use skydeck::domain::step::Verb;
use skydeck::domain::time::Clock;
use skydeck::engine::ports::{Erp, PageQuery};
use skydeck::erp::config::{Address, SignIn};
use skydeck::erp::http::HttpTransport;
use skydeck::erp::sign;
use skydeck::erp::transport::{CallKind, Post, Transport};
use skydeck::erp::wire::{Operation, write_body};
use skydeck::exit::Stop;

/// Bills of one status read, as in the engine.
const READ: usize = 200;

/// What the loop took.
#[derive(Clone, Copy, Debug)]
pub struct Bare {
    /// From the first query to the last answer.
    pub wall: Duration,
    /// Processor time of this process.
    pub cpu: Duration,
}

/// Audits the cell's bills: pages of the query, then a status read for every 200 (the next one under way while the
/// calls of the last go), then the calls, so many at a time.
pub async fn run(cell: &Cell, plan: &Plan, causes: &Arc<CauseTable>, clock: &Arc<dyn Clock>) -> Result<Bare, Stop> {
    let server = Server::start(cell.sim_bills(), cell.delay).await?;
    let reader = Arc::new(client(&server.url, causes, clock)?);
    let caller = Arc::new(Caller::new(&server.url, plan, clock)?);
    let (since, cpu) = (Instant::now(), probe::cpu(None));
    let mut fids = query(reader.as_ref(), plan, cell.bills).await?;
    let mut calls: JoinSet<Result<(), Stop>> = JoinSet::new();
    let read = |chunk: Vec<Fid>| {
        let (reader, source) = (reader.clone(), plan.source.clone());
        tokio::spawn(async move {
            let rows = {
                let (form, id_path, number_path) = (&source.form, &source.id_path, &source.number_path);
                reader
                    .read_bills(&skydeck::engine::ports::Look { form, id_path, number_path, fields: &[] }, &chunk)
                    .await
            };
            rows.map(|rows| rows.into_iter().map(|row| row.fid).collect::<Vec<_>>())
        })
    };
    let mut ahead = next_chunk(&mut fids).map(&read);
    while let Some(reading) = ahead.take() {
        let chunk = reading.await.map_err(died)?.map_err(|e| Stop::usage(e.to_string()))?;
        ahead = next_chunk(&mut fids).map(&read);
        for group in chunk.chunks(cell.batch as usize) {
            while calls.len() >= cell.concurrency as usize {
                if let Some(ended) = calls.join_next().await {
                    ended.map_err(died)??;
                }
            }
            let (caller, group) = (caller.clone(), group.to_vec());
            calls.spawn(async move { caller.audit(&group).await });
        }
    }
    while let Some(ended) = calls.join_next().await {
        ended.map_err(died)??;
    }
    let took = Bare { wall: since.elapsed(), cpu: probe::cpu(None).saturating_sub(cpu) };
    let (audited, _) = server.end().await?;
    if audited != cell.bills as u64 {
        return Err(Stop::usage(format!("the bare loop audited {audited} of {} bills", cell.bills)));
    }
    Ok(took)
}

fn next_chunk(fids: &mut VecDeque<Fid>) -> Option<Vec<Fid>> {
    let chunk: Vec<Fid> = fids.drain(..fids.len().min(READ)).collect();
    (!chunk.is_empty()).then_some(chunk)
}

#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
fn died(error: tokio::task::JoinError) -> Stop {
    Stop::usage(format!("the bare loop: {error}"))
}

/// All pages of the plan's query, as the engine asks for them.
async fn query(erp: &dyn Erp, plan: &Plan, most: usize) -> Result<VecDeque<Fid>, Stop> {
    let source = &plan.source;
    let mut query = PageQuery {
        form: source.form.clone(),
        columns: source.columns.iter().map(|c| c.path.clone()).collect(),
        id_path: source.id_path.clone(),
        number_path: source.number_path.clone(),
        mark_column: source.mark_column.clone(),
        fields: Vec::new(),
        filter: source.filter.clone(),
        after: None,
        limit: plan.policy.page_size,
        lines: false,
    };
    let mut fids = VecDeque::new();
    loop {
        let page = erp.fetch_page(&query).await.map_err(|e| Stop::usage(e.to_string()))?;
        let Some(last) = page.bills.last() else { return Ok(fids) };
        query.after = Some(last.fid.clone());
        fids.extend(page.bills.into_iter().map(|bill| bill.fid));
        if fids.len() >= most {
            fids.truncate(most);
            return Ok(fids);
        }
    }
}

/// Writes without a client's judgement.
struct Caller {
    transport: HttpTransport,
    address: Address,
    clock: Arc<dyn Clock>,
    plan: Plan,
    key: sign::ClientKey,
    app_id: String,
    kd: String,
    data: String,
}

impl Caller {
    fn new(url: &str, plan: &Plan, clock: &Arc<dyn Clock>) -> Result<Self, Stop> {
        let config = client_config(url);
        let wrong = |e: skydeck::erp::config::ConfigError| Stop::usage(e.to_string());
        let SignIn::Signed { app_id, app_secret } = &config.sign_in else {
            return Err(Stop::usage("the bench signs its calls"));
        };
        let data = sign::app_data(&config.account_set, &config.user, config.lcid, &config.org);
        Ok(Self {
            transport: HttpTransport::new(&config.reach, config.max_body, config.max_query_body).map_err(wrong)?,
            address: config.address().map_err(wrong)?,
            clock: clock.clone(),
            plan: plan.clone(),
            key: sign::ClientKey::of(app_id),
            app_id: app_id.clone(),
            kd: sign::kd_signature(app_id, app_secret.expose_secret(), &data),
            data: sign::encoded_app_data(&data),
        })
    }

    async fn audit(&self, fids: &[Fid]) -> Result<(), Stop> {
        let service =
            format!("Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.{}", Operation::of(&Verb::Audit).service);
        let time = self.clock.now().0.div_euclid(1000).to_string();
        let api = sign::api_signature(&self.key.secret, &self.address.service_url(&service), &time, &time);
        let headers = [
            ("Content-Type", "application/json"),
            ("X-Api-ClientID", &self.key.id),
            ("X-Api-Auth-Version", "2.0"),
            ("x-api-timestamp", &time),
            ("x-api-nonce", &time),
            ("x-api-signheaders", "x-api-timestamp,x-api-nonce"),
            ("X-Api-Signature", &api),
            ("X-Kd-Appkey", &self.app_id),
            ("X-Kd-Appdata", &self.data),
            ("X-Kd-Signature", &self.kd),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let ids: Vec<&Fid> = fids.iter().collect();
        let body = write_body(&Verb::Audit, &self.plan.target.form, &ids, &self.plan.target.options, &[]);
        let path = self.address.service_path(&service);
        let reply = self.transport.post(Post { path: &path, headers, body, kind: CallKind::Write }).await;
        let reply = reply.map_err(|e| Stop::usage(format!("the bare loop: {e}")))?;
        let answer: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        match answer.pointer("/Result/ResponseStatus/IsSuccess").and_then(serde_json::Value::as_bool) {
            Some(true) => Ok(()),
            _ => Err(Stop::usage("the bare loop: the simulator refused an audit")),
        }
    }
}
