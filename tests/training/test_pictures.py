from pathlib import Path

import pytest

from ner.documents import EntitySpan
from ner.predictions import ScoredSpan
from ner.scoring import performance
from training.pictures import confusion_figure, draw_pictures, history_figure

_PNG = b"\x89PNG\r\n\x1a\n"
_HISTORY = [
    {"epoch": 1, "loss": 2.0, "dev_loss": 2.5, "f1": 0.2, "seconds": 3.0},
    {"epoch": 2, "loss": 1.0, "dev_loss": 1.9, "f1": 0.6, "seconds": 3.0},
    {"epoch": 3, "loss": 0.7, "dev_loss": 2.1, "f1": 0.5, "seconds": 3.0},
]


@pytest.fixture
def figures() -> dict[str, object]:
    gold = [[EntitySpan(0, 4, "per"), EntitySpan(8, 12, "geo")]] * 5
    found = [[ScoredSpan(0, 4, "per", 0.9), ScoredSpan(8, 12, "per", 0.4)]] * 5
    return performance(gold, found, resamples=20)


def test_three_pictures_are_drawn_when_there_is_a_history_and_confidence(
    figures: dict[str, object], tmp_path: Path
) -> None:
    drawn = draw_pictures(figures, _HISTORY, tmp_path)
    assert [path.name for path in drawn] == ["confusion_matrix.png", "training_history.png", "reliability.png"]
    assert all(path.read_bytes().startswith(_PNG) for path in drawn)


def test_only_the_confusion_matrix_is_drawn_when_nothing_was_found(tmp_path: Path) -> None:
    nothing = performance([[EntitySpan(0, 4, "per")]], [[]], resamples=20)
    assert [path.name for path in draw_pictures(nothing, [], tmp_path)] == ["confusion_matrix.png"]


def test_the_confusion_matrix_names_its_labels_and_writes_its_counts(figures: dict[str, object]) -> None:
    axes = confusion_figure(figures).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["geo", "per", "none"]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    # Columns first: five times "geo" was called "per", five times "per" was found.
    assert written == {(1, 0): "5", (1, 1): "5"}


def test_the_history_draws_losses_and_scores_and_names_the_best_epoch() -> None:
    losses, scores = history_figure(_HISTORY).axes
    assert [list(line.get_ydata()) for line in losses.get_lines()] == [[2.0, 1.0, 0.7], [2.5, 1.9, 2.1]]
    assert [list(line.get_ydata()) for line in scores.get_lines()] == [[0.2, 0.6, 0.5]]
    assert losses.get_title() == "Best dev F1 0.600 after epoch 2"


def test_the_history_is_drawn_without_a_dev_loss_when_the_recipe_has_none() -> None:
    losses, _ = history_figure([{"epoch": 1, "loss": 2.0, "f1": 0.5}]).axes
    assert len(losses.get_lines()) == 1
