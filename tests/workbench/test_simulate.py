"""`workbench simulate` without a server: a table, a picture, and JSON."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from workbench.commands.simulated import simulate

FEW = ["--runs", "60", "--error-rate", "0.08"]


def test_a_table_says_what_became_of_the_canaries_and_the_picture_is_one_page(tmp_path: Path) -> None:
    picture = tmp_path / "what happens.html"

    done = CliRunner().invoke(simulate, [*FEW, "--picture", str(picture)], catch_exceptions=False)

    assert done.exit_code == 0
    assert "rolled back  60        100.0 %  ██████████████████████████████" in done.output
    assert "what stopped them: error_rate 60." in done.output
    page = picture.read_text("utf-8")
    assert "Of 60 such canaries 0.0 % are promoted, 100.0 % rolled back" in page
    assert "<script src=" not in page


def test_an_outage_of_both_versions_is_no_fault_of_the_canary_when_it_is_simulated() -> None:
    both = ["--runs", "60", "--rate", "2", "--error-rate", "0.08", "--stable-error-rate", "0.08", "--json"]

    done = CliRunner().invoke(simulate, both, catch_exceptions=False)

    found = json.loads(done.stdout)
    # The comparison with the stable version is wrong in at most one of twenty.
    assert found["rolled_back"] <= 3
    assert (found["rolled_back"] + found["undecided"], found["promoted"]) == (60, 0)


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        (["--latency", "400"], "latency_p95_ms"),
        (["--f1-drop", "0.06"], "f1_drop"),
        (["--memory", "0.9"], "memory_share"),
    ],
)
def test_what_stopped_the_canaries_is_named_when_one_criterion_is_broken(truth: list[str], reason: str) -> None:
    done = CliRunner().invoke(simulate, ["--runs", "40", "--json", *truth], catch_exceptions=False)

    assert max(json.loads(done.stdout)["reasons"].items(), key=lambda item: item[1])[0] == reason


def test_another_kind_of_picture_is_refused_with_the_name_that_would_do(tmp_path: Path) -> None:
    done = CliRunner().invoke(simulate, [*FEW, "--picture", str(tmp_path / "a.png")])

    assert str(done.exception).endswith("a.html.")
