//! The verdict on each bill of a writing call (docs/design/failures.md#not-every-bad-end-is-a-failure).

use super::bare::words_of;
use super::names::{Named, is_number, is_unique, named};
use super::session::{Loss, loss_in, loss_of};
use super::{Mode, excerpt, is_text_401};
use crate::transport::{HttpReply, TransportFault};
use crate::wire::{Entity, Envelope, QueryAnswer, Reason, Status, read_rows};
use skydeck_core::domain::bill::{Failure, UnknownWhy};
use skydeck_core::domain::bounds;
use skydeck_core::domain::cause::{Cause, CauseTable, Repeat, known};
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::step::Verdict;
use skydeck_engine::ports::Alarm;

/// What a writing call came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// What it made of each bill: internal id and number, as the answer names them.
    pub made: Vec<(Fid, Fid, String)>,
    /// One verdict a bill, in the order asked.
    pub verdicts: Vec<(Fid, Verdict)>,
    /// Words of the ERP about side effects.
    pub side: Vec<String>,
    /// What concerns more than one bill.
    pub alarm: Option<Alarm>,
}

/// Which bills an answer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Those that were asked.
    Asked,
    /// Those that were saved: the bills sent, under the numbers they got.
    Saved,
    /// Those that a conversion made of the bill asked.
    Pushed,
}

impl Names {
    fn are_made(self) -> bool {
        match self {
            Self::Asked => false,
            Self::Saved | Self::Pushed => true,
        }
    }
}

/// Judges a writing call. Total: every answer leads to exactly one verdict for each bill asked.
pub fn judge_write(
    answer: &Result<HttpReply, TransportFault>,
    asked: &[(Fid, String)],
    causes: &CauseTable,
    (mode, names): (Mode, Names),
) -> Judged {
    let call = Call { asked, causes, mode, names };
    let judged = match answer {
        Err(fault) => call.of_fault(fault),
        Ok(reply) if reply.status != 200 => call.of_status(reply),
        Ok(reply) => match Envelope::read(&reply.body) {
            Ok(status) => call.judge(&status, reply),
            Err(why) => call.of_other_shape(&reply.body, &why.to_string()),
        },
    };
    judged.bounded()
}

impl Judged {
    /// With the server's words cut. They were judged whole; the answer itself is kept as evidence.
    fn bounded(mut self) -> Self {
        for (_, verdict) in &mut self.verdicts {
            match verdict {
                Verdict::Done => {}
                Verdict::Rejected(failure) => *failure = failure.clone().bounded(),
                Verdict::NotSent(said) | Verdict::Unknown(_, said) => *said = bounds::words(std::mem::take(said)),
            }
        }
        self.side.truncate(bounds::TEXTS);
        self.side.iter_mut().for_each(|said| *said = bounds::words(std::mem::take(said)));
        if let Some(Alarm::Credentials(said)) = &mut self.alarm {
            *said = bounds::words(std::mem::take(said));
        }
        self
    }
}

/// The call whose answer is judged.
struct Call<'a> {
    asked: &'a [(Fid, String)],
    causes: &'a CauseTable,
    mode: Mode,
    names: Names,
}

