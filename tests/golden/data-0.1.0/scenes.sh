# What happens in each golden directory of 0.1.0; read by make.sh.
# shellcheck shell=bash disable=SC2034,SC2154

# Opened once, nothing was ever run.
scene_new() {
    begin new 1
    says 0 history
    finish new
}

# A set is collected and waits for its approval; the owner ended in order.
scene_awaiting() {
    begin awaiting 12
    serve
    order start
    until_ok "a collected set" run_is awaiting_approval
    unserve
    finish awaiting
}

# `cancel` of a set that waits: the verb takes the run for one that asks for approval, is refused to decline it, and ends the
# engine while the run is closing: bills are settled as not reached, the run waits on. Only now and then, so it is tried.
scene_half_cancelled() {
    begin half-cancelled 120
    serve
    order start
    until_ok "a collected set" run_is awaiting_approval
    unserve
    cp -a "$data" "$place/waiting"
    local left
    for ((left = 40; left > 0; left--)); do
        says 014 cancel
        sky history --json | jq -se '.[0].state == "awaiting_approval" and .[0].waiting < .[0].found' >/dev/null && break
        rm -rf "$data"
        cp -a "$place/waiting" "$data"
    done
    [ "$left" -gt 0 ] || die "no run was half cancelled"
    finish half-cancelled
}

# Production: the first of two persons approved the first run of a revision.
scene_consent() {
    begin consent 12
    rm "$place/config.toml"
    configure "$port" prod $'production = true\nsecond_person = true'
    SSH_CONNECTION="127.0.0.1 50022 127.0.0.1 22" says 4 run sal_outstock_audit --unlock --reason "month end" --yes
    says 0 history
    finish consent
}

# One run paused by a person, with a bill put off because of an edit lock; another paused by a refused permission.
scene_paused() {
    settle=600s timeout=60s
    begin paused 30
    plan stk_instock_submit_audit
    admin bill '{"number":"XSCKD000004","lock":{"user":"王芳","seconds":3600}}'
    fault '{"kind":"delay","on":["Audit"],"bill":["100112"],"ms":1500},{"kind":"error","form":"STK_InStock","on":["write"],"text":"您没有此业务对象的权限，请联系系统管理员","code":2}'
    serve
    order start
    until_ok "a collected set" run_is awaiting_approval
    order approve
    until_ok "the slow audit" struck 0
    order pause
    until_ok "the pause" run_is paused
    order start stk_instock_submit_audit
    until_ok "a collected set" run_is awaiting_approval stk_instock_submit_audit
    order approve stk_instock_submit_audit
    until_ok "the second pause" run_is paused stk_instock_submit_audit
    unserve
    finish paused
}

# kill -9: one run with an intent without an answer and a bill put off, another in the middle of its query. Then the same
# directory after 0.1.0 was started once more.
scene_killed() {
    settle=600s timeout=60s
    begin killed 30
    plan stk_instock_submit_audit
    admin bill '{"number":"XSCKD000004","lock":{"user":"王芳","seconds":3600}}'
    fault '{"kind":"delay","on":["Audit"],"bill":["100112"],"ms":60000},{"kind":"delay","form":"STK_InStock","ms":60000}'
    serve
    order start
    until_ok "a collected set" run_is awaiting_approval
    order approve
    until_ok "the audit without an answer" struck 0
    order start stk_instock_submit_audit
    until_ok "the query without an answer" struck 1
    kill_owner
    keep killed
    says 0 history
    finish interrupted
}

# Calls without a usable answer, each of another kind; killed while they wait out the server's limit.
scene_unknown() {
    settle=600s timeout=1s
    begin unknown 20
    fault '{"kind":"reset","when":"after","on":["Audit"],"bill":["100107"]},{"kind":"html","status":200,"on":["Audit"],"bill":["100110"]},{"kind":"truncate","when":"after","at":40,"on":["Audit"],"bill":["100112"]},{"kind":"delay","ms":3000,"on":["Audit"],"bill":["100116"]},{"kind":"status","status":502,"on":["Audit"],"bill":["100118"]},{"kind":"empty","when":"after","on":["Audit"],"bill":["100121"]},{"kind":"error","on":["Audit"],"bill":["100122"],"text":"数据库连接超时","code":6}'
    serve
    order start
    until_ok "a collected set" run_is awaiting_approval
    order approve
    until_ok "only unknown ones left" run_is settling
    kill_owner
    finish unknown
}

