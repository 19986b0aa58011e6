//! What a window promises.

use super::*;
use skydeck_core::domain::query::{Page, PageRequest};
use skydeck_core::domain::who::Who;

type Row = (Seq, Ts, ActionEntry);

fn rows(of: std::ops::Range<u64>) -> Vec<(Cursor, Row)> {
    let entry = ActionEntry {
        order: None,
        by: Who { uid: 0, login: String::new(), from: None, name: None, origin: None, person: None, host: None },
        verb: String::new(),
        run: None,
        plan: None,
        bills: 0,
        reason: None,
        result: String::new(),
        line: None,
        why: None,
    };
    of.map(|n| (Cursor(format!("{n:08}")), (Seq(n), Ts(0), entry.clone()))).collect()
}

/// A list of `n` rows that answers like a store.
fn serve(n: u64, ask: &PageRequest) -> Page<Row> {
    let at = ask.cursor.as_ref().map(|c| c.0.parse::<u64>().unwrap());
    let limit = u64::from(ask.limit);
    let (from, to) = match (at, ask.back) {
        (None, false) => (0, limit.min(n)),
        (Some(c), false) => (c + 1, (c + 1 + limit).min(n)),
        (None, true) => (n.saturating_sub(limit), n),
        (Some(c), true) => (c.saturating_sub(limit), c),
    };
    Page { rows: rows(from..to.max(from)), more: if ask.back { from > 0 } else { to < n }, ..Page::default() }
}

fn settle(w: &mut Window<Row>, n: u64, next: &mut u64) {
    while let Some((ticket, ask)) = w.question(|| {
        *next += 1;
        Ticket(*next)
    }) {
        assert!(w.answer(ticket, Ok(serve(n, &ask))));
        assert!(w.rows.len() <= KEPT);
    }
}

#[test]
fn a_walk_over_everything_sees_each_row_once_with_three_pages_in_memory() {
    let (n, mut next, mut w) = (2_345, 0, Window::<Row>::default());
    w.set_height(20);
    settle(&mut w, n, &mut next);
    for want in 0..n {
        assert_eq!(w.current().unwrap().0, Seq(want));
        assert_eq!(w.position(), Some(want + 1));
        w.step(1);
        settle(&mut w, n, &mut next);
    }
    assert_eq!(w.total(), Some(n));
    for want in (0..n).rev() {
        assert_eq!(w.current().unwrap().0, Seq(want));
        w.step(-1);
        settle(&mut w, n, &mut next);
    }
    w.end();
    settle(&mut w, n, &mut next);
    assert_eq!(w.current().unwrap().0, Seq(n - 1));
    w.home();
    settle(&mut w, n, &mut next);
    assert_eq!((w.current().unwrap().0, w.first()), (Seq(0), u64::try_from(i32::MAX).unwrap()));
}

#[test]
fn a_place_is_sought_over_pages_in_both_directions() {
    let (n, mut next, mut w) = (2_345, 0, Window::<Row>::default());
    w.set_height(20);
    for goal in [0, 1_500, 1_501, 30, 2_344, 9_999] {
        let mut found = Seek::Waiting;
        for _ in 0..50 {
            found = w.seek(|row| row.0.0 >= goal);
            if found != Seek::Waiting {
                break;
            }
            settle(&mut w, n, &mut next);
        }
        let want = if goal < n { (Seek::Found, goal) } else { (Seek::End, n - 1) };
        assert_eq!((found, w.current().unwrap().0.0), want);
    }
}

#[test]
fn a_move_past_the_page_is_made_when_the_page_comes() {
    let (mut next, mut w) = (0, Window::<Row>::default());
    w.set_height(10);
    let (ticket, ask) = w.question(|| Ticket(1)).unwrap();
    w.answer(ticket, Ok(serve(1000, &ask)));
    w.step(250);
    settle(&mut w, 1000, &mut next);
    assert_eq!(w.current().unwrap().0, Seq(250));
}

#[test]
fn a_row_is_reached_by_its_number_from_anywhere_and_the_way_can_be_stopped() {
    let (n, mut next, mut w) = (2_345, 0, Window::<Row>::default());
    w.set_height(20);
    settle(&mut w, n, &mut next);
    for (to, want) in [(1_500, 1_500), (3, 3), (2_344, 2_344), (2_000, 2_000), (9_999, 2_345), (1, 1), (0, 1)] {
        w.go_to(to);
        settle(&mut w, n, &mut next);
        assert_eq!((w.current().unwrap().0, w.position()), (Seq(want - 1), Some(want)), "{to}");
    }
    w.end();
    settle(&mut w, n, &mut next);
    assert_eq!(w.position(), None, "how many there are was not counted");
    w.go_to(700);
    settle(&mut w, n, &mut next);
    assert_eq!(w.current().unwrap().0, Seq(699));
    w.go_to(2_300);
    assert!(w.is_busy());
    w.halt();
    assert!(!w.is_busy());
    settle(&mut w, n, &mut next);
    assert!(w.current().unwrap().0 < Seq(2_299), "stopped on the way");
}

#[test]
fn stale_answers_are_dropped_and_the_cursor_stays_on_its_record() {
    let (mut next, mut w) = (10, Window::<Row>::default());
    w.set_height(10);
    settle(&mut w, 50, &mut next);
    w.step(7);
    w.spoil();
    let (_, _) = w.question(|| Ticket(99)).unwrap();
    assert!(!w.answer(Ticket(98), Ok(serve(0, &PageRequest::first(1)))));
    // Three rows before the cursor are gone.
    let mut page = serve(50, &PageRequest::first(PAGE));
    page.rows.drain(2..5);
    assert!(w.answer(Ticket(99), Ok(page)));
    assert_eq!(w.current().unwrap().0, Seq(7));
    assert_eq!(w.position(), Some(5));
}

#[test]
fn an_error_is_kept_and_not_asked_again_for_ever() {
    let mut w = Window::<Row>::default();
    let (ticket, _) = w.question(|| Ticket(1)).unwrap();
    w.answer(ticket, Err("disk".into()));
    assert_eq!(w.error(), Some("disk"));
    assert!(w.question(|| Ticket(2)).is_none());
    w.spoil();
    assert!(w.question(|| Ticket(3)).is_some());
}

#[test]
fn a_bounded_scan_goes_on_where_it_stopped_and_can_be_halted() {
    let mut w = Window::<Row>::default();
    let empty = |at: &str| Page { more: true, scanned: 5000, stopped_at: Some(Cursor(at.into())), ..Page::default() };
    let (t, ask) = w.question(|| Ticket(1)).unwrap();
    assert_eq!(ask.cursor, None);
    w.answer(t, Ok(empty("a")));
    let (t, ask) = w.question(|| Ticket(2)).unwrap();
    assert_eq!(ask.cursor, Some(Cursor("a".into())));
    w.answer(t, Ok(empty("b")));
    assert!(w.is_scanning());
    assert_eq!(w.scanned(), 10_000);
    let (t, ask) = w.question(|| Ticket(3)).unwrap();
    assert_eq!(ask.cursor, Some(Cursor("b".into())));
    w.halt();
    assert!(!w.answer(t, Ok(empty("c"))) && w.question(|| Ticket(4)).is_none());
    w.step(1);
    assert!(w.question(|| Ticket(5)).is_some());
}
