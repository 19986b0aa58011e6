//! Paths and service names (docs/design/wire.md#addresses-and-services).
//!
//! Invariant: prefix and service name are matched in any letter case; whatever is not listed is 404.

/// A service the simulator answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    ValidateUser,
    LoginByAppSecret,
    LoginBySign,
    Logout,
    GetDataCenterList,
    ExecuteBillQuery,
    BillQuery,
    View,
    Save,
    BatchSave,
    Draft,
    Push,
    Submit,
    Audit,
    UnAudit,
    CancelAssign,
    Delete,
    ExecuteOperation,
    WorkflowAudit,
    QueryBusinessInfo,
    QueryAsyncResult,
    QueryGroupInfo,
    GetSysReportData,
    SendMsg,
    AttachmentUpload,
    AttachmentDownload,
    Disassembly,
    /// A real service that is not simulated.
    Other,
}

use Service as S;

const FORM_SERVICE: &str = "kingdee.bos.webapi.servicesstub.dynamicformservice.";
const AUTH_SERVICE: &str = "kingdee.bos.webapi.servicesstub.authservice.";
const ACCOUNT_SERVICE: &str = "kingdee.bos.servicefacade.servicesstub.account.accountservice.";

/// Services that one client in the field calls for lists of the system. No source has their answers: they are those of a query.
const SYSTEM: [(&str, &str); 6] = [
    ("kingdee.bos.webapi.servicesstub.userservice.", "queryuser"),
    ("kingdee.bos.webapi.servicesstub.roleservice.", "queryrole"),
    ("kingdee.bos.webapi.servicesstub.permissionservice.", "querypermission"),
    ("kingdee.bos.webapi.servicesstub.sequenceruleservice.", "querysequencerule"),
    ("kingdee.bos.webapi.servicesstub.numberruleservice.", "querynumberrule"),
    ("kingdee.bos.webapi.servicesstub.systemconfigservice.", "querysystemconfig"),
];

const NAMES: &[(&str, &str, Service)] = &[
    (AUTH_SERVICE, "validateuser", S::ValidateUser),
    (AUTH_SERVICE, "loginbyappsecret", S::LoginByAppSecret),
    (AUTH_SERVICE, "loginbysign", S::LoginBySign),
    (AUTH_SERVICE, "loginbysignsha256", S::LoginBySign),
    (AUTH_SERVICE, "logout", S::Logout),
    (ACCOUNT_SERVICE, "getdatacenterlist", S::GetDataCenterList),
    (FORM_SERVICE, "executebillquery", S::ExecuteBillQuery),
    (FORM_SERVICE, "billquery", S::BillQuery),
    (FORM_SERVICE, "view", S::View),
    (FORM_SERVICE, "save", S::Save),
    (FORM_SERVICE, "batchsave", S::BatchSave),
    (FORM_SERVICE, "draft", S::Draft),
    (FORM_SERVICE, "submit", S::Submit),
    (FORM_SERVICE, "audit", S::Audit),
    (FORM_SERVICE, "unaudit", S::UnAudit),
    (FORM_SERVICE, "cancelassign", S::CancelAssign),
    (FORM_SERVICE, "delete", S::Delete),
    (FORM_SERVICE, "excuteoperation", S::ExecuteOperation),
    (FORM_SERVICE, "executeoperation", S::ExecuteOperation),
    (FORM_SERVICE, "workflowaudit", S::WorkflowAudit),
    (FORM_SERVICE, "querybusinessinfo", S::QueryBusinessInfo),
    (FORM_SERVICE, "queryasyncresult", S::QueryAsyncResult),
    (FORM_SERVICE, "flexsave", S::Other),
    (FORM_SERVICE, "groupsave", S::Other),
    (FORM_SERVICE, "groupdelete", S::Other),
    (FORM_SERVICE, "push", S::Push),
    (FORM_SERVICE, "allocate", S::Other),
    (FORM_SERVICE, "cancelallocate", S::Other),
    (FORM_SERVICE, "disassembly", S::Disassembly),
    (FORM_SERVICE, "getsysreportdata", S::GetSysReportData),
    (FORM_SERVICE, "querygroupinfo", S::QueryGroupInfo),
    (FORM_SERVICE, "switchorg", S::Other),
    (FORM_SERVICE, "sendmsg", S::SendMsg),
    (FORM_SERVICE, "attachmentupload", S::AttachmentUpload),
    (FORM_SERVICE, "attachmentdownload", S::AttachmentDownload),
];

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Service.
    pub service: Service,
    /// Came in under the gateway's path rather than a private server's.
    pub gateway: bool,
}

