"""The table of benches/terminal.sh: what, target, seen, met or missed, out of the raw figures in a directory."""

import json
import os
import sys

out, parts = sys.argv[1], sys.argv[2].split()


def load(part):
    try:
        with open(os.path.join(out, part + ".json")) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


figures = {part: load(part) for part in ("start", "cold", "crash", "keys", "bills", "search", "live", "ends", "owner")}


def at(part, path):
    value = figures[part]
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


rows = []


def most(what, part, path, target, unit, scale=1, digits=1):
    """A figure that must not be above its target (None: only told)."""
    value = at(part, path)
    if part not in parts and part != "owner":
        return
    if value is None:
        rows.append((what, f"{target} {unit}" if target is not None else "", "not measured", "?"))
        return
    value = value * scale
    seen = f"{value:,.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:,.0f}"
    verdict = "" if target is None else "met" if value <= target else "MISSED"
    rows.append((what, "" if target is None else f"<= {target} {unit}", f"{seen} {unit}", verdict))


def holds(what, part, seen, ok):
    if part in parts:
        rows.append((what, "yes", str(seen), "met" if ok else "MISSED"))


most("exec to full picture, owner there", "start", "start.ready_ms.p50", 20, "ms")
most("exec to first frame, owner there", "start", "start.first_paint_ms.p50", 10, "ms")
most("exec to first frame, no owner yet", "cold", "start.first_paint_ms.p50", 10, "ms")
most("exec to first frame, killed in a run before", "crash", "start.first_paint_ms.p50", 10, "ms")
most("exec to full picture, killed in a run before", "crash", "start.ready_ms.p50", None, "ms")
most("bytes of the full picture", "start", "start.bytes_to_ready.p50", 6000, "B", digits=0)
most("terminal queries", "start", "start.terminal_queries", 0, "", digits=0)
most("idle: bytes", "keys", "idle.bytes_per_s", 0, "B/s")
most("idle: wake-ups", "keys", "idle.wakeups_per_s", 0, "/s")
most("idle: CPU", "keys", "idle.cpu_pct", 0.04, "%", digits=2)
for part, name, most_moved, most_scrolled in (("keys", "runs", 120, 350), ("bills", "failed bills", None, None)):
    most(f"{name}: cursor moves a row, with the preview", part, "keys.move.bytes.p50", most_moved, "B", digits=0)
    if part == "keys":
        most("runs: cursor moves a row, list alone", part, "keys.alone.bytes.p50", 120, "B", digits=0)
    most(f"{name}: list scrolls a row", part, "keys.scroll.bytes.p50", most_scrolled, "B", digits=0)
    most(f"{name}: key to picture, cursor moves", part, "keys.move.last_ms.p50", 0.8, "ms", digits=2)
    most(f"{name}: key to picture, list scrolls", part, "keys.scroll.last_ms.p50", 0.8, "ms", digits=2)
    most(f"{name}: CPU a key, cursor moves", part, "keys.move.cpu_us_per_key", 400, "us", digits=0)
    most(f"{name}: CPU a key, list scrolls", part, "keys.scroll.cpu_us_per_key", 400, "us", digits=0)
    most(f"{name}: 200 keys in one write", part, "burst.bytes", 4500, "B", digits=0)
    most(f"{name}: lag after 3 s of `j` at 20 kB/s", part, "slow.lag_after_last_key_ms", 60, "ms")
most("G among ten thousand, from the top", "bills", "actions.end.ms", 2, "ms", digits=2)
most("G again, after g", "bills", "actions.end_again.ms", 2, "ms", digits=2)
most("failed 1 % of a million: first screen", "search", "actions.failed.ms", 5, "ms", digits=2)
most("its count", "search", "actions.count.ms", 100, "ms", digits=2)
most("one bill among a million by number", "search", "actions.number.ms", 5, "ms", digits=2)
most("by text of the message: first hits", "search", "actions.message.ms", 100, "ms", digits=2)
most("by text of the message: one hit, near the oldest", "search", "actions.rare.ms", 100, "ms", digits=2)
most("by text anywhere: first hits", "search", "actions.text.ms", 100, "ms", digits=2)
most("by text anywhere: first word of progress", "search", "actions.progress.ms", 100, "ms", digits=2)
most("a key while it searches", "search", "actions.meanwhile.ms", 100, "ms", digits=2)
most("Esc stops it", "search", "actions.stop.ms", 100, "ms", digits=2)
most("memory of the console while browsing", "bills", "rss.hwm_kb", 60, "MB", 1 / 1000)
most("memory of the console after the searches", "search", "rss.hwm_kb", 60, "MB", 1 / 1000)
most("memory of the owner after all of it", "owner", "hwm_kb", 60, "MB", 1 / 1000)
most("live run: bytes", "live", "idle.bytes_per_s", 1500, "B/s", digits=0)
most("live run: CPU of the console", "live", "idle.cpu_pct", 1, "%", digits=2)
if "live" in parts and at("live", "idle.seconds"):
    figures["live"]["pictures"] = at("live", "idle.writes_seen") / at("live", "idle.seconds")
most("live run: pictures", "live", "pictures", 15, "/s")
most("quit", "keys", "quit.ms", None, "ms")
holds("quit: terminal clean", "keys", at("keys", "quit.terminal.clean"), at("keys", "quit.terminal.clean") is True)
for name in ("SIGTERM", "SIGHUP", "SIGINT"):
    clean = at("ends", f"signals.{name}.terminal.clean")
    holds(f"{name}: gone, terminal clean", "ends", f"{at('ends', f'signals.{name}.ms')} ms, clean {clean}", clean is True)
for name in ("hangup", "hangup-nohup"):
    ms = at("ends", f"signals.{name}.ms")
    holds(f"{name}: gone within 1 s", "ends", f"{ms} ms", ms is not None and ms <= 1000)
back = at("ends", "signals.ctrl-z.ready_again")
holds("Ctrl-Z suspends and comes back", "ends", back, back is True and at("ends", "signals.ctrl-z.stopped") is True)
survived = at("ends", "resize.survived")
holds("resized to 20x5, 1x1, 300x100 and back", "ends", f"survived {survived}, same picture {at('ends', 'resize.same_screen')}", survived is True)
for name in ("stdout_pipe", "no_tty"):
    code = at("ends", f"env.{name}.exit")
    holds(f"{name}: a line and exit code above 0", "ends", f"exit {code}, {at('ends', f'env.{name}.stdout_bytes')} B on stdout", bool(code))
holds("NO_COLOR: colour sequences", "ends", at("ends", "env.NO_COLOR.sgr_color"), at("ends", "env.NO_COLOR.sgr_color") == 0)
ascii_only = at("ends", "env.LANG=C.non_ascii_bytes")
holds("LANG=C: bytes that are not ASCII", "ends", ascii_only, ascii_only == 0)

print("| what | target | seen | |\n|---|---|---|---|")
for row in rows:
    print("| " + " | ".join(row) + " |")
missed = sum(row[3] not in ("met", "") for row in rows)
print(f"\n{len(rows)} figures, {missed} missed or not measured")
