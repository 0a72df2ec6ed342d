from pathlib import Path

import pytest

from ner.errors import InvalidSetting
from ner.settings import Settings, load_settings, secret_key


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NER_HOME", str(tmp_path))
    monkeypatch.setenv("NER_PORT", "8123")
    settings = load_settings()
    assert settings.port == 8123
    assert settings.database == f"sqlite:///{tmp_path}/workbench.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [("NER_PORT", "eighty"), ("NER_PORT", "70000"), ("NER_LOW_CONFIDENCE", "2"), ("NER_LOG_LEVEL", "x")],
)
def test_a_broken_setting_is_one_sentence_that_names_it(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSetting, match=f"{name} is '{value}'"):
        load_settings()


def test_the_secret_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path)  # type: ignore[call-arg]
    assert secret_key(settings) == secret_key(settings)
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_every_setting_is_explained() -> None:
    assert [name for name, one in Settings.model_fields.items() if not one.description] == []


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_a_url_of_postgresql_needs_no_driver_in_it(scheme: str) -> None:
    settings = Settings(_env_file=None, database_url=f"{scheme}://ner:secret@host:5432/ner")  # type: ignore[call-arg]
    assert settings.database == "postgresql+psycopg2://ner:secret@host:5432/ner"
