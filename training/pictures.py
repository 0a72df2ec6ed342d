"""What MLflow shows of a version: confusion matrix, training history and reliability curve, as PNG files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_BLUE, _RUST, _GREY = "#2a5d8f", "#b5532a", "#6b7280"
_DOTS_PER_INCH = 120
_WRITTEN_CELLS = 24


def draw_pictures(performance: Mapping[str, Any], history: Sequence[Mapping[str, float]], folder: Path) -> list[Path]:
    """Draw every picture that the figures allow into `folder`; returns the files."""
    drawn = [_save(confusion_figure(performance), folder / "confusion_matrix.png")]
    if history:
        drawn.append(_save(history_figure(history), folder / "training_history.png"))
    if performance["confidence"]["reliability"]:
        drawn.append(_save(reliability_figure(performance), folder / "reliability.png"))
    return drawn


def confusion_figure(performance: Mapping[str, Any]) -> Figure:
    """Rows: gold labels, then "none"; columns: predicted labels, then "none". Cells are counts, shaded by row."""
    labels = performance["confusion"]["labels"]
    counts = np.asarray(performance["confusion"]["matrix"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(4.5, 0.62 * len(labels) + 2.4)
    axes = _axes(side + 0.8, side)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.figure.colorbar(image, ax=axes, label="share of the row")
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("gold")
    axes.set_title(_headline(performance))
    if len(labels) <= _WRITTEN_CELLS:
        _write_cells(axes, counts, shares)
    return _finished(axes)


def history_figure(history: Sequence[Mapping[str, float]]) -> Figure:
    """Loss (left axis) and strict F1 on the dev part (right axis) by epoch."""
    epochs = [item["epoch"] for item in history]
    axes = _axes(7.2, 4.2)
    axes.plot(epochs, [item["loss"] for item in history], color=_BLUE, marker="o", markersize=4, label="training loss")
    if all("dev_loss" in item for item in history):
        axes.plot(
            epochs,
            [item["dev_loss"] for item in history],
            color=_BLUE,
            linestyle="--",
            marker="o",
            markersize=4,
            label="dev loss",
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    scores = axes.twinx()
    scores.plot(epochs, [item["f1"] for item in history], color=_RUST, marker="s", markersize=4, label="dev F1")
    scores.set_ylabel("strict F1")
    scores.set_ylim(0, 1)
    lines = [*axes.get_lines(), *scores.get_lines()]
    axes.figure.legend(
        lines, [str(line.get_label()) for line in lines], loc="outside lower center", ncols=3, frameon=False
    )
    best = max(history, key=lambda item: item["f1"])
    axes.set_title(f"Best dev F1 {best['f1']:.3f} after epoch {int(best['epoch'])}")
    return _finished(axes)


def reliability_figure(performance: Mapping[str, Any]) -> Figure:
    """Precision against mean confidence, one point per bin; on the diagonal, confidence keeps its word."""
    bins = performance["confidence"]["reliability"]
    axes = _axes(5.2, 5.0)
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1, label="honest")
    axes.plot(
        [item["mean_confidence"] for item in bins], [item["precision"] for item in bins], color=_BLUE, linewidth=1.2
    )
    largest = max(item["count"] for item in bins)
    axes.scatter(
        [item["mean_confidence"] for item in bins],
        [item["precision"] for item in bins],
        s=[30 + 90 * item["count"] / largest for item in bins],
        color=_BLUE,
        zorder=3,
        label="spans of one bin",
    )
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("mean confidence")
    axes.set_ylabel("precision")
    axes.set_title(f"Calibration error {performance['confidence']['ece']:.3f}")
    axes.legend(loc="upper left", frameon=False, markerscale=0.7)
    return _finished(axes)


def _headline(performance: Mapping[str, Any]) -> str:
    low, high = performance["f1_interval"]
    return f"Strict F1 {performance['f1']:.3f} [{low:.3f}, {high:.3f}] on {performance['documents']} documents"


def _write_cells(axes: Axes, counts: Any, shares: Any) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            shade = "white" if shares[row, column] > 0.55 else "black"
            axes.text(column, row, f"{count}", ha="center", va="center", fontsize=8, color=shade)


def _axes(width: float, height: float) -> Axes:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Axes = figure.add_subplot()
    return axes


def _finished(axes: Axes) -> Figure:
    axes.title.set_fontsize(11)
    for name in ("top", "right"):
        axes.spines[name].set_visible(False)
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=_DOTS_PER_INCH, bbox_inches="tight", pad_inches=0.15)
    return path
