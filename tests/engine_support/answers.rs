//! How the world answers: pages, looks, and writing calls with whatever is to go wrong with them.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use skydeck::domain::bill::{Failure, Found, Status, UnknownWhy};
use skydeck::domain::ids::Fid;
use skydeck::domain::step::{Evidence, Verb, Verdict};
use skydeck::domain::time::ErpDate;
use skydeck::engine::ports::{
    Alarm, Erp, Fault, FoundPage, Greeting, Look, PageQuery, WriteCall, WriteReply, WriteToken,
};

use super::rules::{CLOSE, SUBMIT, is_done, is_ready, op_of};
use super::world::{Doc, Late, State, Trouble, World, date, matches};
use super::{US, causes};

#[async_trait]
impl Erp for World {
    async fn sign_in(&self) -> Result<Greeting, Fault> {
        self.with(|s| s.sign_ins += 1);
        Ok(Greeting::default())
    }

    async fn fetch_page(&self, query: &PageQuery) -> Result<FoundPage, Fault> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.catch_up();
        if let Some(fault) = self.read_fault() {
            return Err(fault);
        }
        let real = self.now().as_secs() as i64;
        let floor = query.filter.split('\'').nth(1).and_then(ErpDate::parse);
        let by_change = query.filter.contains("FModifyDate>=");
        let listed: Option<Vec<String>> = query.filter.split_once("FBillNo in (").map(|(_, list)| {
            list.split(')').next().unwrap().split(',').map(|no| no.trim_matches('\'').to_owned()).collect()
        });
        let dated = |doc: &Doc| date(if by_change { doc.modified } else { doc.created });
        Ok(self.with(|s| {
            let rows = s.docs.iter().filter(|(fid, doc)| {
                !doc.gone
                    && !doc.elsewhere
                    && listed.as_ref().is_none_or(|numbers| numbers.contains(&format!("XSCKD{fid}")))
                    && doc.visible <= real
                    && matches(&query.filter, doc)
                    && floor.as_ref().is_none_or(|f| dated(doc) >= *f)
                    && query.after.as_ref().is_none_or(|after| *fid > after)
            });
            let bills: Vec<Found> = rows
                .take(query.limit as usize)
                .map(|(f, d)| Found { marked: Some(dated(d)), ..World::found(f, d, &query.fields) })
                .collect();
            s.pages += 1;
            if let Some(mut between) = s.between.take() {
                let n = s.pages;
                between(s, n);
                s.between = Some(between);
            }
            FoundPage { raw_rows: bills.len() as u32, bills, rows: Vec::new() }
        }))
    }

    async fn read_bills(&self, look: &Look<'_>, fids: &[Fid]) -> Result<Vec<Found>, Fault> {
        assert!(fids.len() <= 200, "a read asks for {} bills", fids.len());
        let longer = self.with(|s| s.slow_looks);
        tokio::time::sleep(Duration::from_millis(20) + longer).await;
        self.catch_up();
        if let Some(fault) = self.read_fault() {
            return Err(fault);
        }
        let now = self.now();
        Ok(self.with(|s| {
            assert!(fids.len() <= 200, "{} bills in one read", fids.len());
            let mut rows = Vec::new();
            let blind = s.blind.take();
            for fid in fids {
                let hidden = blind.is_some_and(|by| fid.to_string().parse::<u64>().is_ok_and(|n| n % by == 0));
                let doc = s.docs.get(fid).filter(|d| !d.gone && !hidden);
                let found = doc.map(|d| World::found(fid, d, look.fields));
                let glance = found.as_ref().zip(doc).map(|(found, doc)| (found.rev.clone(), doc.closed));
                s.reads.insert((fid.clone(), !look.fields.is_empty()), (now, glance));
                rows.extend(found.map(|f| Found { columns: Vec::new(), ..f }));
            }
            rows
        }))
    }

    async fn write(&self, token: &WriteToken, call: &WriteCall) -> WriteReply {
        assert_eq!(token.env(), &self.env);
        self.catch_up();
        let started = self.now();
        let trouble = self.with(|s| {
            s.in_flight += 1;
            s.most_in_flight = s.most_in_flight.max(s.in_flight);
            s.calls += 1;
            s.numbers.extend(call.bills.iter().map(|(_, number)| number.clone()));
            let nth = s.fail_call.is_some_and(|(n, from_then)| s.calls == n || (from_then && s.calls > n));
            let first = &call.bills[0].0;
            let own = s.trouble_of.get_mut(first).and_then(VecDeque::pop_front);
            if nth { Trouble::LostBefore } else { own.or_else(|| s.trouble.pop_front()).unwrap_or(Trouble::None) }
        });
        let arrive = if let Trouble::Slow(d) = &trouble { *d } else { Duration::from_millis(50) };
        let takes = if let Trouble::Late(d) | Trouble::Slow(d) = &trouble { *d } else { Duration::ZERO };
        if matches!(trouble, Trouble::NotSent) {
            self.with(|s| s.in_flight -= 1);
            return reply(call, started, started, |_| Verdict::NotSent("connection refused".into()), None);
        }
        let hollow = self.with(|s| s.hollow_from.is_some_and(|k| s.posts.len() + 1 >= k));
        let trouble = if hollow { Trouble::Hollow } else { trouble };
        self.note(call, &trouble, started, takes);
        if matches!(trouble, Trouble::Panic) {
            self.with(|s| s.in_flight -= 1);
            panic!("a poison answer");
        }
        tokio::time::sleep(arrive).await;
        // What came late came before this call did.
        self.catch_up();
        let verdicts = self.serve(call, &trouble);
        let now = self.now();
        self.with(|s| s.in_flight -= 1);
        let lost = |why: UnknownWhy| move |_: &Fid| Verdict::Unknown(why.clone(), "no answer".into());
        match trouble {
            Trouble::LostBefore | Trouble::LostAfter | Trouble::Late(_) => {
                reply(call, started, now, lost(UnknownWhy::Broken), None)
            }
            Trouble::NotNamed => reply(call, started, now, lost(UnknownWhy::NotNamed), None),
            Trouble::WrongIds => reply(call, started, now, lost(UnknownWhy::WrongIds), Some(Alarm::WrongIds)),
            Trouble::SessionLost => reply(call, started, now, lost(UnknownWhy::SessionLost), Some(Alarm::SessionLost)),
            Trouble::Credentials => {
                let words = "wrong secret".to_owned();
                reply(call, started, now, lost(UnknownWhy::SessionLost), Some(Alarm::Credentials(words)))
            }
            Trouble::SlowDown => {
                let wait = self.with(|s| (!s.plain_slow_down).then_some(Duration::from_secs(20)));
                let alarm = Some(Alarm::SlowDown(wait));
                reply(call, started, now, |_| rejected(14, "too many calls"), alarm)
            }
            _ => reply(call, started, now, |fid| verdicts[fid].clone(), None),
        }
    }

    fn session(&self) -> String {
        "signed headers".into()
    }

    fn centre(&self) -> Option<String> {
        self.with(|s| s.centre.clone())
    }

    fn refused(&self) -> bool {
        self.with(|s| s.refused)
    }
}

