//! What a call is about, before anything is done: its form, its bills, its keys; which fault strikes it, how long it takes.
//!
//! Invariant: nothing here changes a bill.

use serde_json::Value as Json;

use super::body::{Data, Params};
use super::faults::{Kind, Rule, Target, When};
use super::form;
use super::operate::Operation;
use super::save;
use super::service::{Route, Service};
use super::world::{Call, World};

/// What a call is about.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// As the call writes it.
    pub form_id: String,
    pub form: Option<usize>,
    pub operation: Option<Operation>,
    /// Ids and numbers, as the call writes them.
    pub asked: Vec<String>,
    /// The bills there are of these, by id and number.
    pub bills: Vec<(u32, String)>,
    /// The keys of its models.
    pub keys: Vec<String>,
}

impl World {
    pub(super) fn draw(&mut self, route: Route, named: &Named) -> Option<Rule> {
        let group = match route.service {
            s if s.is_login() => "login",
            s if s.is_write() => "write",
            _ => "read",
        };
        let target = Target {
            service: route.service.name(),
            operation: named.operation.map_or("", Operation::name),
            group,
            form: &named.form_id,
            asked: &named.asked,
            bills: &named.bills,
            keys: &named.keys,
        };
        self.faults.draw(&target)
    }

    /// What a call is about.
    pub(super) fn named(&self, service: Service, params: &Params) -> Named {
        let (form_id, data) = operands(service, params);
        let form = form::find(&form_id);
        let mut named = Named { form_id, form, ..Named::default() };
        let Ok(data) = data else { return named };
        named.operation = Operation::of(service, params, &data);
        named.asked = [data.list("Ids"), data.list("Numbers")].concat();
        if let Some(form) = form {
            let ids = self.asked(form, &data).unwrap_or_default();
            named.bills = ids.into_iter().map(|id| (id, self.number(form, id))).collect();
            if service == Service::Push {
                named.bills = self
                    .sources(form, &data)
                    .map(|(ids, _)| ids)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|id| (id, self.number(form, id)))
                    .collect();
            }
            if service.is_save() {
                let models = save::models(&data).unwrap_or_default();
                named.keys = models.into_iter().map(|model| self.key_of(form, &Json::Object(model))).collect();
                named.asked.extend(named.keys.iter().cloned());
            }
        }
        named
    }

    /// How long a call takes before it is executed: a delay fault, a slow bill.
    pub(super) fn time_taken(&self, call: &Call) -> i64 {
        let fault = match &call.fault {
            Some(rule) if rule.kind == Kind::Delay && rule.when == When::Before => rule.ms,
            _ => 0,
        };
        let slow = match (&call.params, call.route.service.is_write() && !self.troubles.is_empty()) {
            (Ok(params), true) => {
                let (form_id, data) = operands(call.route.service, params);
                let form = form::find(&form_id).unwrap_or(usize::MAX);
                let ids = data.ok().and_then(|d| self.asked(form, &d).ok()).unwrap_or_default();
                let slow = |id: &u32| self.troubles.get(&(form, *id)).map_or(0, |t| i64::from(t.slow_ms));
                ids.iter().map(slow).max().unwrap_or(0)
            }
            _ => 0,
        };
        fault.max(slow)
    }
}

/// Form id and data of a call; queries carry the form inside the data.
pub(super) fn operands(service: Service, params: &Params) -> (String, Result<Data, String>) {
    let inside = |data: Result<Data, String>| (data.as_ref().map(|d| d.text("FormId")).unwrap_or_default(), data);
    match service {
        Service::ExecuteBillQuery
        | Service::BillQuery
        | Service::WorkflowAudit
        | Service::QueryBusinessInfo
        | Service::QueryGroupInfo
        | Service::SendMsg
        | Service::AttachmentUpload
        | Service::AttachmentDownload => inside(params.data(0)),
        Service::ExecuteOperation => (params.text("formid", 0), params.data(2)),
        Service::QueryAsyncResult | Service::Logout => (String::new(), Ok(Data::default())),
        _ => (params.text("formid", 0), params.data(1)),
    }
}
