"""The load that the API is made for: three predictions to one batch to one look at its health.

    NER_API_KEY=... locust -f tests/load/locustfile.py --host http://127.0.0.1:8000 --headless --load-profile peak

Throughput is constant: each user has one request due in each second, whatever the last one took, and latency counts
from the moment it was due. So the rate that is asked for is really offered, and a server that stalls is seen to stall.
"""

import itertools
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from locust import LoadTestShape, User, events, task
from locust.runners import WorkerRunner

from tests.load.connections import Connection
from tests.load.profiles import NAMES, Profile, is_broken
from tests.load.seconds import Seconds

_NAMES = ("John", "Barack Obama", "Angela Merkel", "Ada Lovelace", "Grace Hopper", "Nelson Mandela")
_PLACES = ("New York", "California", "Berlin", "Nairobi", "Kyoto", "São Paulo", "Reykjavik")
_FIRMS = ("Apple Inc", "Google", "YouTube", "Siemens", "Toyota", "Embraer")
_NUMBERS = itertools.count(1)
_CACHED_SHARE = float(os.environ.get("LOAD_CACHED_SHARE", "0"))
_PERIOD_SECONDS = 1.0
_WINDOW_SECONDS = 10
_SPAWNED_A_SECOND = 5_000.0
_SECONDS = Seconds()


@events.init_command_line_parser.add_listener
def _options(parser: Any) -> None:
    parser.add_argument("--load-profile", choices=NAMES, default="normal")
    parser.add_argument("--length", type=float, default=0.0, help="seconds of the profile, or of a step of 'stress'")
    parser.add_argument("--seconds-file", default="", help="where to write what came back, second by second")
    parser.add_argument("--key", env_var="NER_API_KEY", default="", help="an API key without a limit")


@events.report_to_master.add_listener
def _report(client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG001 - the event names its arguments
    data["seconds"] = _SECONDS.take()


@events.worker_report.add_listener
def _merge(client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG001 - the event names its arguments
    _SECONDS.merge(data.get("seconds", {}))


@events.quitting.add_listener
def _write(environment: Any, **_: Any) -> None:
    path = environment.parsed_options.seconds_file
    if path and not isinstance(environment.runner, WorkerRunner):
        shape = environment.shape_class
        Path(path).write_text(json.dumps({"began": shape.began, "broken": shape.broken, "seconds": _SECONDS.take()}))


def _sentence() -> str:
    """A new sentence, or with probability LOAD_CACHED_SHARE one that was sent before."""
    if random.random() < _CACHED_SHARE:
        return "John lives in New York."
    name, place, firm = random.choice(_NAMES), random.choice(_PLACES), random.choice(_FIRMS)
    # Several generators send to one server: the process's number keeps their sentences apart.
    return f"{name} of {firm} flew to {place} on flight {os.getpid()}-{next(_NUMBERS)} and met the board."


class ApiUser(User):
    """One caller, one request a second."""

    def on_start(self) -> None:
        self._connection = Connection(self.host or "", self.environment.parsed_options.key)
        # Users that were started together would ask in step for ever after, all in one millisecond of each second.
        self._due = time.time() + random.random() * _PERIOD_SECONDS
        gevent.sleep(self.wait_time())

    def on_stop(self) -> None:
        self._connection.close()

    def wait_time(self) -> float:
        """Seconds until the next request is due."""
        return max(0.0, self._due - time.time())

    @task(3)
    def predict(self) -> None:
        """One text."""
        self._ask("predict", lambda: self._connection.post("/api/v1/ner/predict", {"text": _sentence()}))

    @task(1)
    def batch(self) -> None:
        """Three texts."""
        texts = [_sentence() for _ in range(3)]
        self._ask("batch", lambda: self._connection.post("/api/v1/ner/batch", {"texts": texts}))

    @task(1)
    def health(self) -> None:
        """Is it well?"""
        self._ask("health", lambda: self._connection.get("/api/v1/ner/health"))

    def _ask(self, name: str, send: Callable[[], int]) -> None:
        due, self._due = self._due, self._due + _PERIOD_SECONDS
        try:
            status = send()
            failure = None if status == 200 else OSError(f"status {status}")
        except OSError as error:
            failure = error
        milliseconds = (time.time() - due) * 1000
        _SECONDS[int(due)].add(milliseconds, str(failure) if failure else None)
        self.environment.events.request.fire(
            request_type="HTTP", name=name, response_time=milliseconds, response_length=0, exception=failure, context={}
        )


class ProfileShape(LoadTestShape):
    """As many users as the profile asks for; "stress" ends where the server breaks."""

    use_common_options = True
    began = 0
    broken = False

    def tick(self) -> tuple[int, float] | None:
        """Users, and how many of them to start in a second; None ends the test."""
        if not self.began:
            # Seconds are counted by the clock: the first shall be a whole one.
            gevent.sleep(1 - time.time() % 1)
            self.began = int(time.time())
        options = self.runner.environment.parsed_options
        elapsed = time.time() - self.began
        phase = Profile(options.load_profile, options.length or None).phase_at(elapsed)
        if phase is None or (options.load_profile == "stress" and self._is_broken(elapsed - phase.start)):
            return None
        return round(phase.rate * _PERIOD_SECONDS), _SPAWNED_A_SECOND

    def _is_broken(self, within: float) -> bool:
        """By the last ten seconds, once all of them belong to this step or half of a shorter one does."""
        now = time.time()
        seen = _SECONDS.between(now - min(_WINDOW_SECONDS, within / 2), now)
        self.broken = is_broken(seen.failed_share, seen.p95)
        return self.broken
