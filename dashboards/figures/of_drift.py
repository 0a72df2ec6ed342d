"""Recent text beside training text, one figure per measure, and one that shows all of them against their thresholds."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboards.figures.canvas import Theme, canvas, canvases, faded, nothing_yet, palette, percent

_AT_MOST = 3.0
_LEVELS_SHOWN = 0.98
_WORD_PANELS = {
    "unknown_words": "share of all words that the model does not know",
    "vocabulary_overlap": "share of different words that it knows",
}


def drift_overview(drift: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """Every measure's effect with its 99 % interval, in units of its threshold: beyond 1 it has drifted.

    `drift` is what `dashboards.drift.drift` returns.
    """
    measures = [measure for measure in reversed(drift["measures"]) if measure["effect"] is not None]
    if not measures:
        return nothing_yet(drift["sentence"], theme)
    colours = palette(theme)
    shades = {"steady": colours.third, "drifted": colours.bad, "not enough evidence": colours.neutral}
    titles = {
        "drifted": "Recent text has drifted",
        "steady": "Recent text looks like the training text",
        "not enough evidence": "Not enough evidence yet",
    }
    figure = canvas(
        titles[drift["verdict"]],
        theme,
        subtitle="Distance from the training text in multiples of the threshold, with 99 % intervals",
        height_pixels=130 + 46 * len(measures),
    )
    for measure in measures:
        _draw_measure(figure, measure, shades[measure["verdict"]])
    figure.add_vline(x=1, line={"color": colours.muted, "width": 1.5, "dash": "dash"})
    figure.update_xaxes(
        title_text="multiples of the threshold",
        range=[-0.03, _AT_MOST * 1.1],
        showgrid=True,
        tickvals=[0, 0.5, 1, 1.5, 2, 2.5, 3],
        ticktext=["0", "0.5", "1 = threshold", "1.5", "2", "2.5", "3 or more"],
    )
    figure.update_yaxes(type="category", showgrid=False, tickfont={"color": colours.text, "size": 13})
    figure.update_layout(showlegend=False)
    return figure


def _draw_measure(figure: go.Figure, measure: Mapping[str, Any], shade: str) -> None:
    size, low, high = (
        min(_AT_MOST, value / measure["threshold"]) for value in (measure["effect"], *measure["effect_interval"])
    )
    figure.add_scatter(
        x=[low, high],
        y=[measure["title"]] * 2,
        mode="lines",
        line={"color": faded(shade, 0.45), "width": 9},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[size],
        y=[measure["title"]],
        mode="markers+text",
        text=[f"{measure['effect'] / measure['threshold']:.1f}×" if size == _AT_MOST else ""],
        textposition="middle left",
        textfont={"color": shade, "size": 12.5},
        marker={"size": 13, "color": shade, "symbol": "diamond" if measure["verdict"] == "drifted" else "circle"},
        hovertemplate=f"<b>{measure['title']}: {measure['verdict']}</b><br>{measure['sentence']}<br>"
        f"{measure['effect_name']}: {measure['effect']:.3f}, threshold {measure['threshold']:.3f}<extra></extra>",
    )


def drift_lengths(drift: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """Share of texts up to each length, now and in training."""
    sides = drift["pictures"]["text_length"]
    if not sides["now"] or not sides["training"]:
        return nothing_yet(drift["sentence"], theme)
    colours = palette(theme)
    measure = _measure(drift, "text_length")
    figure = canvas(f"Text length: {_now_and_then(measure)}", theme, subtitle="Share of texts that are at most so long")
    for side, name, shade, dash in _sides(theme):
        values = sides[side]
        figure.add_scatter(
            x=values, y=[level / (len(values) - 1) for level in range(len(values))], mode="lines", name=name,
            line={"color": shade, "width": 2.5, "dash": dash, "shape": "hv"},
            hovertemplate="%{y:.0%} have at most %{x:,.0f} characters<extra>" + name + "</extra>",
        )  # fmt: skip
    shown = max(values[int(_LEVELS_SHOWN * (len(values) - 1))] for values in sides.values())
    figure.update_xaxes(title_text="characters", range=[0, shown * 1.05 + 1], tickformat=",", showgrid=True)
    figure.update_yaxes(
        title_text="share of texts", tickformat=".0%", range=[0, 1.02], tickfont={"color": colours.muted}
    )
    return figure


def drift_words(drift: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """Unknown words and vocabulary overlap, now beside training."""
    measures = [_measure(drift, name) for name in ("unknown_words", "vocabulary_overlap")]
    known = [measure for measure in measures if measure["now"] is not None and measure["training"] is not None]
    if not known:
        return nothing_yet(drift["sentence"], theme)
    names = [_WORD_PANELS[measure["name"]] for measure in known]
    figure = canvases(f"{known[0]['title']}: {_now_and_then(known[0])}", theme, names, height_pixels=320)
    for column, measure in enumerate(known, start=1):
        sides = _sides(theme)
        figure.add_bar(
            x=[name for _, name, _, _ in sides], y=[measure[side] for side, _, _, _ in sides], row=1, col=column,
            marker={"color": [shade for _, _, shade, _ in sides]}, width=0.55, showlegend=False,
            text=[percent(measure[side]) for side, _, _, _ in sides], textposition="outside",
            textfont={"color": palette(theme).text}, hovertemplate="%{x}: %{y:.2%}<extra></extra>",
        )  # fmt: skip
        highest = 1.25 * max(measure["now"], measure["training"], 0.01)
        figure.update_yaxes(tickformat=".0%" if highest > 0.1 else ".1%", range=[0, highest], row=1, col=column)
    figure.update_xaxes(tickfont={"color": palette(theme).text, "size": 13})
    return figure.update_layout(margin={"t": 84})


def drift_entity_mix(drift: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """Share of each label among the entities found, now and in training."""
    mix = drift["pictures"]["entity_mix"]
    if not sum(mix["now"]) or not sum(mix["training"]):
        return nothing_yet("No entity was found in recent traffic.", theme)
    order = sorted(range(len(mix["labels"])), key=lambda index: -mix["training"][index])
    measure = _measure(drift, "entity_mix")
    titles = {
        "drifted": "Other kinds of entities than in training",
        "steady": "The same kinds of entities as in training",
    }
    figure = canvas(
        titles.get(measure["verdict"], "Kinds of entities"),
        theme,
        subtitle="Share of each label among the entities that the version finds",
    )
    names = [mix["labels"][index] for index in order]
    _draw_shares(figure, names, {side: [mix[side][index] for index in order] for side in ("now", "training")}, theme)
    figure.update_xaxes(type="category", tickfont={"color": palette(theme).text, "size": 13})
    figure.update_yaxes(title_text="share of entities", tickformat=".0%")
    return figure


def drift_confidence(drift: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """Share of entities in each tenth of confidence, now and in training."""
    sides = drift["pictures"]["confidence"]
    if not sum(sides["now"]) or not sum(sides["training"]):
        return nothing_yet("No entity was found in recent traffic.", theme)
    figure = canvas(
        f"Mean confidence: {_now_and_then(_measure(drift, 'confidence'))}",
        theme,
        subtitle="Share of the entities in each tenth of confidence",
    )
    _draw_shares(figure, [f"{10 * tenth}–{10 * tenth + 10} %" for tenth in range(10)], sides, theme)
    figure.update_xaxes(title_text="confidence", type="category")
    figure.update_yaxes(title_text="share of entities", tickformat=".0%")
    return figure


def _draw_shares(figure: go.Figure, names: Sequence[str], counts: Mapping[str, Sequence[int]], theme: Theme) -> None:
    for side, name, shade, _ in _sides(theme):
        total = sum(counts[side])
        figure.add_bar(
            x=list(names), y=[count / total for count in counts[side]], name=name, marker={"color": shade},
            customdata=[[count] for count in counts[side]],
            hovertemplate="%{x}: %{y:.1%} (%{customdata[0]:,})<extra>" + name + "</extra>",
        )  # fmt: skip


def _sides(theme: Theme) -> tuple[tuple[str, str, str, str], ...]:
    colours = palette(theme)
    return ("training", "training", colours.neutral, "dash"), ("now", "now", colours.second, "solid")


def _measure(drift: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next(measure for measure in drift["measures"] if measure["name"] == name)


def _now_and_then(measure: Mapping[str, Any]) -> str:
    if measure["now"] is None or measure["training"] is None:
        return "not measured yet"
    if measure["unit"] == "characters":
        return f"{measure['now']:,.0f} characters now, {measure['training']:,.0f} in training"
    return f"{percent(measure['now'])} now, {percent(measure['training'])} in training"