fn rejected(code: i64, message: &str) -> Verdict {
    let cause = causes().classify(Some(code), None, message);
    Verdict::Rejected(Failure { cause, msg_code: Some(code), field: None, message: message.into() })
}

fn reply(
    call: &WriteCall,
    started: Duration,
    now: Duration,
    verdict: impl Fn(&Fid) -> Verdict,
    alarm: Option<Alarm>,
) -> WriteReply {
    WriteReply {
        verdicts: call.bills.iter().map(|(fid, _)| (fid.clone(), verdict(fid))).collect(),
        evidence: Evidence::default(),
        took: now.saturating_sub(started),
        side: Vec::new(),
        alarm,
        made: Vec::new(),
    }
}

impl World {
    fn serve(&self, call: &WriteCall, trouble: &Trouble) -> HashMap<Fid, Verdict> {
        let at = self.server_now();
        let now = self.now();
        self.with(|s| {
            let mut verdicts = HashMap::new();
            for (fid, _) in &call.bills {
                match trouble {
                    Trouble::Overtaken => s.overtake(fid, &call.verb, "zhang"),
                    Trouble::Twin => s.overtake(fid, &call.verb, US),
                    _ => {}
                }
                if let Trouble::Submitted(dated) = trouble {
                    let modified = s.docs[fid].modified;
                    s.others(fid, at, |doc| doc.status = Status::Submitted);
                    if !dated {
                        s.docs.get_mut(fid).unwrap().modified = modified;
                    }
                }
                let verdict = s.verdict(fid, call, trouble, now);
                verdicts.insert(fid.clone(), verdict);
            }
            let bad = verdicts.values().find(|v| matches!(v, Verdict::Rejected(_))).cloned();
            if let (true, true, Some(bad)) = (s.sink_batches, call.bills.len() > 1, bad) {
                for verdict in verdicts.values_mut() {
                    *verdict = bad.clone();
                }
            }
            for (fid, _) in &call.bills {
                if verdicts[fid] == Verdict::Done && !matches!(trouble, Trouble::Hollow) {
                    s.apply(fid, &call.verb, at);
                }
            }
            if let Trouble::RefusedAfter(code, words) = trouble {
                for v in verdicts.values_mut() {
                    *v = rejected(*code, words);
                }
            }
            verdicts
        })
    }
}

