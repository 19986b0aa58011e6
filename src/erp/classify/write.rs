//! The verdict on each bill of a writing call (reliability.md §7.1 step 5).

use super::names::{Named, is_number, is_unique, named};
use super::{Mode, excerpt, is_session_lost, is_text_401};
use crate::domain::bill::{Failure, UnknownWhy};
use crate::domain::cause::{Cause, CauseTable, Repeat, known};
use crate::domain::ids::Fid;
use crate::domain::step::Verdict;
use crate::erp::Alarm;
use crate::erp::transport::{HttpReply, TransportFault};
use crate::erp::wire::{Entity, Envelope, Reason, Status};

/// What a writing call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// One verdict a bill, in the order asked.
    pub verdicts: Vec<(Fid, Verdict)>,
    /// Words of the ERP about side effects.
    pub side: Vec<String>,
    /// What concerns more than one bill.
    pub alarm: Option<Alarm>,
}

/// Judges a writing call. Total: every answer leads to exactly one verdict for each bill asked.
pub fn judge_write(
    answer: &Result<HttpReply, TransportFault>,
    asked: &[(Fid, String)],
    causes: &CauseTable,
    mode: Mode,
) -> Judged {
    let all = All { asked };
    let reply = match answer {
        Ok(reply) => reply,
        Err(fault) => return all.of_fault(fault),
    };
    if reply.status != 200 {
        return all.of_status(reply, mode);
    }
    match Envelope::read(&reply.body) {
        Ok(status) => judge(&status, reply, asked, causes, mode),
        Err(_) if is_text_401(&reply.body) => all.session_lost(mode, "the answer is a text that begins with 401"),
        Err(why) => all.unknown(UnknownWhy::Unreadable, &format!("the answer cannot be read: {why}")),
    }
}

/// The same verdict for every bill of the call.
struct All<'a> {
    asked: &'a [(Fid, String)],
}

impl All<'_> {
    fn each(&self, verdict: &Verdict, alarm: Option<Alarm>) -> Judged {
        let verdicts = self.asked.iter().map(|(fid, _)| (fid.clone(), verdict.clone())).collect();
        Judged { verdicts, side: Vec::new(), alarm }
    }

    fn unknown(&self, why: UnknownWhy, detail: &str) -> Judged {
        self.each(&Verdict::Unknown(why, detail.to_owned()), None)
    }

    fn of_fault(&self, fault: &TransportFault) -> Judged {
        let words = fault.to_string();
        match fault {
            TransportFault::NotSent(_) => self.each(&Verdict::NotSent(words), None),
            TransportFault::TimedOut(_) => self.unknown(UnknownWhy::TimedOut, &words),
            TransportFault::Broken(_) => self.unknown(UnknownWhy::Broken, &words),
            TransportFault::TooLarge { .. } => self.unknown(UnknownWhy::TooLarge, &words),
            TransportFault::Redirected { .. } => self.unknown(UnknownWhy::Redirected, &words),
        }
    }

    fn of_status(&self, reply: &HttpReply, mode: Mode) -> Judged {
        let text = String::from_utf8_lossy(&reply.body);
        let detail = format!("HTTP {}: {}", reply.status, excerpt(&text, 200));
        let mut judged = self.unknown(UnknownWhy::HttpStatus(reply.status), &detail);
        judged.alarm = match reply.status {
            429 => Some(Alarm::SlowDown(reply.retry_after())),
            503 => reply.retry_after().map(|wish| Alarm::SlowDown(Some(wish))),
            401 => Some(session_alarm(mode, &detail)),
            _ if text.contains(super::read::WRONG_ACCOUNT_SET) => Some(Alarm::Credentials(detail)),
            _ => None,
        };
        judged
    }

    /// An answer outside the envelope that says "who are you?": nothing proves that the call was not executed.
    fn session_lost(&self, mode: Mode, detail: &str) -> Judged {
        self.each(&Verdict::Unknown(UnknownWhy::SessionLost, detail.to_owned()), Some(session_alarm(mode, detail)))
    }
}

fn session_alarm(mode: Mode, words: &str) -> Alarm {
    match mode {
        Mode::Signed => Alarm::Credentials(words.to_owned()),
        Mode::Login => Alarm::SessionLost,
    }
}

