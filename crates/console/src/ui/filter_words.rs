//! What the values of a filter are called: the names that are stored, and the words that lists show for them.

use skydeck_core::domain::cause::{CauseInfo, CauseTable};
use skydeck_core::domain::filter::Key;
use skydeck_core::domain::{filter_values, group_words};

/// Names of causes, skips and ways of not knowing that people read this word for, in either language, or did before.
pub fn causes_shown_as(causes: &CauseTable, word: &str) -> Vec<String> {
    let same = |shown: &str| shown.eq_ignore_ascii_case(word);
    let labelled = |info: &&CauseInfo| [&info.zh, &info.en].into_iter().chain(&info.was).any(|label| same(label));
    let of_table = causes.cause.iter().filter(labelled);
    let shows = |name: &&str| group_words::words(name).into_iter().any(same);
    let of_groups = group_words::names().filter(shows).map(str::to_owned);
    of_table.map(|info| info.cause.as_str().to_owned()).chain(of_groups).collect()
}

/// All values that a key of a filter may have; `None` where it may have any.
pub fn filter_values(causes: &CauseTable, key: Key) -> Option<Vec<String>> {
    match key {
        Key::Cause => {
            let of_table =
                causes.cause.iter().flat_map(|info| [info.cause.0.clone(), info.zh.clone(), info.en.clone()]);
            Some(of_table.chain(group_words::names().map(str::to_owned)).collect())
        }
        Key::Status => Some(filter_values::statuses()),
        Key::Operation
        | Key::No
        | Key::Fid
        | Key::Org
        | Key::Customer
        | Key::Date
        | Key::Plan
        | Key::Run
        | Key::Code => None,
    }
}
