"""The API does what its OpenAPI document says, whatever the document allows to be sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from ner.database import Database
from ner.migrations import migrate
from ner.settings import Settings
from tests.api.rooms import Room, open_room

# What the guard and the edge may say to any request is described once, in words, and not at each route.
_ANYWHERE = {401, 403, 404, 405, 413, 422, 429}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """One API for all cases, with a stable version and one on trial."""
    home: Path = tmp_path_factory.mktemp("described")
    chosen = Settings(_env_file=None, home=home, secret_key="a key for tests")  # type: ignore[call-arg]
    store = Database(f"sqlite:///{home / 'test.db'}")
    migrate(store)
    room = open_room(chosen, store)
    with room.client:
        room.stable()
        room.canary("1.1.0", 10)
        yield room
    store.close()


def _problem(case: Any, room: Room, key: str) -> str | None:
    """What is wrong with the answer to a case, if anything."""
    sent = case.as_transport_kwargs(base_url="http://workbench.test")
    headers = {**(sent.get("headers") or {}), "X-API-Key": key, "X-Requested-With": "workbench"}
    more = {name: sent[name] for name in ("json", "params") if sent.get(name) is not None}
    if sent.get("data") is not None:
        more["content"] = sent["data"] if isinstance(sent["data"], bytes | str) else str(sent["data"])
    answer = room.client.request(case.method, sent["url"], headers=headers, follow_redirects=False, **more)
    documented = {str(status) for status in case.operation.definition.raw["responses"]}
    if answer.status_code >= 500 and answer.status_code != 503:
        return f"{answer.status_code}: {answer.text[:300]}"
    if str(answer.status_code) not in documented and answer.status_code not in _ANYWHERE | {503}:
        return f"{answer.status_code} is not documented: {answer.text[:200]}"
    if answer.status_code < 300 and answer.headers.get("Content-Type") == "application/json":
        try:
            case.operation.validate_response(schemathesis.Response.from_any(answer))
        except AssertionError as error:
            return f"the answer does not fit its schema: {str(error)[:300]}"
    return None


_AS_DRAWN = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def _problems(operation: Any, room: Room, key: str) -> list[str]:
    found: list[str] = []

    @given(operation.as_strategy())
    @_AS_DRAWN
    def ask(case: Any) -> None:
        problem = _problem(case, room, key)
        if problem is not None:
            found.append(problem)

    ask()
    return found


def test_every_answer_fits_the_document(described: Room) -> None:
    document = schemathesis.openapi.from_dict(described.client.get("/openapi.json").json())
    key = described.key("admin")

    operations = [found.ok() for found in document.get_all_operations()]
    problems = {operation.label: _problems(operation, described, key) for operation in operations}

    assert len(problems) > 50
    assert {label: found[0] for label, found in problems.items() if found} == {}