# Every way in which a run closes, every outcome, a retry with a flag, one under the original revision, a verify run, an entry
# closed by a person, a refused order; marks of two plans.
scene_closed() {
    settle=2s
    begin closed 30
    plan stk_instock_submit_audit
    plan nothing '.source.otherRequest[3].value = "FBillNo='"'"'NONE'"'"'" | .skydeck = {"batch": 5}'
    admin bill '{"number":"XSCKD000004","credit":true}'
    admin bill '{"number":"XSCKD000006","shortage":true}'
    admin bill '{"number":"XSCKD000007","interaction":true}'
    admin bill '{"number":"XSCKD000009","closed":true}'
    admin bill '{"number":"XSCKD000023","workflow":true}'
    admin bill '{"number":"XSCKD000011","lock":{"user":"王芳","tries":1}}'
    fault '{"kind":"reset","when":"after","on":["Audit"],"bill":["100121"],"times":1},{"kind":"reset","on":["Audit"],"bill":["100122"],"times":1},{"kind":"reset","on":["Audit"],"bill":["100136"],"times":1},{"kind":"reset","on":["Audit"],"bill":["100118"],"skip":1,"times":1}'
    serve
    order start
    until_ok "a collected set" run_is awaiting_approval
    admin bill '{"number":"XSCKD000017","status":"C"}'
    admin bill '{"number":"XSCKD000018","note":"改过"}'
    admin bill '{"number":"XSCKD000019","delete":true}'
    order approve
    until_ok "an unknown bill" bill_is '.no == "XSCKD000020" and .outcome == "unknown"'
    admin bill '{"number":"XSCKD000020","note":"改过"}'
    until_ok "the end" run_is completed
    says 0 run nothing --yes
    says 4 run stk_instock_submit_audit
    says 01 run stk_instock_submit_audit --yes
    fault '{"kind":"error","on":["ExecuteBillQuery"],"text":"字段不存在","code":9}'
    says 1 run sal_outstock_audit --yes
    fault '{"kind":"delay","on":["Audit"],"bill":["100110"],"ms":2500}'
    order start
    until_ok "a collected set" run_is awaiting_approval
    order approve
    until_ok "the slow audit" struck 0
    says 013 cancel
    fault ''
    says 01 retry no:XSCKD000007 --flag STK_InvCheckResult --reason "stock is counted" --confirm 1
    says 013 verify
    says 0 resolve no:XSCKD000009 --reason "the period stays closed; audited by hand next month"
    plan sal_outstock_audit '.skydeck = {"overlap": "20m", "labels": {"FDate": "date"}}'
    unserve
    says 01 retry no:XSCKD000004 --revision original --yes
    says 01 retry no:XSCKD000006 --yes
    says 0 retry no:NONE --yes
    finish closed
}

# An operation: one bill carried out, one whose answer was lost and whose status says C later, one refused, one unknown.
scene_operation() {
    settle=3s
    begin operation 60
    plan sal_order_close '
        .source.request = [{"field": "FID", "value": "FID"}, {"field": "FBillNo", "value": "FBillNo"}] | .source.response = []
        | .source.otherRequest = [{"field": "FormId", "value": "SAL_SaleOrder"},
            {"field": "FilterString", "value": "FModifyDate>='"'{{LAST_SYNC_TIME|datetime}}'"' and FDocumentStatus='"'B'"'"}]
        | .target = {"api": "excuteOperation", "request": [{"field": "FormId", "value": "SAL_SaleOrder"},
            {"field": "Operation", "value": "BillClose"}, {"field": "Ids", "value": "{{FID}}"}]}'
    curl -sS --max-time 10 "http://127.0.0.1:$port/admin/bills?form=SAL_SaleOrder&status=B" |
        jq -r '.bills[] | "\(.id):\(.number)"' >"$place/orders"
    mapfile -t orders <"$place/orders"
    "$HAND" front "$port" "done=${orders[0]}" "lost=${orders[1]}" "refused=${orders[2]}" "lost=${orders[3]}" >"$place/front" &
    started+=($!)
    until_ok "the front" test -s "$place/front"
    rm "$place/config.toml"
    configure "$(cat "$place/front")" test 'allow_operations = ["BillClose"]'
    serve
    order start sal_order_close
    until_ok "a collected set" run_is awaiting_approval sal_order_close
    order approve sal_order_close
    until_ok "lost answers" bill_is ".fid == \"${orders[3]%%:*}\" and .outcome == \"unknown\""
    admin bill "{\"form\":\"SAL_SaleOrder\",\"id\":${orders[1]%%:*},\"status\":\"C\",\"as\":\"demo\"}"
    admin bill "{\"form\":\"SAL_SaleOrder\",\"id\":${orders[3]%%:*},\"note\":\"改过\"}"
    until_ok "the end" run_is completed sal_order_close
    unserve
    finish operation
}

