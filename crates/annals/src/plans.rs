//! Plans for the made-up past, as files: their ids say that they are a demo's, and the simulator answers to them.
//!
//! Invariant: no two of them find the same bill, nor one that a shipped plan finds.

use serde_json::{Value, json};

use super::calendar::ZONE;

/// A form of the simulator, as far as a query of ours names it.
struct Form {
    id: &'static str,
    name: &'static str,
    /// Part of the plan's id.
    short: &'static str,
    number: &'static str,
    org: (&'static str, &'static str),
    partner: (&'static str, &'static str),
    date: (&'static str, &'static str),
    amount: Option<&'static str>,
    note: &'static str,
    /// Types no shipped plan takes.
    types: &'static [(&'static str, &'static str)],
}

const FORMS: [Form; 5] = [
    Form {
        id: "SAL_OUTSTOCK",
        name: "销售出库单",
        short: "outstock",
        number: "FBillNo",
        org: ("FSaleOrgId.FNumber", "销售组织"),
        partner: ("FCustomerID.FName", "客户"),
        date: ("FDate", "日期"),
        amount: Some("FBillAllAmount"),
        note: "FNote",
        types: &[("XSCKD01_SYS", "标准")],
    },
    Form {
        id: "STK_InStock",
        name: "采购入库单",
        short: "instock",
        number: "FBillNo",
        org: ("FPurchaseOrgId.FNumber", "采购组织"),
        partner: ("FSupplierId.FName", "供应商"),
        date: ("FDate", "入库日期"),
        amount: Some("FBillAllAmount"),
        note: "FNote",
        types: &[("RKD02_SYS", "委外")],
    },
    Form {
        id: "AR_receivable",
        name: "应收单",
        short: "receivable",
        number: "FBillNo",
        org: ("FSETTLEORGID.FNumber", "结算组织"),
        partner: ("FCUSTOMERID.FName", "客户"),
        date: ("FDATE", "业务日期"),
        amount: Some("FALLAMOUNTFOR"),
        note: "FAR_Remark",
        types: &[("YSD01_SYS", "标准"), ("YSD02_SYS", "其他")],
    },
    Form {
        id: "SAL_SaleOrder",
        name: "销售订单",
        short: "order",
        number: "FBillNo",
        org: ("FSaleOrgId.FNumber", "销售组织"),
        partner: ("FCustId.FName", "客户"),
        date: ("FDate", "日期"),
        amount: Some("FBillAllAmount"),
        note: "FNote",
        types: &[("XSDD01_SYS", "标准"), ("XSDD04_SYS", "寄售")],
    },
    Form {
        id: "PUR_PriceCategory",
        name: "采购价目表",
        short: "price",
        number: "FNumber",
        org: ("FCreateOrgId.FNumber", "创建组织"),
        partner: ("FSupplierID.FName", "供应商"),
        date: ("FCreateDate", "创建日期"),
        amount: None,
        note: "FDescription",
        types: &[("CGJM01_SYS", "标准"), ("CGJM02_SYS", "委外")],
    },
];

const ORGS: [(&str, &str); 3] = [("101", "华东"), ("102", "华南"), ("100", "总部")];

/// When they are due: offices read some times a day, warehouses every hour, prices at night.
const CRONS: [&str; 7] = [
    "20 9,13,17 * * 1-5",
    "5 8-20/2 * * *",
    "40 22 * * *",
    "10 10,15 * * 1-6",
    "30 6 * * *",
    "15 8-19 * * 1-5",
    "50 11,18 * * *",
];

/// So many plans, as ids and the texts of their files. Beyond the forms, types and organisations of the simulator they
/// differ by the creator they ask for.
pub fn demo(count: usize) -> Vec<(String, String)> {
    let mut kinds = Vec::new();
    for org in ORGS {
        for form in &FORMS {
            kinds.extend(form.types.iter().map(|kind| (form, *kind, org)));
        }
    }
    let of = |n: usize| kinds.get(n.checked_rem(kinds.len())?).map(|kind| (n, kind));
    (0..count).filter_map(of).map(|(n, (form, kind, org))| plan(n, n / kinds.len(), form, *kind, *org)).collect()
}

