"""An installation that has been lived in: documents, corrections, versions, a rollout, traffic, audit, sealed texts."""

import json
from pathlib import Path

from annotation.capture import keep_text
from annotation.corrections import save_correction
from annotation.datasets import create_dataset, import_file, list_documents
from ner.database import Database, utc_now
from ner.documents import EntitySpan
from ner.settings import Settings, secret_keys
from registry import keys
from registry.log_batches import batch_of, write
from registry.logged import CapturedText, LoggedPrediction
from registry.packages import open_store
from registry.rollout import set_canary, set_stable
from registry.sealing import Seals
from registry.versions import register
from tests.builders import a_version


def populate(
    database: Database, settings: Settings, scratch: Path, *, documents: int = 20, predictions: int = 40
) -> str:
    """Fill it, and return an administrator's key."""
    seals = Seals(*secret_keys(settings))
    store = open_store(settings)
    for number, version in enumerate(("1.0.0", "1.1.0", "1.2.0")):
        draft = scratch / f"draft {version}"
        draft.mkdir(parents=True)
        (draft / "words.json").write_text(json.dumps({"words": {"John": "per"}, "confidence": 0.9, "breaks": False}))
        (draft / "weights.bin").write_bytes(bytes([number]) * 2000)
        digest = store.add(version, draft)
        with database.transaction() as connection:
            register(connection, a_version(version, package_hash=digest))
    source = scratch / "news.jsonl"
    source.write_text("".join(json.dumps({"text": f"John {number} met Ada."}) + "\n" for number in range(documents)))
    with database.transaction() as connection:
        create_dataset(connection, "news", ["per"], "ada")
        import_file(connection, source, dataset="news", actor="ada")
        for document in list_documents(connection, "news", limit=max(1, documents // 2))[0]:
            save_correction(
                connection,
                document.id,
                base_revision=0,
                spans=[EntitySpan(0, 4, "per")],
                operation_id=f"operation {document.id}",
                author="bo",
            )
        set_stable(connection, "1.0.0", actor="ada")
        set_canary(connection, "1.1.0", 5, actor="ada")
        rows: list[LoggedPrediction | CapturedText] = [a_row(number) for number in range(predictions)]
        rows += [CapturedText(f"request {number}", f"private {number}", "1.0.0", 0.2) for number in range(5)]
        write(connection, batch_of(rows), lambda where, text: keep_text(where, seals, text))
        _, key = keys.create_key(
            connection, seals.secrets[0], "drill", "admin", rate_limit_per_hour=None, created_by="ada"
        )
    return key


def a_row(number: int, **changes: object) -> LoggedPrediction:
    """One line of the prediction log."""
    facts = {
        "request_id": f"request {number}",
        "at": utc_now(),
        "version": "1.0.0",
        "variant": "stable",
        "status": 200,
        "latency_ms": 1.5,
        "cached": False,
        "key_id": "key",
        "characters": 12,
        "tokens": 4,
        "unknown_tokens": 1,
        "entities": {"per": 1},
        "lowest_confidence": 0.9,
        "confidences": [0] * 9 + [1],
        "word_sample": [number],
    }
    return LoggedPrediction(**(facts | changes))  # type: ignore[arg-type]
