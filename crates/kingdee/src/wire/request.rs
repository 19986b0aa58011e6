//! Request bodies: queries and operations, named fields with `data` as an object (docs/design/wire.md#bodies).

use serde::Serialize;
use serde_json::value::RawValue;

use skydeck_core::domain::ids::{Fid, FormId};
use skydeck_core::domain::plan::WriteOptions;
use skydeck_core::domain::run::Flag;
use skydeck_core::domain::step::Verb;

#[derive(Serialize)]
struct Query<'a> {
    data: QueryData<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct QueryData<'a> {
    form_id: &'a str,
    field_keys: String,
    filter_string: &'a str,
    order_string: String,
    top_row_count: u32,
    start_row: u32,
    limit: u32,
    sub_system_id: &'static str,
}

/// What `ExecuteBillQuery` is asked for.
#[derive(Clone, Copy, Debug)]
pub struct BillQuery<'a> {
    /// Rows of which form.
    pub form: &'a FormId,
    /// Which of its fields.
    pub columns: &'a [String],
    /// Which rows, in the server's language of filters.
    pub filter: &'a str,
    /// The field they are ordered by.
    pub id_path: &'a str,
    /// Rows at most.
    pub limit: u32,
}

/// Body of `ExecuteBillQuery`: always from row 0 without a top bound, ordered by id; the filter does the paging.
pub fn query_body(BillQuery { form, columns, filter, id_path, limit }: BillQuery<'_>) -> Vec<u8> {
    let data = QueryData {
        form_id: form.as_str(),
        field_keys: columns.join(","),
        filter_string: filter,
        order_string: format!("{id_path} ASC"),
        top_row_count: 0,
        start_row: 0,
        limit,
        sub_system_id: "",
    };
    to_bytes(&Query { data })
}

/// Where a writing verb goes and how it is called there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Service name without prefix.
    pub service: &'static str,
    /// `opNumber`, for operations called by name.
    pub number: Option<String>,
}

impl Operation {
    /// The wire's name of a verb. Nothing that un-does can be named.
    pub fn of(verb: &Verb) -> Self {
        match verb {
            Verb::Submit => Self { service: "Submit", number: None },
            Verb::Audit => Self { service: "Audit", number: None },
            Verb::Operation(name) => Self { service: "ExecuteOperation", number: Some(name.clone()) },
            Verb::Save => Self { service: "Save", number: None },
            Verb::Push => Self { service: "Push", number: None },
            // Never sent: the client refuses it.
            Verb::Send => Self { service: "Send", number: None },
        }
    }
}

#[derive(Serialize)]
struct Save<'a, M> {
    formid: &'a str,
    data: SaveData<M>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SaveData<M> {
    need_return_fields: [&'static str; 0],
    /// Nothing that is there is ever deleted.
    is_delete_entry: bool,
    /// A number of base data that the ERP does not know is refused, and not left empty.
    is_verify_base_data_field: bool,
    validate_flag: bool,
    number_search: bool,
    is_auto_adjust_field: bool,
    /// A second belt: the server may refuse a packet that it had before. Nothing rests on it.
    validate_repeat_json: bool,
    /// The vendor's spelling.
    #[serde(rename = "InterationFlags")]
    interation_flags: String,
    #[serde(rename = "IgnoreInterationFlag", skip_serializing_if = "Option::is_none")]
    ignore_interation_flag: Option<bool>,
    model: M,
}

/// The switches that protect what is there, and the checks of the ERP, beside what is saved.
fn save_data<M>(model: M, options: &WriteOptions, flags: &[&str]) -> SaveData<M> {
    SaveData {
        need_return_fields: [],
        is_delete_entry: false,
        is_verify_base_data_field: true,
        validate_flag: true,
        number_search: true,
        is_auto_adjust_field: false,
        validate_repeat_json: true,
        interation_flags: flags.join(";"),
        ignore_interation_flag: options.ignore_interaction,
        model,
    }
}

/// Body of `Save` for one bill, or of `BatchSave` for several: each as it stands, its numbers digit by digit. `None`: a bill is
/// no JSON object.
pub fn save_body(form: &FormId, bills: &[String], options: &WriteOptions, flags: &[Flag]) -> Option<Vec<u8>> {
    let models: Option<Vec<&RawValue>> = bills.iter().map(|bill| serde_json::from_str(bill).ok()).collect();
    let flags: Vec<&str> = flags.iter().map(|flag| flag.0.as_str()).collect();
    let formid = form.as_str();
    match models?.as_slice() {
        [one] => Some(to_bytes(&Save { formid, data: save_data(*one, options, &flags) })),
        several => Some(to_bytes(&Save { formid, data: save_data(several, options, &flags) })),
    }
}

#[derive(Serialize)]
struct Push<'a> {
    formid: &'a str,
    data: &'a RawValue,
}

/// Body of `Push`: the data of the call as it was approved. `None`: it is no JSON object.
pub fn push_body(form: &FormId, data: &str) -> Option<Vec<u8>> {
    let data: &RawValue = serde_json::from_str(data).ok().filter(|_| data.trim_start().starts_with('{'))?;
    Some(to_bytes(&Push { formid: form.as_str(), data }))
}