impl Call<'_> {
    /// The same verdict for every bill of the call.
    fn each(&self, verdict: &Verdict, alarm: Option<Alarm>) -> Judged {
        let verdicts = self.asked.iter().map(|(fid, _)| (fid.clone(), verdict.clone())).collect();
        Judged { verdicts, alarm, ..Judged::default() }
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

    fn of_status(&self, reply: &HttpReply) -> Judged {
        let text = String::from_utf8_lossy(&reply.body);
        let detail = format!("HTTP {}: {}", reply.status, excerpt(&text, 200));
        if let Some(loss) = loss_in(&text).filter(|_| !text.trim_start().starts_with('<')) {
            return self.session_lost(loss, &detail);
        }
        let mut judged = self.unknown(UnknownWhy::HttpStatus(reply.status), &detail);
        judged.alarm = match reply.status {
            429 => Some(Alarm::SlowDown(reply.retry_after())),
            503 => reply.retry_after().map(|wish| Alarm::SlowDown(Some(wish))),
            401 => Some(session_alarm(self.mode, Loss::Told, &detail)),
            _ if text.contains(super::read::WRONG_ACCOUNT_SET) => Some(Alarm::Credentials(detail)),
            _ => None,
        };
        judged
    }

    /// An answer without the form of one: nothing proves that the call was not executed; its words are kept.
    fn of_other_shape(&self, body: &[u8], why: &str) -> Judged {
        if is_text_401(body) {
            return self.session_lost(Loss::Told, "the answer is a text that begins with 401");
        }
        // The form in which a query is refused.
        if let Ok(QueryAnswer::Refused(status)) = read_rows(body, usize::MAX) {
            let words = words_in(&status);
            return match loss_of(&status) {
                Some(loss) => self.session_lost(loss, &words),
                None => self.unknown(UnknownWhy::Unreadable, &with_words("the answer is that of a query", &words)),
            };
        }
        let words = words_of(body).unwrap_or_default();
        match loss_in(&words) {
            Some(loss) => self.session_lost(loss, &words),
            None => {
                self.unknown(UnknownWhy::Unreadable, &with_words(&format!("the answer cannot be read: {why}"), &words))
            }
        }
    }

    /// An answer that says "who are you?": nothing proves that the call was not executed.
    fn session_lost(&self, loss: Loss, detail: &str) -> Judged {
        let alarm = session_alarm(self.mode, loss, detail);
        self.each(&Verdict::Unknown(UnknownWhy::SessionLost, detail.to_owned()), Some(alarm))
    }

    /// Judges a readable answer.
    fn judge(&self, status: &Status, reply: &HttpReply) -> Judged {
        let &Call { asked, causes, names, .. } = self;
        let makes = names.are_made();
        if !status.is_success()
            && status.entities.is_empty()
            && let Some(loss) = loss_of(status)
        {
            return self.of_session_loss(status, loss);
        }
        let words = words_in(status);
        if let Some(contradiction) = contradiction(status) {
            return self.unknown(UnknownWhy::Unreadable, &with_words(contradiction, &words));
        }
        let tally = match Seating::sort(status, asked, makes) {
            Ok(tally) => tally,
            // A conversion that made several: a look tells what they hold of the record.
            Err(several) if names == Names::Pushed => {
                return self.unknown(UnknownWhy::NotNamed, &with_words(&format!("the answer names {several}"), &words));
            }
            // A bill was made under a number that was not sent: which of those asked it is, nobody can tell.
            Err(stranger) if makes => {
                let detail = with_words(&format!("the answer names {stranger}, which was not sent"), &words);
                return self.unknown(UnknownWhy::KeyNotHonoured, &detail);
            }
            Err(stranger) => {
                let detail = with_words(&format!("the answer names {stranger}, which was not asked"), &words);
                return self.each(&Verdict::Unknown(UnknownWhy::WrongIds, detail), Some(Alarm::WrongIds));
            }
        };
        if !status.is_success() && tally.seats.iter().all(|seat| seat.done && seat.errors.is_empty()) {
            let why = "IsSuccess is false, yet every bill stands among the successes";
            return self.unknown(UnknownWhy::Unreadable, &with_words(why, &words));
        }
        let code = status.msg_code();
        let verdicts: Vec<(Fid, Verdict)> = asked
            .iter()
            .zip(&tally.seats)
            .map(|((fid, _), seat)| (fid.clone(), seat.verdict(code, causes, &tally.unplaced)))
            .collect();
        let limited =
            verdicts.iter().any(|(_, v)| matches!(v, Verdict::Rejected(f) if f.cause.as_str() == "call_limit"));
        let made = asked.iter().zip(&tally.seats).filter_map(|((fid, _), seat)| {
            let (id, no) = seat.made.clone()?;
            Some((fid.clone(), id, no))
        });
        Judged {
            made: made.collect(),
            alarm: (limited || code == Some(14)).then(|| Alarm::SlowDown(reply.retry_after())),
            side: status.messages.iter().map(|m| m.message().to_owned()).filter(|m| !m.is_empty()).collect(),
            verdicts,
        }
    }

    fn of_session_loss(&self, status: &Status, loss: Loss) -> Judged {
        let message = words_in(status);
        if !loss.refuses(self.mode) {
            return self.session_lost(loss, &message);
        }
        let failure = Failure {
            cause: Cause::new(known::CREDENTIALS),
            msg_code: status.msg_code(),
            field: None,
            message: message.clone(),
        };
        self.each(&Verdict::Rejected(failure), Some(Alarm::Credentials(message)))
    }
}

