//! Facts of a newer program: kept with their bytes, told by name, never guessed at.
//!
//! Invariant: what does not decode as a fact of ours is written again byte for byte as it was read.

use std::collections::BTreeMap;

use crate::msgpack::{self, Raw};
use skydeck_core::domain::event::{Event, Later};
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::step::Blob;

/// Marks the name of a fact that moves no column, state or ledger entry.
const NEUTRAL: char = '~';

/// A fact from its bytes: ours, or one of a newer program. `None` when the bytes are no fact at all.
pub fn read(raw: &[u8]) -> Option<Event> {
    msgpack::read(raw).ok().or_else(|| later(raw).map(|later| Event::Later(Box::new(later))))
}

/// What can be told of a fact that is not understood: a name alone, or a name with what belongs to it.
fn later(raw: &[u8]) -> Option<Later> {
    let (tag, run) = if let Ok(tag) = msgpack::read::<&str>(raw) {
        (tag.to_owned(), None)
    } else {
        let named: BTreeMap<String, Raw<'_>> = msgpack::read(raw).ok()?;
        let (tag, Raw(content)) = named.into_iter().next()?;
        (tag, run_of(content))
    };
    Some(Later { neutral: tag.starts_with(NEUTRAL), tag, run, raw: Blob(raw.to_vec()) })
}

/// The run, where a fact names it as all of ours do: `r`, or `id` in the head that opens it.
fn run_of(content: &[u8]) -> Option<RunId> {
    let fields: BTreeMap<String, Raw<'_>> = msgpack::read(content).ok()?;
    ["r", "id"].iter().find_map(|name| msgpack::read(fields.get(*name)?.0).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;
    use ulid::Ulid;

    #[derive(Serialize)]
    struct Tomorrow {
        r: RunId,
        x: Vec<u32>,
    }

    #[derive(Serialize)]
    struct Settled<'a> {
        r: RunId,
        i: &'a str,
        n: &'a str,
        f: &'a str,
        o: BTreeMap<&'a str, u32>,
    }

    #[test]
    fn an_unknown_fact_keeps_its_name_its_run_and_its_bytes() {
        let run = RunId(Ulid::from_parts(1, 2));
        for (tag, neutral) in [("zz", false), ("~zz", true)] {
            let raw =
                rmp_serde::to_vec_named(&BTreeMap::from([(tag, Tomorrow { r: run, x: vec![1, 70_000] })])).unwrap();
            let Some(Event::Later(later)) = read(&raw) else { panic!("{tag}") };
            assert_eq!(*later, Later { tag: tag.into(), run: Some(run), neutral, raw: Blob(raw) });
        }
        let bare = rmp_serde::to_vec_named("zz").unwrap();
        let Some(Event::Later(later)) = read(&bare) else { panic!() };
        assert_eq!((later.tag.as_str(), later.run, later.neutral), ("zz", None, false));
    }

    #[test]
    fn a_known_fact_with_something_unknown_inside_is_a_later_one_too() {
        let run = RunId(Ulid::from_parts(1, 2));
        let settled = Settled { r: run, i: "1", n: "X", f: "w", o: BTreeMap::from([("qq", 1)]) };
        let raw = rmp_serde::to_vec_named(&BTreeMap::from([("bs", settled)])).unwrap();
        let Some(Event::Later(later)) = read(&raw) else { panic!() };
        assert_eq!((later.tag.as_str(), later.run, later.neutral), ("bs", Some(run), false));
        let known = rmp_serde::to_vec_named(&Event::RunSettling { run }).unwrap();
        assert_eq!(read(&known), Some(Event::RunSettling { run }));
        for nothing in [&[][..], &[0xc1], &[0x93, 1, 2, 3], &[0x80]] {
            assert_eq!(read(nothing), None);
        }
    }
}
