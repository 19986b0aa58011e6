//! Seeded, deterministic bills: some hundreds that look like a company's, or a million for a bench.
//!
//! Invariant: one pass, one allocation a table; nothing is later than the start time given; equal seeds give equal bills.

use std::collections::BTreeMap;

use super::config::WorldConfig;
use super::form::FORMS;
use super::masters::Masters;
use super::rng::{Rng, mix};
use super::table::{Bill, NOBODY, Table};

/// What is wrong with a bill, beyond its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Audit meets the negative-stock interaction unless `STK_InvCheckResult` is among the flags.
    pub interaction: bool,
    /// Its period is closed.
    pub closed: bool,
    /// A workflow owns it.
    pub workflow: bool,
    /// Stock shortage that no flag lets pass.
    pub shortage: bool,
    /// Credit limit.
    pub credit: bool,
    /// Somebody has it open.
    pub lock: Option<Lock>,
    /// A writing call on it takes this long.
    pub slow_ms: u32,
}

/// An edit lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Who holds it.
    pub user: String,
    /// Released at this world time.
    pub until_ms: Option<i64>,
    /// Released after being met this often.
    pub tries: Option<u32>,
}

/// Troubles by form and id.
pub type Troubles = BTreeMap<(usize, u32), Trouble>;

const DAY: i64 = 86_400;
/// The server's clock is UTC+8 (docs/design/wire.md#rows-and-dates).
pub const SERVER_OFFSET_S: i64 = 8 * 3600;

/// What people write on bills.
pub const NOTES: [&str; 10] = [
    "加急，今日必须发出",
    "客户自提",
    "随货附质检报告",
    "分批发货第二批",
    "补发上月短装",
    "月结30天",
    "送货前电话联系",
    "样品，不计价",
    "换货单",
    "物流到付",
];

/// Texts that must never reach a terminal or a spreadsheet as they are.
pub const HOSTILE: [&str; 8] = [
    "\u{1b}[2J\u{1b}[H清屏",
    "\u{1b}]0;owned\u{7}标题",
    "\u{1b}]52;c;ZXZpbA==\u{7}",
    "=cmd|' /C calc'!A0",
    "abc\u{202e}gnp.exe",
    "零\u{200b}宽\u{2060}字",
    "行一\r\n行二\t\"引号\" \\ 反斜杠",
    "e\u{301}\u{301}\u{301}\u{301}👨‍👩‍👧‍👦 ﷽",
];

/// Fills all tables.
pub fn generate(config: &WorldConfig, masters: &Masters, now_ms: i64) -> (Vec<Table>, Troubles) {
    let mut tables = Vec::with_capacity(FORMS.len());
    for (position, form) in FORMS.iter().enumerate() {
        let rows = match (form.base_data, position) {
            (true, _) => masters.rows(form.partner).len(),
            (false, 0) => config.bills,
            (false, _) => (config.bills / 10).min(2_000),
        };
        tables.push(fill(Table::new(position, form, config.seed, rows), rows, config, masters, now_ms));
    }
    let mut troubles = Troubles::new();
    if let Some(table) = tables.first_mut().filter(|_| config.trouble) {
        trouble(table, config, now_ms, &mut troubles);
    }
    (tables, troubles)
}

fn fill(mut table: Table, rows: usize, config: &WorldConfig, masters: &Masters, now_ms: i64) -> Table {
    let position = table.position;
    let form = table.form();
    let mut rng = Rng::new(mix(config.seed).wrapping_add(position as u64));
    let now = now_ms.div_euclid(1000) + SERVER_OFFSET_S;
    let span = if form.base_data { 400 * DAY } else { 21 * DAY };
    let partners = masters.rows(form.partner).len() as u64;
    let mut id = form.first_id;
    for i in 0..rows {
        // Evenly over the span, so that ids and dates rise together as they do in life.
        let created = now - span + (span - 3600) * i as i64 / rows.max(1) as i64 + rng.below(600) as i64;
        let status = if form.base_data { b'C' } else { status(&mut rng) };
        let org = if rng.below(10) < 6 { 0 } else { 1 + rng.below(2) as u8 };
        let touched = if status == b'C' { created + 60 + rng.below(3000) as i64 } else { created };
        let approver = if status == b'C' { rng.below(4) as u8 } else { NOBODY };
        let note = match rng.below(100) {
            0..20 => rng.pick(&NOTES).map(|note| Box::from(*note)),
            20..30 if config.hostile => rng.pick(&HOSTILE).map(|note| Box::from(*note)),
            _ => None,
        };
        let creator = rng.below(4) as u8;
        table.push(
            Bill {
                id,
                status,
                kind: (position * 2) as u8 + u8::from(rng.below(100) < 15),
                org,
                stock_org: if rng.below(10) < 8 { org } else { 0 },
                partner: if form.base_data { i as u32 } else { rng.below(partners) as u32 },
                creator,
                modifier: if approver == NOBODY { creator } else { approver },
                approver,
                marks: 0,
                date: created - created.rem_euclid(DAY),
                created,
                modified: touched,
                approved: if status == b'C' { touched } else { 0 },
                note,
            },
            None,
        );
        // Real ids have gaps: other documents draw from the same counter.
        id += if form.base_data { 1 } else { 1 + rng.below(3) as u32 };
    }
    table
}

fn status(rng: &mut Rng) -> u8 {
    match rng.below(100) {
        0..66 => b'B',
        66..76 => b'A',
        76..81 => b'Z',
        81..86 => b'D',
        _ => b'C',
    }
}

/// Makes one trouble; the time is for locks that end.
type Make = fn(&mut Trouble, &mut Rng, i64);

/// Spreads the demo's troubles over submitted bills of the usual type, in the proportion of 20, 8, 6, 4, 3, 2, 6 to 300.
fn trouble(table: &mut Table, config: &WorldConfig, now_ms: i64, troubles: &mut Troubles) {
    let position = table.position;
    let total = table.rows().len();
    let mut rng = Rng::new(mix(config.seed ^ 0x7472_6f75));
    let usual = (position * 2) as u8;
    let mut ids: Vec<u32> = table.rows().iter().filter(|b| b.status == b'B' && b.kind == usual).map(|b| b.id).collect();
    let parts: [(usize, Make); 7] = [
        (20, |t, _, _| t.interaction = true),
        (8, |t, _, _| t.closed = true),
        (6, |t, rng, now| {
            let user = ["张伟", "王芳", "李娜", "刘洋"].get(rng.below(4) as usize).copied().unwrap_or("张伟");
            let by_time = rng.below(2) == 0;
            t.lock = Some(Lock {
                user: user.to_owned(),
                until_ms: by_time.then(|| now + 20_000 + rng.below(40_000) as i64),
                tries: (!by_time).then(|| 1 + rng.below(2) as u32),
            });
        }),
        (4, |t, _, _| t.workflow = true),
        (3, |t, _, _| t.shortage = true),
        (2, |t, _, _| t.credit = true),
        (6, |t, rng, _| t.slow_ms = 1000 + rng.below(2000) as u32),
    ];
    for (share, make) in parts {
        for _ in 0..(total * share).div_ceil(300) {
            if ids.is_empty() {
                return;
            }
            let id = ids.swap_remove(rng.below(ids.len() as u64) as usize);
            let mut trouble = Trouble::default();
            make(&mut trouble, &mut rng, now_ms);
            if trouble.closed {
                // A closed period is one that lies behind: the business date moves out of the current one.
                if let Some(bill) = table.get_mut(i64::from(id)) {
                    bill.date -= 45 * DAY;
                }
            }
            troubles.insert((position, id), trouble);
        }
    }
}
