"""Recipes: what may be changed, and what is refused."""

from collections.abc import Mapping
from typing import Any

import pytest

from ner.errors import InvalidInput, NotFound
from registry.recipes import RECIPES
from training.recipes import get_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_every_default_is_within_its_own_range(name: str) -> None:
    recipe = get_recipe(name, RECIPES[name].parameters)
    assert recipe == RECIPES[name]
    assert recipe.description.endswith(".")


def test_an_override_changes_one_parameter_and_leaves_the_table_alone() -> None:
    recipe = get_recipe("bilstm_crf.v1", {"epochs": 3})
    assert recipe.parameters["epochs"] == 3
    assert {**recipe.parameters, "epochs": RECIPES["bilstm_crf.v1"].parameters["epochs"]} == RECIPES[
        "bilstm_crf.v1"
    ].parameters


def test_a_whole_number_is_taken_where_a_fraction_is_expected() -> None:
    value = get_recipe("bilstm_crf.v1", {"learning_rate": 1}).parameters["learning_rate"]
    assert isinstance(value, float)


def test_a_whole_float_is_taken_where_a_whole_number_is_expected() -> None:
    value = get_recipe("bilstm_crf.v1", {"epochs": 3.0}).parameters["epochs"]
    assert isinstance(value, int)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"speed": 1}, "has no parameter 'speed'"),
        ({"epochs": 0}, "must lie between 1 and 200"),
        ({"epochs": 2.5}, "must be a whole number"),
        ({"epochs": "3"}, "must be a number"),
        ({"epochs": True}, "must be a number"),
        ({"epochs": 10**400}, "must lie between"),
        ({"learning_rate": float("nan")}, "must lie between"),
        ({"learning_rate": float("inf")}, "must lie between"),
        ({"input_dropout": 1.0}, "must lie between"),
    ],
)
def test_an_override_is_refused_when_it_does_not_fit(overrides: Mapping[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        get_recipe("bilstm_crf.v1", overrides)


def test_a_text_is_taken_where_a_text_is_expected_and_nowhere_else() -> None:
    assert get_recipe("encoder_crf.v1", {"encoder": "a/folder"}).parameters["encoder"] == "a/folder"
    with pytest.raises(InvalidInput, match="must be a text"):
        get_recipe("encoder_crf.v1", {"encoder": 3})


def test_a_recipe_is_not_found_when_there_is_none_of_that_name() -> None:
    with pytest.raises(NotFound, match=r"bilstm_crf\.v1, encoder_crf\.v1, spacy_cnn\.v1"):
        get_recipe("bilstm_crf.v9")
