"""The client against the real API: what a stranger's program, the screens and the command line call."""

import io
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.running import ROOT
from tests.workbench.world import BOTH, PEOPLE, PLACES, TEXTS, World, labelled_lines
from workbench.api_client import ApiClient, ApiError


@pytest.fixture
def client(world: World) -> Iterator[ApiClient]:
    world.add_stable("1.0.0", PLACES)
    world.add_canary("1.1.0", BOTH, percent=0)
    with world.api(None) as http:
        yield ApiClient(http, api_key=world.key("admin"))


def test_predict_finds_entities_at_their_characters(client: ApiClient) -> None:
    text = "🎉 Maria went to Oslo"
    found = client.predict(text)
    assert [(entity["label"], text[entity["start"] : entity["end"]]) for entity in found["entities"]] == [
        ("geo", "Oslo")
    ]
    assert (found["model_version"], found["variant"]) == ("1.0.0", "stable")


def test_the_example_of_the_readme_runs_as_it_is_printed(
    client: ApiClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example = re.search(r"```python\n(from workbench.api_client .+?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert example
    monkeypatch.setattr(httpx, "Client", lambda **_: client.transport.http)
    code = example[1].replace("Google acquired YouTube", "Maria went to Oslo")
    exec(code, {"KEY": client.transport.headers["X-API-Key"]})
    assert capsys.readouterr().out.startswith("Oslo geo 14 18 ")


def test_a_named_version_answers_when_asked(client: ApiClient) -> None:
    found = client.predict_with("1.1.0", "Maria went to Oslo")
    assert [entity["text"] for entity in found["entities"]] == ["Maria", "Oslo"]


def test_a_bad_text_fails_alone_when_it_is_in_a_batch(client: ApiClient) -> None:
    good, bad = client.predict_batch(["Oslo", ""])
    assert good["model_version"] == "1.0.0"
    assert "error" in bad


def test_a_sentence_says_what_to_change_when_the_text_is_empty(client: ApiClient) -> None:
    with pytest.raises(ApiError) as raised:
        client.predict("")
    assert raised.value.status == 422
    assert raised.value.message.endswith(".")


def test_an_import_reports_its_progress_and_its_result(client: ApiClient) -> None:
    heard: list[tuple[int, int]] = []
    file = io.BytesIO(labelled_lines(TEXTS))
    done = client.import_file("news", file, filename="news.jsonl", progress=lambda *step: heard.append(step))
    assert (done["added"], done["skipped"]) == (len(TEXTS), 0)
    assert heard
    assert heard[-1][0] == heard[-1][1]


def test_an_import_says_which_line_is_bad(client: ApiClient) -> None:
    with pytest.raises(ApiError, match="Line 2"):
        client.import_file("news", labelled_lines(TEXTS[:1]) + b"{broken\n", filename="news.jsonl")
    assert client.datasets() == []


def test_an_export_holds_what_was_imported(client: ApiClient) -> None:
    client.import_file("news", labelled_lines(TEXTS), filename="news.jsonl")
    export = client.export_dataset("news", "jsonl")
    assert export.documents == len(TEXTS)
    assert export.content.count(b"\n") == len(TEXTS)


def test_a_correction_is_stored_once_when_it_is_sent_twice(client: ApiClient) -> None:
    client.import_file("news", labelled_lines(TEXTS), filename="news.jsonl")
    document = client.documents("news", limit=1)["documents"][0]
    for _ in range(2):
        saved = client.save_correction(
            document["id"], base_revision=document["revision"], spans=[], operation_id="the same operation"
        )
    assert saved["revision"] == document["revision"] + 1
    assert len(client.revisions(document["id"])) == 2


def test_the_rollout_goes_forth_and_back(client: ApiClient) -> None:
    assert client.set_canary("1.1.0", 30, reason="more")["percent"] == 30
    assert client.promote(reason="good")["stable"] == "1.1.0"
    assert client.roll_back(reason="not so good")["stable"] == "1.0.0"
    assert [change["action"] for change in client.rollout_history()][:3] == ["rollback", "promote", "canary"]


def test_two_versions_are_compared_on_a_text(client: ApiClient) -> None:
    result = client.compare(text="Maria went to Oslo")
    assert (result["left"], result["right"], result["counts"]) == ("1.0.0", "1.1.0", {"match": 1, "spurious": 1})


def test_a_run_is_queued_and_cancelled(client: ApiClient) -> None:
    client.import_file("news", labelled_lines(TEXTS), filename="news.jsonl")
    run = client.start_run("news", client.recipes()[0]["name"])
    client.cancel_run(run["id"])
    assert client.run(run["id"])["status"] == "cancelled"
    assert [one["id"] for one in client.runs()] == [run["id"]]


def test_keys_people_and_demos_are_made_and_ended(client: ApiClient) -> None:
    made = client.create_key("robot", "viewer", days=1)
    client.revoke_key(made["id"])
    keys = {key["id"]: key for key in client.keys()}  # noqa: SIM118 - a call of the API, no dictionary
    assert keys[made["id"]]["revoked_at"]
    client.create_user("zoë", "annotator")
    assert "/sign-in?token=" in client.sign_in_link("zoë")["url"]
    client.set_password("zoë", "correct horse battery staple")
    assert client.sign_in_ways() == {"provider": None}
    demo = client.create_demo(version="1.0.0", hours=1)
    token = demo["url"].rpartition("token=")[2]
    assert client.answer_demo(token, "Oslo")["left"]["model_version"] == "1.0.0"
    client.revoke_demo(demo["id"])
    with pytest.raises(ApiError):
        client.answer_demo(token, "Oslo")


def test_the_audit_trail_is_whole(client: ApiClient) -> None:
    verdict = client.verify_audit()
    assert verdict["ok"]
    assert client.audit(limit=1)["total"] == verdict["entries"]


def test_the_capture_of_texts_is_switched(client: ApiClient) -> None:
    assert client.set_capture(True) is True
    assert client.capture() is True


def test_a_viewer_is_refused_when_they_decide(world: World) -> None:
    world.add_stable("1.0.0", PEOPLE)
    with world.api(None) as http, pytest.raises(ApiError, match="engineer") as raised:
        ApiClient(http, api_key=world.key("viewer")).promote("1.0.0")
    assert raised.value.status == 403