/// Judges a readable answer.
fn judge(status: &Status, reply: &HttpReply, asked: &[(Fid, String)], causes: &CauseTable, mode: Mode) -> Judged {
    let all = All { asked };
    if !status.is_success()
        && status.entities.is_empty()
        && is_session_lost(status.msg_code(), status.errors.iter().map(Reason::message))
    {
        return of_session_loss(status, asked, mode);
    }
    if let Some(contradiction) = contradiction(status) {
        return all.unknown(UnknownWhy::Unreadable, contradiction);
    }
    let tally = match Seating::sort(status, asked) {
        Ok(tally) => tally,
        Err(stranger) => {
            let detail = format!("the answer names {stranger}, which was not asked");
            return all.each(&Verdict::Unknown(UnknownWhy::WrongIds, detail), Some(Alarm::WrongIds));
        }
    };
    if !status.is_success() && tally.seats.iter().all(|seat| seat.done && seat.errors.is_empty()) {
        return all.unknown(UnknownWhy::Unreadable, "IsSuccess is false, yet every bill stands among the successes");
    }
    let code = status.msg_code();
    let verdicts: Vec<(Fid, Verdict)> =
        asked.iter().zip(&tally.seats).map(|((fid, _), seat)| (fid.clone(), seat.verdict(code, causes))).collect();
    let limited = verdicts.iter().any(|(_, v)| matches!(v, Verdict::Rejected(f) if f.cause.as_str() == "call_limit"));
    Judged {
        alarm: (limited || code == Some(14)).then(|| Alarm::SlowDown(reply.retry_after())),
        side: status.messages.iter().map(|m| m.message().to_owned()).filter(|m| !m.is_empty()).collect(),
        verdicts,
    }
}

fn of_session_loss(status: &Status, asked: &[(Fid, String)], mode: Mode) -> Judged {
    let message = status.errors.iter().map(Reason::message).find(|m| !m.is_empty()).unwrap_or_default().to_owned();
    let all = All { asked };
    match mode {
        Mode::Signed => {
            let failure = Failure {
                cause: Cause::new(known::CREDENTIALS),
                msg_code: status.msg_code(),
                field: None,
                message: message.clone(),
            };
            all.each(&Verdict::Rejected(failure), Some(Alarm::Credentials(message)))
        }
        Mode::Login => all.session_lost(mode, &message),
    }
}

/// What no honest answer says.
fn contradiction(status: &Status) -> Option<&'static str> {
    let code = status.msg_code().unwrap_or(0);
    match (status.is_success(), status.errors.is_empty(), status.entities.is_empty()) {
        (true, false, _) => Some("IsSuccess is true, yet there are errors"),
        (true, true, _) if code != 0 => Some("IsSuccess is true, yet MsgCode names a failure"),
        (false, _, false) if code == 1 => Some("the session is lost, yet there are successes"),
        _ => None,
    }
}

/// What the answer says about one bill.
#[derive(Clone, Debug, Default)]
struct Seat<'a> {
    done: bool,
    errors: Vec<&'a Reason>,
    /// The answer refuses the whole call with a code and without a word.
    silent_no: bool,
}

/// The answer, sorted by bill.
struct Seating<'a> {
    seats: Vec<Seat<'a>>,
}

impl<'a> Seating<'a> {
    /// Gives each success and error to the bill it names; `Err` with the name of one that was not asked.
    fn sort(status: &'a Status, asked: &[(Fid, String)]) -> Result<Self, String> {
        let mut seats: Vec<Seat<'a>> = vec![Seat::default(); asked.len()];
        let mut nameless: Vec<&'a Reason> = Vec::new();
        for entity in &status.entities {
            if let Some(seat) = place_of(entity, asked)?.and_then(|at| seats.get_mut(at)) {
                seat.done = true;
            }
        }
        for error in &status.errors {
            match named(error.message(), asked) {
                Named::Asked(places) => {
                    for at in places {
                        if let Some(seat) = seats.get_mut(at) {
                            seat.errors.push(error);
                        }
                    }
                }
                Named::Stranger(name) => return Err(name),
                Named::Nobody => nameless.push(error),
            }
        }
        let nobody_named = seats.iter().all(|seat| !seat.done && seat.errors.is_empty());
        if let [only] = seats.as_mut_slice() {
            // One bill asked: an error without a name is about it, unless its index says otherwise.
            only.errors.extend(nameless.iter().filter(|e| e.index().is_none_or(|at| at <= 0)));
            only.silent_no = refuses_silently(status);
        } else if nobody_named {
            // Nobody is named at all: the refusal is of the call.
            for seat in &mut seats {
                seat.errors.clone_from(&nameless);
                seat.silent_no = refuses_silently(status);
            }
        }
        Ok(Self { seats })
    }
}

