"""What each page shows, and to whom, over the real API."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import workbench
from annotation.corrections import save_correction
from annotation.datasets import get_document, list_documents
from annotation.effort import note_effort
from annotation.votes import ask_people
from ner.documents import EntitySpan
from ner.roles import Role
from registry import runs
from registry.alerts import Severity, raise_alert
from registry.demos import list_demos
from registry.rollout import current_rollout
from registry.trials import latest_trial
from registry.versions import register
from tests.builders import a_version
from tests.dashboards.traffic_log import logged, write_log
from tests.workbench.world import BOTH, PLACES, TEXTS, World
from workbench import browser

PAGES = (
    *("try_it", "compare", "correct", "judge", "search", "sources", "guidelines", "agreement", "history", "snapshots"),
    *("train", "versions", "quality", "drift", "traffic", "alerts", "access"),
)
ENTRY = Path(workbench.__file__).parent / "entry" / "visit.py"


@contextmanager
def visiting(world: World, page: str, role: Role | None = "admin") -> Iterator[AppTest]:
    """One page as a visitor of that role sees it, already drawn once."""
    with world.api(role) as http:
        browser.connect(http)
        script = f"from workbench.browser import guarded\nfrom workbench.pages import {page}\nguarded({page}.page)()"
        yield AppTest.from_string(script, default_timeout=60).run()


def words(page: AppTest) -> str:
    """Everything that the page says."""
    parts = (page.markdown, page.html, page.caption, page.error, page.warning, page.info, page.success, page.title)
    said = [str(getattr(element, "value", "") or element.proto.body) for part in parts for element in part]
    return "\n".join(said + [f"{metric.label} {metric.value} {metric.delta}" for metric in page.metric])


@pytest.fixture
def two_versions(world: World) -> World:
    world.add_stable("1.0.0", PLACES)
    world.add_canary("1.1.0", BOTH)
    return world


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_to_do_next_when_there_is_nothing_yet(world: World, name: str) -> None:
    with visiting(world, name) as page:
        assert not page.exception
        assert not page.error
        assert "ner-empty" in words(page)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_to_sign_in_again_when_the_session_has_ended(two_versions: World, name: str) -> None:
    with visiting(two_versions, name, role=None) as page:
        assert not page.exception
        assert "sign in again" in words(page) or "For administrators" in words(page) or not page.button


def test_the_server_is_named_when_it_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NER_URL", "http://127.0.0.1:9")
    browser.connect(None)
    page = AppTest.from_file(ENTRY, default_timeout=60).run()
    assert "The server does not answer" in words(page)


def test_nobody_sees_more_than_the_sign_in_page(two_versions: World) -> None:
    with two_versions.api(None) as http:
        browser.connect(http)
        page = AppTest.from_file(ENTRY, default_timeout=60).run()
        assert [title.value for title in page.title] == ["Sign in"]
        assert "make up" in words(page)


def test_a_visitor_sees_who_answers_and_who_they_are(two_versions: World) -> None:
    with two_versions.api("viewer") as http:
        browser.connect(http)
        page = AppTest.from_file(ENTRY, default_timeout=60).run()
        assert page.title[0].value == "Try"
        beside = " ".join(element.value for element in [*page.sidebar.caption, *page.sidebar.markdown])
        assert "Stable **1.0.0**" in beside
        assert "Canary **1.1.0** at 20 %" in beside
        assert "viewer" in beside


# --- Try ---


def test_an_example_is_answered_with_marked_entities(two_versions: World) -> None:
    with visiting(two_versions, "try_it", "viewer") as page:
        page.selectbox(key="try_version").select("1.1.0")
        page.button(key="try_example_People and places").click().run()
        assert not page.exception
        assert "ner-entity" in words(page)
        table = page.dataframe[0].value
        assert list(table["Entity"]) == ["John", "Berlin"]


def test_the_same_call_is_shown_for_programs(two_versions: World) -> None:
    with visiting(two_versions, "try_it", "viewer") as page:
        page.text_area(key="try_text").input("it's in Oslo").run()
        shown = [code.value for code in page.code]
        assert any("/api/v1/ner/predict" in code and "X-API-Key" in code for code in shown)
        assert any("""'{"text": "it'"'"'s in Oslo"}'""" in code for code in shown)


def test_the_servers_sentence_is_shown_when_a_text_is_too_long(two_versions: World) -> None:
    with visiting(two_versions, "try_it", "viewer") as page:
        page.text_area(key="try_text").input("a" * 100_001).run()
        assert not page.exception
        assert "100,0" in page.error[0].value or "100000" in page.error[0].value


# --- Compare ---


def test_differences_on_a_text_are_named(two_versions: World) -> None:
    with visiting(two_versions, "compare", "viewer") as page:
        page.text_area(key="compare_text").input("Maria went to Oslo").run()
        assert "only in 1.1.0" in words(page)
        assert "<b>Maria</b> per" in words(page)


def test_a_dataset_is_compared_with_scores_and_a_verdict_in_words(two_versions: World) -> None:
    two_versions.add_dataset()
    with visiting(two_versions, "compare", "viewer") as page:
        page.segmented_control(key="compare_on").select("A dataset").run()
        page.button[0].click().run()
        assert not page.exception
        assert f"**{len(TEXTS)} of {len(TEXTS)} documents** differ" in words(page)
        assert "1.1.0 is better than 1.0.0" in words(page)


@pytest.mark.parametrize("name", ["news", "letters"])
def test_a_comparison_says_which_version_has_learned_the_texts(two_versions: World, name: str) -> None:
    """The versions of this world have learned from news."""
    two_versions.add_dataset(name)
    with visiting(two_versions, "compare", "viewer") as page:
        page.segmented_control(key="compare_on").select("A dataset").run()
        page.button[0].click().run()
        assert not page.exception
        assert ("1.0.0 and 1.1.0 learned from this dataset" in words(page)) == (name == "news")


def test_twice_the_same_version_is_no_comparison(two_versions: World) -> None:
    with visiting(two_versions, "compare", "viewer") as page:
        page.selectbox(key="compare_right").select("1.0.0").run()
        assert "Twice the same version" in words(page)


# --- Train ---


def test_a_started_run_waits_in_the_queue_and_is_cancelled(two_versions: World) -> None:
    two_versions.add_dataset()
    with visiting(two_versions, "train", "engineer") as page:
        next(button for button in page.button if button.label == "Start training").click().run()
        assert "the worker takes it up" in words(page)
        next(button for button in page.button if button.label == "Cancel").click().run()
        with two_versions.database.reading() as connection:
            assert [run.status for run in runs.list_runs(connection)] == ["cancelled"]


def test_changed_parameters_alone_are_sent(two_versions: World) -> None:
    two_versions.add_dataset()
    with visiting(two_versions, "train", "engineer") as page:
        recipe = page.selectbox(key="train_recipe").value
        field = next(one for one in page.number_input if one.key == f"train_{recipe}_epochs")
        field.set_value(2)
        next(button for button in page.button if button.label == "Start training").click().run()
        with two_versions.database.reading() as connection:
            assert runs.list_runs(connection)[0].parameters == {"epochs": 2}


def test_the_loss_the_f1_and_the_time_left_are_shown_while_a_run_works(two_versions: World) -> None:
    two_versions.add_dataset()
    history = [{"epoch": epoch, "loss": 1 / epoch, "f1": 0.5, "seconds": 3.0} for epoch in (1, 2)]
    with two_versions.database.transaction() as connection:
        runs.request_run(connection, "news", "bilstm_crf.v1", {}, "ada")
        claimed = runs.claim_run(connection, "a worker")
        assert claimed is not None
        progress = runs.Progress(
            stage="learning", fraction=0.4, epoch=2, epochs=5, loss=0.5, f1=0.5, seconds_left=90, history=history
        )
        runs.heartbeat(connection, claimed, progress)
    with visiting(two_versions, "train", "engineer") as page:
        assert not page.exception
        shown = {metric.label: metric.value for metric in page.metric}
        assert shown == {"Epoch": "2 of 5", "Loss": "0.5", "F1 (dev)": "0.500", "Time left": "1 min 30 s"}


def test_what_the_checks_of_the_data_found_is_shown_with_what_to_do(two_versions: World) -> None:
    two_versions.add_dataset()
    finding = {
        "kind": "few entities of a label",
        "severity": "warns",
        "count": 1,
        "examples": ["art: 3 in train, 0 in dev, 1 in test"],
        "advice": "Label more documents that hold it.",
    }
    with two_versions.database.transaction() as connection:
        run = runs.request_run(connection, "news", "bilstm_crf.v1", {}, "ada")
        claimed = runs.claim_run(connection, "a worker")
        assert claimed is not None
        runs.note_findings(connection, claimed, [finding])
        runs.give_up(connection, claimed, "its worker died")
        again = runs.claim_run(connection, "a worker")
        assert again is not None
        runs.heartbeat(connection, again, runs.Progress(stage="training", epoch=3, epochs=5, epochs_before=2))
    with visiting(two_versions, "train", "engineer") as page:
        assert not page.exception
        assert "Few entities of a label" in words(page)
        assert "Label more documents that hold it." in words(page)
        assert "Attempt 2: the process of the one before died, and it goes on after epoch 2." in words(page)
    with two_versions.api("viewer") as http:
        assert http.get(f"/api/v1/runs/{run.id}").json()["findings"] == [finding]


# --- Correct ---


def _editor(page: AppTest) -> dict[str, object]:
    (component,) = page.get("bidi_component")
    return dict(json.loads(component.proto.mixed.json if component.proto.HasField("mixed") else component.proto.json))


def test_the_editor_is_given_the_dataset_and_what_its_person_may_do(two_versions: World) -> None:
    two_versions.add_dataset()
    with visiting(two_versions, "correct", "annotator") as page:
        assert not page.exception
        given = _editor(page)
        assert (given["dataset"], given["source"], given["mayAddLabels"]) == ("news", None, False)
    with visiting(two_versions, "correct", "reviewer") as page:
        assert _editor(page)["mayAddLabels"] is True


def test_traffic_is_corrected_too_and_the_page_says_when_none_is_kept(two_versions: World) -> None:
    two_versions.add_dataset()
    with visiting(two_versions, "correct") as page:
        page.selectbox(key="correct_basis").set_value("Traffic with low confidence").run()
        assert _editor(page)["source"] == "traffic"
        assert "No text of traffic is kept" in words(page)


def test_the_order_of_work_is_chosen_and_decisions_are_for_reviewers(two_versions: World) -> None:
    two_versions.add_dataset()
    with visiting(two_versions, "correct", "annotator") as page:
        assert page.button_group[0].options == ["As they come", "Least sure"]
    with visiting(two_versions, "correct", "reviewer") as page:
        assert "Disagreements" in page.button_group[0].options


# --- Agreement ---


def test_people_are_compared_in_pairs(two_versions: World) -> None:
    two_versions.add_dataset()
    with two_versions.database.transaction() as connection:
        ask_people(connection, "news", 2, "ada")
        document = list_documents(connection, "news")[0][0]
        for author, spans in (("ada", document.spans), ("bo", document.spans[:1])):
            save_correction(
                connection,
                document.id,
                base_revision=document.revision,
                spans=spans,
                operation_id=f"said by {author}",
                author=author,
            )
    with visiting(two_versions, "agreement", "reviewer") as page:
        assert not page.exception
        assert list(page.dataframe[0].value["People"]) == ["ada and bo"]
        assert "Wait for a decision 1" in words(page)


# --- Versions ---


def test_the_card_says_how_the_version_was_judged(two_versions: World) -> None:
    gate = {"outcome": "fail", "reasons": ["1 must-pass examples are answered wrongly: “Ada in Oslo”."]}
    broken = [{"text": "Ada in Oslo", "expected": [[0, 3, "per"]], "found": []}]
    two_versions.add_version("1.2.0", {}, gate=gate, behaviour={"examples": 2, "broken": broken})
    with visiting(two_versions, "versions", "viewer") as page:
        assert not page.exception
        shown = words(page)
        assert "1 must-pass examples are answered wrongly" in shown
        assert "Must-pass examples: 1 of 2 answered rightly." in shown
        tables = [list(frame.value.columns) for frame in page.dataframe]
        assert ["Scheme", "F1", "Precision", "Recall", "Right when"] in tables
        assert ["Broken example", "Expected", "Found"] in tables
    with two_versions.api("viewer") as http:
        card = http.get("/api/v1/versions/1.2.0").json()
    assert card["gate"] == gate
    assert set(card["schemes"]) == {"strict", "exact", "partial", "type"}
    assert card["must_pass"]["broken"][0]["expected"] == [{"start": 0, "end": 3, "label": "per", "text": "Ada"}]


def _press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def _rollout(world: World) -> tuple[str | None, str | None, float]:
    with world.database.reading() as connection:
        state = current_rollout(connection)
    return state.stable, state.canary, state.percent


@contextmanager
def deciding(world: World, call: str) -> Iterator[AppTest]:
    """A dialog of its own, for this tester draws a page anew where a browser draws the open dialog alone."""
    with world.api("engineer") as http:
        browser.connect(http)
        script = f"from workbench.browser import api\nfrom workbench.rollout_dialogs import *\n{call}"
        yield AppTest.from_string(script, default_timeout=60).run()


def test_the_canary_is_promoted_with_one_confirmation_and_its_reason(two_versions: World) -> None:
    with deciding(two_versions, "ask_promotion('1.1.0', api().rollout())") as page:
        assert "**1.0.0** is kept as the previous version" in words(page)
        page.text_input(key="rollout_reason").input("better on every label")
        page.button(key="rollout_confirm").click().run()
    assert _rollout(two_versions) == ("1.1.0", None, 0)
    with two_versions.database.reading() as connection:
        assert current_rollout(connection).reason == "better on every label"


def test_the_canary_is_taken_out_with_one_confirmation(two_versions: World) -> None:
    with deciding(two_versions, "ask_rollback(api().rollout())") as page:
        page.button(key="rollout_confirm").click().run()
    assert _rollout(two_versions) == ("1.0.0", None, 0)


def test_an_automatic_rollout_is_started_and_stopped_in_the_browser_with_a_reason(two_versions: World) -> None:
    with deciding(two_versions, "ask_canary('1.1.0', api().rollout())") as page:
        page.segmented_control(key="canary_way").select("policy").run()
        said = words(page)
        assert "**5 → 25 → 50 → 75 → 100 %**" in said
        assert "- P95 latency: 95\u00a0% of answers within 200 ms; else investigated" in said
        page.text_input(key="rollout_reason").input("better on every label")
        page.button(key="rollout_confirm").click().run()
    with visiting(two_versions, "versions", "engineer") as page:
        assert not page.exception
        assert [one.value for one in page.subheader if "Automatic" in one.value] == ["Automatic rollout of 1.1.0"]
        said = words(page)
        assert "Step 1 of 5 · 5 % of the traffic · bakes for 2" in said
        assert list(page.table[0].value["Criterion"]) == [
            *("Error rate", "P95 latency", "P99 latency", "Drop of F1", "Memory use"),
        ]
        assert "error_rate" not in said
    with deciding(two_versions, "ask_to_stop(api().trial()['automatic'])") as page:
        page.text_input(key="rollout_reason").input("I want to look")
        page.button(key="rollout_confirm").click().run()
    with two_versions.database.reading() as connection:
        ended = latest_trial(connection)
    assert ended is not None
    assert (ended.status, ended.sentence.endswith("stopped the automatic rollout: I want to look.")) == (
        "stood_back",
        True,
    )


def test_a_policy_that_cannot_be_is_refused_in_the_dialog(two_versions: World) -> None:
    with deciding(two_versions, "ask_canary('1.1.0', api().rollout())") as page:
        page.segmented_control(key="canary_way").select("policy").run()
        page.text_area(key="trial_policy").input("steps_percent: [5]")
        page.button(key="rollout_confirm").click().run()
        assert "bake must hold the keys" in page.error[0].value


def test_the_canarys_share_is_set(two_versions: World) -> None:
    with deciding(two_versions, "ask_canary('1.1.0', api().rollout())") as page:
        page.slider[0].set_value(35.0).run()
        page.button(key="rollout_confirm").click().run()
    assert _rollout(two_versions) == ("1.0.0", "1.1.0", 35)


def test_the_dialog_says_why_when_the_server_refuses(two_versions: World) -> None:
    with deciding(two_versions, "ask_canary('1.0.0', api().rollout())") as page:
        page.segmented_control(key="canary_way").select("hand").run()
        page.button(key="rollout_confirm").click().run()
        assert "a canary must be another version" in page.error[0].value
    assert _rollout(two_versions) == ("1.0.0", "1.1.0", 20)


def test_nothing_is_decided_when_the_dialog_is_only_opened(two_versions: World) -> None:
    with visiting(two_versions, "versions", "engineer") as page:
        _press(page, "Promote")
    assert _rollout(two_versions) == ("1.0.0", "1.1.0", 20)


def test_a_viewer_sees_the_versions_and_no_decisions(two_versions: World) -> None:
    with visiting(two_versions, "versions", "viewer") as page:
        assert {"Stable", "Canary", "Previous"} <= {metric.label for metric in page.metric}
        assert list(page.dataframe[0].value["Version"]) == ["1.1.0", "1.0.0"]
        assert not {button.label for button in page.button} & {"Promote", "Share", "Take out", "Make a link"}


def test_a_demo_link_is_made_shown_and_listed(two_versions: World) -> None:
    with visiting(two_versions, "versions", "engineer") as page:
        _press(page, "Make a link")
        assert any("/demo/?token=" in code.value for code in page.code)
        assert "works" in list(page.dataframe[-1].value["State"])


# --- Quality, drift, traffic ---


def test_the_quality_of_the_stable_version_is_shown_with_its_interval(two_versions: World) -> None:
    with visiting(two_versions, "quality", "viewer") as page:
        assert not page.exception
        scores = {metric.label: (metric.value, metric.delta) for metric in page.metric}
        assert scores["Precision"][0] == "1.000"
        assert "–" in scores["F1"][1]


def test_drift_says_that_there_is_no_traffic(two_versions: World) -> None:
    with visiting(two_versions, "drift", "viewer") as page:
        assert "has answered nothing" in words(page)
        assert "No traffic in this time" in words(page)


def test_drift_and_traffic_are_drawn_when_requests_came_in(two_versions: World) -> None:
    with two_versions.api("viewer") as http:
        for text in TEXTS * 2:
            assert http.post("/api/v1/ner/predict", json={"text": text}).is_success
    with visiting(two_versions, "drift", "viewer") as page:
        assert not page.exception
        assert "Unknown words" in words(page)
        _press(page, "Documents")
        assert not page.exception
        assert "No text that you may read was kept." in words(page)
        assert "characters; " in page.dataframe[-1].value["Why"][0]
    with visiting(two_versions, "traffic", "viewer") as page:
        assert not page.exception
        assert f"Requests {2 * len(TEXTS)}" in words(page)
        page.session_state["traffic_parts"] = "Processes"
        page.run()
        assert not page.exception
        assert page.dataframe[-1].value["Models loaded"][0].startswith("1.0.0 in 0.0")
        assert "95\u00a0% of answers within 200 ms" in list(page.table[0].value["Limit"])


def test_traffic_says_that_the_stable_version_stood_in_for_the_canary(two_versions: World) -> None:
    failed = {"version": "1.1.0", "variant": "canary", "status": 500, "latency_ms": 1_000.0, "covered_by": "stable"}
    with two_versions.database.transaction() as connection:
        write_log(connection, [logged()] * 3 + [logged(**failed), logged(latency_ms=1_020.0, stood_in_for="canary")])
    with visiting(two_versions, "traffic", "viewer") as page:
        assert not page.exception
        assert "version 1.0.0 answered **once in place of the canary**" in words(page)
        assert "Requests 4" in words(page)
        assert "Server errors 0.00" in words(page)
        arms = page.dataframe[-1].value.set_index("As")
        assert list(arms.index) == ["stable", "stable in place of canary", "canary"]
        assert list(arms["Covered by another"]) == [0, 0, 1]
        assert list(arms["Share"]) == ["75.0\u00a0%", "25.0\u00a0%", "0.0\u00a0%"]


# --- Access ---


def test_a_key_is_shown_one_time(two_versions: World) -> None:
    with visiting(two_versions, "access") as page:
        next(field for field in page.text_input if field.label == "Name").input("robot")
        _press(page, "Make a key")
        key = page.code[0].value
        with two_versions.api(None) as http:
            assert http.get("/api/v1/session", headers={"X-API-Key": key}).json()["name"] == "robot"
        _press(page, "I have copied it")
        assert not page.code


def test_access_is_for_administrators(two_versions: World) -> None:
    with visiting(two_versions, "access", "engineer") as page:
        assert "For administrators" in words(page)
        assert not page.button


# --- the desk: search, sources, guidelines, history, snapshots ---


def test_labels_are_changed_after_a_preview_and_back(world: World) -> None:
    world.add_dataset()
    with visiting(world, "search", "reviewer") as page:
        assert "27 documents" in words(page)
        page.selectbox(key="change_kind").select("merge").run()
        page.multiselect(key="change_labels").select("per").run()
        page.selectbox(key="change_target").select("geo").run()
        page.button(key="change_preview").click().run()
        assert not page.exception
        assert "**27 documents** would change: 27 per." in words(page)
        next(button for button in page.button if button.label == "Make this change").click().run()
        assert "27 documents changed" in words(page)
        next(button for button in page.button if button.label == "Take it back").click().run()
        assert list(page.dataframe[-1].value["State"]) == ["taken back"]


def test_a_source_is_added_and_switched_off_on_the_page(world: World) -> None:
    world.add_dataset()
    with visiting(world, "sources", "engineer") as page:
        assert "endpoint" not in page.selectbox(key="source_kind").options
        page.selectbox(key="source_kind").select("pattern").run()
        page.text_input(key="source_name").input("numbers").run()
        next(field for field in page.text_input if field.label == "Pattern").input(r"\d+")
        next(button for button in page.button if button.label == "Save it").click().run()
        assert not page.exception
        assert "**numbers** · A pattern" in words(page)
        page.toggle[0].set_value(False).run()
        assert page.toggle[0].value is False


def test_a_guideline_is_written_with_examples_and_names_what_is_older(world: World) -> None:
    world.add_dataset()
    with visiting(world, "guidelines", "reviewer") as page:
        what, examples = page.text_area
        what.input("Places with a name.")
        examples.input("+ flew to [Oslo]\n- Oslo accords")
        next(button for button in page.button if button.label == "Write version 1").click().run()
        assert "does not fit" in page.warning[0].value
        page.text_area[1].input("+ flew to [Oslo]\n- the [Oslo] accords")
        next(button for button in page.button if button.label == "Write version 1").click().run()
        assert not page.exception
        assert "Places with a name." in words(page)
        assert any("27 settled documents older" in one.label for one in page.expander)


def test_a_snapshot_is_frozen_and_compared_with_the_one_before(world: World) -> None:
    world.add_dataset()
    with visiting(world, "snapshots", "engineer") as page:
        next(button for button in page.button if button.label == "Freeze it now").click().run()
        assert list(page.dataframe[0].value["Documents"]) == ["27"]
        with world.database.transaction() as connection:
            document = list_documents(connection, "news")[0][0]
            save_correction(
                connection, document.id, base_revision=1, spans=[], operation_id="a correction", author="bo"
            )
        next(button for button in page.button if button.label == "Freeze it now").click().run()
        assert not page.exception
        assert "1 document changed" in words(page)


def test_only_an_administrator_is_offered_to_erase_a_text(world: World) -> None:
    world.add_dataset()
    with world.database.reading() as connection:
        document = list_documents(connection, "news")[0][0]
    for role, may in (("reviewer", False), ("admin", True)):
        with visiting(world, "history", role) as page:  # type: ignore[arg-type]
            page.text_input(key="history_document").input(document.id).run()
            assert not page.exception
            assert any("Erase" in one.label for one in page.expander) is may
    assert document.text in "\n".join(TEXTS)


def test_habits_and_checks_are_on_the_page_of_agreement(world: World) -> None:
    world.add_dataset()
    with world.database.transaction() as connection:
        document = list_documents(connection, "news")[0][0]
        note_effort(
            connection,
            "operation 1",
            document.id,
            "bo",
            active_ms=4000,
            key_presses=3,
            characters=30,
            shown=[],
            answer=[],
        )
    with visiting(world, "agreement", "engineer") as page:
        assert not page.exception
        table = page.dataframe[-1].value
        assert (list(table["Person"]), list(table["Keys an answer"])) == (["bo"], [3.0])
        page.number_input(key="habits_percent").set_value(10).run()
        page.button(key="habits_set").click().run()
        assert "No document comes" not in words(page)


def test_gamma_is_measured_when_somebody_asks_for_it(world: World) -> None:
    world.add_dataset()
    with world.database.transaction() as connection:
        ask_people(connection, "news", 3, "eve")
        document = list_documents(connection, "news")[0][0]
        for author, spans in (("ada", [EntitySpan(0, 4, "per")]), ("bo", [EntitySpan(0, 4, "geo")])):
            save_correction(
                connection,
                document.id,
                base_revision=get_document(connection, document.id).revision,
                spans=spans,
                operation_id=f"correct as {author}",
                author=author,
            )
    with visiting(world, "agreement", "reviewer") as page:
        assert not any(one.label == "Gamma of everybody" for one in page.metric)
        page.button(key="gamma_measure").click().run()
        assert not page.exception
        measured = next(one for one in page.metric if one.label == "Gamma of everybody")
        assert "±" in measured.value
        assert any("ada and bo" in list(table.value.get("Of", [])) for table in page.dataframe)
        assert document.text in list(page.dataframe[2].value["Text"])


def test_the_train_page_says_what_more_text_was_worth(two_versions: World) -> None:
    two_versions.add_dataset()
    with two_versions.database.transaction() as connection:
        for version, documents in (("2.0.0", 100), ("2.1.0", 200)):
            scores = {"f1": 0.8, "f1_interval": [0.79, 0.81], "splits": {"train": documents}}
            record = a_version(version, performance=scores, package_hash=version, dataset="news", recipe="spacy_cnn.v1")
            register(connection, record)
    with visiting(two_versions, "train", "engineer") as page:
        page.selectbox(key="train_recipe").select("spacy_cnn.v1").run()
        assert not page.exception
        assert any("Twice as much text brought +0.0 points" in one.label for one in page.expander)


# --- alerts ---


def _raise(world: World, kind: str = "HighErrorRate", severity: Severity = "critical", subject: str = "1.0.0") -> None:
    with world.database.transaction() as connection:
        raise_alert(connection, kind, severity, "Version 1.0.0 fails at 12 % of its texts.", subject=subject)


def test_an_alert_is_shown_until_somebody_looks_after_it(two_versions: World) -> None:
    _raise(two_versions)
    with visiting(two_versions, "alerts", role="engineer") as page:
        assert "High error rate" in words(page)
        assert page.text[0].value == "Version 1.0.0 fails at 12 % of its texts."
        next(button for button in page.button if button.label == "I look after it").click().run()
        assert not [button for button in page.button if button.label == "I look after it"]
        assert "looked after by engineer" in words(page)


def test_a_viewer_sees_alerts_and_cannot_take_them(two_versions: World) -> None:
    _raise(two_versions)
    with visiting(two_versions, "alerts", role="viewer") as page:
        assert "High error rate" in words(page)
        assert not page.button
        assert "Webhooks are for engineers" in words(page)


def test_an_alert_stands_on_top_of_every_page_until_somebody_looks_after_it(two_versions: World) -> None:
    _raise(two_versions, "DataDrift", "warning")
    _raise(two_versions)
    _raise(two_versions, "Note", "info")
    with two_versions.api("engineer") as http:
        browser.connect(http)
        page = AppTest.from_file(str(ENTRY), default_timeout=60).run()
        assert [text.value for text in page.text] == ["Version 1.0.0 fails at 12 % of its texts. And 1 more."]
        for alert in http.get("/api/v1/alerts").json()["alerts"]:
            http.post(f"/api/v1/alerts/{alert['id']}/acknowledge")
        assert not page.run().text


def test_a_webhook_is_refused_in_words_when_it_leads_into_the_private_network(two_versions: World) -> None:
    with visiting(two_versions, "alerts") as page:
        page.text_input[0].set_value("chat")
        page.text_input[1].set_value("https://127.0.0.1/hook")
        next(button for button in page.button if button.label == "Add").click().run()
        assert "private network" in words(page)


def test_a_webhook_is_made_and_its_secret_shown_once(two_versions: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.webhooks.resolve", lambda url, **_: url)
    with visiting(two_versions, "alerts") as page:
        page.text_input[0].set_value("chat")
        page.text_input[1].set_value("https://chat.example/hook")
        next(button for button in page.button if button.label == "Add").click().run()
        (secret,) = [code.value for code in page.code]
        assert secret.startswith("whsec_")
        assert "chat.example/hook · never told yet" in words(page)
        next(button for button in page.button if button.label == "I have copied it").click().run()
        assert not page.code


def test_one_click_makes_a_demo_of_stable_against_canary(two_versions: World) -> None:
    with visiting(two_versions, "versions") as page:
        next(button for button in page.button if button.label == "Show stable against canary").click().run()
        assert any("/demo/?token=" in code.value for code in page.code)
        with two_versions.database.reading() as connection:
            (demo,) = list_demos(connection)
        assert (demo.version, demo.compared_with) == ("1.0.0", "1.1.0")
