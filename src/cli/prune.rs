//! `prune`: forgets what `[retention]` no longer keeps.

use super::context::Context;
use crate::boot::{self, store_stop};
use crate::domain::ids::OpId;
use crate::domain::operation_words as names;
use crate::domain::query::Retention;
use crate::exit::{Exit, Stop};
use crate::store::prune::{self, Order};

/// Says what would be forgotten, or forgets it.
pub async fn run(context: &Context, yes: bool) -> Result<Exit, Stop> {
    let out = context.out();
    let rule = context.config.retention;
    if rule == Retention::default() {
        let words = out.t(
            " has no [retention]: everything is kept. Write e.g. audited = \"400d\"",
            " 中没有 [retention]：全部保留。例如可写 audited = \"400d\"",
        );
        return Err(Stop::usage(format!("{}{words}", context.paths.config.display())));
    }
    let data = &context.paths.data;
    if !data.exists() {
        return Err(out.nothing_in(data));
    }
    let who = boot::who();
    let order = Order { data, rule, by: &who, act: yes };
    let progress = |n: u64| out.note(&out.colon("facts read", "已读记录", &n.to_string()));
    let pruned = prune::prune(&order, &context.clock, &progress).await.map_err(store_stop)?;
    if out.json {
        out.object(&serde_json::json!({
            "type": "prune", "done": yes, "facts_before": pruned.facts.0, "facts_after": pruned.facts.1,
            "bytes_before": pruned.bytes.0, "bytes_after": pruned.bytes.1, "gone": pruned.gone, "bodies": pruned.bodies,
        }))?;
        return Ok(Exit::Ok);
    }
    let words = if pruned.others { names::of_any() } else { names::words(&OpId::default()) };
    let columns: Vec<String> =
        prune::columns(&pruned.gone).map(|(slot, n)| format!("{} {n}", words.column(out.lang, slot))).collect();
    let words = if yes {
        out.t("forgotten", "已清除")
    } else {
        out.t("would be forgotten (add --yes)", "将被清除（加 --yes 执行）")
    };
    let sum = format!("{} {}", pruned.gone.found, columns.join(out.t(", ", "，")));
    out.line(&out.colon(words, words, &sum))?;
    if context.config.retention.bodies.is_some() {
        let words = if yes {
            out.t("bodies dropped, their hashes stay", "已清除发送内容，散列值保留")
        } else {
            out.t("bodies that would be dropped", "将清除的发送内容")
        };
        out.line(&out.colon(words, words, &pruned.bodies.to_string()))?;
    }
    out.line(&format!("{} {} → {}", out.t("facts", "记录"), pruned.facts.0, pruned.facts.1))?;
    if yes {
        out.line(&format!("{} {} → {}", out.t("bytes", "字节"), pruned.bytes.0, pruned.bytes.1))?;
    }
    Ok(Exit::Ok)
}
