//! How a list is shown, and how that is kept between consoles.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use skydeck_core::domain::sort::{By, Sort};

/// How one list is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListView {
    /// `None`: its own order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<Sort>,
    /// Labels of plan columns that are not shown.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hidden: BTreeSet<String>,
    /// Labels of plan columns that stand first, in this order; the others follow as they come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
}

impl ListView {
    /// By this column, then the other way round, then in the list's own order again.
    pub fn turn(&mut self, by: &By) {
        self.sort = match self.sort.take().filter(|sort| sort.by == *by) {
            None => Some(Sort { by: by.clone(), descending: false }),
            Some(Sort { descending: false, by }) => Some(Sort { by, descending: true }),
            Some(_) => None,
        };
    }
}

/// A list, of one plan where it is of one, and how it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptList {
    /// The pane.
    pub list: String,
    /// The plan; empty where the list is of several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plan: String,
    /// Order and columns.
    #[serde(flatten)]
    pub view: ListView,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_turns_from_rising_to_falling_to_none_and_another_one_begins_anew() {
        let mut view = ListView::default();
        let mut said = Vec::new();
        for by in [By::Number, By::Number, By::Number, By::Age, By::Number] {
            view.turn(&by);
            said.push(view.sort.as_ref().map(|sort| (sort.by.clone(), sort.descending)));
        }
        let is = |by, descending| Some((by, descending));
        let expected = [is(By::Number, false), is(By::Number, true), None, is(By::Age, false), is(By::Number, false)];
        assert_eq!(said, expected);
    }
}
