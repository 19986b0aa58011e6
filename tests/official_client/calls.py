"""Drives the vendor's own Python SDK (kingdee.cdp.webapi.sdk 8.2.0) against a running simulator.

usage: calls.py SERVER_URL ADMIN_URL ACCOUNT USER APP_ID APP_SECRET

Every step prints one line `ok <step>: <what came back>`; the first failed expectation ends the script with status 1.
"""

import json
import os
import sys
import tempfile
import urllib.request

from k3cloud_webapi_sdk.main import K3CloudApiSdk

server, admin, account, user, app_id, app_secret = sys.argv[1:7]
FORM = "SAL_OUTSTOCK"


def step(name, fact, shown):
    if not fact:
        print(f"FAILED {name}: {shown}")
        sys.exit(1)
    print(f"ok {name}: {str(shown)[:160]}")


def admin_post(path, body):
    request = urllib.request.Request(admin + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=20))


def client(acct=account, name=user, secret=app_secret, org=0):
    sdk = K3CloudApiSdk(server, 20)
    sdk.InitConfig(acct, name, app_id, secret, server, 2052, org)
    return sdk


def query(sdk, filter_string, keys="FID,FBillNo,FDocumentStatus,FCustomerID.FName,FNote", **more):
    data = {"FormId": FORM, "FieldKeys": keys, "FilterString": filter_string, "OrderString": "FID ASC",
            "TopRowCount": 0, "StartRow": 0, "Limit": 2000, "SubSystemId": "", **more}
    return json.loads(sdk.ExecuteBillQuery(data))


def status(text):
    return json.loads(text)["Result"]["ResponseStatus"]


sdk = client()
centers = json.loads(sdk.GetDataCenters())
step("data centers", account in json.dumps(centers), centers)

rows = query(sdk, "FDOCUMENTSTATUS<>'C' and FBillTypeID.fnumber='XSCKD07_SYS'")
step("query", len(rows) > 10 and all(row[2] != "C" for row in rows), f"{len(rows)} rows, first {rows[0]}")
step("chinese text", any("一" <= c <= "鿿" for c in rows[0][3]), rows[0][3])
first_session = sdk.cookiesStore.SID
step("session given", len(first_session) == 36, "a GUID")
page = query(sdk, "FDOCUMENTSTATUS<>'C' and FBillTypeID.fnumber='XSCKD07_SYS'", StartRow="5", Limit="3")
step("second call keeps the session", sdk.cookiesStore.SID == first_session, "same id")
step("paging", [row[0] for row in page] == [row[0] for row in rows[5:8]], page)
objects = json.loads(sdk.BillQuery({"FormId": FORM, "FieldKeys": "FID,FBillNo", "FilterString": "", "Limit": 2}))
step("BillQuery", [sorted(o) for o in objects] == [["FBillNo", "FID"]] * 2, objects)

finished = query(sdk, "FDocumentStatus='C'")[0]

# The bills that follow must be free of the demo's troubles: the world was started without.
submitted = [row for row in rows if row[2] == "B"]
bill = submitted[0]
answer = status(sdk.Audit(FORM, {"Ids": str(bill[0])}))
step("audit by id", answer["IsSuccess"] and answer["SuccessEntitys"][0]["Number"] == bill[1], answer)
step("status read back", query(sdk, f"FBillNo='{bill[1]}'")[0][2] == "C", bill[1])
answer = status(sdk.Audit(FORM, {"Numbers": [bill[1]]}))
step("audit twice", not answer["IsSuccess"] and answer["MsgCode"] == 11 and "已经审核" in answer["Errors"][0]["Message"], answer)
answer = status(sdk.UnAudit(FORM, {"Numbers": [bill[1]]}))
step("un-audit", answer["IsSuccess"] and query(sdk, f"FID={bill[0]}")[0][2] == "D", answer)
answer = status(sdk.Audit(FORM, {"Numbers": [bill[1]]}))
step("audit unsubmitted", not answer["IsSuccess"] and "请先提交审核" in answer["Errors"][0]["Message"], answer)
answer = status(sdk.Submit(FORM, {"Numbers": [bill[1]]}))
step("submit", answer["IsSuccess"] and query(sdk, f"FID={bill[0]}")[0][2] == "B", answer)
answer = status(sdk.Submit(FORM, {"Numbers": [bill[1]]}))
step("submit twice", "只有暂存、创建和重新审核的数据才允许提交" in answer["Errors"][0]["Message"], answer)
answer = status(sdk.CancelAssign(FORM, {"Numbers": [bill[1]]}))
step("cancel", answer["IsSuccess"] and query(sdk, f"FID={bill[0]}")[0][2] == "D", answer)

