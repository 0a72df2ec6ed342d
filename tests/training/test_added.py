"""Models that were trained elsewhere become versions like the others."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ner.database import Database
from ner.errors import InvalidInput
from ner.settings import Settings
from registry.packages import open_store
from registry.signatures import SIGNATURE
from registry.taggers import load_tagger
from registry.versions import get_version
from tests.registry.encoder_folder import write_encoder
from tests.training.small_corpus import import_corpus, small_corpus
from training.added import add_version
from training.fitting import fit
from training.recipes import get_recipe

LABELS = {"PER": "per", "LOC": "geo"}
SENTENCE = "Ada Byron lives in New Delhi ."


@pytest.fixture
def with_corpus(database: Database, settings: Settings, tmp_path: Path) -> Settings:
    import_corpus(database, tmp_path, small_corpus())
    return settings


def test_an_encoder_is_scored_profiled_signed_and_answers(
    database: Database, with_corpus: Settings, tmp_path: Path
) -> None:
    folder = write_encoder(tmp_path / "bert")
    record = add_version(database, with_corpus, folder, dataset="news", actor="ada", labels=LABELS)
    with database.reading() as connection:
        stored = get_version(connection, record.version)
    assert (stored.recipe, stored.trained_by, stored.dataset, stored.labels) == ("added", "ada", "news", ["per", "geo"])
    assert stored.hyperparameters["source"] == "bert"
    assert 0.0 < stored.performance["f1"] < 1.0

    package = open_store(with_corpus).folder(stored.version, stored.package_hash)
    assert (package / SIGNATURE).is_file()
    assert json.loads((package / "profile.json").read_text(encoding="utf-8"))
    [answer] = load_tagger(package).tag([SENTENCE])
    assert [(SENTENCE[span.start : span.end], span.label) for span in answer.spans] == [
        ("Ada Byron", "per"),
        ("New Delhi", "geo"),
    ]


@pytest.mark.slow
def test_a_spacy_pipeline_answers_as_it_did_where_it_came_from(
    database: Database, with_corpus: Settings, tmp_path: Path
) -> None:
    corpus, trained = small_corpus(), tmp_path / "trained"
    trained.mkdir()
    recipe = get_recipe("spacy_cnn.v1", {"epochs": 6, "batch_words": 100, "width": 32, "depth": 2})
    fit(recipe, corpus[:190], corpus[190:], ["geo", "per", "tim"], trained, lambda _: None, lambda: False)
    record = add_version(
        database, with_corpus, trained / "spacy", dataset="news", actor="ada", labels={"per": "person"}
    )
    package = open_store(with_corpus).folder(record.version, record.package_hash)
    [there], [here] = load_tagger(trained).tag([SENTENCE]), load_tagger(package).tag([SENTENCE])
    assert [(span.start, span.end, {"per": "person"}.get(span.label, span.label)) for span in there.spans] == [
        (span.start, span.end, span.label) for span in here.spans
    ]
    assert record.labels == ["geo", "person", "tim"]


@pytest.mark.parametrize("harm", ["nothing in it", "code", "a pickle"])
def test_a_folder_is_refused_when_it_is_no_model_or_could_run_code(
    database: Database, with_corpus: Settings, tmp_path: Path, harm: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    if harm == "code":
        (write_encoder(folder) / "modeling.py").write_text("print('hello')")
    elif harm == "a pickle":
        (write_encoder(folder) / "pytorch_model.bin").write_bytes(b"\x80\x04\x95")
    message = "is neither" if harm == "nothing in it" else "could run code"
    with pytest.raises(InvalidInput, match=message):
        add_version(database, with_corpus, folder, dataset="news", actor="ada", labels=LABELS)


def test_a_model_is_refused_when_it_shares_no_label_with_the_dataset(
    database: Database, with_corpus: Settings, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="no label in common"):
        add_version(database, with_corpus, write_encoder(tmp_path / "bert"), dataset="news", actor="ada")
    assert not list((with_corpus.artifacts / "drafts").iterdir())


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_command_registers_and_tells_the_version(
    database: Database, with_corpus: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.commands import cli

    monkeypatch.setenv("NER_HOME", str(with_corpus.home))
    monkeypatch.setenv("NER_DATABASE_URL", database.url)
    folder = write_encoder(tmp_path / "bert")
    arguments = ["versions", "add", str(folder), "--dataset", "news", "--label", "PER=per", "--label", "LOC=geo"]
    result = CliRunner().invoke(cli, [*arguments, "--json"], catch_exceptions=False)
    answer = json.loads(result.stdout)
    assert (answer["version"], answer["labels"]) == ("1.0.0", ["per", "geo"])
    with database.reading() as connection:
        assert get_version(connection, "1.0.0").performance["f1"] == answer["f1"]