#[derive(Serialize)]
struct Write<'a> {
    formid: &'a str,
    #[serde(rename = "opNumber", skip_serializing_if = "Option::is_none")]
    op_number: Option<String>,
    data: WriteData,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WriteData {
    #[serde(skip_serializing_if = "Option::is_none")]
    create_org_id: Option<i64>,
    numbers: [&'static str; 0],
    ids: String,
    /// The vendor's spelling.
    #[serde(rename = "InterationFlags")]
    interation_flags: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_org_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_ctrl: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_verify_proc_inst: Option<bool>,
    #[serde(rename = "IgnoreInterationFlag", skip_serializing_if = "Option::is_none")]
    ignore_interation_flag: Option<bool>,
}

/// Body of a writing verb. Ids go as one comma-separated text, `Numbers` stays empty; the interaction flags are those
/// given here and no others.
pub fn write_body(verb: &Verb, form: &FormId, fids: &[&Fid], options: &WriteOptions, flags: &[Flag]) -> Vec<u8> {
    let ids: Vec<&str> = fids.iter().map(|fid| fid.as_str()).collect();
    let flags: Vec<&str> = flags.iter().map(|flag| flag.0.as_str()).collect();
    let data = WriteData {
        create_org_id: options.create_org,
        numbers: [],
        ids: ids.join(","),
        interation_flags: flags.join(";"),
        use_org_id: options.use_org,
        network_ctrl: options.network_ctrl,
        // Submit knows no workflow switch (docs/design/wire.md#what-a-call-carries).
        is_verify_proc_inst: options.verify_proc_inst.filter(|_| *verb != Verb::Submit),
        ignore_interation_flag: options.ignore_interaction,
    };
    to_bytes(&Write { formid: form.as_str(), op_number: Operation::of(verb).number, data })
}

/// These structs hold text, numbers and truths only: writing them as JSON cannot fail.
pub(super) fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_is_sent_as_the_reference_says() {
        let options =
            WriteOptions { verify_proc_inst: Some(false), ignore_interaction: Some(true), ..WriteOptions::default() };
        let (a, b) = (Fid::new("1"), Fid::new("2"));
        let body = |verb: &Verb, flags: &[Flag]| {
            String::from_utf8(write_body(verb, &FormId::new("SAL_OUTSTOCK"), &[&a, &b], &options, flags)).unwrap()
        };
        assert_eq!(
            body(&Verb::Audit, &[]),
            r#"{"formid":"SAL_OUTSTOCK","data":{"Numbers":[],"Ids":"1,2","InterationFlags":"","IsVerifyProcInst":false,"IgnoreInterationFlag":true}}"#
        );
        assert_eq!(
            body(&Verb::Submit, &[]),
            r#"{"formid":"SAL_OUTSTOCK","data":{"Numbers":[],"Ids":"1,2","InterationFlags":"","IgnoreInterationFlag":true}}"#
        );
        let flags = [Flag("STK_InvCheckResult".to_owned()), Flag("X".to_owned())];
        assert!(body(&Verb::Audit, &flags).contains(r#""InterationFlags":"STK_InvCheckResult;X""#));
        assert!(
            body(&Verb::Operation("Close".to_owned()), &[])
                .starts_with(r#"{"formid":"SAL_OUTSTOCK","opNumber":"Close","data""#)
        );
    }

    #[test]
    fn a_bill_is_sent_as_it_was_frozen_and_the_switches_that_protect_what_is_there_beside_it() {
        let bill =
            r#"{"FBillNo":"A-1","FQty":12345678901234567.8900,"FEntity":[{"FMaterialId":{"FNumber":"M"}}]}"#.to_owned();
        let body = |bills: &[String]| {
            String::from_utf8(save_body(&FormId::new("STK_InStock"), bills, &WriteOptions::default(), &[]).unwrap())
                .unwrap()
        };
        let head = r#"{"formid":"STK_InStock","data":{"NeedReturnFields":[],"IsDeleteEntry":false,"IsVerifyBaseDataField":true,"ValidateFlag":true,"NumberSearch":true,"IsAutoAdjustField":false,"ValidateRepeatJson":true,"InterationFlags":"","Model":"#;
        assert_eq!(body(std::slice::from_ref(&bill)), format!("{head}{bill}}}}}"));
        assert_eq!(body(&[bill.clone(), "{}".to_owned()]), format!("{head}[{bill},{{}}]}}}}"));
        assert_eq!(save_body(&FormId::new("F"), &["{".to_owned()], &WriteOptions::default(), &[]), None);
    }

    #[test]
    fn a_query_starts_at_row_zero_and_is_ordered_by_id() {
        let (form, columns) = (FormId::new("F"), ["FID".to_owned(), "FBillNo".to_owned()]);
        let (filter, id_path) = ("FID > 7", "FID");
        let body = query_body(BillQuery { form: &form, columns: &columns, filter, id_path, limit: 2000 });
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"data":{"FormId":"F","FieldKeys":"FID,FBillNo","FilterString":"FID > 7","OrderString":"FID ASC","TopRowCount":0,"StartRow":0,"Limit":2000,"SubSystemId":""}}"#
        );
    }
}
