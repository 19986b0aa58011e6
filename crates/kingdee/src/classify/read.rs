//! What came of a reading call: rows, or a [`Fault`] that says what happened, where, and what to do next.

use super::bare::words_of;
use super::session::{Loss, loss_in, loss_of};
use super::{Mode, excerpt, is_text_401};
use crate::transport::{HttpReply, TransportFault};
use crate::wire::{QueryAnswer, Reason, Status, WireError, read_rows};
use skydeck_core::domain::cause::{Cause, CauseTable, known};
use skydeck_core::domain::folded::folded;
use skydeck_engine::ports::{Fault, FaultKind};

/// What the server says, with a status that is no success, when the account set is wrong
/// (docs/design/wire.md#who-is-calling).
pub(super) const WRONG_ACCOUNT_SET: &str = "Fail to verify thirty passport";

/// What was asked and where, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The call in words, e.g. `query of SAL_OUTSTOCK`.
    pub what: &'a str,
    /// The server's address.
    pub server: &'a str,
}

/// How the answer to a reading call is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// What refusals mean.
    pub causes: &'a CauseTable,
    /// How calls say who is calling.
    pub mode: Mode,
    /// What was asked.
    pub ask: Ask<'a>,
}

impl Ask<'_> {
    /// A fault with a message of one form: what failed where, why, and what to do next.
    pub fn fault(&self, kind: FaultKind, why: &str, next: &str) -> Fault {
        let why = skydeck_core::domain::bounds::words(why.to_owned());
        let message = format!("{} at {} failed: {why}. {next}", self.what, self.server);
        Fault { kind, message, retry_after: None, evidence: None }
    }

    pub(super) fn unreadable(&self, why: &str, body: &[u8]) -> Fault {
        let text = String::from_utf8_lossy(body);
        let head = excerpt(&text, 200);
        let why = if head.is_empty() { why.to_owned() } else { format!("{why}; it begins with: {head}") };
        self.fault(
            FaultKind::Unreadable,
            &why,
            "Check that the address is the K/3Cloud server's (…/k3cloud/) and no proxy or login page answers in its place",
        )
    }
}

/// A reading call without an answer.
pub fn transport_fault(fault: &TransportFault, ask: Ask<'_>) -> Fault {
    let why = fault.to_string();
    match fault {
        TransportFault::NotSent(_) => {
            ask.fault(FaultKind::NotConnected, &why, "Nothing was sent; check address, network and certificate")
        }
        TransportFault::TimedOut(_) => ask.fault(
            FaultKind::NoAnswer,
            &why,
            "Reading is safe to repeat; ask for smaller pages or raise the timeout",
        ),
        TransportFault::Broken(_) => ask.fault(FaultKind::NoAnswer, &why, "Reading is safe to repeat"),
        TransportFault::TooLarge { .. } => {
            ask.fault(FaultKind::TooLarge, &why, "Ask for smaller pages or fewer columns")
        }
        TransportFault::Redirected { .. } => ask.fault(
            FaultKind::Redirected,
            &why,
            "Put the address it points to into the environment, if it is the right one",
        ),
    }
}

/// Reads a query's answer, every row with `width` cells.
pub fn read_query(reply: &HttpReply, width: usize, reading: Reading<'_>) -> Result<Vec<Vec<String>>, Fault> {
    let Reading { mode, ask, .. } = reading;
    if reply.status != 200 {
        let text = String::from_utf8_lossy(&reply.body);
        return Err(worded(&text, reading).unwrap_or_else(|| http_fault(reply, mode, ask)));
    }
    match read_rows(&reply.body, width) {
        Ok(QueryAnswer::Rows(rows)) => Ok(rows),
        Ok(QueryAnswer::Refused(status)) => Err(refused(&status, reply, reading)),
        Err(_) if is_text_401(&reply.body) => {
            Err(session(mode, Loss::Told, "the answer is a text that begins with 401", ask))
        }
        Err(WireError(why)) => {
            let said = words_of(&reply.body).and_then(|words| worded(&words, reading));
            Err(said.unwrap_or_else(|| ask.unreadable(&format!("the answer cannot be read: {why}"), &reply.body)))
        }
    }
}

