"""Who may call what: the table, the app against the table, and every role against every route."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.main import create_app
from api.roles import Access, access_of, guarded_router
from ner.database import Database
from ner.migrations import migrate
from ner.roles import ROLES, Role
from ner.settings import Settings
from tests.api.rooms import Room, open_room

NEEDS: dict[tuple[str, str], Access] = {
    ("GET", "/api/v1/ner/health"): "public",
    ("GET", "/api/v1/ner/metrics"): "public",
    ("GET", "/metrics"): "public",
    ("GET", "/docs"): "public",
    ("GET", "/docs/{name}"): "public",
    ("GET", "/openapi.json"): "public",
    ("GET", "/sign-in"): "public",
    ("GET", "/sign-in/provider"): "public",
    ("GET", "/sign-in/provider/callback"): "public",
    ("GET", "/api/v1/sign-in"): "public",
    ("POST", "/api/v1/session"): "public",
    ("POST", "/api/v1/token"): "public",
    ("POST", "/api/v1/token/refresh"): "public",
    ("POST", "/api/v1/token/oidc"): "public",
    ("POST", "/api/v1/token/revoke"): "public",
    ("PUT", "/api/v1/users/{name}/password"): "viewer",
    ("DELETE", "/api/v1/session"): "public",
    ("GET", "/v2/health/live"): "public",
    ("GET", "/v2/health/ready"): "public",
    ("POST", "/api/v1/demos/answer"): "public",
    ("POST", "/api/v1/demos/enter"): "public",
    ("POST", "/api/v1/demos/frame"): "public",
    ("POST", "/api/v1/ner/predict"): "viewer",
    ("POST", "/api/v1/ner/batch"): "viewer",
    ("GET", "/api/v1/session"): "viewer",
    ("GET", "/v2"): "viewer",
    ("GET", "/v2/models/{model}"): "viewer",
    ("GET", "/v2/models/{model}/ready"): "viewer",
    ("GET", "/v2/models/{model}/versions/{version}"): "viewer",
    ("GET", "/v2/models/{model}/versions/{version}/ready"): "viewer",
    ("POST", "/v2/models/{model}/infer"): "viewer",
    ("POST", "/v2/models/{model}/versions/{version}/infer"): "viewer",
    ("GET", "/api/v1/datasets"): "viewer",
    ("GET", "/api/v1/datasets/{name}/documents"): "viewer",
    ("GET", "/api/v1/datasets/{name}/export"): "viewer",
    ("GET", "/api/v1/datasets/{name}/export/report"): "viewer",
    ("GET", "/api/v1/datasets/{name}/search"): "viewer",
    ("GET", "/api/v1/datasets/{name}/changes"): "viewer",
    ("POST", "/api/v1/datasets/{name}/changes"): "reviewer",
    ("POST", "/api/v1/datasets/{name}/changes/preview"): "reviewer",
    ("POST", "/api/v1/datasets/{name}/changes/{change}/undo"): "reviewer",
    ("GET", "/api/v1/snapshots"): "viewer",
    ("POST", "/api/v1/datasets/{name}/snapshots"): "engineer",
    ("GET", "/api/v1/snapshots/{snapshot}/export"): "viewer",
    ("GET", "/api/v1/snapshots/{snapshot}/judgements"): "viewer",
    ("GET", "/api/v1/snapshots/{before}/diff/{after}"): "viewer",
    ("GET", "/api/v1/rollout/shadow"): "viewer",
    ("PUT", "/api/v1/rollout/shadow"): "engineer",
    ("GET", "/api/v1/rollout/shadow/hours.csv"): "viewer",
    ("GET", "/api/v1/rollout/quality"): "viewer",
    ("POST", "/api/v1/compare/csv"): "viewer",
    ("GET", "/api/v1/pairs/next"): "annotator",
    ("GET", "/api/v1/pairs/{document_id}"): "annotator",
    ("GET", "/api/v1/documents/{document_id}"): "viewer",
    ("GET", "/api/v1/documents/{document_id}/revisions"): "viewer",
    ("GET", "/api/v1/recipes"): "viewer",
    ("GET", "/api/v1/runs"): "viewer",
    ("GET", "/api/v1/runs/{run_id}"): "viewer",
    ("GET", "/api/v1/versions"): "viewer",
    ("GET", "/api/v1/versions/{version}"): "viewer",
    ("POST", "/api/v1/versions/{version}/predict"): "viewer",
    ("POST", "/api/v1/versions/{version}/ownership"): "engineer",
    ("GET", "/api/v1/rollout"): "viewer",
    ("GET", "/api/v1/rollout/history"): "viewer",
    ("GET", "/api/v1/rollout/at"): "viewer",
    ("GET", "/api/v1/rollout/policy/manifests"): "viewer",
    ("GET", "/api/v1/rollout/policy"): "viewer",
    ("GET", "/api/v1/rollout/trial"): "viewer",
    ("POST", "/api/v1/rollout/trial"): "engineer",
    ("POST", "/api/v1/rollout/trial/stop"): "engineer",
    ("GET", "/api/v1/rollout/trial/verdicts"): "viewer",
    ("GET", "/api/v1/rollout/trial/verdicts/verify"): "viewer",
    ("POST", "/api/v1/compare"): "viewer",
    ("GET", "/api/v1/quality"): "viewer",
    ("GET", "/api/v1/quality/{version}/cell"): "viewer",
    ("GET", "/api/v1/quality/over-time"): "viewer",
    ("GET", "/api/v1/quality/over-time/csv"): "viewer",
    ("GET", "/api/v1/drift"): "viewer",
    ("GET", "/api/v1/drift/documents"): "viewer",
    ("GET", "/api/v1/figures/{table}/csv"): "viewer",
    ("GET", "/api/v1/traffic"): "viewer",
    ("GET", "/api/v1/alerts"): "viewer",
    ("POST", "/api/v1/alerts/{alert_id}/acknowledge"): "engineer",
    ("POST", "/api/v1/alerts/alertmanager"): "engineer",
    ("GET", "/api/v1/webhooks"): "engineer",
    ("POST", "/api/v1/webhooks"): "admin",
    ("DELETE", "/api/v1/webhooks/{webhook_id}"): "admin",
    ("POST", "/api/v1/webhooks/{webhook_id}/test"): "admin",
    ("GET", "/api/v1/webhooks/{webhook_id}/deliveries"): "engineer",
    ("GET", "/api/v1/audit"): "viewer",
    ("GET", "/api/v1/audit/verify"): "viewer",
    ("GET", "/api/v1/capture"): "viewer",
    ("GET", "/api/v1/tasks/next"): "annotator",
    ("GET", "/api/v1/tasks/{document_id}"): "annotator",
    ("DELETE", "/api/v1/tasks/{document_id}/lease"): "annotator",
    ("GET", "/api/v1/datasets/{name}/agreement"): "reviewer",
    ("GET", "/api/v1/datasets/{name}/agreement/gamma"): "reviewer",
    ("PUT", "/api/v1/datasets/{name}/people"): "engineer",
    ("POST", "/api/v1/datasets"): "engineer",
    ("POST", "/api/v1/documents/{document_id}/decision"): "reviewer",
    ("POST", "/api/v1/datasets/{name}/labels"): "reviewer",
    ("POST", "/api/v1/documents/{document_id}/annotations"): "annotator",
    ("POST", "/api/v1/datasets/{name}/import"): "engineer",
    ("POST", "/api/v1/runs"): "engineer",
    ("POST", "/api/v1/runs/{run_id}/cancel"): "engineer",
    ("POST", "/api/v1/rollout/canary"): "engineer",
    ("POST", "/api/v1/rollout/promote"): "engineer",
    ("POST", "/api/v1/rollout/rollback"): "engineer",
    ("GET", "/api/v1/demos"): "engineer",
    ("POST", "/api/v1/demos"): "engineer",
    ("DELETE", "/api/v1/demos/{demo_id}"): "engineer",
    ("GET", "/api/v1/keys"): "admin",
    ("POST", "/api/v1/keys"): "admin",
    ("DELETE", "/api/v1/keys/{key_id}"): "admin",
    ("GET", "/api/v1/users"): "admin",
    ("POST", "/api/v1/users"): "admin",
    ("POST", "/api/v1/users/{name}/link"): "admin",
    ("GET", "/api/v1/users/{name}/data"): "admin",
    ("GET", "/api/v1/users/{name}/erasure"): "admin",
    ("POST", "/api/v1/users/{name}/erase"): "admin",
    ("PUT", "/api/v1/capture"): "admin",
    ("GET", "/api/v1/datasets/{name}/sources"): "viewer",
    ("GET", "/api/v1/datasets/{name}/learning-curve"): "viewer",
    ("PUT", "/api/v1/datasets/{name}/sources/{source}"): "engineer",
    ("DELETE", "/api/v1/datasets/{name}/sources/{source}"): "engineer",
    ("POST", "/api/v1/documents/{document_id}/suggestions"): "annotator",
    ("GET", "/api/v1/datasets/{name}/judgements/next"): "annotator",
    ("POST", "/api/v1/documents/{document_id}/judgements"): "annotator",
    ("GET", "/api/v1/datasets/{name}/judgements"): "viewer",
    ("GET", "/api/v1/preferences/keys"): "viewer",
    ("PUT", "/api/v1/preferences/keys"): "viewer",
    ("PUT", "/api/v1/datasets/{name}/checks"): "engineer",
    ("GET", "/api/v1/datasets/{name}/habits"): "reviewer",
    ("GET", "/api/v1/documents/{document_id}/comments"): "viewer",
    ("POST", "/api/v1/documents/{document_id}/comments"): "annotator",
    ("PUT", "/api/v1/comments/{comment_id}"): "annotator",
    ("GET", "/api/v1/datasets/{name}/comments"): "viewer",
    ("GET", "/api/v1/datasets/{name}/guidelines"): "viewer",
    ("PUT", "/api/v1/datasets/{name}/guidelines/{label}"): "reviewer",
    ("GET", "/api/v1/datasets/{name}/guidelines/{label}/affected"): "viewer",
    ("POST", "/api/v1/documents/{document_id}/revisions/{revision}/restore"): "reviewer",
    ("PUT", "/api/v1/documents/{document_id}/must-pass"): "reviewer",
    ("POST", "/api/v1/documents/{document_id}/erase"): "admin",
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Room, dict[Role, str]]]:
    """One API and a key of each role for the whole table."""
    home: Path = tmp_path_factory.mktemp("guarded")
    settings = Settings(_env_file=None, home=home, secret_key="a key for tests")  # type: ignore[call-arg]
    store = Database(f"sqlite:///{home / 'test.db'}")
    migrate(store)
    room = open_room(settings, store)
    with room.client:
        yield room, {role: room.key(role) for role in ROLES}
    store.close()


def test_every_route_of_the_app_is_in_the_table_with_its_role(settings: Settings) -> None:
    app = create_app(settings)
    declared = {}
    for route in app.routes:
        assert isinstance(route, APIRoute), f"{route} is not guarded"
        declared |= {(method, route.path): access_of(route.endpoint) for method in route.methods or ()}

    assert declared == NEEDS


def test_a_route_cannot_be_built_when_it_does_not_say_who_may_call_it() -> None:
    router = guarded_router()

    with pytest.raises(TypeError, match="/open does not say which role may call it"):

        @router.get("/open")
        async def undecided() -> None: ...


GUARDED = [(method, path, access) for (method, path), access in NEEDS.items() if access != "public"]


@pytest.mark.parametrize(("method", "path", "needed"), GUARDED)
def test_a_role_is_let_in_from_the_one_that_the_route_needs(
    method: str, path: str, needed: Role, guarded: tuple[Room, dict[Role, str]]
) -> None:
    room, keys = guarded
    address = path.replace("{", "").replace("}", "")

    nobody = room.client.request(method, address)
    assert (nobody.status_code, nobody.json()["error"]["kind"]) == (401, "not_signed_in")
    assert nobody.headers["WWW-Authenticate"] == "Bearer"
    for role in ROLES:
        status = room.client.request(method, address, headers={"X-API-Key": keys[role]}).status_code
        if ROLES.index(role) < ROLES.index(needed):
            assert status == 403, f"a {role} got {status}"
        else:
            assert status not in {401, 403}, f"a {role} got {status}"


def test_a_refusal_names_the_role_that_is_needed(guarded: tuple[Room, dict[Role, str]]) -> None:
    room, keys = guarded

    answer = room.client.get("/api/v1/keys", headers={"X-API-Key": keys["engineer"]})

    assert answer.json()["error"]["message"] == "This needs the role 'admin'; this caller is a 'engineer'."


def test_nothing_happens_on_import_of_the_app_before_its_lifespan(settings: Settings) -> None:
    app = create_app(settings)

    assert isinstance(app, FastAPI)
    assert not (settings.home / "workbench.db").exists()
