//! What the keys of a filter may be asked for: names out of the index's dictionaries, people of the newest runs, values of a
//! column in the newest rows.
//!
//! Invariant: no answer looks at more than a fixed number of runs, plans and rows, however long the history is.

use std::collections::{BTreeSet, HashMap};

use super::Index;
use super::key::{self, Dict, Key, u32_at};
use super::kv::{Kv, Walk};
use super::row::BillRec;
use crate::{StoreError, codec};
use skydeck_core::domain::filter::values::columns_of;
use skydeck_core::domain::filter::{Key as Asked, labels_of};
use skydeck_core::domain::ids::{EnvId, OpId, PlanId};
use skydeck_core::domain::language::Language;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::FilterValues;
use skydeck_core::domain::who::Who;

/// Runs looked at for people.
const RUNS: usize = 1_000;
/// Revisions of plans looked at for labels.
const PLANS: usize = 200;
/// People named.
const PEOPLE: usize = 200;
/// Rows looked at for the values of a column.
pub const ROWS: usize = 10_000;
/// Values given, and values counted at most: of a column in which each row has its own the first ones.
const VALUES: usize = 200;
const COUNTED: usize = 4_000;

impl<K: Kv> Index<K> {
    /// What the keys of a filter may be asked for.
    pub fn filter_values(&self, column: Option<&str>) -> Result<FilterValues, StoreError> {
        let mut found = match column {
            Some(column) => self.values_of(column)?,
            None => FilterValues::default(),
        };
        if column.is_some() {
            return Ok(found);
        }
        let named = |kind| Ok::<_, StoreError>(self.dict_all(kind)?.into_iter().map(|(text, _)| text));
        found.plans = named(Dict::Plan)?.map(PlanId::new).collect();
        let (mut environments, mut operations) = (BTreeSet::new(), BTreeSet::new());
        for family in named(Dict::Family)? {
            let mut parts = family.split('\u{0}');
            environments.extend(parts.next().map(EnvId::new));
            operations.insert(parts.nth(1).map(OpId::new).unwrap_or_default());
        }
        found.environments = environments.into_iter().collect();
        found.operations = operations.into_iter().collect();
        found.causes = self.groups_ever()?;
        found.people = self.people()?;
        found.columns = self.columns_ever()?;
        Ok(found)
    }

    /// Names of the groups that the ledger ever held.
    fn groups_ever(&self) -> Result<Vec<String>, StoreError> {
        let prefix = Key::new(key::GROUP_COUNT).u16(0).done();
        let mut names = BTreeSet::new();
        for entry in Walk::prefix(&self.kv, prefix.clone(), false) {
            let (at, _) = entry?;
            let group = at.get(prefix.len() + 1..).unwrap_or_default();
            names.insert(String::from_utf8_lossy(group).into_owned());
        }
        Ok(names.into_iter().filter(|name| !name.is_empty()).collect())
    }

    fn people(&self) -> Result<Vec<Who>, StoreError> {
        let (mut people, mut seen): (Vec<Who>, BTreeSet<String>) = (Vec::new(), BTreeSet::new());
        for entry in Walk::prefix(&self.kv, vec![key::RUN], true).take(RUNS) {
            let Some(no) = u32_at(&entry?.0, 1) else { continue };
            let by = self.head(no)?.by.clone();
            if seen.insert(by.said(Language::En)) {
                people.push(by);
            }
            if people.len() >= PEOPLE {
                break;
            }
        }
        Ok(people)
    }

    fn columns_ever(&self) -> Result<Vec<String>, StoreError> {
        let mut columns = BTreeSet::new();
        for entry in Walk::prefix(&self.kv, vec![key::PLAN], false).take(PLANS) {
            columns.extend(columns_of(&codec::unpack::<Plan>(&entry?.1)?));
        }
        Ok(columns.into_iter().filter(|column| !column.is_empty()).collect())
    }

    /// Values of a column in the newest rows of the history.
    fn values_of(&self, column: &str) -> Result<FilterValues, StoreError> {
        let mut counts: HashMap<String, u64> = HashMap::new();
        // Where the column stands in the rows of a run: rows of one run lie together.
        let mut last: Option<(u32, Vec<usize>)> = None;
        let mut looked = 0;
        for entry in Walk::prefix(&self.kv, vec![key::HISTORY], true).take(ROWS) {
            let (_, place) = entry?;
            looked += 1;
            let Some(no) = u32_at(&place, 0) else { continue };
            if last.as_ref().is_none_or(|(run, _)| *run != no) {
                last = Some((no, self.places_of_column(no, column)?));
            }
            let places = last.as_ref().map(|(_, places)| places.as_slice()).unwrap_or_default();
            if places.is_empty() {
                continue;
            }
            let Some(stored) = self.kv.get(&Key::new(key::BILL).raw(&place).done())? else { continue };
            let rec: BillRec = codec::unpack(&stored)?;
            for value in places.iter().filter_map(|at| rec.c.get(*at)).filter(|value| !value.is_empty()) {
                if let Some(n) = counts.get_mut(value) {
                    *n += 1;
                } else if counts.len() < COUNTED {
                    counts.insert(value.clone(), 1);
                }
            }
        }
        let mut values: Vec<(String, u64)> = counts.into_iter().collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        values.truncate(VALUES);
        Ok(FilterValues { values, looked, ..FilterValues::default() })
    }

    /// The columns of a run that are meant by a label, by a name, or by a key of the language.
    fn places_of_column(&self, no: u32, column: &str) -> Result<Vec<usize>, StoreError> {
        let head = self.head(no)?;
        let labels = self.labels(&head)?;
        let names = [(Asked::Customer, "cust"), (Asked::Org, "org")];
        let key = names.into_iter().find(|(key, _)| labels_of(*key).contains(&column));
        let is = |at: usize, name: &String| {
            labels.get(at).is_some_and(|label| {
                label == column || key.is_some_and(|(key, _)| labels_of(key).contains(&label.as_str()))
            }) || name.eq_ignore_ascii_case(column)
        };
        let all = |is: &dyn Fn(usize, &String) -> bool| -> Vec<usize> {
            head.columns.iter().enumerate().filter(|(at, name)| is(*at, name)).map(|(at, _)| at).collect()
        };
        let own = all(&is);
        Ok(match key {
            Some((_, part)) if own.is_empty() => all(&|_, name| name.to_lowercase().contains(part)),
            _ => own,
        })
    }
}