fn session_alarm(mode: Mode, loss: Loss, words: &str) -> Alarm {
    if loss.refuses(mode) { Alarm::Credentials(words.to_owned()) } else { Alarm::SessionLost }
}

/// What we say of an answer, with the server's own words where it has any.
fn with_words(ours: &str, theirs: &str) -> String {
    if theirs.is_empty() { ours.to_owned() } else { format!("{ours}: {theirs}") }
}

/// Every word of the errors.
fn words_in(status: &Status) -> String {
    joined(status.errors.iter())
}

fn joined<'a>(errors: impl Iterator<Item = &'a Reason>) -> String {
    errors.map(Reason::message).filter(|said| !said.is_empty()).collect::<Vec<_>>().join("\n")
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
    /// The answer counts it as done under this number, which is not ours.
    other_number: Option<String>,
    errors: Vec<&'a Reason>,
    /// The answer refuses the whole call with a code and without a word.
    silent_no: bool,
    /// The bill that was made: internal id and number.
    made: Option<(Fid, String)>,
}

/// The answer, sorted by bill.
struct Seating<'a> {
    seats: Vec<Seat<'a>>,
    /// Words of errors that could be given to no bill.
    unplaced: String,
}

impl<'a> Seating<'a> {
    /// Gives each success and error to the bill it names; `Err` with the name of one that was not asked among the
    /// successes. An error may name other documents (the receivable made beside the bill): that is no other bill's answer.
    fn sort(status: &'a Status, asked: &[(Fid, String)], makes: bool) -> Result<Self, String> {
        let mut seats: Vec<Seat<'a>> = vec![Seat::default(); asked.len()];
        let (mut nameless, mut siblings): (Vec<&'a Reason>, Vec<&'a Reason>) = (Vec::new(), Vec::new());
        if makes && asked.len() == 1 && status.entities.len() > 1 {
            return Err(format!("{} bills where one was sent", status.entities.len()));
        }
        for entity in &status.entities {
            if makes {
                if let Some(seat) = place_of_made(entity, asked)?.and_then(|at| seats.get_mut(at)) {
                    seat.done = entity.id().is_some();
                    seat.made = entity.id().map(|id| (Fid::new(id), entity.number().unwrap_or_default().to_owned()));
                }
                continue;
            }
            if let Some((at, other_number)) = place_of(entity, asked)?
                && let Some(seat) = seats.get_mut(at)
            {
                seat.done = true;
                seat.other_number = other_number;
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
                Named::Sibling => siblings.push(error),
                Named::Nobody => nameless.push(error),
            }
        }
        let nobody_named = seats.iter().all(|seat| !seat.done && seat.errors.is_empty());
        if let [only] = seats.as_mut_slice() {
            // One bill asked: an error without a name is about it, unless its index says otherwise.
            only.errors.extend(nameless.iter().filter(|error| error.index().is_none_or(|at| at <= 0)));
            if !only.errors.is_empty() {
                only.errors.append(&mut siblings);
            }
            only.silent_no = refuses_silently(status);
        } else if nobody_named && siblings.is_empty() {
            // Nobody is named at all: the refusal is of the call.
            for seat in &mut seats {
                seat.errors.clone_from(&nameless);
                seat.silent_no = refuses_silently(status);
            }
        }
        Ok(Self { seats, unplaced: joined(siblings.into_iter().chain(nameless)) })
    }
}

