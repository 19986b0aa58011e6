//! Bills by the value of a field.

use super::classify::{Ask, query_fault};
use super::client::KingdeeErp;
use super::request::{MAX_LIMIT, Query};
use super::transport::CallKind;
use skydeck_core::domain::bill::Found;
use skydeck_engine::ports::{Fault, FaultKind, KeyLook, MOST_KEYS};

impl KingdeeErp {
    /// See [`skydeck_engine::ports::Erp::find_bills`].
    pub(super) async fn by_key(&self, look: &KeyLook<'_>, keys: &[String]) -> Result<Vec<(String, Found)>, Fault> {
        let KeyLook { form, id_path, number_path, key, fields } = *look;
        let mut fields = fields.to_vec();
        if !fields.iter().any(|field| field.eq_ignore_ascii_case(key)) {
            fields.push(key.to_owned());
        }
        let mut found = Vec::with_capacity(keys.len());
        for asked in keys.chunks(MOST_KEYS) {
            let server = self.address.shown();
            let ask = Ask { what: "look by key", server: &server };
            let values = asked.iter().map(|key| quoted(key).ok_or_else(|| unlookable(ask, key)));
            let values = values.collect::<Result<Vec<_>, Fault>>()?;
            let query = Query {
                what: ask.what,
                form,
                columns: &[],
                id_path,
                number_path,
                mark: None,
                fields: &fields,
                filter: format!("{key} in ({})", values.join(",")),
                after: None,
                limit: MAX_LIMIT,
                lines: false,
                kind: CallKind::Status,
            };
            let page = self.bills(&query).await?;
            // A page that is full may hide a second bill with one of the keys.
            if page.raw_rows >= MAX_LIMIT {
                return Err(query_fault(ask, "more bills have these keys than one answer takes"));
            }
            for bill in page.bills {
                let value = bill.field(key).trim().to_owned();
                if !asked.iter().any(|asked| asked.trim().eq_ignore_ascii_case(&value)) {
                    let why = format!("the server answered about {key} {value}, which was not asked");
                    return Err(query_fault(ask, &why));
                }
                found.push((value, bill));
            }
        }
        Ok(found)
    }
}

/// A key as a literal of a FilterString; `None` for one that could leave it.
fn quoted(key: &str) -> Option<String> {
    let leaves = key.chars().any(char::is_control) || ["--", "/*", "*/", ";"].iter().any(|sign| key.contains(sign));
    (!leaves).then(|| format!("'{}'", key.replace('\'', "''")))
}

fn unlookable(ask: Ask<'_>, key: &str) -> Fault {
    let why = format!("`{}` cannot be looked for: it holds what ends a filter", key.escape_debug());
    ask.fault(
        FaultKind::Config,
        &why,
        "Choose another key for the plan, one without control characters, `;`, `--` and `/*`",
    )
}