/// What servers say, folded, of a filter or a column that they cannot read: the same query will never be read.
const FILTER_WORDS: [&str; 9] = [
    "getrealexpress",
    "incorrect syntax near",
    "附近有语法错误",
    "invalid column name",
    "过滤条件解析",
    "过滤条件不正确",
    "过滤条件有误",
    "过滤条件错误",
    "过滤条件格式",
];

fn is_filter_fault(words: &str) -> bool {
    let text = folded(words);
    FILTER_WORDS.iter().any(|part| text.contains(part))
}

/// What words mean that came without the form of an answer, where they mean anything to us.
pub(super) fn worded(words: &str, reading: Reading<'_>) -> Option<Fault> {
    if words.trim_start().starts_with('<') {
        return None;
    }
    let said = excerpt(words, 200);
    if let Some(loss) = loss_in(words) {
        return Some(session(reading.mode, loss, &said, reading.ask));
    }
    is_filter_fault(words).then(|| no(None, Cause::new(known::PARAMETER), &said, reading))
}

/// The fault of a reply that is no success in HTTP's terms.
pub fn http_fault(reply: &HttpReply, mode: Mode, ask: Ask<'_>) -> Fault {
    let text = String::from_utf8_lossy(&reply.body);
    let why = format!("HTTP {}: {}", reply.status, excerpt(&text, 200));
    if text.contains(WRONG_ACCOUNT_SET) {
        return ask.fault(FaultKind::AccountSet, &why, "Check the account set id (账套) of this environment");
    }
    let kind = FaultKind::Http(reply.status);
    let mut fault = match reply.status {
        401 => session(mode, Loss::Told, &why, ask),
        404 => ask.fault(kind, &why, "Check the path of the address; it ends with /k3cloud/ as a rule"),
        429 => ask.fault(kind, &why, "The server asks for fewer calls; lower the environment's pace"),
        519 => ask.fault(kind, &why, "Kingdee's gateway refused the call; check application, secret and our clock"),
        _ => ask.fault(kind, &why, "Reading is safe to repeat once the server is well"),
    };
    fault.retry_after = reply.retry_after();
    fault
}

pub(super) fn session(mode: Mode, loss: Loss, why: &str, ask: Ask<'_>) -> Fault {
    if loss.refuses(mode) {
        return ask.fault(
            FaultKind::Credentials,
            why,
            "Calls are signed, so this means that user, application, secret or language id is refused: check them; \
             repeating cannot help",
        );
    }
    ask.fault(FaultKind::SessionLost, why, "Sign in again")
}

pub(super) fn refused(status: &Status, reply: &HttpReply, reading: Reading<'_>) -> Fault {
    let Reading { causes, mode, ask } = reading;
    let code = status.msg_code();
    let first = status.errors.iter().find(|e| !e.message().is_empty());
    let said = first.map_or("", Reason::message);
    if status.is_success() {
        return ask.unreadable("the answer is that of an operation, not rows", &reply.body);
    }
    if let Some(loss) = loss_of(status) {
        return session(mode, loss, said, ask);
    }
    let cause = if is_filter_fault(said) {
        Cause::new(known::PARAMETER)
    } else {
        causes.classify(code, first.and_then(Reason::field), said)
    };
    let mut fault = no(code, cause, said, reading);
    fault.retry_after = reply.retry_after();
    fault
}

/// A refusal of a known class.
fn no(code: Option<i64>, cause: Cause, said: &str, reading: Reading<'_>) -> Fault {
    let next =
        reading.causes.info(&cause).map_or_else(|| "Read the message".to_owned(), |info| capital(&info.advice_en));
    let code_text = code.map_or_else(|| "no MsgCode".to_owned(), |code| format!("MsgCode {code}"));
    let why = format!("{} ({code_text})", if said.is_empty() { "refused without a word" } else { said });
    reading.ask.fault(FaultKind::Refused { msg_code: code, cause }, &why, &next)
}

/// For callers that find fault with rows: a wrong id, a missing order.
pub fn query_fault(ask: Ask<'_>, why: &str) -> Fault {
    ask.fault(
        FaultKind::Unreadable,
        why,
        "Nothing read in this call is used; if it happens again, the server or a proxy mixes up answers",
    )
}

fn capital(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + signs.as_str())
}
