import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from dashboards import figures
from dashboards.drift import drift
from dashboards.figures.canvas import PALETTES, Theme, contrast, ink_on, percent, shade_at
from dashboards.profile import build_profile
from dashboards.quality import quality
from dashboards.quality_over_time import quality_over_time
from dashboards.traffic import traffic
from ner.database import Database, utc_now
from ner.documents import EntitySpan
from ner.migrations import migrate
from ner.predictions import ScoredSpan
from ner.scoring import performance
from registry.policy import default_policy
from registry.process_samples import Sampler, write_sample
from registry.rollout import set_canary, set_stable
from registry.simulation import simulate
from registry.versions import register
from tests.builders import a_version
from tests.dashboards.traffic_log import a_text, logged, rows_of, write_log

THEMES: tuple[Theme, ...] = ("light", "dark")
HISTORY = [{"epoch": epoch, "loss": 1 / epoch, "dev_loss": 1.1 / epoch, "f1": 1 - 0.5 / epoch} for epoch in (1, 2, 3)]


def a_performance() -> dict[str, Any]:
    generator = random.Random(2)
    gold, predicted = [], []
    for _ in range(200):
        spans = [EntitySpan(10 * place, 10 * place + 4, generator.choice(("geo", "per"))) for place in range(3)]
        gold.append(spans)
        predicted.append(
            [ScoredSpan(s.start, s.end + (generator.random() < 0.2), s.label, generator.random()) for s in spans[:2]]
        )
    return performance(gold, predicted, resamples=50)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the dashboards compute from a small database with two versions and some traffic."""
    store = Database(f"sqlite:///{tmp_path_factory.mktemp('figures') / 'test.db'}")
    migrate(store)
    generator = random.Random(3)
    documents = [a_text(generator) for _ in range(400)]
    with store.transaction() as connection:
        register(connection, a_version("1.0.0", performance=a_performance()))
        register(connection, a_version("1.1.0", performance=a_performance()))
        set_stable(connection, "1.0.0", actor="ada")
        set_canary(connection, "1.1.0", 5, actor="ada")
        empty = {"quality": quality(connection), "traffic": traffic(connection), "drift": drift(connection, "x", {})}
        write_log(connection, rows_of([a_text(generator, strange=0.5) for _ in range(300)]))
        write_sample(connection, Sampler("host:1", "api", Path("."), lambda: {"1.0.0": 0.25}).sample())
        write_log(connection, [logged(at=utc_now(), version="1.1.0", variant="canary", status=500)] * 3)
        profile = build_profile([text for text, _ in documents], [tagged for _, tagged in documents], set())
        sure = {"expected_correct": 1.8, "expected_entities": 2.2, "confidences": [0] * 9 + [2]}
        write_log(connection, [logged(**sure) for _ in range(40)])
        return {
            "quality": quality(connection),
            "over_time": quality_over_time(connection)["points"],
            "performance": a_performance(),
            "traffic": traffic(connection),
            "drift": drift(connection, "1.0.0", profile),
            "history": HISTORY,
            "simulation": simulate(default_policy(), runs=50),
            "empty": empty,
        }


DRAWN: list[tuple[Callable[..., go.Figure], str]] = [
    (figures.f1_by_version, "quality"),
    (lambda points, theme: figures.quality_over_time(points, "f1", theme), "over_time"),
    (figures.per_label_bars, "performance"),
    (figures.confusion_heatmap, "performance"),
    (figures.outcome_bar, "performance"),
    (figures.reliability_curve, "performance"),
    (figures.confidence_histogram, "performance"),
    (figures.training_history, "history"),
    (figures.drift_overview, "drift"),
    (figures.drift_lengths, "drift"),
    (figures.drift_words, "drift"),
    (figures.drift_entity_mix, "drift"),
    (figures.drift_confidence, "drift"),
    (figures.traffic_requests, "traffic"),
    (figures.traffic_latency, "traffic"),
    (figures.version_share, "traffic"),
    (figures.canary_latency, "traffic"),
    (figures.process_resources, "traffic"),
    (figures.simulation_outcomes, "simulation"),
]
EMPTY: list[tuple[Callable[..., go.Figure], Any]] = [
    (figures.f1_by_version, {"versions": []}),
    (figures.per_label_bars, {}),
    (figures.confusion_heatmap, {}),
    (figures.outcome_bar, {"outcomes": None}),
    (figures.reliability_curve, {"confidence": None}),
    (figures.confidence_histogram, performance([], [])),
    (figures.training_history, []),
    (lambda points, theme: figures.quality_over_time(points, "recall", theme), []),
]


def words_of(figure: go.Figure) -> str:
    return json.dumps(json.loads(figure.to_json())["layout"])


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("draw", "source"), DRAWN, ids=lambda part: getattr(part, "__name__", ""))
def test_a_figure_has_a_title_and_shows_the_page_through_when_there_is_something_to_draw(
    measured: dict[str, Any], draw: Callable[..., go.Figure], source: str, theme: Theme
) -> None:
    figure = draw(measured[source], theme)
    assert len(figure.data) > 0
    assert figure.layout.title.text
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.font.color == PALETTES[theme].text
    assert "Nothing yet" not in words_of(figure)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("draw", "content"), EMPTY, ids=lambda part: getattr(part, "__name__", ""))
def test_a_figure_says_so_when_there_is_nothing_to_draw(
    draw: Callable[..., go.Figure], content: Any, theme: Theme
) -> None:
    assert "Nothing yet" in words_of(draw(content, theme))


@pytest.mark.parametrize(("draw", "source"), [pair for pair in DRAWN if pair[1] in ("drift", "traffic")])
def test_live_figures_say_so_when_nothing_was_asked(
    measured: dict[str, Any], draw: Callable[..., go.Figure], source: str
) -> None:
    assert "Nothing yet" in words_of(draw(measured["empty"][source]))


def test_versions_stand_in_the_order_they_were_made_when_they_are_drawn(measured: dict[str, Any]) -> None:
    marks = figures.f1_by_version(measured["quality"]).data[0]
    assert list(marks.x) == ["<b>1.0.0</b><br>stable", "<b>1.1.0</b><br>canary"]
    assert marks.error_y.array[0] > 0


def test_cells_hold_counts_and_shares_when_the_confusion_is_drawn(measured: dict[str, Any]) -> None:
    matrix = measured["performance"]["confusion"]["matrix"]
    figure = figures.confusion_heatmap(measured["performance"])
    assert figure.data[0].customdata.tolist() == matrix
    share = matrix[0][0] / sum(matrix[0])
    assert f"{matrix[0][0]:,}<br>{100 * share:.0f} %" in words_of(figure)


def test_the_limit_is_drawn_in_when_a_canary_is_on_trial(measured: dict[str, Any]) -> None:
    figure = figures.canary_latency(measured["traffic"], quantile="p95")
    assert [shape.y0 for shape in figure.layout.shapes] == [200]
    assert "limit 200 ms" in words_of(figure)
    assert figures.canary_latency(measured["traffic"], quantile="p50").layout.shapes == ()


def test_a_measure_stays_in_the_picture_when_its_effect_is_many_times_the_threshold(measured: dict[str, Any]) -> None:
    figure = figures.drift_overview(measured["drift"])
    assert figure.layout.title.text == "Recent text has drifted"
    assert max(x for trace in figure.data for x in trace.x) == 3
    assert any("×" in str(trace.text) for trace in figure.data)


@pytest.mark.parametrize("theme", THEMES)
def test_text_reads_well_when_it_stands_on_the_page_or_on_a_cell(theme: Theme) -> None:
    colours = PALETTES[theme]
    assert min(contrast(colour, colours.page) for colour in (colours.text, colours.muted)) >= 4.5
    for share in range(101):
        cell = shade_at(colours.scale, share / 100)
        assert contrast(ink_on(cell), cell) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_marks_stand_out_when_they_are_drawn_on_the_page(theme: Theme) -> None:
    colours = PALETTES[theme]
    assert min(contrast(colour, colours.page) for colour in (*colours.series, colours.bad)) >= 3
    assert min(contrast(colour, colours.page) for colour in (colours.second, colours.bad, colours.first)) >= 4.5


def test_a_share_is_never_written_as_zero_when_it_is_above_zero() -> None:
    assert [percent(share, 0) for share in (0, 0.001, 0.005, 0.5, 1)] == ["0 %", "<1 %", "<1 %", "50 %", "100 %"]


def test_figures_need_no_database_when_a_screen_imports_them() -> None:
    code = (
        "import sys, dashboards.figures\n"
        "floors = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(floors & {'sqlalchemy', 'registry', 'api', 'annotation', 'training', 'pandas'}))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
