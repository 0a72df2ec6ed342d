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


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("NER_DATABASE_URL", "postgresql://ner:a/secret@host/ner", "is no URL; in a password write / as %2F"),
        ("NER_REDIS_URL", "redis://:a#secret@host/0", "is no URL"),
        ("NER_MLFLOW_URL", "postgresql://ner:[secret@host/ner", "is no URL"),
        ("NER_OLD_SECRET_KEYS", "a secret", r'NER_OLD_SECRET_KEYS is no JSON, such as \["one", "two"\]'),
        ("NER_OLD_SECRET_KEYS", '{"a": "secret"}', "NER_OLD_SECRET_KEYS: Input should be a valid list"),
    ],
)
def test_a_broken_secret_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSetting, match=sentence) as raised:
        load_settings()
    assert name in raised.value.message
    assert "secret" not in raised.value.message


def test_settings_do_not_show_their_secrets(tmp_path: Path) -> None:
    given = {"secret_key": "hidden", "old_secret_keys": ["hidden"], "database_url": "postgresql://a:hidden@b/c"}
    given |= {"redis_url": "redis://:hidden@b", "mlflow_url": "postgresql://a:hidden@b/c", "api_key": "hidden"}
    given |= {"backup_password": "hidden", "oidc_client_secret": "hidden"}
    assert "hidden" not in repr(Settings(_env_file=None, home=tmp_path, **given))  # type: ignore[call-arg, arg-type]
