//! What a form is made of: `QueryBusinessInfo` (docs/design/wire.md#forms).

use serde_json::json;

use super::classify::{Ask, form_fault, read_form};
use super::client::KingdeeErp;
use super::transport::CallKind;
use skydeck_core::domain::ids::FormId;
use skydeck_engine::ports::{Fault, FaultKind, FormInfo};

impl KingdeeErp {
    /// See [`skydeck_engine::ports::Erp::describe`]. A lost session is renewed once, and the call repeated once: it reads.
    pub(super) async fn form_info(&self, form: &FormId) -> Result<FormInfo, Fault> {
        let (server, what) = (self.address.shown(), format!("form description of {form}"));
        let ask = Ask { what: &what, server: &server };
        let once = || async {
            let body = json!({"data": {"FormId": form.as_str()}}).to_string().into_bytes();
            match self.call("QueryBusinessInfo", body, CallKind::Read).await {
                Ok(reply) => read_form(&reply, self.reading(ask)),
                Err(fault) => Err(form_fault(&fault, ask)),
            }
        };
        let generation = self.ready().await?;
        match once().await {
            Err(fault) if fault.kind == FaultKind::SessionLost => {
                self.session.lost(generation);
                self.ready().await?;
                once().await
            }
            other => other,
        }
    }
}
