//! Bills of the made-up past: what a query shows of one, what becomes of it, and what the ERP says when it refuses.
//!
//! Invariant: a bill's fate is drawn once, when it is entered; later runs only meet it.

use chrono::NaiveDate;
use fastrand::Rng;

use skydeck_core::domain::bill::{Failure, Found, Rev, Status};
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::plan::Source;
use skydeck_core::domain::time::Ts;

use super::calendar::{self, HOUR};

/// Milliseconds of a day.
pub const DAY: i64 = 24 * HOUR;

/// Why the ERP refuses a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trouble {
    Stock,
    Period,
    Interaction,
    Workflow,
    Validation,
    Lock,
    Permission,
    Database,
}

impl Trouble {
    /// Its class.
    pub fn cause(self) -> Cause {
        Cause::new(match self {
            Self::Stock => "stock",
            Self::Period => "period",
            Self::Interaction => "interaction",
            Self::Workflow => "workflow",
            Self::Validation => "validation",
            Self::Lock => "lock",
            Self::Permission => "permission",
            Self::Database => "database",
        })
    }

    /// Whether it lies in the environment: one bill a day is tried, and when that goes through the others follow.
    pub fn of_environment(self) -> bool {
        matches!(self, Self::Stock | Self::Period | Self::Workflow | Self::Permission)
    }

    /// Whether the ERP may have changed something before it refused: such a refusal is read back.
    pub fn is_read_back(self) -> bool {
        matches!(self, Self::Validation | Self::Database)
    }

    /// The refusal of one bill, as the ERP words it.
    pub fn failure(self, bill: &Bill) -> Failure {
        let no = &bill.no;
        let named = |rest: &str| format!("单据编号为“{no}”的单据，{rest}");
        let (code, field, message) = match self {
            Self::Stock => (11, None, named("即时库存不足，不允许出现负库存！")),
            Self::Period => (11, None, named("单据日期所在期间库存已关账，不允许操作！")),
            Self::Interaction => {
                (11, Some("AbstractInteractionResult"), "更新库存时出现可以忽略的异常数据，是否继续？".to_owned())
            }
            Self::Workflow => (12, None, named("存在运行中的工作流实例，请在工作流中审批！")),
            Self::Validation => (11, Some("FReceiveAddress"), "字段“收货地址”是必填项".to_owned()),
            Self::Lock => (0, None, "“张伟”使用业务单据：“单据-修改”冲突，请稍候再使用。".to_owned()),
            Self::Permission => (2, None, "您没有该单据的审核权限，请联系系统管理员".to_owned()),
            Self::Database => (11, None, "数据库操作异常：事务与另一个进程死锁，已被选作牺牲品".to_owned()),
        };
        Failure { cause: self.cause(), msg_code: Some(code), field: field.map(str::to_owned), message }
    }
}

/// What meets a bill whenever it is called or looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes through.
    Clean,
    /// A person audits it before we come.
    Audited,
    /// It goes through once, and no answer comes.
    Lost,
    /// A person has it open: so many tries are refused.
    Locked(u8),
    /// Refused until somebody mends it; `None`: nobody ever does.
    Refused(Trouble, Option<Ts>),
}

/// A bill of the ERP.
#[derive(Clone, Debug)]
pub struct Bill {
    pub fid: u64,
    pub no: String,
    pub created: Ts,
    pub modified: Ts,
    /// Business date.
    pub date: NaiveDate,
    /// Submitted from here on; `None` while its creator has not thought of it.
    pub submitted: Option<Ts>,
    pub fate: Fate,
    /// Draws that fill its columns.
    salt: u64,
}

impl Bill {
    /// A new one.
    pub fn new(fid: u64, no: String, created: Ts, temper: f64, rng: &mut Rng) -> Self {
        let entered = calendar::local(created).date();
        // At the beginning of a month some are still dated in the one before.
        let late = matches!(chrono::Datelike::day(&entered), 1..=4) && rng.u8(0..100) < 12;
        let date = if late { entered.checked_sub_days(chrono::Days::new(4)).unwrap_or(entered) } else { entered };
        let after = |rng: &mut Rng, from: i64, to: i64| Some(Ts(created.0 + rng.i64(from..to)));
        let submitted = match rng.u8(0..100) {
            0..3 => after(rng, 2 * HOUR, 4 * DAY),
            3 => None,
            _ => Some(created),
        };
        let fate = if late {
            Fate::Refused(Trouble::Period, after(rng, 3 * DAY, 6 * DAY))
        } else {
            fate(created, temper, rng)
        };
        Self { fid, no, created, modified: created, date, submitted, fate, salt: rng.u64(..) }
    }