fn plan(n: usize, round: usize, form: &Form, kind: (&str, &str), org: (&str, &str)) -> (String, String) {
    let (type_no, type_name) = kind;
    let suffix = if round == 0 { String::new() } else { format!("_{}", round + 1) };
    let id = format!(
        "demo_{}_{}_{}{suffix}",
        form.short,
        type_no.split('_').next().unwrap_or(type_no).to_lowercase(),
        org.0
    );
    let again = if round == 0 { String::new() } else { format!(" {}", round + 1) };
    let kind = if form.types.len() > 1 { format!("{type_name} ") } else { String::new() };
    let name = format!("{}审核（{kind}{}{again}）", form.name, org.1);
    let cron = CRONS.get(n % CRONS.len()).copied().unwrap_or("0 9 * * *");
    let mut fields = vec![("FID", "单据内码"), (form.number, "单据编号"), ("FDocumentStatus", "单据状态")];
    fields.extend([("FBillTypeID.FNumber", "单据类型"), form.org, form.partner, form.date]);
    fields.extend(form.amount.map(|amount| (amount, "金额")));
    fields.extend([("FCreatorId.FName", "创建人"), (form.note, "备注"), ("FModifyDate", "修改时间")]);
    let request: Vec<Value> = fields
        .iter()
        .map(|(path, label)| json!({"field": path.replace('.', "_"), "label": label, "type": "string", "value": path}))
        .collect();
    let creator = if round == 0 { String::new() } else { format!(" and FCreatorId.FNumber='demo{round}'") };
    let filter = format!(
        "FModifyDate>='{{{{LAST_SYNC_TIME|datetime}}}}' and FDocumentStatus in ('A','B') and \
         FBillTypeID.FNumber='{type_no}' and {}='{}'{creator}",
        form.org.0, org.0
    );
    let other = |field: &str, value: &str| json!({"field": field, "label": field, "type": "string", "value": value});
    let text = json!({
        "name": name,
        "source": {
            "api": "executeBillQuery", "name": format!("{}查询", form.name), "effect": "QUERY", "method": "POST",
            "id": "FID", "number": form.number, "pagination": {"pageSize": 500},
            "request": request,
            "otherRequest": [
                other("FormId", form.id), other("FilterString", &filter), other("OrderString", "FID ASC"),
                other("Limit", "{{PAGINATION_PAGE_SIZE}}"), other("StartRow", "{{PAGINATION_START_ROW}}"),
                other("FieldKeys", ""),
            ],
        },
        "target": {
            "api": "Audit", "name": "审核单据", "effect": "EXECUTE", "method": "POST",
            "request": [
                other("FormId", form.id), other("IsVerifyProcInst", "true"), other("IgnoreInterationFlag", "false"),
                other("NetworkCtrl", "true"), other("Ids", "{{FID}}"),
            ],
        },
        "skydeck": {
            "overlap": "10m", "sweep_hours": 24,
            "schedule": {"cron": cron, "zone": ZONE, "approve": "schedule"},
        },
    });
    (id, format!("{text:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::ids::PlanId;

    #[test]
    fn as_many_as_are_asked_for_can_be_read_and_each_asks_for_other_bills() {
        let plans = demo(60);
        let mut filters = std::collections::BTreeSet::new();
        let mut names = std::collections::BTreeSet::new();
        for (id, text) in &plans {
            assert!(id.starts_with("demo_"), "{id}");
            let file = skydeck_plan::read(PlanId::new(id.clone()), text).unwrap();
            assert!(skydeck_plan::schedule::check(&file.plan.policy.schedule.clone().unwrap().cron).is_ok());
            assert!(filters.insert(file.plan.source.filter.clone()), "{id}: {}", file.plan.source.filter);
            assert!(names.insert(file.plan.name.clone()), "{}", file.plan.name);
        }
        assert_eq!(filters.len(), 60);
    }
}