/// Finds the service of a path; `None` is 404.
pub fn route(path: &str) -> Option<Route> {
    let path = path.split('?').next().unwrap_or(path).to_ascii_lowercase();
    let (rest, gateway) = match path.strip_prefix("/k3cloud/") {
        Some(rest) => (rest, false),
        None => (path.strip_prefix("/galaxyapi/")?, true),
    };
    let name = rest.strip_suffix(".common.kdsvc")?;
    let is = |prefix: &str, verb: &str| name.strip_prefix(prefix).is_some_and(|found| found == verb);
    // invented: what the lists of the system are answered with
    if SYSTEM.iter().any(|(prefix, verb)| is(prefix, verb)) {
        return Some(Route { service: S::ExecuteBillQuery, gateway });
    }
    let (.., service) = NAMES.iter().find(|(prefix, verb, _)| is(prefix, verb))?;
    Some(Route { service: *service, gateway })
}

impl Service {
    /// Its name in counts, records and fault rules.
    pub fn name(self) -> &'static str {
        match self {
            S::ValidateUser => "ValidateUser",
            S::LoginByAppSecret => "LoginByAppSecret",
            S::LoginBySign => "LoginBySign",
            S::Logout => "Logout",
            S::GetDataCenterList => "GetDataCenterList",
            S::ExecuteBillQuery => "ExecuteBillQuery",
            S::BillQuery => "BillQuery",
            S::View => "View",
            S::Save => "Save",
            S::BatchSave => "BatchSave",
            S::Draft => "Draft",
            S::Push => "Push",
            S::Submit => "Submit",
            S::Audit => "Audit",
            S::UnAudit => "UnAudit",
            S::CancelAssign => "CancelAssign",
            S::Delete => "Delete",
            S::ExecuteOperation => "ExecuteOperation",
            S::WorkflowAudit => "WorkflowAudit",
            S::QueryBusinessInfo => "QueryBusinessInfo",
            S::QueryAsyncResult => "QueryAsyncResult",
            S::QueryGroupInfo => "QueryGroupInfo",
            S::GetSysReportData => "GetSysReportData",
            S::SendMsg => "SendMsg",
            S::AttachmentUpload => "AttachmentUpload",
            S::AttachmentDownload => "AttachmentDownload",
            S::Disassembly => "Disassembly",
            S::Other => "Other",
        }
    }

    /// Signs in.
    pub fn is_login(self) -> bool {
        matches!(self, S::ValidateUser | S::LoginByAppSecret | S::LoginBySign)
    }

    /// Makes bills of models.
    pub fn is_save(self) -> bool {
        matches!(self, S::Save | S::BatchSave | S::Draft)
    }

    /// Makes new bills, of models or of others.
    pub fn makes(self) -> bool {
        self.is_save() || self == S::Push
    }

    /// May change bills.
    pub fn is_write(self) -> bool {
        matches!(
            self,
            S::Save
                | S::BatchSave
                | S::Draft
                | S::Push
                | S::Submit
                | S::Audit
                | S::UnAudit
                | S::CancelAssign
                | S::Delete
                | S::ExecuteOperation
                | S::WorkflowAudit
                | S::AttachmentUpload
                | S::Disassembly
        )
    }
}
