"""What Prometheus is shown of the versions: read from the database off the path of any answer."""

import datetime as dt
import re

from ner.database import utc_now
from registry.heartbeats import WORKER, beat
from registry.standing import F1_ESTIMATE, F1_GOLD, VOCABULARY_OVERLAP, Figure, put_figures
from tests.api.rooms import BREAKS, Room


def samples(room: Room, name: str) -> dict[str, float]:
    """The samples of one metric, by their labels as they are written."""
    lines = room.client.get("/metrics").text.splitlines()
    found = (re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line) for line in lines)
    return {match[1] or "": float(match[2]) for match in found if match}


def of(**labels: str) -> str:
    """Labels as they are written: in the order of their names."""
    return ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))


STABLE, CANARY = of(version="1.0.0", variant="stable"), of(version="1.1.0", variant="canary")


def test_figures_are_shown_for_the_versions_that_serve_and_for_no_other(light_room: Room) -> None:
    light_room.canary("1.1.0", 5)
    moment = utc_now()
    with light_room.database.transaction() as connection:
        for version in ("1.0.0", "1.1.0", "0.1.0"):
            put_figures(connection, [Figure(version, F1_GOLD, 0.9, 0.88, 0.92, 400, moment)])
        put_figures(
            connection,
            [
                Figure("1.0.0", F1_ESTIMATE, 0.8, None, None, 50, moment),
                Figure("1.0.0", VOCABULARY_OVERLAP, 0.66, 0.6, 0.7, 50, moment),
                Figure("1.0.0", F1_GOLD, 0.91, 0.89, 0.93, 410, moment),
            ],
        )
        beat(connection, WORKER, moment)
        beat(connection, WORKER, moment + dt.timedelta(seconds=5))
    light_room.app.state.wiring.gauges.refresh()

    assert samples(light_room, "ner_version_f1") == {
        of(version="1.0.0", variant="stable", basis="gold"): 0.91,
        of(version="1.0.0", variant="stable", basis="estimate"): 0.8,
        of(version="1.1.0", variant="canary", basis="gold"): 0.9,
    }
    assert samples(light_room, "ner_version_f1_low") == {
        of(version="1.0.0", variant="stable", basis="gold"): 0.89,
        of(version="1.1.0", variant="canary", basis="gold"): 0.88,
    }
    assert samples(light_room, "ner_version_vocabulary_overlap") == {STABLE: 0.66}
    (measured,) = (
        value
        for labels, value in samples(light_room, "ner_version_figure_timestamp_seconds").items()
        if VOCABULARY_OVERLAP in labels
    )
    assert measured == moment.timestamp()
    (alive,) = samples(light_room, "ner_heartbeat_timestamp_seconds").values()
    assert alive == (moment + dt.timedelta(seconds=5)).timestamp()


def test_nothing_is_shown_of_what_is_not_known(light_room: Room) -> None:
    light_room.app.state.wiring.gauges.refresh()

    assert samples(light_room, "ner_version_f1") == {}
    assert samples(light_room, "ner_version_vocabulary_overlap") == {}


def test_a_version_that_is_named_and_not_loaded_is_shown_as_such(light_room: Room) -> None:
    light_room.canary("1.1.0", 5)
    (light_room.settings.artifacts / "versions" / "1.2.0").mkdir()
    light_room.version("1.2.0")
    package = light_room.settings.artifacts / "versions" / "1.2.0" / "words.json"
    package.write_text("broken")
    headers = light_room.headers("engineer")
    light_room.client.post("/api/v1/rollout/canary", json={"version": "1.2.0", "percent": 5}, headers=headers)

    assert samples(light_room, "ner_serving") == {
        STABLE: 1,
        of(version="1.2.0", variant="canary"): 0,
    }
    assert samples(light_room, "ner_database_up") == {"": 1}


def test_the_disk_and_the_process_are_shown(light_room: Room) -> None:
    (total,) = samples(light_room, "ner_disk_bytes").values()
    (free,) = samples(light_room, "ner_disk_free_bytes").values()
    assert 0 < free < total
    assert samples(light_room, "process_resident_memory_bytes")[""] > 1e6
    assert samples(light_room, "process_cpu_seconds_total")[""] > 0


def test_texts_are_counted_by_the_version_that_answered_and_the_one_that_failed(light_room: Room) -> None:
    light_room.canary("1.1.0", 100, breaks=True)
    for text in (f"John {BREAKS}", f"Ada {BREAKS}", "Ada in Berlin"):
        light_room.predict(text, light_room.headers())

    assert samples(light_room, "ner_answers_total") == {STABLE: 2, CANARY: 1}
    assert samples(light_room, "ner_answer_failures_total") == {CANARY: 2}
    assert samples(light_room, "ner_tokens_total") == {STABLE: 4, CANARY: 3}
    assert samples(light_room, "ner_unknown_tokens_total") == {STABLE: 2, CANARY: 1}
    buckets = samples(light_room, "ner_entity_confidence_bucket")
    assert buckets[of(le="0.8", version="1.1.0", variant="canary")] == 0
    assert buckets[of(le="1", version="1.1.0", variant="canary")] == 2
    assert buckets[of(le="+Inf", version="1.1.0", variant="canary")] == 2
