#!/usr/bin/env python3
"""Checks the evidence of a Skydeck run without Skydeck: check-evidence.py FILE [SEAL]

Python 3 and its standard library alone. What is checked stands in docs/handed-on.md. Exit code 0: whole; 1: not.
"""
import base64, hashlib, json, struct, sys


class Wrong(Exception):
    pass


def must(holds, what):
    if not holds:
        raise Wrong(what)


def unpack(data, at):
    """One MessagePack value; gives it and where the next one begins."""
    def number(code, width):
        return struct.unpack_from(">" + code, data, at + 1)[0], at + 1 + width

    def text(size, begin):
        return data[begin:begin + size], begin + size

    def many(size, begin, pairs):
        items = []
        for _ in range(size * (2 if pairs else 1)):
            item, begin = unpack(data, begin)
            items.append(item)
        return (dict(zip(items[::2], items[1::2])) if pairs else items), begin

    head = data[at]
    if head <= 0x7F or head >= 0xE0:
        return (head if head <= 0x7F else head - 256), at + 1
    if head <= 0x8F:
        return many(head & 15, at + 1, True)
    if head <= 0x9F:
        return many(head & 15, at + 1, False)
    if head <= 0xBF:
        raw, end = text(head & 31, at + 1)
        return raw.decode(), end
    if head in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[head], at + 1
    plain = {0xCA: "f", 0xCB: "d", 0xCC: "B", 0xCD: "H", 0xCE: "I", 0xCF: "Q", 0xD0: "b", 0xD1: "h", 0xD2: "i", 0xD3: "q"}
    if head in plain:
        return number(plain[head], struct.calcsize(plain[head]))
    sized = {0xC4: "B", 0xC5: "H", 0xC6: "I", 0xD9: "B", 0xDA: "H", 0xDB: "I", 0xDC: "H", 0xDD: "I", 0xDE: "H", 0xDF: "I"}
    must(head in sized, "a value of an unknown kind")
    size, begin = number(sized[head], struct.calcsize(sized[head]))
    if head >= 0xDC:
        return many(size, begin, head >= 0xDE)
    raw, end = text(size, begin)
    return (raw.decode() if head >= 0xD9 else raw), end


def ulid(text):
    """The sixteen bytes of an id that is written in Crockford's base 32."""
    number = 0
    for sign in text:
        number = number * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(sign)
    return number.to_bytes(16, "big")


def sha(data):
    return hashlib.sha256(data).hexdigest()


def facts_of(line, run):
    """The facts of an append, after its place in the journal's chain was checked."""
    payload, before = base64.b64decode(line["payload"], validate=True), bytes.fromhex(line["before"])
    must(sha(before + struct.pack(">Q", line["place"]) + payload)[:32] == line["chain"], "an append is not the one of the chain")
    must(payload[0] == 1, "an append of an unknown version")
    group, end = unpack(payload, 1)
    must(end == len(payload) and group["q"] == line["place"] and len(group["e"]) == line["facts"], "an append is not whole")
    for n, event in enumerate(group["e"]):
        (kind, fact), = event.items() if isinstance(event, dict) else [(event, {})]
        if isinstance(fact, dict) and (fact.get("id") if kind == "ro" else fact.get("r")) == run:
            yield line["place"] + n, group["t"], kind, fact


def derived(place, at, kind, fact):
    """What the file has to tell of a fact: type and the fields that are compared."""
    body = lambda b: b and (b.get("h") or sha(b["b"] if isinstance(b["b"], bytes) else bytes(b["b"])))
    of = {"place": place, "at_ms": at}
    if kind == "rc":
        return dict(of, type="set", hash=fact["c"]["hash"])
    if kind == "ra":
        return dict(of, type="approved", hash=fact["h"], reason=fact.get("y"))
    if kind == "rk":
        return dict(of, type="first_approval", hash=fact["c"]["hash"], reason=fact["c"].get("reason"))
    if kind == "sa" and fact.get("x"):
        x = fact["x"]
        return dict(of, type="call", fid=fact["i"], attempt=fact["a"], ms=fact["m"], http=x.get("s"),
                    request_sha256=body(x["q"]), answer_sha256=body(x.get("r")))
    if kind == "br":
        return dict(of, type="read_back", fid=fact["i"], status=fact["v"]["s"] if fact["v"] else None)
    if kind == "bs":
        return dict(of, type="outcome", fid=fact["i"], no=fact["n"])
    return dict(of, type={"ro": "opened", "rx": "closed"}[kind]) if kind in ("ro", "rx") else None


