"""The load that the API is made for: three predictions to one batch to one look at its health.

    locust -f tests/load/locustfile.py --host http://127.0.0.1:8000 --headless --load-profile load

Throughput is constant: each user sends ten requests a second whatever the answers take, so that the rate that is asked
for is really offered, and a server that stalls is seen to stall. Profiles are shapes (`shapes.py`).
"""

import itertools
import os
import random
from typing import Any

import gevent
from locust import FastHttpUser, constant_throughput, events, task

from tests.load.shapes import REQUESTS_A_USER, ProfileShape

__all__ = ["ApiUser", "ProfileShape"]

_NAMES = ("John", "Barack Obama", "Angela Merkel", "Ada Lovelace", "Grace Hopper", "Nelson Mandela")
_PLACES = ("New York", "California", "Berlin", "Nairobi", "Kyoto", "São Paulo", "Reykjavik")
_FIRMS = ("Apple Inc", "Google", "YouTube", "Siemens", "Toyota", "Embraer")
_NUMBERS = itertools.count()
_CACHED_SHARE = float(os.environ.get("LOAD_CACHED_SHARE", "0"))


@events.init_command_line_parser.add_listener
def _options(parser: Any) -> None:
    parser.add_argument("--load-profile", choices=("load", "stress", "spike"), default="load")
    parser.add_argument("--rate", type=int, default=500, help="requests a second of the profile 'load'")
    parser.add_argument("--seconds", type=int, default=120, help="how long the profile 'load' lasts")
    parser.add_argument("--step-seconds", type=int, default=300, help="how long a step of 'stress' lasts")
    parser.add_argument("--key", env_var="NER_API_KEY", default="", help="an API key without a limit")


def _sentence() -> str:
    """A new sentence, or with probability LOAD_CACHED_SHARE one that was sent before."""
    number = 0 if random.random() < _CACHED_SHARE else next(_NUMBERS)
    name, place, firm = random.choice(_NAMES), random.choice(_PLACES), random.choice(_FIRMS)
    return f"{name} of {firm} flew to {place} on flight {number} and met the board." if number else f"{name} is here."


class ApiUser(FastHttpUser):
    """One caller, ten requests a second."""

    wait_time = constant_throughput(REQUESTS_A_USER)
    network_timeout = 10
    connection_timeout = 10

    def on_start(self) -> None:
        self._headers = {"X-API-Key": self.environment.parsed_options.key}
        # Users that were started together would ask in step for ever after, all in one millisecond of each second.
        gevent.sleep(random.random() / REQUESTS_A_USER)

    @task(3)
    def predict(self) -> None:
        """One text."""
        self.client.post("/api/v1/ner/predict", json={"text": _sentence()}, headers=self._headers)

    @task(1)
    def batch(self) -> None:
        """Three texts."""
        self.client.post("/api/v1/ner/batch", json={"texts": [_sentence() for _ in range(3)]}, headers=self._headers)

    @task(1)
    def health(self) -> None:
        """Is it well?"""
        self.client.get("/api/v1/ner/health")
