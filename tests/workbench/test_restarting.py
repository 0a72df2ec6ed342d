"""A restart of everything that was asked for from elsewhere: real processes, each well before the next one's turn."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from ner.errors import NerError
from ner.settings import Settings
from tests.running import wait_until
from tests.workbench.test_launcher import _settings, _sleeper
from workbench import launcher, restarting
from workbench.launcher import Process
from workbench.restarting import Restarts, ask, outcome


@pytest.fixture
def children(tmp_path: Path) -> Iterator[list[Process]]:
    made = []
    for name in ("api-1", "api-2", "gateway"):
        (tmp_path / name).mkdir()
        made.append(_sleeper(tmp_path / name))
        made[-1].name = name
        made[-1].start()
    yield made
    launcher.stop(made)


def _pids(children: list[Process]) -> list[int]:
    return [process.child.pid for process in children if process.child]


def _asked(settings: Settings, restarts: Restarts) -> "Future[None]":
    """Ask from another thread, and be the launcher in this one: it is where signals arrive."""
    with ThreadPoolExecutor(1) as elsewhere:
        asking = elsewhere.submit(ask, settings)

        def is_answered() -> bool:
            restarts.take()
            return asking.done()

        wait_until(is_answered, what="an answer")
    return asking


def test_every_process_but_the_gateway_is_started_anew_one_after_another(
    children: list[Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarting, "FAIL_TIMEOUT_SECONDS", -1)
    settings, said, well = _settings(tmp_path), [], []
    before = _pids(children)
    for process in children:
        process.is_healthy = lambda process=process: well.append(process.name) is None  # type: ignore[misc]
    with launcher.sole_launcher(settings):
        restarts = Restarts(children, settings.home, said.append)
        for _ in range(2):
            _asked(settings, restarts).result()
    after = _pids(children)
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, False, True]
    assert well == ["api-1", "api-2"] * 2
    assert said == [f"The {name} process is restarted, as was asked." for name in ("api-1", "api-2") * 2]


def test_the_next_one_waits_until_the_gateway_asks_the_one_before_again(
    children: list[Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarting, "FAIL_TIMEOUT_SECONDS", 0)
    settings, turns = _settings(tmp_path), []
    with launcher.sole_launcher(settings):
        _asked(settings, Restarts(children, settings.home, lambda _: turns.append(time.monotonic()))).result()
    assert len(turns) == 2
    assert turns[1] - turns[0] >= 1


def test_the_others_are_left_alone_when_one_is_not_well_again(children: list[Process], tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    before = _pids(children)
    children[0].command = ["false"]
    children[0].is_healthy = lambda: False
    with launcher.sole_launcher(settings):
        asking = _asked(settings, Restarts(children, settings.home, lambda _: None))
    with pytest.raises(NerError, match="api-1 process is not well"):
        asking.result()
    assert _pids(children)[1:] == before[1:]


def test_without_a_launcher_it_is_said_who_restarts(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    with pytest.raises(NerError, match="kubectl rollout restart"):
        ask(settings)
    with launcher.sole_launcher(settings):
        pass
    with pytest.raises(NerError, match="kubectl rollout restart"):
        ask(settings)
    assert not outcome(settings.home).exists()


def test_a_second_launcher_leaves_the_id_of_the_first(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    with launcher.sole_launcher(settings):
        noted = (settings.home / "up.lock").read_text()
        with pytest.raises(NerError), launcher.sole_launcher(settings):
            pass
        assert (settings.home / "up.lock").read_text() == noted
