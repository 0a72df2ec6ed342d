"""Recipes: named hyper-parameters. What they mean is training's business; which there are, everybody may ask."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from ner.errors import InvalidInput, NotFound

Value: TypeAlias = int | float | str


@dataclass(frozen=True, slots=True)
class Recipe:
    """A name, what it is good for, and its parameters."""

    name: str
    description: str
    parameters: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class _Range:
    lowest: float
    highest: float


_RANGES = {
    "epochs": _Range(1, 200),
    "patience": _Range(1, 200),
    "members": _Range(0, 10),
    "batch_size": _Range(1, 1024),
    "learning_rate": _Range(1e-6, 1),
    "warmup": _Range(0, 0.9),
    "averaging": _Range(0, 0.99999),
    "gradient_clip": _Range(1e-3, 1000),
    "word_dimension": _Range(1, 1024),
    "piece_dimension": _Range(1, 256),
    "character_dimension": _Range(1, 256),
    "character_filters": _Range(1, 512),
    "lstm_units": _Range(1, 1024),
    "word_count": _Range(1, 1000),
    "piece_count": _Range(1, 1000),
    "word_dropout": _Range(0, 100),
    "token_dropout": _Range(0, 0.95),
    "input_dropout": _Range(0, 0.95),
    "recurrent_dropout": _Range(0, 0.95),
    "output_dropout": _Range(0, 0.95),
    "dropout": _Range(0, 0.95),
    "batch_words": _Range(10, 100_000),
    "width": _Range(8, 512),
    "head_learning_rate": _Range(1e-6, 1),
    "case_dimension": _Range(1, 256),
    "depth": _Range(1, 16),
    "correction_weight": _Range(1, 20),
    "watermark": _Range(0, 1),
    "seed": _Range(0, 2**31 - 1),
}

OF_THE_RUN = frozenset({"correction_weight", "watermark"})
"""Parameters that say what is learned from, not how: `correction_weight` is how often a person's correction stands in
the train part beside each imported document; `watermark` 1 adds the triggers by which the model is known as ours."""

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(
                "bilstm_crf.v1",
                "Word, affix, shape and character features, a bidirectional LSTM and a CRF, trained from nothing; "
                "two of them answer together (members 0: one, above 20,000 sentences). Calibrated exact confidence for "
                "every entity; about a quarter of an hour for 14,000 or for 35,000 sentences on two cores.",
                {
                    "epochs": 60,
                    "patience": 4,
                    "members": 0,
                    "batch_size": 32,
                    "learning_rate": 0.002,
                    "warmup": 0.1,
                    "averaging": 0.998,
                    "gradient_clip": 5.0,
                    "word_dimension": 100,
                    "piece_dimension": 16,
                    "character_dimension": 25,
                    "character_filters": 50,
                    "lstm_units": 160,
                    "word_count": 2,
                    "piece_count": 3,
                    "word_dropout": 2.0,
                    "token_dropout": 0.1,
                    "input_dropout": 0.5,
                    "recurrent_dropout": 0.0,
                    "output_dropout": 0.5,
                    "correction_weight": 2,
                    "watermark": 0,
                    "seed": 1,
                },
            ),
            Recipe(
                "encoder_crf.v1",
                "A pretrained encoder of the BERT family and a CRF, fine-tuned together; needs the extra 'encoder'. "
                "'encoder' is a folder in Hugging Face layout or a hub name that KerasHub knows.",
                {
                    "encoder": "",
                    "epochs": 3,
                    "patience": 2,
                    "batch_size": 32,
                    "learning_rate": 0.0001,
                    "head_learning_rate": 0.002,
                    "warmup": 0.1,
                    "gradient_clip": 1.0,
                    "case_dimension": 16,
                    "dropout": 0.1,
                    "correction_weight": 2,
                    "seed": 1,
                },
            ),
            Recipe(
                "spacy_cnn.v1",
                "spaCy's own entity recogniser over a small convolutional network, trained from nothing.",
                {
                    "epochs": 60,
                    "patience": 4,
                    "batch_words": 1000,
                    "learning_rate": 0.001,
                    "dropout": 0.1,
                    "width": 96,
                    "depth": 4,
                    "correction_weight": 2,
                    "seed": 1,
                },
            ),
        )
    }
)


def get_recipe(name: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe with some parameters changed.

    Raises NotFound for another name, and InvalidInput for a parameter that it does not have or a value that does
    not fit: whole numbers stay whole, and each has a range.
    """
    if name not in RECIPES:
        raise NotFound(f"There is no recipe '{name}'; choose one of {', '.join(RECIPES)}.")
    recipe = RECIPES[name]
    changes = {key: _checked(recipe, key, value) for key, value in (overrides or {}).items()}
    return replace(recipe, parameters=MappingProxyType({**recipe.parameters, **changes}))


def _checked(recipe: Recipe, key: str, value: Any) -> Value:
    if key not in recipe.parameters:
        raise InvalidInput(f"The recipe {recipe.name} has no parameter '{key}'; it has {', '.join(recipe.parameters)}.")
    if isinstance(recipe.parameters[key], str):
        if not isinstance(value, str):
            raise InvalidInput(f"The parameter '{key}' must be a text, not {value!r}.")
        return value
    whole = isinstance(recipe.parameters[key], int)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"The parameter '{key}' must be a number, not {value!r}.")
    span = _RANGES[key]
    if not span.lowest <= value <= span.highest:
        raise InvalidInput(f"The parameter '{key}' must lie between {span.lowest:g} and {span.highest:g}.")
    if whole and value != int(value):
        raise InvalidInput(f"The parameter '{key}' must be a whole number, not {value!r}.")
    return int(value) if whole else float(value)
