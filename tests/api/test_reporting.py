"""What an API process says of itself."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from api.reporting import memory_share
from ner.database import utc_now
from registry.process_reports import ProcessReport, fresh_reports
from tests.api.rooms import Room


def _reports(room: Room) -> list[ProcessReport]:
    with room.database.reading() as connection:
        return fresh_reports(connection, utc_now())


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "What was waited for did not happen."
        pause.wait(0.02)


def test_a_process_reports_what_it_follows_and_how_full_it_is_while_it_lives(light_room: Room) -> None:
    epoch = light_room.app.state.wiring.serving.lineup.rollout.epoch
    _until(lambda: [report.epoch for report in _reports(light_room)] == [epoch])
    (report,) = _reports(light_room)
    assert report.memory_share is not None
    assert 0 < report.memory_share < 1
    light_room.canary("1.1.0", 5)
    _until(lambda: [report.epoch for report in _reports(light_room)] == [epoch + 1])
    light_room.app.state.wiring.reporter.stop()
    assert _reports(light_room) == []


@pytest.mark.parametrize(
    ("files", "share"),
    [
        ({"memory.max": "1000\n", "memory.current": "700\n", "memory.stat": "anon 1\ninactive_file 200\n"}, 0.5),
        ({"memory.max": "1000\n", "memory.current": "100\n", "memory.stat": "inactive_file 200\n"}, 0.0),
        ({}, None),
    ],
)
def test_memory_is_the_part_of_the_containers_limit_when_there_is_one(
    files: dict[str, str], share: float | None, tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert memory_share(tmp_path, tmp_path / "no proc") == share


def test_memory_is_the_part_of_the_machine_when_there_is_no_limit(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    share = memory_share(tmp_path)
    assert share is None or 0 < share < 1
