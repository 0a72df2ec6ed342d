"""Writes `docs/benchmarks-models.md` from the JSON files that the jobs left behind."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path("docs/benchmarks-models.md")
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
_OURS, _THEIRS = "bilstm_crf.v1", "spacy_cnn.v1"
Result = Mapping[str, Any]


def write_page(folder: Path) -> None:
    """Replace what stands between the two marks of the page; what people wrote around them stays."""
    results = {
        (result["corpus"], result["recipe"]): result
        for result in (json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json")))
    }
    corpora = list(dict.fromkeys(corpus for corpus, _ in results))
    parts = [_scores(corpora, results), _encoders(results), _confidence(results), _labels(results), _unlabelled(folder)]
    body = "\n".join([_machines(results), *(line for part in parts for line in ["", *part])])
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")


def machine() -> str:
    """How many cores of what this machine has."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.processor())
    return f"{os.cpu_count()} cores of {name.strip()}"


def _machines(results: Mapping[tuple[str, str], Result]) -> str:
    machines = " or ".join(dict.fromkeys(result["machine"] for result in results.values()))
    return (
        f"Machine: {machines}, no GPU, Linux, Python 3.11. Command: `make bench-models CORPORA=folder`. "
        '"Load" is the machine\'s five-minute load average at the end of training: above 1 or 2 other programs '
        "shared the two cores, and processor time says more than the clock."
    )


def _scores(corpora: Sequence[str], results: Mapping[tuple[str, str], Result]) -> list[str]:
    rows = [
        "| corpus (train / dev / test documents) | `bilstm_crf.v1` F1 (95 %) | `spacy_cnn.v1` F1 (95 %) | ahead by "
        "| minutes (processor) | load | changes to the recipe |",
        "|---|---|---|---|---|---|---|",
    ]
    for corpus in corpora:
        ours, theirs = results.get((corpus, _OURS)), results.get((corpus, _THEIRS))
        known = ours or theirs or {}
        sizes = " / ".join(f"{size:,}" for size in known["documents"])
        ahead = f"{ours['f1'] - theirs['f1']:+.3f}" if ours and theirs else ""
        changes = ", ".join(f"{name} {value}" for name, value in (ours or {}).get("changes", {}).items())
        minutes = f"{ours['seconds'] / 60:.1f} ({ours['processor_seconds'] / 60:.1f})" if ours else ""
        load = f"{ours['load']:.1f}" if ours else ""
        rows.append(
            f"| {corpus} ({sizes}) | {_score(ours)} | {_score(theirs)} | {ahead} | {minutes} | {load} | {changes} |"
        )
    return rows


def _encoders(results: Mapping[tuple[str, str], Result]) -> list[str]:
    rows = ["| corpus | recipe | F1 (95 %) | ECE | minutes (processor) | load | changes to the recipe |"]
    rows.append("|---|---|---|---|---|---|---|")
    for (corpus, recipe), one in results.items():
        if recipe not in (_OURS, _THEIRS):
            changes = ", ".join(f"{name} {value}" for name, value in one["changes"].items())
            minutes = f"{one['seconds'] / 60:.1f} ({one['processor_seconds'] / 60:.1f})"
            cells = [corpus, f"`{recipe}`", _score(one), _figure(one["ece"]), minutes, f"{one['load']:.1f}", changes]
            rows.append(f"| {' | '.join(cells)} |")
    return rows if len(rows) > 2 else []


def _score(result: Result | None) -> str:
    if result is None:
        return ""
    low, high = result["f1_interval"]
    return f"**{result['f1']:.3f}** ({low:.3f} to {high:.3f})"


def _confidence(results: Mapping[tuple[str, str], Result]) -> list[str]:
    rows = [
        "### Calibration error of entities (ECE, ten bins of equal mass), test part",
        "",
        "| corpus | softmax, no CRF | CRF marginal | after temperature | served (temperature, lines) | temperature "
        "| spaCy |",
        "|---|---|---|---|---|---|---|",
    ]
    for (corpus, recipe), result in results.items():
        if recipe == _OURS:
            before = result["ece_before"]
            theirs = results.get((corpus, _THEIRS), {})
            figures = [before["softmax"], before["marginal"], before["tempered"], result["ece"]]
            figures += [result["calibration"].get("temperature"), theirs.get("ece")]
            rows.append(f"| {corpus} | " + " | ".join(_figure(value) for value in figures) + " |")
    return rows


def _labels(results: Mapping[tuple[str, str], Result]) -> list[str]:
    rows: list[str] = []
    for corpus in ("conll2003", "gmb"):
        result = results.get((corpus, _OURS))
        if result is None:
            continue
        parts = result["per_label"]
        total = sum(part["predicted"] + part["support"] for part in parts.values())
        rows += [
            f"### What each label contributes: {corpus}",
            "",
            "The share is the label's part of gold and found spans together: F1 is the sum of share times F1.",
            "",
            "| label | F1 | precision | recall | entities | share | lost points of F1 |",
            "|---|---|---|---|---|---|---|",
        ]
        for label, part in sorted(parts.items(), key=lambda item: -item[1]["support"]):
            share = (part["predicted"] + part["support"]) / total
            cells = [f"{part['f1']:.3f}", f"{part['precision']:.3f}", f"{part['recall']:.3f}", f"{part['support']:,}"]
            rows.append(f"| {label} | {' | '.join(cells)} | {share:.1%} | {100 * share * (1 - part['f1']):.2f} |")
        rows.append("")
    return rows


def _unlabelled(folder: Path) -> list[str]:
    path = folder / "unlabelled" / "figures.json"
    if not path.exists():
        return []
    rows = [
        "### F1 without labels: the estimate and the truth",
        "",
        "Windows of 500 sentences (20 draws; the whole where there are fewer); the interval is meant to hold 95 %.",
        "",
        "| model | texts | estimated F1 | true F1 | bias | mean error | interval holds the truth "
        "| widened by distance |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in json.loads(path.read_text(encoding="utf-8")):
        figures = [f"{row['estimated']:.3f}", f"{row['true']:.3f}", f"{row['bias']:+.3f}", f"{row['mean_error']:.3f}"]
        held = f"{row['coverage']:.0%} of {row['windows']}"
        wide = f"{row['coverage_widened']:.0%}" if "coverage_widened" in row else ""
        rows.append(f"| {row['model']} | {row['texts']} | {' | '.join(figures)} | {held} | {wide} |")
    return rows


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
