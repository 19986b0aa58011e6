//! Bills by the value of a field.

use super::classify::{Ask, query_fault};
use super::client::KingdeeErp;
use super::request::{MAX_LIMIT, Query};
use super::transport::CallKind;
use skydeck_core::domain::bill::Found;
use skydeck_core::domain::spelled::spelled;
use skydeck_engine::ports::{Fault, FaultKind, KeyLook, KeyRow, MOST_KEYS};

impl KingdeeErp {
    /// See [`skydeck_engine::ports::Erp::find_bills`].
    pub(super) async fn by_key(&self, look: &KeyLook<'_>, keys: &[String]) -> Result<Vec<KeyRow>, Fault> {
        let mut found = Vec::with_capacity(keys.len());
        let mut waiting: Vec<&[String]> = keys.chunks(MOST_KEYS).rev().collect();
        while let Some(asked) = waiting.pop() {
            if let Some(rows) = self.of_keys(look, asked).await? {
                found.extend(rows);
            } else {
                // Their lines do not fit into one answer.
                let (first, second) = asked.split_at(asked.len() / 2);
                waiting.extend([second, first]);
            }
        }
        Ok(found)
    }

    /// The bills with these keys; `None` where an answer does not take them all, and fewer can be asked for.
    async fn of_keys(&self, look: &KeyLook<'_>, asked: &[String]) -> Result<Option<Vec<KeyRow>>, Fault> {
        let KeyLook { form, id_path, number_path, key, in_lines, fields, lines, sending: _ } = *look;
        let mut fields = fields.to_vec();
        if !in_lines && !fields.iter().any(|field| field.eq_ignore_ascii_case(key)) {
            fields.push(key.to_owned());
        }
        let mut columns = lines.to_vec();
        if in_lines {
            columns.push(key.to_owned());
        }
        let server = self.address.shown();
        let ask = Ask { what: "look by key", server: &server };
        let values = asked.iter().map(|key| quoted(key).ok_or_else(|| unlookable(ask, key)));
        let values = values.collect::<Result<Vec<_>, Fault>>()?;
        let query = Query {
            what: ask.what,
            form,
            columns: &columns,
            id_path,
            number_path,
            mark: None,
            fields: &fields,
            filter: format!("{key} in ({})", values.join(",")),
            after: None,
            limit: MAX_LIMIT,
            lines: !columns.is_empty(),
            kind: CallKind::Status,
        };
        let mut page = self.bills(&query).await?;
        if page.raw_rows >= MAX_LIMIT && query.lines {
            if asked.len() > 1 {
                return Ok(None);
            }
            if in_lines {
                return Err(query_fault(ask, "one bill has more lines than an answer takes"));
            }
            // It has more lines than an answer takes, and so more than any that we make and compare: it stands without them.
            page = self.bills(&Query { columns: &[], lines: false, ..query }).await?;
        }
        // A page that is full may hide a second bill with one of the keys.
        if page.raw_rows >= MAX_LIMIT {
            return Err(query_fault(ask, "more bills have these keys than one answer takes"));
        }
        let mut rows = page.rows.into_iter();
        let found = page.bills.into_iter().flat_map(|found| {
            let lines = rows.next().unwrap_or_default();
            if in_lines {
                return of_lines(&found, lines);
            }
            vec![KeyRow { key: found.field(key).trim().to_owned(), found, lines }]
        });
        let found: Vec<KeyRow> = found.collect();
        let strange = found.iter().find(|row| !asked.iter().any(|asked| asked.trim().eq_ignore_ascii_case(&row.key)));
        match strange {
            None => Ok(Some(found)),
            Some(row) => {
                let why = format!("the server answered about {key} {}, which was not asked", row.key);
                Err(query_fault(ask, &why))
            }
        }
    }
}

/// A bill as it is found by each value of the key, which is the last column of its lines.
fn of_lines(found: &Found, lines: Vec<Vec<String>>) -> Vec<KeyRow> {
    let mut all: Vec<KeyRow> = Vec::new();
    for mut line in lines {
        let key = line.pop().unwrap_or_default().trim().to_owned();
        match all.iter_mut().find(|row| row.key.eq_ignore_ascii_case(&key)) {
            Some(row) => row.lines.push(line),
            None => all.push(KeyRow { key, found: found.clone(), lines: vec![line] }),
        }
    }
    all
}

/// A key as a literal of a FilterString; `None` for one that could leave it.
fn quoted(key: &str) -> Option<String> {
    let leaves = key.chars().any(char::is_control) || ["--", "/*", "*/", ";"].iter().any(|sign| key.contains(sign));
    (!leaves).then(|| format!("'{}'", key.replace('\'', "''")))
}

fn unlookable(ask: Ask<'_>, key: &str) -> Fault {
    let why = format!("`{}` cannot be looked for: it holds what ends a filter", spelled(key));
    ask.fault(
        FaultKind::Config,
        &why,
        "Choose another key for the plan, one without control characters, `;`, `--` and `/*`",
    )
}
