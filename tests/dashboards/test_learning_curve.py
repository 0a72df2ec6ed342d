"""What more text is worth: the slope against hand values, and the advice that follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.learning_curve import CurvePoint, fit_curve, learning_curves
from ner.database import Database
from registry.versions import register
from tests.builders import a_version


def a_point(documents: int, f1: float, half_width: float = 0.005) -> CurvePoint:
    return CurvePoint(f"{documents}", documents, f1, f1 - half_width, f1 + half_width)


def test_the_slope_of_a_straight_line_is_found_with_its_interval() -> None:
    curve = fit_curve("news", "r", [a_point(400, 0.84), a_point(100, 0.80), a_point(200, 0.82)])

    assert curve.points_per_doubling == pytest.approx(2.0)
    assert curve.interval is not None
    # Three equal errors s over places -1, 0, 1: the standard error of the slope is s / sqrt(2).
    assert curve.interval[1] - curve.interval[0] == pytest.approx(2 * 0.5 / 2**0.5)
    assert curve.advice.endswith("go on correcting.")


def test_a_flat_line_advises_to_stop_and_a_wide_one_not_to_conclude() -> None:
    flat = fit_curve("news", "r", [a_point(100, 0.8), a_point(1600, 0.8)])
    wide = fit_curve("news", "r", [a_point(100, 0.8, 0.1), a_point(200, 0.81, 0.1)])

    assert "hardly worth it" in flat.advice
    assert "too few or too small" in wide.advice


def test_one_size_alone_says_what_is_missing() -> None:
    curve = fit_curve("news", "r", [a_point(100, 0.8), a_point(100, 0.81)])
    assert (curve.points_per_doubling, curve.interval) == (None, None)
    assert curve.advice.startswith("Two versions")


@given(
    st.lists(
        st.tuples(st.integers(10, 10**6), st.floats(0, 1), st.floats(0.001, 0.2)),
        min_size=2,
        max_size=8,
        unique_by=lambda one: one[0],
    )
)
def test_the_slope_is_the_one_of_the_normal_equations(rows: list[tuple[int, float, float]]) -> None:
    import numpy as np

    points = [a_point(documents, f1, half) for documents, f1, half in rows]
    curve = fit_curve("news", "r", points)

    weights = [1 / max(100 * half / 1.959963984540054, 0.01) for _, _, half in rows]
    places = np.log2([documents for documents, _, _ in rows])
    slope, _ = np.polyfit(places, [100 * f1 for _, f1, _ in rows], 1, w=weights)
    assert curve.points_per_doubling == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_versions_of_the_dataset_make_a_curve_for_each_recipe(database: Database) -> None:
    with database.transaction() as connection:
        for version, documents, f1 in (("1.0.0", 100, 0.8), ("1.1.0", 200, 0.82)):
            scores = {"f1": f1, "f1_interval": [f1 - 0.01, f1 + 0.01], "splits": {"train": documents}}
            register(connection, a_version(version, performance=scores, package_hash=version))
        dataset = a_version("1.0.0").dataset
        (curve,) = learning_curves(connection, dataset)
        assert learning_curves(connection, "another") == []
    assert [point.version for point in curve.points] == ["1.0.0", "1.1.0"]
    assert curve.points_per_doubling == pytest.approx(2.0)
