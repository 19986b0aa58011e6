//! Slips of the pen outside the verb itself: a time zone that is none.

use super::output;
use crate::boot;
use crate::domain::language::Language;
use crate::text::show;

/// Says that `TZ` names no zone, where it is set: times would be of one zone and days of another.
pub(super) fn note_odd_zone(lang: Language) {
    let Some((tz, zone)) = boot::odd_zone() else { return };
    let (tz, zone) = (show(&tz, 200).into_string(), zone.name());
    output::note(&match lang {
        Language::En => {
            format!("TZ={tz} names no time zone: days are those of {zone}; write a name like Asia/Shanghai")
        }
        Language::Zh => format!("TZ={tz} 不是时区名称：日期按 {zone} 计算；请写 Asia/Shanghai 这样的名称"),
    });
}