/// The bill a success names: by id, then by number; with the number it names, where that is neither ours nor that of another
/// bill asked. `Ok(None)` when it names nobody, `Err` when it names a stranger, or when id and number name two bills asked.
fn place_of(entity: &Entity, asked: &[(Fid, String)]) -> Result<Option<(usize, Option<String>)>, String> {
    let by_number = |number: &str| asked.iter().position(|(_, ours)| is_number(ours, number));
    match (entity.id(), entity.number()) {
        (Some(id), number) => {
            let id = Fid::new(id);
            let at = asked.iter().position(|(fid, _)| *fid == id).ok_or_else(|| format!("bill {id}"))?;
            let ours = asked.get(at).map_or("", |(_, ours)| ours.trim());
            match number {
                Some(theirs) if !ours.is_empty() && !is_number(ours, theirs) => match by_number(theirs) {
                    Some(_) => Err(format!("bill {id} as {theirs}")),
                    None => Ok(Some((at, Some(theirs.to_owned())))),
                },
                Some(_) | None => Ok(Some((at, None))),
            }
        }
        (None, Some(number)) => {
            let at = by_number(number).ok_or_else(|| format!("bill {number}"))?;
            Ok(is_unique(number, asked).then_some((at, None)))
        }
        (None, None) => Ok(None),
    }
}

/// The bill that was sent and that a success is about: the only one, whatever number it got; among several the one whose number
/// it has. `DIndex` names a place in the server's own order, and is not asked.
fn place_of_made(entity: &Entity, asked: &[(Fid, String)]) -> Result<Option<usize>, String> {
    if asked.len() == 1 {
        return Ok(Some(0));
    }
    let Some(number) = entity.number() else { return Ok(None) };
    let at = asked.iter().position(|(_, ours)| is_number(ours, number)).ok_or_else(|| format!("bill {number}"))?;
    Ok(is_unique(number, asked).then_some(at))
}

fn refuses_silently(status: &Status) -> bool {
    !status.is_success() && status.errors.is_empty() && status.entities.is_empty()
}

impl Seat<'_> {
    fn verdict(&self, code: Option<i64>, causes: &CauseTable, unplaced: &str) -> Verdict {
        let unknown = |why: UnknownWhy, ours: &str, theirs: &str| Verdict::Unknown(why, with_words(ours, theirs));
        match (self.done, self.errors.is_empty(), &self.other_number) {
            (true, true, None) => Verdict::Done,
            (true, true, Some(theirs)) => {
                unknown(UnknownWhy::NotNamed, "the answer counts the bill as done under another number", theirs)
            }
            (true, false, _) => {
                let why = "the answer counts the bill both among the successes and among the errors";
                unknown(UnknownWhy::Unreadable, why, &joined(self.errors.iter().copied()))
            }
            (false, false, _) => self.refusal(code, causes),
            (false, true, _) if self.silent_no => silent_refusal(code, causes),
            (false, true, _) => unknown(UnknownWhy::NotNamed, "the answer does not name this bill", unplaced),
        }
    }

    /// The refusal with the most telling of its errors for the class, and every word kept.
    fn refusal(&self, code: Option<i64>, causes: &CauseTable) -> Verdict {
        let class = |e: &Reason| causes.classify(code, e.field(), e.message());
        let mut telling: Option<(&Reason, u8)> = None;
        for error in &self.errors {
            let weight = weight(&class(error), error);
            if telling.is_none_or(|(_, most)| weight > most) {
                telling = Some((error, weight));
            }
        }
        let telling = telling.map(|(error, _)| error);
        let cause = telling.map_or_else(|| Cause::new(known::UNCLASSIFIED), class);
        let message = self.errors.iter().map(|e| e.message()).collect::<Vec<_>>().join("\n");
        let field = telling.and_then(|e| e.field()).map(str::to_owned);
        settle(Failure { cause, msg_code: code, field, message }, causes)
    }
}

/// How much an error tells of what is to be done: a class of its own, then a required field or another one that is named,
/// then a question, then the rest. A question that is empty (`… is null`) tells nothing.
fn weight(cause: &Cause, error: &Reason) -> u8 {
    let names_a_field = || error.field().is_some() || REQUIRED.iter().any(|word| error.message().contains(word));
    match cause.as_str() {
        known::UNCLASSIFIED | "database" => 0,
        known::INTERACTION if error.message().contains("InteractionContext is null") => 0,
        known::INTERACTION => 2,
        known::VALIDATION if names_a_field() => 3,
        known::VALIDATION => 1,
        _ => 4,
    }
}

/// Words of an error that a field is empty.
const REQUIRED: [&str; 3] = ["必填", "必录", "is required"];

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