impl State {
    /// Another person does what our call is about to do.
    fn overtake(&mut self, fid: &Fid, verb: &Verb, who: &str) {
        let doc = self.docs.get_mut(fid).unwrap();
        let before = doc.clone();
        if op_of(verb) == CLOSE {
            (doc.closed, doc.closer) = (true, Some(who.into()));
        } else {
            (doc.status, doc.approver) = (Status::Audited, Some(who.into()));
        }
        doc.edition += 1;
        let after = doc.clone();
        self.came_about(fid, Some(&before), &after, false);
    }

    /// What the server says to one bill of a call.
    fn verdict(&mut self, fid: &Fid, call: &WriteCall, trouble: &Trouble, now: Duration) -> Verdict {
        let doc = self.docs[fid].clone();
        let op = op_of(&call.verb);
        let own = (call.bills.len() > 1).then(|| self.trouble_of.get(fid).and_then(|q| q.front().cloned())).flatten();
        let verdict = match (trouble, own.as_ref()) {
            (Trouble::Refused(code, words), _) | (_, Some(Trouble::Refused(code, words))) => rejected(*code, words),
            (Trouble::LostBefore | Trouble::SessionLost | Trouble::SlowDown | Trouble::Credentials, _) => {
                Verdict::Unknown(UnknownWhy::Broken, String::new())
            }
            (Trouble::Late(after), _) => {
                let (fid, verb) = (fid.clone(), call.verb.clone());
                self.late.push(Late { due: now + *after, fid, verb, version: doc.version });
                Verdict::Unknown(UnknownWhy::Broken, String::new())
            }
            _ if doc.gone => rejected(10, "内码值[1]不存在"),
            _ if op == CLOSE && doc.closed && !self.closes_again => rejected(11, "单据已经关闭！"),
            _ if op == CLOSE && (doc.closed || is_ready(&call.verb, &doc.status, false, self.closes_any)) => {
                Verdict::Done
            }
            _ if op == CLOSE => rejected(11, "只有审核中和已审核的数据才允许关闭！"),
            _ if doc.status == Status::Audited && call.verb != Verb::Submit => rejected(11, "单据已审核"),
            _ if op == SUBMIT && !is_ready(&call.verb, &doc.status, doc.closed, true) => {
                rejected(11, "只有暂存、创建和重新审核的数据才允许提交！")
            }
            _ if !is_ready(&call.verb, &doc.status, doc.closed, true) => rejected(11, "请先提交审核"),
            _ => Verdict::Done,
        };
        // Where a refusal is looked at, any of them; else one that says so.
        let refused = matches!(verdict, Verdict::Rejected(_));
        let tells = !op.is_empty() || !matches!(trouble, Trouble::Refused(..));
        if let Some(post) = self.posts.iter_mut().rev().find(|p| p.fid == *fid && p.verb == call.verb) {
            post.was_done = refused && tells && is_done(op, &doc);
            post.hollow = matches!(trouble, Trouble::Hollow) && verdict == Verdict::Done;
        }
        verdict
    }
}
