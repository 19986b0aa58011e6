//! What came of a reading call: rows, or a [`Fault`] that says what happened, where, and what to do next.

use super::{Mode, excerpt, is_session_lost, is_text_401};
use crate::domain::cause::CauseTable;
use crate::erp::transport::{HttpReply, TransportFault};
use crate::erp::wire::{QueryAnswer, Reason, Status, WireError, read_rows};
use crate::erp::{Fault, FaultKind};

/// What the server says, with a status that is no success, when the account set is wrong (kingdee-webapi.md §2.5).
pub(super) const WRONG_ACCOUNT_SET: &str = "Fail to verify thirty passport";

/// What was asked and where, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The call in words, e.g. `query of SAL_OUTSTOCK`.
    pub what: &'a str,
    /// The server's address.
    pub server: &'a str,
}

impl Ask<'_> {
    /// A fault with a message of one form: what failed where, why, and what to do next.
    pub fn fault(&self, kind: FaultKind, why: &str, next: &str) -> Fault {
        let message = format!("{} at {} failed: {why}. {next}", self.what, self.server);
        Fault { kind, message, retry_after: None, evidence: None }
    }

    fn unreadable(&self, why: &str, body: &[u8]) -> Fault {
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
pub fn read_query(
    reply: &HttpReply,
    width: usize,
    causes: &CauseTable,
    mode: Mode,
    ask: Ask<'_>,
) -> Result<Vec<Vec<String>>, Fault> {
    if reply.status != 200 {
        return Err(http_fault(reply, mode, ask));
    }
    match read_rows(&reply.body, width) {
        Ok(QueryAnswer::Rows(rows)) => Ok(rows),
        Ok(QueryAnswer::Refused(status)) => Err(refused(&status, reply, causes, mode, ask)),
        Err(_) if is_text_401(&reply.body) => Err(session(mode, "the answer is a text that begins with 401", ask)),
        Err(WireError(why)) => Err(ask.unreadable(&format!("the answer cannot be read: {why}"), &reply.body)),
    }
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
        401 => session(mode, &why, ask),
        404 => ask.fault(kind, &why, "Check the path of the address; it ends with /k3cloud/ as a rule"),
        429 => ask.fault(kind, &why, "The server asks for fewer calls; lower the environment's pace"),
        519 => ask.fault(kind, &why, "Kingdee's gateway refused the call; check application, secret and our clock"),
        _ => ask.fault(kind, &why, "Reading is safe to repeat once the server is well"),
    };
    fault.retry_after = reply.retry_after();
    fault
}

fn session(mode: Mode, why: &str, ask: Ask<'_>) -> Fault {
    match mode {
        Mode::Signed => ask.fault(
            FaultKind::Credentials,
            why,
            "Calls are signed, so this means that user, application, secret or language id is refused: check them; \
             repeating cannot help",
        ),
        Mode::Login => ask.fault(FaultKind::SessionLost, why, "Sign in again"),
    }
}

fn refused(status: &Status, reply: &HttpReply, causes: &CauseTable, mode: Mode, ask: Ask<'_>) -> Fault {
    let code = status.msg_code();
    let first = status.errors.iter().find(|e| !e.message().is_empty());
    let said = first.map_or("", Reason::message);
    if status.is_success() {
        return ask.unreadable("the answer is that of an operation, not rows", &reply.body);
    }
    if is_session_lost(code, status.errors.iter().map(Reason::message)) {
        return session(mode, said, ask);
    }
    let cause = causes.classify(code, first.and_then(Reason::field), said);
    let next = causes.info(&cause).map_or_else(|| "Read the message".to_owned(), |info| capital(&info.advice_en));
    let code_text = code.map_or_else(|| "no MsgCode".to_owned(), |code| format!("MsgCode {code}"));
    let why = format!("{} ({code_text})", if said.is_empty() { "refused without a word" } else { said });
    let mut fault = ask.fault(FaultKind::Refused { msg_code: code, cause }, &why, &next);
    fault.retry_after = reply.retry_after();
    fault
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