/// The bill a success names: by id, then by number. `Ok(None)` when it names nobody, `Err` when it names a stranger,
/// or when id and number name different bills.
fn place_of(entity: &Entity, asked: &[(Fid, String)]) -> Result<Option<usize>, String> {
    match (entity.id(), entity.number()) {
        (Some(id), number) => {
            let id = Fid::new(id);
            let at = asked.iter().position(|(fid, _)| *fid == id).ok_or_else(|| format!("bill {id}"))?;
            match (number, asked.get(at)) {
                (Some(theirs), Some((_, ours))) if !ours.trim().is_empty() && !is_number(ours, theirs) => {
                    Err(format!("bill {id} as {theirs}"))
                }
                _ => Ok(Some(at)),
            }
        }
        (None, Some(number)) => {
            let at = asked.iter().position(|(_, ours)| is_number(ours, number));
            let at = at.ok_or_else(|| format!("bill {number}"))?;
            Ok(is_unique(number, asked).then_some(at))
        }
        (None, None) => Ok(None),
    }
}

fn refuses_silently(status: &Status) -> bool {
    !status.is_success() && status.errors.is_empty() && status.entities.is_empty()
}

impl Seat<'_> {
    fn verdict(&self, code: Option<i64>, causes: &CauseTable) -> Verdict {
        match (self.done, self.errors.is_empty()) {
            (true, true) => Verdict::Done,
            (true, false) => Verdict::Unknown(
                UnknownWhy::Unreadable,
                "the answer counts the bill both among the successes and among the errors".to_owned(),
            ),
            (false, false) => self.refusal(code, causes),
            (false, true) if self.silent_no => silent_refusal(code, causes),
            (false, true) => Verdict::Unknown(UnknownWhy::NotNamed, "the answer does not name this bill".to_owned()),
        }
    }

    /// The refusal with the most telling of its errors for the class, and every word kept.
    fn refusal(&self, code: Option<i64>, causes: &CauseTable) -> Verdict {
        let class = |e: &Reason| causes.classify(code, e.field(), e.message());
        let vague = |cause: &Cause| matches!(cause.as_str(), known::UNCLASSIFIED | "validation" | "database");
        let telling = self.errors.iter().find(|e| !vague(&class(e))).or(self.errors.first());
        let cause = telling.map_or_else(|| Cause::new(known::UNCLASSIFIED), |e| class(e));
        let message = self.errors.iter().map(|e| e.message()).collect::<Vec<_>>().join("\n");
        let field = telling.and_then(|e| e.field()).map(str::to_owned);
        settle(Failure { cause, msg_code: code, field, message }, causes)
    }
}

/// A refusal whose class leaves the effect open is no refusal.
fn settle(failure: Failure, causes: &CauseTable) -> Verdict {
    match causes.repeat(&failure.cause) {
        Repeat::VerifyFirst if failure.cause.as_str() == known::SESSION => {
            Verdict::Unknown(UnknownWhy::SessionLost, failure.message)
        }
        Repeat::VerifyFirst => Verdict::Unknown(UnknownWhy::ServerFault, failure.message),
        Repeat::Delayed | Repeat::AfterFix | Repeat::Singly | Repeat::StopPlan | Repeat::Done => {
            Verdict::Rejected(failure)
        }
    }
}

/// A code without a word: believed only where the code itself says that nothing was tried (limits, permission, licence).
fn silent_refusal(code: Option<i64>, causes: &CauseTable) -> Verdict {
    let cause = causes.classify(code, None, "");
    match causes.repeat(&cause) {
        Repeat::Delayed | Repeat::StopPlan => {
            Verdict::Rejected(Failure { cause, msg_code: code, field: None, message: String::new() })
        }
        Repeat::VerifyFirst | Repeat::AfterFix | Repeat::Singly | Repeat::Done => {
            Verdict::Unknown(UnknownWhy::NotNamed, "the answer refuses without naming a bill or a reason".to_owned())
        }
    }
}
