//! The chart under Today: outcomes of the last days, and how many of them went wrong.

use ratatui::layout::Rect;

use crate::ui::cells::Pen;
use crate::ui::format::{self, days_before, fill};
use crate::ui::list::heading;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::today::{DayCount, PlanDay, Today};

/// Steps of one row of a bar.
const STEPS: u64 = 8;

/// Draws the days of a plan, or of all plans.
pub(super) fn draw(shared: &Shared, pen: &mut Pen<'_>, area: Rect, day: &Today, plan: Option<&PlanDay>) {
    if area.height < 3 {
        return;
    }
    let t = shared.t();
    let days = match plan {
        Some(plan) => plan.days.clone(),
        None => sum(day),
    };
    let of = plan.map_or_else(|| t.all_plans.to_owned(), |plan| words::plan_name(shared, &plan.plan, &plan.name));
    heading(pen, area, &fill(t.chart_title, &[&days.len().to_string(), &of]));
    let most = |of: fn(&DayCount) -> u64| days.iter().map(of).max().unwrap_or(0);
    let (told, bad) = (most(|day| day.told), most(|day| day.bad));
    // The rows that are left after heading and dates: bars of what was told take what those of what went wrong leave.
    let rows = area.height - 2;
    let low = (rows / 3).max(1);
    let labels = [t.chart_told, t.chart_bad].map(|text| pen.glyphs.width(text)).into_iter().max().unwrap_or(0) as u16;
    let label = labels + 8;
    let width = area.width.saturating_sub(label + 3).checked_div(days.len() as u16).unwrap_or(0);
    if width == 0 {
        return;
    }
    let column = |i: usize| area.x + 2 + label + width * i as u16;
    let parts = [
        (area.y + 1, rows - low, Role::Accent, t.chart_told, told),
        (area.y + 1 + rows - low, low, Role::Failed, t.chart_bad, bad),
    ];
    for (n, (y, height, role, name, top)) in parts.into_iter().enumerate() {
        let base = y + height - 1;
        pen.text(area.x + 1, base, labels, Role::Dim, name);
        pen.text_right(area.x + 1 + labels, area.x + 1 + label, base, Role::Text, &short(top));
        for (i, day) in days.iter().enumerate() {
            let value = if n == 0 { day.told } else { day.bad };
            let bar = Bar { x: column(i), base, height, width: width.saturating_sub(1).max(1) };
            bar.draw(pen, role, value, top);
        }
    }
    let last = days.len().saturating_sub(1);
    let every = 6_u16.div_ceil(width).max(1) as usize;
    for i in (0..days.len()).filter(|i| (last - i).is_multiple_of(every)) {
        let at = days_before(day.at, shared.setup.zone, (last - i) as i64);
        let date = format::local(at, shared.setup.zone, "%m-%d");
        let role = if i == last { Role::Text } else { Role::Dim };
        pen.text(column(i), area.bottom() - 1, 5, role, &date);
    }
}

struct Bar {
    x: u16,
    /// Its lowest row.
    base: u16,
    height: u16,
    width: u16,
}

impl Bar {
    /// Anything at all is seen: one step at least.
    fn draw(&self, pen: &mut Pen<'_>, role: Role, value: u64, top: u64) {
        let steps = value.saturating_mul(u64::from(self.height) * STEPS).div_ceil(top.max(1));
        for row in 0..self.height {
            let left = steps.saturating_sub(u64::from(row) * STEPS).min(STEPS);
            let sign = left.checked_sub(1).and_then(|step| pen.glyphs.spark.get(step as usize)).copied();
            if let Some(sign) = sign {
                pen.text(self.x, self.base - row, self.width, role, &sign.repeat(usize::from(self.width)));
            }
        }
    }
}

/// All plans' days.
fn sum(day: &Today) -> Vec<DayCount> {
    let days = day.plans.iter().map(|plan| plan.days.len()).max().unwrap_or(0);
    let of = |i: usize| day.plans.iter().filter_map(move |plan| plan.days.get(i).copied());
    (0..days).map(|i| of(i).fold(DayCount::default(), DayCount::plus)).collect()
}

/// `1,234`, `12.3k`, `4.5M`.
fn short(n: u64) -> String {
    match n {
        0..=9_999 => format::count(n),
        10_000..=999_999 => format!("{}.{}k", n / 1000, n % 1000 / 100),
        _ => format!("{}.{}M", n / 1_000_000, n % 1_000_000 / 100_000),
    }
}
