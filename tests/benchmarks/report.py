"""The report of the serving benchmark: docs/benchmarks-serving.md."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.contestants import KERAS, MLFLOW, PLAIN, with_engine
from tests.benchmarks.firing import Shots

if TYPE_CHECKING:
    from tests.benchmarks.serving import Measured

_BARE = "bare FastAPI route"
_UNCACHED, _CACHED = "this API, nothing cached", "this API, cached"
# What is asked for, of the peers with the same ONNX file: ours at least so many times the other.
_PEERS = {PLAIN: 1.5, "BentoML": 3.0, "LitServe": 3.0}


def write_report(
    path: Path, measured: "dict[str, Measured]", half: Shots, over: Shots, limit: dict[str, Any], note: str
) -> None:
    """Write Markdown."""
    present = {name: one for name, one in measured.items() if one.rounds}
    parts = [_opening(note), _everybody(present), _reached(present, half, over), _limit(limit)]
    kept = path.read_text().partition(_KEPT)[2] if path.exists() else ""
    path.write_text("\n".join(parts) + (f"\n{_KEPT}{kept}" if kept else ""))


_KEPT = "<!-- what follows is written by hand -->\n"


def _opening(note: str) -> str:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("fastapi", "uvicorn", "onnxruntime"))
    return f"""# Serving, measured

Written by `make bench-serving`: every figure below comes from one run on one machine, {os.cpu_count()} processors
({_processor()}), Python {platform.python_version()}, {versions}. The load generator runs on the same machine. {note}

One server process, 16 connections, each asking again when it was answered; medians of interleaved rounds. "CPU" is the
processor time that the server used per request, which other work on the machine disturbs less than requests per second.
Peers call the version's `model.onnx` in ONNX Runtime ("ONNX file", with tokens and CRF by this project's code), and
once more this project's compiled tagger as a whole. Both give the same answers. MLflow's own server runs the registered
model, which calls the compiled tagger too, and the same network in Keras' layers ("Keras flavour": it is given rows of
ids and gives back scores of tags; words, best tags and confidences are left to its caller).
"""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _everybody(present: "dict[str, Measured]") -> str:
    rows = [
        "| server | requests/s | p50 ms | p95 ms | p99 ms | CPU µs/request | start to ready s | memory MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, one in present.items():
        figures = [
            one.median(figure) for figure in ("rps", "p50", "p95", "p99", "cpu_us", "ready_seconds", "megabytes")
        ]
        rps, p50, p95, p99, cpu, ready, memory = figures
        rows.append(
            f"| {name} | {rps:,.0f} | {p50:.1f} | {p95:.1f} | {p99:.1f} | {cpu:,.0f} | {ready:.1f} | {memory:,.0f} |"
        )
    return "\n".join(rows) + "\n"


def _reached(present: "dict[str, Measured]", half: Shots, over: Shots) -> str:
    uncached, cached, bare = present[_UNCACHED], present[_CACHED], present[_BARE]
    rows = ["| figure | reach | measured | the same by CPU | |", "|---|---|---|---|---|"]

    def ratio(name: str, ours: "Measured", other: "Measured", least: float) -> None:
        by_rps = ours.median("rps") / other.median("rps")
        by_cpu = other.median("cpu_us") / ours.median("cpu_us")
        asked, verdict = (f"≥ {least:g} ×", _verdict(by_rps >= least)) if least else ("", "")
        rows.append(f"| {name} | {asked} | {by_rps:.2f} × | {by_cpu:.2f} × | {verdict} |")

    ratio("nothing cached, to the bare route", uncached, bare, 0.5)
    ratio("cached, to the bare route", cached, bare, 0.8)
    reach = {with_engine(peer, "onnx"): least for peer, least in _PEERS.items()} | {KERAS: 80.0}
    beyond = dict.fromkeys((*(with_engine(peer, "compiled") for peer in _PEERS), MLFLOW), 0.0)
    for name, least in (reach | beyond).items():
        if name in present:
            ratio(f"nothing cached, to {name}", uncached, present[name], least)
    ready, memory = uncached.median("ready_seconds"), uncached.median("megabytes")
    goodput = over.rps * (over.statuses.get("200", 0) / over.sent) / uncached.median("rps")
    refused = over.refused_p99 or 0.0
    for name, reach, value, ok in (
        (f"p99 at half of that load ({half.rps:,.0f} requests/s)", "≤ 20 ms", f"{half.p99:.1f} ms", half.p99 <= 20),
        ("start to ready", "≤ 3 s", f"{ready:.1f} s", ready <= 3),
        ("memory of the process", "≤ 300 MB", f"{memory:.0f} MB", memory <= 300),
        ("three times capacity: p99 of the accepted", "≤ 300 ms", f"{over.p99:.0f} ms", over.p99 <= 300),
        ("three times capacity: p99 of a refusal", "≤ 10 ms", f"{refused:.1f} ms", refused <= 10),
        ("three times capacity: goodput", "≥ 90 % of capacity", f"{goodput:.0%}", goodput >= 0.9),
        ("three times capacity: what the load generator itself was late, p99", "", f"{over.late_ms:.1f} ms", None),
        ("three times capacity: other errors", "0", str(over.sent - _answered(over)), over.sent == _answered(over)),
    ):
        rows.append(f"| {name} | {reach} | {value} | | {_verdict(ok) if ok is not None else ''} |")
    return "\n".join(rows) + "\n"


def _answered(shots: Shots) -> int:
    return shots.statuses.get("200", 0) + shots.statuses.get("503", 0)


def _verdict(ok: bool) -> str:
    return "reached" if ok else "missed"


def _limit(limit: dict[str, Any]) -> str:
    rows = [
        "The limit of the model: the same sentences without HTTP, one thread, sentences a second.",
        "",
        "| sentences at a time | ONNX Runtime alone | by processor time | whole tagger | by processor time |",
        "|---|---|---|---|---|",
    ]
    for size, one in limit.items():
        figures = [f"{figure:,.0f}" for figure in (*one["onnx"], *one["tagger"])]
        rows.append(f"| {size} | {' | '.join(figures)} |")
    return "\n".join(rows) + "\n"
