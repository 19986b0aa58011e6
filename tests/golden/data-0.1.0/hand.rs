//! What `make.sh` needs of the library of 0.1.0 and no verb of it does: orders that only a console gives, the state of a
//! store as the library reads it, a server that carries out BillClose, a journal with a sealed segment, and the revisions of
//! plans.
//!
//! Built as an example of 898ea44; it does not follow the library of today.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skydeck::boot::{SOCKET, SystemClock, who};
use skydeck::domain::command::{Command, Order, Receipt, StartParams};
use skydeck::domain::event::{ActionEntry, Event};
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{CommandId, PlanId};
use skydeck::domain::query::{Answer, PageRequest, Query, Scope};
use skydeck::domain::run::{BillRow, RunState};
use skydeck::domain::time::Ts;
use skydeck::engine::api::Link;
use skydeck::link::remote::RemoteLink;
use skydeck::store::Store;
use skydeck::store::actions::{ActionLog, Deed, FileLog, Phase};
use skydeck::store::local::disk::RealDisk;
use skydeck::store::local::{LocalStore, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Any<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// More than any of the directories holds.
const ALL: u32 = 10_000;

#[tokio::main]
async fn main() -> Any<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["tell", dir] => println!("{}", tell(Path::new(dir))?),
        ["order", dir, verb, plan] => order(Path::new(dir), verb, &PlanId::new(*plan)).await?,
        ["front", port, bills @ ..] => front(port.parse()?, bills).await?,
        ["seal", dir] => seal(Path::new(dir)).await?,
        ["revisions", root, list] => println!("{}", revisions(Path::new(root), Path::new(list))?),
        _ => return Err("tell DIR | order DIR start|approve|pause PLAN | front PORT [done|lost|refused=ID:NO]… | seal DIR | revisions ROOT LIST".into()),
    }
    Ok(())
}

/// The store's state, before any engine looks after it.
fn tell(dir: &Path) -> Any<Value> {
    let store = LocalStore::open(dir, Arc::new(SystemClock::default()), "golden", &|_| {})?;
    let page = PageRequest::first(ALL);
    let bills = |scope| -> Any<Vec<BillRow>> {
        let page = store.bills(scope, &Filter::default(), &page, Ts(0))?;
        if page.more {
            return Err("there are more bills than are told".into());
        }
        Ok(page.rows.into_iter().map(|(_, row)| row).collect())
    };
    let runs: Vec<_> = store.runs(None, &page)?.rows.into_iter().map(|(_, row)| row).collect();
    let (mut rows, mut marks, mut plans) = (Vec::new(), Vec::new(), Vec::new());
    for run in &runs {
        rows.extend(bills(Scope::Run(run.head.id))?);
        let (plan, env, rev) = (&run.head.plan, &run.head.env, &run.head.rev);
        let mark = json!({"plan": plan, "env": env, "mark": store.mark(plan, env)?});
        if !marks.contains(&mark) {
            marks.push(mark);
        }
        let kept = json!({"plan": plan, "rev": rev, "kept": store.plan_of(rev)?.is_some()});
        if !plans.contains(&kept) {
            plans.push(kept);
        }
    }
    let ledger = bills(Scope::Ledger)?;
    let mut entries = Vec::new();
    for row in &ledger {
        let entry = store.ledger_entry(&row.key)?.ok_or("a ledger row without its entry")?;
        entries.push(json!({"key": row.key, "since": entry.since, "deaths": entry.deaths}));
    }
    let actions: Vec<_> = store.actions(&page)?.rows.into_iter().map(|(_, row)| row).collect();
    let told = json!({
        "facts": store.last_seq(), "runs": runs, "bills": rows, "history": bills(Scope::History)?, "ledger": ledger,
        "entries": entries, "groups": store.ledger_groups(None)?, "marks": marks, "plans": plans, "actions": actions,
    });
    store.close()?;
    Ok(told)
}

/// Gives an order to the process that holds the directory, as its console does.
async fn order(dir: &Path, verb: &str, plan: &PlanId) -> Any<()> {
    let link = RemoteLink::new(&dir.join(SOCKET), who(), None);
    let Answer::Runs(page) = link.ask(Query::Runs(PageRequest::first(100))).await? else {
        return Err("the owner answered another question".into());
    };
    let open = page.rows.into_iter().map(|(_, row)| row).find(|row| row.head.plan == *plan && !row.state.is_closed());
    let command = match (verb, open) {
        ("start", _) => Command::Start { plan: plan.clone(), params: StartParams::default() },
        ("approve", Some(row)) if row.state == RunState::AwaitingApproval => {
            let hash = row.collected.ok_or("nothing was collected")?.hash;
            Command::Approve { run: row.head.id, hash, typed: None, flags: Vec::new(), reason: None }
        }
        ("pause", Some(row)) => Command::Pause { run: row.head.id },
        _ => return Err(format!("{verb}: plan {plan} has no run for it").into()),
    };
    let order = Order { id: CommandId(ulid::Ulid::generate()), by: who(), session: None, command };
    match link.submit(order).await? {
        Receipt::Accepted { .. } => Ok(()),
        Receipt::Refused(why) => Err(why.to_string().into()),
    }
}

