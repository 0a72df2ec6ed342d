"""The documents say what the code does, and the code does what they say."""

import re
from pathlib import Path

import click
import pytest

from ner.settings import Settings
from workbench.commands import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROOMS = ("workbench", "api", "training", "dashboards", "annotation", "registry", "ner", "deploy", "tests", "docs")


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_is_in_the_readme_and_has_help(name: str) -> None:
    assert f"`workbench {name}`" in README
    assert click.Context(cli.commands[name]).get_help()


def test_every_command_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`workbench ([a-z]+)", README))
    assert named - set(cli.commands) == set()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    assert f"`NER_{name.upper()}`" in (ROOT / "docs" / "settings.md").read_text()


def test_every_documented_setting_exists() -> None:
    documented = set(re.findall(r"^\| `NER_(\w+)`", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert documented == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("room", ROOMS)
def test_every_folder_of_the_map_is_there(room: str) -> None:
    assert f"`{room}/`" in README
    assert (ROOT / room).is_dir()


def test_every_link_leads_somewhere() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    broken = [
        f"{document.name}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8"))
        if not target.startswith("http") and not (document.parent / target).exists()
    ]
    assert broken == []
