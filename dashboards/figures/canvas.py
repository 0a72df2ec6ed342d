"""One look for every figure: a palette that colour-blind readers can tell apart, on a background that shows through.

Text has a contrast of at least 4.5:1 and marks of at least 3:1 with the page, in light and in dark. Figures import
plotly and nothing of the house but `ner`, so that screens may use them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import plotly.graph_objects as go
from plotly.subplots import make_subplots

Theme = Literal["light", "dark"]

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
HEIGHT_PIXELS = 380


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by what they mean. `scale` shades a heat map from nothing to all."""

    page: str
    text: str
    muted: str
    grid: str
    first: str
    second: str
    third: str
    fourth: str
    bad: str
    neutral: str
    scale: tuple[tuple[float, str], ...]

    @property
    def series(self) -> tuple[str, ...]:
        """Colours for things without a meaning of their own, in the order to use them."""
        return (self.first, self.second, self.third, self.fourth, self.neutral)


PALETTES: dict[Theme, Palette] = {
    "light": Palette(
        page="#ffffff",
        text="#1f2933",
        muted="#52606d",
        grid="#e3e8ee",
        first="#0b62a8",
        second="#b85500",
        third="#00785a",
        fourth="#8447b5",
        bad="#c2273a",
        neutral="#75818f",
        scale=((0.0, "#f4f8fc"), (0.25, "#c5dcf0"), (0.6, "#5b9bd1"), (1.0, "#0b4f8a")),
    ),
    "dark": Palette(
        page="#0e1117",
        text="#e8edf2",
        muted="#a9b4c0",
        grid="#2b333d",
        first="#5cabf2",
        second="#f2a14d",
        third="#41c79d",
        fourth="#c59af0",
        bad="#ff8087",
        neutral="#8b98a6",
        scale=((0.0, "#161c24"), (0.25, "#16395c"), (0.6, "#2c73b3"), (1.0, "#86c5ff")),
    ),
}


def palette(theme: Theme) -> Palette:
    """The colours of a theme."""
    return PALETTES[theme]


def canvas(title: str, theme: Theme, *, subtitle: str = "", height_pixels: int = HEIGHT_PIXELS) -> go.Figure:
    """An empty figure in the house's look. `title` says what one sees, `subtitle` how to read it."""
    look = _axis_look(theme)
    axes = {"xaxis": {"showgrid": False, **look}, "yaxis": {"showgrid": True, **look}}
    # Given at once: plotly takes several times as long to change a layout as to make one.
    return go.Figure(layout=_layout(title, theme, subtitle, height_pixels) | axes)


def _layout(title: str, theme: Theme, subtitle: str, height_pixels: int) -> dict[str, Any]:
    colours = palette(theme)
    return {
        "title": {
            "text": title,
            "subtitle": {"text": subtitle, "font": {"size": 13, "color": colours.muted}},
            "font": {"size": 17, "color": colours.text, "weight": 600},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 14, "l": 8},
        },
        "height": height_pixels,
        "margin": {"l": 8, "r": 16, "t": 84 if subtitle else 56, "b": 8},
        "font": {"family": FONT, "size": 13, "color": colours.text},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": colours.series,
        "hoverlabel": {
            "bgcolor": colours.page,
            "bordercolor": colours.grid,
            "font": {"color": colours.text, "size": 13},
        },
        "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "font": {"color": colours.text}},
        "bargap": 0.25,
    }


def style_axes(figure: go.Figure, theme: Theme) -> go.Figure:
    """Quiet axes: thin grid lines, muted ticks, room for labels."""
    look = _axis_look(theme)
    figure.update_xaxes(showgrid=False, **look)
    figure.update_yaxes(showgrid=True, **look)
    return figure


def _axis_look(theme: Theme) -> dict[str, Any]:
    colours = palette(theme)
    return {
        "gridcolor": colours.grid,
        "linecolor": colours.grid,
        "zerolinecolor": colours.grid,
        "tickfont": {"color": colours.muted, "size": 12},
        "title": {"font": {"color": colours.muted, "size": 12.5}},
        "automargin": True,
    }


def nothing_yet(sentence: str, theme: Theme = "light", *, height_pixels: int = 220) -> go.Figure:
    """A figure that says plainly why there is nothing to see."""
    colours = palette(theme)
    figure = canvas("", theme, height_pixels=height_pixels)
    figure.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8})
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False, range=[0, 1])
    figure.add_annotation(
        x=0.5,
        y=0.5,
        text=f"<b>Nothing yet</b><br>{sentence}",
        showarrow=False,
        font={"color": colours.muted, "size": 14},
    )
    return figure


def limit_line(figure: go.Figure, *, y: float, text: str, colour: str) -> None:
    """A dashed line across the figure with its meaning written at its right end."""
    figure.add_hline(
        y=y,
        line={"color": colour, "width": 1.5, "dash": "dash"},
        annotation={"text": text, "font": {"color": colour, "size": 12}, "xanchor": "right", "yanchor": "bottom"},
    )


def percent(share: float, digits: int = 1) -> str:
    """A share as people read it; what is above zero is never written as zero."""
    text = f"{100 * share:.{digits}f}"
    return f"<{10.0**-digits:g} %" if share > 0 and float(text) == 0 else f"{text} %"


def canvases(title: str, theme: Theme, names: Sequence[str], *, subtitle: str = "", height_pixels: int) -> go.Figure:
    """Panels side by side in the house's look, each with a name above it (empty for none)."""
    figure = make_subplots(
        rows=1, cols=len(names), horizontal_spacing=0.12, subplot_titles=names if any(names) else None
    )
    figure.update_layout(_layout(title, theme, subtitle, height_pixels))
    figure.update_annotations(font={"size": 13, "color": palette(theme).text})
    return style_axes(figure, theme)


def faded(colour: str, alpha: float) -> str:
    """A hexadecimal colour with some transparency, as plotly wants it."""
    red, green, blue = _channels(colour)
    return f"rgba({red},{green},{blue},{alpha:g})"


def shade_at(scale: Sequence[tuple[float, str]], share: float) -> str:
    """The colour that a scale gives to a share, in hexadecimal."""
    for (low, dark), (high, light) in pairwise(scale):
        if share <= high:
            part = max(0.0, share - low) / (high - low)
            mixed = (round(a + part * (b - a)) for a, b in zip(_channels(dark), _channels(light), strict=True))
            return "#" + "".join(f"{channel:02x}" for channel in mixed)
    return scale[-1][1]


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on `colour`; the better of the two always reaches 4.5:1."""
    return "#000000" if contrast(colour, "#000000") >= contrast(colour, "#ffffff") else "#ffffff"


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two hexadecimal colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def interval_bars(values: Sequence[float], intervals: Sequence[Sequence[float]], colour: str) -> dict[str, Any]:
    """Plotly error bars from intervals around the values."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, (_, high) in zip(values, intervals, strict=True)],
        "arrayminus": [value - low for value, (low, _) in zip(values, intervals, strict=True)],
        "color": colour,
        "thickness": 1.5,
        "width": 5,
    }
