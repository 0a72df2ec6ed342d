"""A report: figures, tables and sentences as one HTML file that opens anywhere, without a network, light and dark."""

import base64
import html
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from dashboards.figures.canvas import PALETTES, Theme

_PANEL_NAMES_PIXELS = 44
Draw = Callable[[Theme], go.Figure]

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title><style>{style}</style>
<script>{plotly}</script></head><body><main><h1>{title}</h1><p class="lead">{lead}</p>
"""
_STYLE = """
:root {{ --page: {light.page}; --text: {light.text}; --muted: {light.muted}; --line: {light.grid};
  --accent: {light.first}; }}
@media (prefers-color-scheme: dark) {{ :root {{ --page: {dark.page}; --text: {dark.text}; --muted: {dark.muted};
  --line: {dark.grid}; --accent: {dark.first}; }} }}
body {{ margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }}
main {{ max-width: 1160px; margin: 0 auto; padding: 32px 24px 64px; }}
h1 {{ font-size: 30px; margin: 0 0 4px; }} h2 {{ font-size: 22px; margin: 48px 0 8px; }}
.lead, figcaption {{ color: var(--muted); }} figcaption b {{ color: var(--text); font-size: 16px; }}
.wide {{ grid-column: 1 / -1; }} p {{ max-width: 78ch; }}
figure {{ margin: 20px 0; padding: 12px 8px 8px; border: 1px solid var(--line); border-radius: 8px;
  break-inside: avoid; }}
figcaption {{ padding: 0 8px; font-size: 14px; }} a {{ color: var(--accent); }}
.pair {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(460px, 1fr)); gap: 0 20px; align-items: start; }}
.scroll {{ overflow-x: auto; }} table {{ border-collapse: collapse; margin: 16px 0; font-size: 14.5px; width: 100%; }}
th, td {{ text-align: left; padding: 7px 12px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }}
th {{ color: var(--muted); font-weight: 500; }}
"""
_SCRIPT = """
const dark = matchMedia('(prefers-color-scheme: dark)');
function paint() {
  for (const [place, themes] of Object.entries(FIGURES)) {
    const figure = themes[dark.matches ? 'dark' : 'light'];
    Plotly.react(place, figure.data, figure.layout, {displayModeBar: false, responsive: true});
  }
}
dark.addEventListener('change', paint);
paint();
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure that can be drawn for either theme, and the same numbers as CSV under a file's name. A wide one stands
    alone in its row.
    """

    draw: Draw
    name: str
    csv: bytes = b""
    is_wide: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, sentences, a table (the keys of its first row are its head), and pictures, side by side in pairs."""

    title: str
    sentences: Sequence[str] = ()
    table: Sequence[Mapping[str, str]] = ()
    pictures: Sequence[Picture] = field(default_factory=tuple)


def report_html(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole file: some 5 MB, most of it the drawing library."""
    figures: dict[str, dict[Theme, Any]] = {}
    parts = [_head(title, lead), *(_section(section, figures) for section in sections)]
    # "</" would end the script early wherever a text of the figures holds it.
    content = json.dumps(figures, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return "".join([*parts, f"</main><script>const FIGURES = {content};{_SCRIPT}</script></body></html>\n"])


@cache
def _style() -> str:
    return _STYLE.format(light=PALETTES["light"], dark=PALETTES["dark"])


def _head(title: str, lead: str) -> str:
    return _HEAD.format(title=html.escape(title), lead=html.escape(lead), style=_style(), plotly=get_plotlyjs())


def _section(section: Section, figures: dict[str, dict[Theme, Any]]) -> str:
    sentences = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in section.sentences)
    pictures = "".join(_picture(picture, figures) for picture in section.pictures)
    return (
        f'<h2>{html.escape(section.title)}</h2>{sentences}{_table(section.table)}<div class="pair">{pictures}</div>\n'
    )


def _picture(picture: Picture, figures: dict[str, dict[Theme, Any]]) -> str:
    place = f"figure-{len(figures)}"
    themes: tuple[Theme, ...] = ("light", "dark")
    drawn = {theme: picture.draw(theme) for theme in themes}
    title = drawn["light"].layout.title
    words = f"<b>{html.escape(title.text or '')}</b><br>{html.escape(title.subtitle.text or '')}"
    figures[place] = {theme: json.loads(_untitled(figure).to_json()) for theme, figure in drawn.items()}
    link = ""
    if picture.csv:
        content = base64.b64encode(picture.csv).decode("ascii")
        name = html.escape(picture.name)
        link = f'<a download="{name}.csv" href="data:text/csv;base64,{content}">{name}.csv</a>'
    kind = ' class="wide"' if picture.is_wide else ""
    caption = f"<figcaption>{words}</figcaption>"
    return f'<figure{kind}>{caption}<div id="{place}"></div><figcaption>{link}</figcaption></figure>'


def _untitled(figure: go.Figure) -> go.Figure:
    """The figure without its title, which stands above it as text that wraps."""
    removed_pixels = max((figure.layout.margin.t or 0) - _PANEL_NAMES_PIXELS, 0)
    return figure.update_layout(
        title={"text": "", "subtitle": {"text": ""}},
        margin={"t": _PANEL_NAMES_PIXELS},
        height=(figure.layout.height or 380) - removed_pixels,
        legend={"y": 1.02, "yanchor": "bottom"},
    )


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row.values()) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