    /// Its status at a moment, where no call of ours changed it.
    pub fn status(&self, now: Ts) -> Status {
        match self.submitted {
            Some(at) if at <= now => Status::Submitted,
            Some(_) | None => Status::Created,
        }
    }

    /// Its revision at a moment.
    pub fn rev(&self, now: Ts) -> Rev {
        let at = self.submitted.filter(|at| *at <= now).map_or(self.modified, |at| at.max(self.modified));
        Rev::new(self.status(now), Some(calendar::erp(at)))
    }

    /// As a query of its plan shows it.
    pub fn found(&self, source: &Source, names: &Names, now: Ts) -> Found {
        let rev = self.rev(now);
        let columns: Vec<String> =
            source.columns.iter().map(|column| self.cell(&column.path.to_ascii_lowercase(), names, &rev)).collect();
        let marks = |column: &&skydeck_core::domain::plan::Column| source.mark_column.as_deref() == Some(&*column.path);
        let marked = source.columns.iter().position(|column| marks(&column)).and_then(|at| columns.get(at));
        let marked = marked.and_then(|text| skydeck_core::domain::time::ErpDate::parse(text));
        Found {
            fid: Fid::from(self.fid),
            no: self.no.clone(),
            marked: marked.or_else(|| rev.modified.clone()),
            rev,
            approver: None,
            approved: None,
            columns,
            probe: None,
            absent: false,
            outside: false,
            will: None,
            body: None,
            looked: None,
            lines: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// What a column of this path shows, in lower case.
    pub fn cell(&self, path: &str, names: &Names, rev: &Rev) -> String {
        let has = |part: &str| path.contains(part);
        let drawn = |of: &[(String, String)]| {
            let n = usize::try_from(self.salt >> 16).unwrap_or_default();
            let row = n.checked_rem(of.len()).and_then(|n| of.get(n));
            row.map_or(String::new(), |(no, name)| if has(".fname") { name.clone() } else { no.clone() })
        };
        let text = |at: Ts| calendar::erp(at).as_str().to_owned();
        if path == "fid" {
            self.fid.to_string()
        } else if path == "fbillno" || path == "fnumber" {
            self.no.clone()
        } else if has("documentstatus") {
            rev.status.code().to_owned()
        } else if has("billtypeid") {
            names.kind.clone()
        } else if has("org") {
            names.org.clone().unwrap_or_else(|| format!("10{}", self.salt % 3))
        } else if has("cust") {
            drawn(&names.customers)
        } else if has("supplier") {
            drawn(&names.suppliers)
        } else if has("creator") {
            drawn(&names.users)
        } else if has("createdate") {
            text(self.created)
        } else if has("modifydate") {
            rev.modified.as_ref().map(ToString::to_string).unwrap_or_default()
        } else if has("approvedate") {
            String::new()
        } else if has("date") {
            format!("{}T00:00:00", self.date)
        } else if has("amount") {
            format!("{}.{:02}", self.salt % 90_000 + 12, self.salt % 100)
        } else if has("note") || has("remark") || has("description") {
            NOTES.get((self.salt >> 8) as usize % (3 * NOTES.len())).copied().unwrap_or_default().to_owned()
        } else {
            String::new()
        }
    }
}

const NOTES: [&str; 8] = [
    "加急，今日必须发出",
    "客户自提",
    "分批发货第二批",
    "补发上月短装",
    "月结30天",
    "样品，不计价",
    "换货单",
    "物流到付",
];

/// What the columns of a plan's bills are filled from.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Bill type, as the plan's filter asks for it.
    pub kind: String,
    /// Organisation, where the filter asks for one.
    pub org: Option<String>,
    /// Number and name.
    pub customers: Vec<(String, String)>,
    /// Number and name.
    pub suppliers: Vec<(String, String)>,
    /// Number and name.
    pub users: Vec<(String, String)>,
}

impl Names {
    /// Type and organisation as a filter asks for them.
    #[must_use]
    pub fn of_filter(&self, filter: &str) -> Self {
        let asked = |field: &str| {
            let lower = filter.to_ascii_lowercase();
            let from = lower.find(&format!("{field}.fnumber='"))? + field.len() + ".fnumber='".len();
            filter.get(from..)?.split('\'').next().map(str::to_owned)
        };
        let org =
            ["fsaleorgid", "fpurchaseorgid", "fsettleorgid", "fcreateorgid"].iter().find_map(|field| asked(field));
        Self { kind: asked("fbilltypeid").unwrap_or_default(), org, ..self.clone() }
    }
}

/// `temper`: how much trouble the plan has beside others.
fn fate(created: Ts, temper: f64, rng: &mut Rng) -> Fate {
    let mut left = rng.f64() * 100.0 / temper.max(0.05);
    let mut falls = |share: f64| {
        left -= share;
        left < 0.0
    };
    let (stock, interaction, workflow) = (falls(3.2), falls(0.9), falls(0.7));
    let (validation, lock, lost, audited) = (falls(0.8), falls(1.6), falls(0.25), falls(2.0));
    let mended = |rng: &mut Rng, from: i64, to: i64, never: u8| {
        (rng.u8(0..100) >= never).then(|| Ts(created.0 + rng.i64(from..to)))
    };
    if stock {
        Fate::Refused(Trouble::Stock, mended(rng, DAY / 2, 8 * DAY, 4))
    } else if interaction {
        Fate::Refused(Trouble::Interaction, mended(rng, DAY / 4, 6 * DAY, 10))
    } else if workflow {
        Fate::Refused(Trouble::Workflow, mended(rng, DAY / 4, 5 * DAY, 3))
    } else if validation {
        Fate::Refused(Trouble::Validation, mended(rng, DAY / 4, 15 * DAY, 12))
    } else if lock {
        Fate::Locked(rng.u8(1..=3))
    } else if lost {
        Fate::Lost
    } else if audited {
        Fate::Audited
    } else {
        Fate::Clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::plan::Column;

    #[test]
    fn columns_show_what_their_paths_name() {
        let names = Names {
            customers: vec![("CUST0001".into(), "宁波恒远".into())],
            users: vec![("lina".into(), "李娜".into())],
            ..Names::default()
        };
        let filter = "FBillTypeID.fnumber='XSCKD07_SYS' and FSaleOrgId.FNumber='102' and FCreateDate>='x'";
        let names = names.of_filter(filter);
        let now = calendar::at(NaiveDate::from_ymd_opt(2026, 11, 17).unwrap_or_default(), 10, 0);
        let bill = Bill { submitted: Some(now), ..Bill::new(77, "XSCKD1".into(), now, 1.0, &mut Rng::with_seed(3)) };
        for (path, is) in [
            ("FID", "77"),
            ("FBillNo", "XSCKD1"),
            ("FDocumentStatus", "B"),
            ("FBillTypeID.FNumber", "XSCKD07_SYS"),
            ("FSaleOrgId.FNumber", "102"),
            ("FCustomerID.FNumber", "CUST0001"),
            ("FCustomerID.FName", "宁波恒远"),
            ("FCreatorId.FName", "李娜"),
            ("FDate", "2026-11-17T00:00:00"),
            ("FCreateDate", "2026-11-17T10:00:00"),
            ("FNowhere", ""),
        ] {
            let columns = vec![Column { key: path.into(), path: path.into(), label: path.into() }];
            let source = Source {
                form: skydeck_core::domain::ids::FormId::new("SAL_OUTSTOCK"),
                columns,
                filter: String::new(),
                mark_column: None,
                id_path: "FID".into(),
                number_path: "FBillNo".into(),
                top_rows: 0,
                origin: skydeck_core::domain::plan::Origin::Query,
                condition: Vec::new(),
            };
            assert_eq!(bill.found(&source, &names, now).columns[0], is, "{path}");
        }
    }

    #[test]
    fn most_bills_go_through_and_trouble_grows_with_the_temper_of_a_plan() {
        let refused = |temper: f64| {
            let mut rng = Rng::with_seed(9);
            let now = calendar::at(NaiveDate::from_ymd_opt(2026, 11, 17).unwrap_or_default(), 10, 0);
            (0..4000).filter(|_| matches!(fate(now, temper, &mut rng), Fate::Refused(..))).count()
        };
        let (calm, wild) = (refused(0.5), refused(2.0));
        assert!((40..250).contains(&calm) && wild > 2 * calm, "{calm} {wild}");
    }
}
