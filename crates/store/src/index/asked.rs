//! What of a filter an index answers: words by their beginning, and the columns of the sum line that rows must stand in.
//!
//! Invariant: a row that the filter lets pass stands in one of the columns said here.

use super::key;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::filter::{Filter, Key as Asked, Term, Test};
use skydeck_core::domain::operation_words as names;

/// A word of a filter that an index can answer, lower case.
pub enum Word {
    /// The whole word.
    Exactly(String),
    /// Its beginning.
    Begins(String),
}

/// `None` for a word that does not begin with what it asks for.
pub fn plain(word: &str) -> Option<Word> {
    let word = word.to_lowercase();
    if word.starts_with('*') {
        return None;
    }
    Some(match word.strip_suffix('*') {
        Some(start) => Word::Begins(start.to_owned()),
        None => Word::Exactly(word),
    })
}

/// Whether a word asks for this text.
pub fn means(word: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    match plain(word) {
        Some(Word::Exactly(word)) => text == word,
        Some(Word::Begins(start)) => text.starts_with(&start),
        None => false,
    }
}

/// Whether one of the words means a column itself, not only what one operation calls it.
pub fn is_whole(slot: Slot, words: &[String]) -> bool {
    names::column_names(slot).iter().any(|name| words.iter().any(|word| means(word, name)))
}

/// Columns of the sum line a matching row must stand in; `None` when the filter leaves that open. A status
/// word of one letter means the ERP's own code, and one that is no column may be a code too: those are scanned.
pub fn slots(filter: &Filter) -> Option<Vec<Slot>> {
    let by_status = filter.words(Asked::Status).and_then(|words| {
        let mut found = Vec::new();
        for word in words {
            let meant = Slot::ALL.into_iter().filter(|slot| names::is_ever_called(*slot, |name| means(word, name)));
            let before = found.len();
            found.extend(meant.filter(|_| word.chars().count() > 1));
            if found.len() == before {
                return None;
            }
        }
        Some(found)
    });
    let by_cause =
        filter.words(Asked::Cause).map(|_| vec![Slot::Skipped, Slot::Failed, Slot::Unknown, Slot::NotReached]);
    let spoke = |term: &Term| !term.not && matches!(term.test, Test::Message(_));
    // Nothing else has a message.
    let by_message = filter.terms.iter().any(spoke).then(|| vec![Slot::Failed, Slot::Unknown]);
    let both = |a: Vec<Slot>, b: Vec<Slot>| a.into_iter().filter(|slot| b.contains(slot)).collect();
    let mut slots = [by_status, by_cause, by_message].into_iter().flatten().reduce(both)?;
    slots.sort_by_key(|slot| key::slot_byte(*slot));
    slots.dedup();
    Some(slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(filter: &str) -> Option<Vec<Slot>> {
        slots(&Filter::parse(filter).unwrap())
    }

    #[test]
    fn every_word_of_a_column_leads_to_its_rows_and_every_other_word_to_a_scan() {
        for (filter, want) in [
            ("status:done", Some(vec![Slot::Done])),
            ("status:audited", Some(vec![Slot::Done])),
            ("结果:已关闭", Some(vec![Slot::Done])),
            ("status:submitted,failed", Some(vec![Slot::Done, Slot::Failed])),
            ("status:already*", Some(vec![Slot::Already])),
            ("status:already_closed", Some(vec![Slot::Already])),
            ("status:not_reached", Some(vec![Slot::NotReached])),
            ("status:未轮到", Some(vec![Slot::NotReached])),
            ("cause:not_reached", Some(vec![Slot::Skipped, Slot::Failed, Slot::Unknown, Slot::NotReached])),
            ("status:C", None),
            ("status:failed,nonsense", None),
            ("-status:done", None),
            ("no:1", None),
        ] {
            assert_eq!(asked(filter), want, "{filter}");
        }
    }

    #[test]
    fn only_what_every_operation_calls_so_is_a_whole_column() {
        let whole = |word: &str, slot| is_whole(slot, &[word.to_owned()]);
        assert!(whole("done", Slot::Done) && whole("audited", Slot::Done) && whole("not_reached", Slot::NotReached));
        assert!(!whole("closed", Slot::Done) && !whole("已审核", Slot::Done) && !whole("s*", Slot::Done));
    }
}
