"""Sources of suggestions beside the model: lists of names, patterns, what people said before, and endpoints elsewhere.

Each belongs to one dataset and has a version, which grows with every change of its content. What they suggest is only
ever offered: it becomes part of an answer when a person takes it.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from annotation.formats.shapes import fit_label
from annotation.patterns import Pattern
from annotation.rules import check_name
from annotation.stored import load_dataset
from ner.database import lock_for_appending, utc_now
from ner.desk_tables import suggestion_sources
from ner.errors import InvalidInput, NotFound
from registry import audit

Kind = Literal["gazetteer", "pattern", "memory", "endpoint"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_ENTRIES = 20_000
_LONGEST_ENTRY = 200
MODEL = "model"
_table = suggestion_sources


@dataclass(frozen=True, slots=True)
class SuggestionSource:
    """One source. `content` by kind: gazetteer {"entries": [{"text", "label"}], "ignore_case"}; pattern {"pattern",
    "label"}; memory {"least": how often people must have said it}; endpoint {"url", "model", "guidelines",
    "price_in", "price_out"}, prices in money a million tokens.
    """

    name: str
    kind: Kind
    content: dict[str, Any]
    version: int
    enabled: bool
    changed_by: str
    changed_at: Any
    sealed: bytes | None = None
    has_lost_key: bool = False


def save_source(
    connection: Connection,
    dataset: str,
    name: str,
    kind: Kind,
    content: Mapping[str, Any],
    *,
    enabled: bool,
    actor: str,
    sealed: bytes | None = None,
) -> SuggestionSource:
    """Make a source, or change it: another content is its next version. `sealed` None keeps the key it has, as long
    as its address stays: a key goes nowhere but where it was given for, and `has_lost_key` says that it is gone.

    Raises NotFound for the dataset, InvalidInput for a name or a content that does not fit.
    """
    check_name(name)
    if name == MODEL:
        raise InvalidInput(f"'{MODEL}' is what the serving version is called; choose another name.")
    checked = _checked(kind, content)
    lock_for_appending(connection, f"dataset {dataset}")
    rules = load_dataset(connection, dataset)
    here = (_table.c.dataset_id == rules.id, _table.c.name == name)
    before = connection.execute(sa.select(_table).where(*here)).first()
    facts: dict[str, Any] = {
        "kind": kind,
        "content": checked,
        "enabled": enabled,
        "changed_by": actor,
        "changed_at": utc_now(),
    }
    loses_key = before is not None and before.sealed is not None and sealed is None and _moves(before, kind, checked)
    if sealed is not None or loses_key:
        facts["sealed"] = sealed
    if before is None:
        facts |= {"id": uuid.uuid4().hex, "dataset_id": rules.id, "name": name, "version": 1}
        connection.execute(_table.insert().values(**facts))
    else:
        is_same = (before.kind, before.content) == (kind, checked)
        connection.execute(_table.update().where(*here).values(**facts, version=before.version + (not is_same)))
    saved = load_source(connection, dataset, name)
    details = {"dataset": dataset, "kind": kind, "version": saved.version, "enabled": enabled, "lost_key": loses_key}
    audit.append(connection, actor=actor, action="source.saved", subject=name, details=details)
    return replace(saved, has_lost_key=loses_key)


def _moves(before: Row[Any], kind: str, content: Mapping[str, Any]) -> bool:
    """Whether the change would send elsewhere what the source sends."""
    return bool((before.kind, before.content.get("url")) != (kind, content.get("url")))


def delete_source(connection: Connection, dataset: str, name: str, *, actor: str) -> None:
    """Remove a source; what became of its suggestions stays known. Raises NotFound."""
    rules = load_dataset(connection, dataset)
    load_source(connection, dataset, name)
    connection.execute(_table.delete().where(_table.c.dataset_id == rules.id, _table.c.name == name))
    audit.append(connection, actor=actor, action="source.deleted", subject=name, details={"dataset": dataset})


def list_sources(connection: Connection, dataset: str, *, enabled_only: bool = False) -> list[SuggestionSource]:
    """The sources of a dataset, by name. Raises NotFound for the dataset."""
    chosen = (
        sa.select(_table).where(_table.c.dataset_id == load_dataset(connection, dataset).id).order_by(_table.c.name)
    )
    if enabled_only:
        chosen = chosen.where(_table.c.enabled)
    return [_as_source(row) for row in connection.execute(chosen)]


def load_source(connection: Connection, dataset: str, name: str) -> SuggestionSource:
    """Raises NotFound when the dataset has no source of that name."""
    found = next((one for one in list_sources(connection, dataset) if one.name == name), None)
    if found is None:
        raise NotFound(f"The dataset '{dataset}' has no source '{name}'.")
    return found


def _checked(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    checks = {"gazetteer": _gazetteer, "pattern": _pattern, "memory": _memory, "endpoint": _endpoint}
    if kind not in checks:
        raise InvalidInput(f"'{kind}' is no kind of source; choose one of {', '.join(KINDS)}.")
    return checks[kind](content)


def _gazetteer(content: Mapping[str, Any]) -> dict[str, Any]:
    entries = content.get("entries")
    if not isinstance(entries, list) or not 0 < len(entries) <= MOST_ENTRIES:
        raise InvalidInput(f"A gazetteer needs a list of 1 to {MOST_ENTRIES:,} entries.")
    return {"entries": [_entry(one) for one in entries], "ignore_case": content.get("ignore_case") is True}


def _entry(entry: Any) -> dict[str, str]:
    text, label = (entry.get("text"), entry.get("label")) if isinstance(entry, dict) else (None, None)
    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST_ENTRY:
        raise InvalidInput(f"An entry of a gazetteer needs a text of 1 to {_LONGEST_ENTRY} characters.")
    return {"text": text.strip(), "label": _label(label, f"The entry '{text[:40]}'")}


def _pattern(content: Mapping[str, Any]) -> dict[str, Any]:
    source = content.get("pattern")
    if not isinstance(source, str):
        raise InvalidInput("A pattern needs a regular expression.")
    Pattern(source)
    return {"pattern": source, "label": _label(content.get("label"), "The pattern")}


def _memory(content: Mapping[str, Any]) -> dict[str, Any]:
    least = content.get("least", 1)
    if not isinstance(least, int) or not 1 <= least <= 1000:
        raise InvalidInput("How often people must have said it is a number from 1 to 1000.")
    return {"least": least}


def _endpoint(content: Mapping[str, Any]) -> dict[str, Any]:
    url, model = content.get("url"), content.get("model")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")) or len(url) > 500:
        raise InvalidInput(
            "An endpoint needs the address that ends before '/chat/completions', with http:// or https://."
        )
    if not isinstance(model, str) or not model.strip():
        raise InvalidInput("An endpoint needs the name of the model to ask.")
    prices = {name: content.get(name, 0) for name in ("price_in", "price_out")}
    if any(not isinstance(price, int | float) or price < 0 for price in prices.values()):
        raise InvalidInput("Prices are numbers from 0 on, in money a million tokens.")
    guidelines = str(content.get("guidelines", ""))[:20_000]
    return {"url": url.rstrip("/"), "model": model.strip(), "guidelines": guidelines, **prices}


def _label(label: Any, who: str) -> str:
    if not isinstance(label, str) or not fit_label(label):
        raise InvalidInput(f"{who} needs a label of 1 to 100 characters.")
    return label


def _as_source(row: Row[Any]) -> SuggestionSource:
    return SuggestionSource(
        row.name, row.kind, dict(row.content), row.version, row.enabled, row.changed_by, row.changed_at, row.sealed
    )