/// Stands before a simulator and answers BillClose, which that does not know: carried out, carried out with the answer
/// lost, or refused, as told for each bill. Everything else goes through.
async fn front(port: u16, bills: &[&str]) -> Any<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?.port());
    let bills: Arc<Vec<String>> = Arc::new(bills.iter().map(|bill| (*bill).to_owned()).collect());
    loop {
        let (stream, _) = listener.accept().await?;
        let bills = Arc::clone(&bills);
        tokio::spawn(async move {
            // A client that goes away is no fault of ours.
            let _ = serve(stream, port, &bills).await;
        });
    }
}

async fn serve(mut client: TcpStream, port: u16, bills: &[String]) -> Any<()> {
    while let Some(request) = message(&mut client).await? {
        let text = String::from_utf8_lossy(&request).into_owned();
        if !text.contains("BillClose") {
            let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
            server.write_all(&request).await?;
            let answer = message(&mut server).await?.ok_or("the simulator said nothing")?;
            client.write_all(&answer).await?;
            continue;
        }
        let named = bills.iter().filter_map(|bill| {
            let (how, bill) = bill.split_once('=')?;
            let (id, no) = bill.split_once(':')?;
            text.contains(id).then_some((how, id, no))
        });
        let (how, id, no) = named.into_iter().next().unwrap_or(("lost", "", ""));
        let (errors, done) = match how {
            "done" => (json!([]), json!([{"Id": id.parse::<u64>()?, "Number": no, "DIndex": 0}])),
            "refused" => {
                (json!([{"FieldName": "", "Message": format!("单据{no}不满足整单关闭条件"), "DIndex": 0}]), json!([]))
            }
            _ => return Ok(()),
        };
        let status = json!({
            "IsSuccess": how == "done", "ErrorCode": if how == "done" { 0 } else { 500 }, "Errors": errors,
            "SuccessEntitys": done, "SuccessMessages": [], "MsgCode": if how == "done" { 0 } else { 12 },
        });
        let body = json!({"Result": {"ResponseStatus": status}}).to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        client.write_all(format!("{head}{body}").as_bytes()).await?;
    }
    Ok(())
}

/// One request or answer with its body; `None` at the end.
async fn message(from: &mut TcpStream) -> Any<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    loop {
        let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if bytes.len() >= head + length.unwrap_or(0) {
                return Ok(Some(bytes));
            }
        }
        if from.read_buf(&mut bytes).await? == 0 {
            return if bytes.is_empty() { Ok(None) } else { Err("cut in the middle".into()) };
        }
    }
}

/// Reads the plans anew twice, as a console does, with segments of a few kilobytes: the first is sealed.
async fn seal(dir: &Path) -> Any<()> {
    let clock = Arc::new(SystemClock::default());
    let options = Options { disk: Arc::new(RealDisk), rotate: 4096 };
    let store = LocalStore::open_with(dir, clock.clone(), "golden", &|_| {}, options)?;
    let log = FileLog::open(dir, clock)?;
    let verb = Command::ReloadPlans.verb();
    for _ in 0..2 {
        let mut deed = Deed {
            phase: Phase::Before,
            order: Some(ulid::Ulid::generate().to_string()),
            by: who(),
            action: verb.to_owned(),
            env: None,
            plan: None,
            plan_rev: None,
            run: None,
            set_hash: None,
            n: 0,
            ids: Vec::new(),
            reason: None,
            result: String::new(),
        };
        let line = Some(log.write(deed.clone()).await?);
        let result = "accepted".to_owned();
        let entry = ActionEntry {
            by: who(),
            verb: verb.to_owned(),
            run: None,
            plan: None,
            bills: 0,
            reason: None,
            result: result.clone(),
            line,
        };
        store.append(vec![Event::ActionTaken(Box::new(entry))]).await?;
        (deed.phase, deed.result) = (Phase::After, result);
        log.write(deed).await?;
    }
    let until = Instant::now() + Duration::from_secs(20);
    while !dir.join("journal/00000001.seal").exists() || dir.join("journal/00000001.log").exists() {
        if Instant::now() > until {
            return Err("the segment was not sealed".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(store.close()?)
}

/// Adds to each plan of a list, with the `skydeck` object given beside it, its revision.
fn revisions(root: &Path, list: &Path) -> Any<String> {
    let mut all: Vec<serde_json::Map<String, Value>> = serde_json::from_slice(&std::fs::read(list)?)?;
    for one in &mut all {
        let file = root.join(one["plan"].as_str().ok_or("a plan is a path")?);
        let mut plan: Value = serde_json::from_slice(&std::fs::read(file)?)?;
        if let Some(policy) = one.get("skydeck") {
            plan["skydeck"] = policy.clone();
        }
        let read = skydeck::plan::read(PlanId::new("p"), &plan.to_string()).map_err(|e| e.to_string())?;
        one.insert("rev".to_owned(), json!(read.plan.rev));
    }
    let lines: Vec<String> = all.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    Ok(format!("[\n{}\n]", lines.join(",\n")))
}
