//! The form of a hand-over: since when, as what, and where to.

use crate::ui::desk::Desk;
use crate::ui::format;
use crate::ui::msg::{Effect, HandoverForm, HandoverWanted};
use crate::ui::shared::Shared;
use skydeck_core::domain::time::Ts;

use super::form::{Field, Form, Purpose, Values};
use super::overlay::Next;

/// How a moment is written in the form.
const MOMENT: &str = "%Y-%m-%d %H:%M";
/// Hours of the evening before, from which a shift hands over.
const EVENING: i64 = 18 * 3_600_000;

struct HandOver;

pub(super) fn form(shared: &Shared) -> Form {
    let (t, zone) = (shared.t(), shared.setup.zone);
    let since = Ts(format::days_before(shared.now, zone, 1).0 + EVENING);
    let stem = format::dated(t.handover_stem, shared.now, zone);
    let endings = HandoverForm::ALL.map(|(ending, _)| ending);
    let fields = vec![
        Field::choice(t.format, &endings),
        Field::text(t.handover_since, "2026-11-23 18:00", &format::local(since, zone, MOMENT)),
        Field::text(t.path, t.path_hint, &format!("{stem}.{}", endings[0])),
    ];
    Form::new(HandOver, (t.handover_title, t.handover_what.to_owned()), fields, 2, shared.now)
}

impl Purpose for HandOver {
    /// The path's ending follows the chosen form.
    fn changed(&self, values: &mut Values<'_>) {
        let (ending, path) = (values.text(0), values.text(2));
        if let Some((stem, old)) = path.rsplit_once('.')
            && HandoverForm::ALL.iter().any(|(ending, _)| *ending == old)
            && old != ending
        {
            values.set(2, &format!("{stem}.{ending}"));
        }
    }

    fn done(&mut self, desk: &mut Desk, values: &Values<'_>, effects: &mut Vec<Effect>) -> Result<Next, String> {
        let (t, path) = (desk.shared.t(), values.text(2));
        if path.is_empty() {
            return Err(t.path_wanted.to_owned());
        }
        let since = chrono::NaiveDateTime::parse_from_str(&values.text(1), MOMENT);
        let since = since.map_err(|_| format::fill(t.bad_date, &[&values.text(1)]))?;
        let since = Ts(since.and_utc().timestamp_millis() - i64::from(desk.shared.setup.zone) * 60_000);
        if since > desk.shared.now {
            return Err(format::fill(t.day_ahead, &[&values.text(1)]));
        }
        let form = HandoverForm::ALL.get(values.chosen(0)).map_or(HandoverForm::Markdown, |(_, form)| *form);
        effects.push(Effect::Handover(HandoverWanted { since, form, path, force: false }));
        desk.shared.note(false, t.handover_writing);
        Ok(Next::Close)
    }
}