def part(value):
    raw = value.encode()
    return struct.pack(">Q", len(raw)) + raw


def check(path, seal):
    data = open(path, "rb").read()
    must(data.endswith(b"\n"), "the file does not end with a line")
    before, lines = "", []
    for n, raw in enumerate(data.decode().split("\n")[:-1], 1):
        body, _, rest = raw.rpartition(',"h":"')
        before = sha((before + body).encode())
        must(rest == before + '"}', f"line {n} was changed, or one before it is missing")
        lines.append(json.loads(raw))
    must(lines and lines[0]["type"] == "evidence" and lines[0]["version"] == 1, "no evidence of version 1")
    must(seal in (None, before), "the seal is another one")
    run, tip, owed, told, found, sets, logged, gaps = lines[0]["run"], None, [], [], hashlib.sha256(), [], None, 0
    for line in lines[1:-1]:
        if line["type"] == "append":
            must(tip is None or line["place"] >= tip[1], "appends out of order")
            must(tip is None or line["place"] > tip[1] or line["before"] == tip[0], "an append does not continue the one before")
            gaps += tip is not None and line["place"] > tip[1]
            tip = line["chain"], line["place"] + line["facts"]
            for fact in facts_of(line, ulid(run)):
                owed += [fact_told for fact_told in [derived(*fact)] if fact_told]
                for bill in fact[3]["b"] if fact[2] == "bf" else []:
                    rev = bill["r"]
                    found.update(part(bill["i"]) + part(rev["s"]) + part(rev.get("m") or ""))
                    found.update(struct.pack(">Q", rev["h"]) if rev.get("h") is not None else b"")
                    found.update(part(bill["b"].get("h", "")) if bill.get("b") else b"")
                sets += [said["hash"] for said in [derived(*fact)] if said and said["type"] in ("set", "approved")]
        elif line["type"] == "log":
            body, _, rest = line["line"].rpartition(',"h":"')
            own = json.loads(line["line"])
            must(rest == sha(body.encode()) + '"}', "a line of the action log was changed")
            must(not logged or own["seq"] > logged["seq"], "lines of the action log out of order")
            must(not logged or own["seq"] > logged["seq"] + 1 or own["prev"] == logged["h"], "a line does not follow the one before")
            logged = own
        else:
            told.append(line)
    must(len(owed) == len(told), "more or less is told than the appends hold")
    for want, line in zip(owed, told):
        must(all(line.get(key) == value for key, value in want.items()), f"place {want['place']}: not what the append holds")
    must(all(one == found.hexdigest() for one in sets), "the set that was approved is not the set that was found")
    count = lambda kind: sum(line["type"] == kind for line in lines)
    end = {"type": "end", "appends": count("append"), "calls": count("call"), "log": count("log")}
    must({key: lines[-1].get(key) for key in end} == end, "the end does not say what is there")
    print(f"whole: run {run}, set {sets[0] if sets else '-'}, {end['appends']} appends ({gaps} gaps of other runs), "
          f"{end['calls']} calls, {end['log']} lines of the log\nseal {before}")
    for line in told:
        if line["type"] in ("first_approval", "approved"):
            print(f"{line['type']} by {line['by']}: {line['reason'] or '-'}")


if __name__ == "__main__":
    try:
        check(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
    except OSError as cannot:
        sys.exit(f"NOT CHECKED: {cannot}")
    except (Wrong, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, struct.error) as wrong:
        sys.exit(f"NOT WHOLE: {wrong}")