# The process died on one bill three times.
scene_deaths() {
    begin deaths 12
    SKYDECK_FAULT=before_send dies run sal_outstock_audit --yes
    SKYDECK_FAULT=before_send dies resume
    says 01 resume
    SKYDECK_FAULT=before_send dies retry cause:not_applied --yes
    says 01 resume
    finish deaths
}

# Killed between the action log and the journal: a line without its entry, an entry without the line after it, a closed run
# without its last line, and at the end again a line without its entry.
scene_log_ahead() {
    begin log-ahead 12
    LD_PRELOAD=$work/die.so DIE_AFTER=1 dies run sal_outstock_audit --yes
    LD_PRELOAD=$work/die.so DIE_BEFORE=4 dies run sal_outstock_audit --yes
    LD_PRELOAD=$work/die.so DIE_BEFORE=3 dies resume
    admin bill '{"number":"XSCKD000003","status":"B"}'
    LD_PRELOAD=$work/die.so DIE_AFTER=3 dies run sal_outstock_audit --yes
    finish log-ahead
}

# Settled bills forgotten, what is unresolved kept; and one run after it.
scene_pruned() {
    begin pruned 12
    admin bill '{"number":"XSCKD000004","credit":true}'
    says 1 run sal_outstock_audit --yes
    printf '[retention]\naudited = "1s"\nalready_audited = "1s"\nskipped = "1s"\nfailed = "1s"\nunknown = "1s"\n' \
        | cat - "$place/config.toml" >"$place/new.toml" && mv "$place/new.toml" "$place/config.toml"
    forgets() { sky prune --json | jq -e '.gone.audited >= 4'; }
    until_ok "bills old enough" forgets
    says 0 prune --yes
    says 1 run sal_outstock_audit --yes
    finish pruned
}

# A backup from the middle of a run, as restore leaves it; then the same directory after the run went on.
scene_restored() {
    settle=2s
    begin restored 12
    fault '{"kind":"delay","on":["Audit"],"bill":["100112"],"ms":3000}'
    (exec "$OLD" run sal_outstock_audit --yes --config "$place/config.toml" --data "$data" >>"$place/said" 2>&1 </dev/null) &
    local run=$!
    started+=("$run")
    until_ok "the slow audit" struck 0
    says 0 backup "$place/backup"
    wait "$run" || true
    data=$place/restored
    says 0 restore "$place/backup"
    keep restored
    says 01 resume
    finish restored-used
}

# A journal of two segments, the first one sealed; five bills a call.
scene_sealed() {
    begin sealed 20
    plan sal_outstock_audit '.skydeck = {"batch": 5}'
    says 01 run sal_outstock_audit --yes
    "$HAND" seal "$data"
    finish sealed
}

# Queried in one environment, called in another that holds fewer of the bills.
scene_across() {
    begin across 12
    simulate 8
    configure "$port" target
    plan sal_outstock_audit '.skydeck = {"env": "test", "target_env": "target"}'
    says 01 run sal_outstock_audit --yes
    finish across
}

# A run that the clock started and approved.
scene_scheduled() {
    begin scheduled 12
    plan sal_outstock_audit '.skydeck = {"schedule": {"cron": "* * * * * *", "approve": "schedule"}}'
    serve
    until_ok "a run by the clock" run_is completed
    unserve
    finish scheduled
}