two = [submitted[2], submitted[1]]
answer = status(sdk.Audit(FORM, {"Numbers": [two[0][1], "NO-SUCH", two[1][1]]}))
named = [entity["Number"] for entity in answer["SuccessEntitys"]]
step("batch: unknown number skipped, server's order", answer["IsSuccess"] and named == [two[1][1], two[0][1]], named)
answer = status(sdk.Audit(FORM, {"Ids": f"{two[0][0]},{submitted[3][0]}"}))
step("batch: partial", not answer["IsSuccess"] and len(answer["Errors"]) == len(answer["SuccessEntitys"]) == 1, answer)
answer = status(sdk.Audit(FORM, {"Numbers": ["NO-SUCH"]}))
step("number unknown", answer["MsgCode"] == 9 and answer["Errors"][0]["Message"] == '编码值["NO-SUCH"]不存在', answer)

stock = submitted[4]
admin_post("/admin/bill", {"number": stock[1], "interaction": True})
answer = status(sdk.Audit(FORM, {"Numbers": [stock[1]], "InterationFlags": "", "IgnoreInterationFlag": "true"}))
step("interaction", answer["Errors"][0]["FieldName"] == "AbstractInteractionResult", answer)
answer = status(sdk.Audit(FORM, {"Numbers": [stock[1]], "InterationFlags": "STK_InvCheckResult"}))
step("interaction waved through", answer["IsSuccess"], answer)
answer = status(sdk.ExcuteOperation(FORM, "Audit", {"Numbers": [submitted[5][1]]}))
step("ExcuteOperation", answer["IsSuccess"], answer)

wrong = json.loads(sdk.ExecuteBillQuery({"FormId": FORM, "FieldKeys": "FNoSuchField", "FilterString": ""}))
error = wrong[0][0]["Result"]["ResponseStatus"]
step("unknown field", error["MsgCode"] == 9 and "FNoSuchField" in error["Errors"][0]["Message"], error)
wrong = json.loads(sdk.BillQuery({"FormId": "NO_SUCH_FORM", "FieldKeys": "FID", "FilterString": ""}))
step("unknown form", wrong["Result"]["ResponseStatus"]["MsgCode"] == 4, wrong)
wrong = query(sdk, "FBillNo='x' or")
step("malformed filter", "GetRealExpress" in wrong[0][0]["Result"]["ResponseStatus"]["Errors"][0]["Message"], wrong)

view = json.loads(sdk.View(FORM, {"CreateOrgId": 0, "Number": bill[1], "Id": ""}))["Result"]["Result"]
step("view", view["BillNo"] == bill[1] and view["CustomerID"]["Name"][0]["Value"] == bill[3], view)
info = json.loads(sdk.QueryBusinessInfo({"FormId": FORM}))
step("business info", info["Result"]["ResponseStatus"]["IsSuccess"], "fields")

lines = {"FEntity": [{"FMaterialID": {"FNumber": "MAT00001"}, "FRealQty": 2}]}
model = {"FBillNo": "演示-0001", **lines, "FNote": "中文备注“引号”'单引号'", "FCustomerID": {"FNumber": "CUST0007"}, "FDate": "2026-01-05"}
saved = json.loads(sdk.Save(FORM, {"Model": model}))["Result"]
step("save", saved["ResponseStatus"]["IsSuccess"] and saved["Number"] == "演示-0001", saved)
back = query(sdk, "FBillNo='演示-0001' and FNote like '%''单引号''%'")
step("chinese there and back", len(back) == 1 and back[0][4] == model["FNote"] and back[0][2] == "A", back)
polled = json.loads(sdk.BatchSaveQuery(FORM, {"Model": [{**model, "FBillNo": "演示-0002"}, {**model, "FBillNo": "演示-0001"}]}))
done = polled["Result"]["ResponseStatus"]
step("polling mode", [e["Number"] for e in done["SuccessEntitys"]] == ["演示-0002"] and len(done["Errors"]) == 1, done)
answer = status(sdk.Delete(FORM, {"Numbers": ["演示-0002"]}))
step("delete", answer["IsSuccess"] and query(sdk, "FBillNo='演示-0002'") == [], answer)

