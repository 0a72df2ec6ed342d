"""With too little room on the disk what grows is refused in one sentence, and what answers goes on."""

import pytest
import sqlalchemy as sa

from ner import tables
from ner.settings import Settings
from tests.api.rooms import Room
from tests.api.services import service

GROWING = [
    ("POST", "/api/v1/datasets/news/import", {"content": b'{"text": "Ada left"}'}),
    ("POST", "/api/v1/datasets/news/snapshots", {}),
    ("POST", "/api/v1/runs", {"json": {"dataset": "news", "recipe": "bilstm_crf.v1"}}),
    ("PUT", "/api/v1/capture", {"json": {"enabled": True}}),
]


def _kept(room: Room) -> int:
    room.logged()
    with room.database.reading() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(tables.captured_texts)) or 0)


@pytest.mark.parametrize("is_short", [True, False])
def test_what_grows_is_refused_while_predictions_go_on(
    settings: Settings, is_short: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with service(settings.model_copy(update={"capture_sample": 1.0, "disk_reserve_megabytes": 0})) as before:
        admin = before.headers("admin")
        before.client.post("/api/v1/datasets/news/import", content=b'{"text": "Ada left"}', headers=admin)
        before.client.put("/api/v1/capture", json={"enabled": True}, headers=admin).raise_for_status()
    # More than any disk has.
    reserve = 10**12 if is_short else 0
    changes = {"capture_sample": 1.0, "disk_reserve_megabytes": reserve}
    with service(settings.model_copy(update=changes), has_version=True) as room:
        for method, path, sent in GROWING:
            answer = room.client.request(method, path, headers=admin, **sent)  # type: ignore[arg-type]
            assert (answer.status_code == 507) == is_short, (path, answer.text)
            if is_short:
                error = answer.json()["error"]
                assert error["kind"] == "disk_full"
                assert "NER_DISK_RESERVE_MEGABYTES" in error["message"]
                assert "workbench tidy" in error["message"]
        # Each refusal is a line: there is no room for a stack trace.
        noted = [record for record in caplog.records if record.name == "api.errors"]
        assert len(noted) == (len(GROWING) if is_short else 0)
        assert [record for record in noted if record.exc_info or "was refused" not in record.message] == []
        assert room.predict("John on Mars", admin)["entities"]
        assert (_kept(room) == 0) == is_short
        # To cease needs no room.
        assert room.client.put("/api/v1/capture", json={"enabled": False}, headers=admin).status_code == 200
