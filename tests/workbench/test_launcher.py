import os
import socket
import sys
from pathlib import Path

import pytest

from ner.errors import InvalidSetting
from ner.settings import Settings
from tests.running import free_port, wait_until
from workbench import launcher
from workbench.launcher import Process, ProcessFailed


def _settings(home: Path, **changes: object) -> Settings:
    return Settings(_env_file=None, home=home, port=free_port(), mlflow_port=free_port(), **changes)  # type: ignore


def _sleeper(folder: Path, *, healthy: bool = True, code: str = "import time; time.sleep(600)") -> Process:
    return Process("sleeper", [sys.executable, "-c", code], lambda: healthy, folder / "sleeper.log")


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_taken_port_is_one_sentence_that_names_the_setting(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    with socket.socket() as taken:
        taken.bind((settings.host, settings.port))
        taken.listen()
        with pytest.raises(InvalidSetting, match=f"NER_PORT is {settings.port}.*set NER_PORT to a free port"):
            launcher.check_ports(settings)
    launcher.check_ports(settings)


def test_one_port_for_two_servers_is_refused(tmp_path: Path) -> None:
    settings = _settings(tmp_path).model_copy(update={"mlflow_port": 8000, "port": 8000})
    with pytest.raises(InvalidSetting, match="give them different ports"):
        launcher.check_ports(settings)


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher.check_disk(_settings(tmp_path))
    monkeypatch.setattr(launcher, "_NEEDED_BYTES", 10**18)
    with pytest.raises(InvalidSetting, match="MB left; at least"):
        launcher.check_disk(_settings(tmp_path))


def test_a_second_launcher_on_the_same_home_is_refused(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    with launcher.sole_launcher(settings), pytest.raises(InvalidSetting, match="running already"):
        with launcher.sole_launcher(settings):
            pass
    with launcher.sole_launcher(settings):
        pass


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidSetting, match="cannot be written"), launcher.sole_launcher(_settings(tmp_path / "file")):
        pass


def test_stopping_leaves_no_process_even_when_one_ignores_the_signal(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    children = [_sleeper(tmp_path), _sleeper(tmp_path / "stubborn", code=stubborn)]
    for child in children:
        child.start()
    wait_until(lambda: "up" in children[1].last_lines(), what="the stubborn child")
    pids = [child.child.pid for child in children if child.child]
    launcher.stop(children)
    assert [pid for pid in pids if _is_running(pid)] == []


def test_waiting_fails_with_the_log_when_a_process_ends(tmp_path: Path) -> None:
    broken = _sleeper(tmp_path, healthy=False, code="raise SystemExit('no such table: versions')")
    broken.start()
    with pytest.raises(ProcessFailed, match="no such table: versions"):
        launcher.wait_until_healthy([broken], lambda _: None, timeout_seconds=60)


def test_waiting_fails_by_name_when_a_process_never_is_well(tmp_path: Path) -> None:
    silent = _sleeper(tmp_path, healthy=False)
    silent.start()
    with pytest.raises(ProcessFailed, match="Not healthy after 0 s: sleeper"):
        launcher.wait_until_healthy([silent], lambda _: None, timeout_seconds=0)
    launcher.stop([silent])


def test_a_process_that_was_killed_is_started_again(tmp_path: Path) -> None:
    child = _sleeper(tmp_path)
    child.start()
    said: list[str] = []
    launcher.look_after([child], said.append)
    assert said == []
    assert child.child is not None
    first = child.child.pid
    _kill(child)
    launcher.look_after([child], said.append)
    assert child.child.pid != first
    assert "is started again" in said[0]
    launcher.stop([child])


def test_one_that_keeps_failing_is_tried_now_and_then_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "_PAUSE_SECONDS", 60.0)
    failing, well = _sleeper(tmp_path, code="raise SystemExit('no such table: versions')"), _sleeper(tmp_path / "well")
    said: list[str] = []
    for child in (failing, well):
        child.start()
    for _ in range(10):
        assert failing.child is not None
        failing.child.wait(60)
        launcher.look_after([failing, well], said.append)
    assert len(said) == 5, "the sixth time it waits"
    failing.started = [moment - 60.0 for moment in failing.started]
    launcher.look_after([failing, well], said.append)
    assert "keeps failing; it is tried every 60 s, the others go on:" in said[-1]
    assert "no such table: versions" in said[-1]
    assert not well.has_ended()
    launcher.stop([failing, well])


def test_what_a_killed_process_started_is_gone_before_it_is_started_again(tmp_path: Path) -> None:
    code = (
        "import socket, subprocess, sys, time; held = socket.create_server(('127.0.0.1', int(sys.argv[1]))); "
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], pass_fds=[held.fileno()]); "
        "print('up', flush=True); time.sleep(600)"
    )
    child = _sleeper(tmp_path, code=code)
    child.command = [*child.command, str(free_port())]
    child.start()
    wait_until(lambda: child.last_lines().count("up") == 1, what="the first start")
    _kill(child)
    launcher.look_after([child], lambda _: None)
    wait_until(lambda: child.last_lines().count("up") == 2 or child.has_ended(), what="the second start")
    assert not child.has_ended(), child.last_lines()
    launcher.stop([child])


def test_a_socket_that_a_killed_process_left_does_not_keep_it_from_starting_again(tmp_path: Path) -> None:
    left = tmp_path / "left.sock"
    code = (
        "import socket, sys, time; held = socket.socket(socket.AF_UNIX); held.bind(sys.argv[1]); "
        "print('up', flush=True); time.sleep(600)"
    )
    child = _sleeper(tmp_path, code=code)
    child.command, child.leftovers = [*child.command, str(left)], (left,)
    child.start()
    wait_until(lambda: child.last_lines().count("up") == 1, what="the first start")
    _kill(child)
    launcher.look_after([child], lambda _: None)
    wait_until(lambda: child.last_lines().count("up") == 2 or child.has_ended(), what="the second start")
    assert not child.has_ended(), child.last_lines()
    launcher.stop([child])


def _kill(child: Process) -> None:
    assert child.child is not None
    os.kill(child.child.pid, 9)
    child.child.wait(30)