draft = json.loads(sdk.Draft(FORM, {"Model": {"FNote": "草稿"}}))["Result"]
step("draft", draft["ResponseStatus"]["IsSuccess"] and draft["Number"] == "", draft)
push = {"Ids": str(finished[0]), "RuleId": "AR_OutStockToReceivableMap"}
pushed = json.loads(sdk.Push(FORM, push))["Result"]
made = pushed["ResponseStatus"]["SuccessEntitys"]
step("push", len(made) == 1 and pushed["ConvertResponseStatus"]["IsSuccess"], pushed)
found = json.loads(sdk.ExecuteBillQuery({"FormId": "AR_receivable", "FieldKeys": "FID", "FilterString": f"FSourceBillNo='{finished[1]}'"}))
step("what was pushed is found by its source", found and found[0][0] == made[0]["Id"], found)
step("push twice", "累计关联数量" in status(sdk.Push(FORM, push))["Errors"][0]["Message"], "refused")
groups = json.loads(sdk.QueryGroupInfo({"FormId": "BD_MATERIAL", "GroupFieldKey": "FMaterialGroup"}))["Result"]["NeedReturnData"]
step("groups", [g["Number"] for g in groups] == ["01", "02", "03"], groups)
file = {"FileName": "a.txt", "FormId": FORM, "InterId": str(bill[0]), "BillNO": bill[1], "IsLast": True, "SendByte": "5rWL6K+V"}
sent = json.loads(sdk.AttachmentUpload(file))["Result"]
part = json.loads(sdk.AttachmentDownLoad({"FileId": sent["FileId"], "StartIndex": 0}))["Result"]
step("attachment there and back", part["FilePart"] == file["SendByte"] and part["IsLast"], part)
step("message", status(sdk.SendMsg({"Model": [{"Title": "t", "Content": "c", "Receivers": user, "Type": "1"}]}))["IsSuccess"], "sent")
report = json.loads(sdk.GetSysReportData("GL_RPT_AccountBalance", {"FieldKeys": "FBALANCEID,FDEBIT", "Limit": 10}))["Result"]
step("report", report["IsSuccess"] and report["RowCount"] == len(report["Rows"]), report)
for verb in ["Allocate", "FlexSave", "GroupSave", "CancelAllocate"]:
    refused = status(getattr(sdk, verb)(FORM, {}))
    step(f"{verb} is not simulated", not refused["IsSuccess"] and "模拟器不支持" in refused["Errors"][0]["Message"], refused)

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "conf.ini")
    with open(path, "w", encoding="utf-8") as ini:
        ini.write(f"[config]\nX-KDApi-AcctID={account}\nX-KDApi-UserName={user}\nX-KDApi-AppID={app_id}\n"
                  f"X-KDApi-AppSec={app_secret}\nX-KDApi-ServerUrl={server}\nX-KDApi-LCID=2052\nX-KDApi-OrgNum=100\n")
    by_file = K3CloudApiSdk(server, 20)
    by_file.Init(path)
    step("configured by file, organisation 100", len(query(by_file, "")) > 10, "rows")

admin_post("/admin/sessions", {})
step("expired session is replaced unseen", len(query(sdk, "FDocumentStatus='C'")) > 0 and sdk.cookiesStore.SID != first_session, "new id")
lost = query(client(secret="0" * 32), "")[0][0]["Result"]["ResponseStatus"]
step("wrong secret", lost["MsgCode"] == 1 and lost["Errors"][0]["Message"] == "会话信息已丢失，请重新登录", lost)
try:
    query(client(acct="60aa0000000001"), "")
    step("wrong account set", False, "no error")
except RuntimeError as error:
    step("wrong account set", str(error) == "Fail to verify thirty passport", error)
admin_post("/admin/faults", {"fault": [{"kind": "response_error", "on": ["Audit"], "times": 1}]})
try:
    sdk.Audit(FORM, {"Numbers": [submitted[6][1]]})
    step("response_error", False, "no error")
except RuntimeError as error:
    step("response_error", True, error)
print("ALL OK")
