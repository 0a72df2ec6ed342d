"""`make smoke URL=…`: what callers need of a running installation, asked from outside.

    NER_API_KEY=… python -m tests.smoke URL [--seconds 60] [--certificate FILE]

Checks what must answer, then predicts for `--seconds`. Exit code 1 where a check fails, more than 1 % of the
predictions do, or their 95th percentile is above 200 ms: the limits of the rollout policy.
"""

import argparse
import os
import ssl
import statistics
import sys
import time
from collections.abc import Callable

import httpx

_TEXT = "John lives in New York"
_MOST_FAILED, _P95_MS = 0.01, 200.0


def main() -> None:
    """Run every check, print one line for each, and end with 1 where one failed."""
    given = _arguments()
    trust: ssl.SSLContext | bool = ssl.create_default_context(cafile=given.certificate) if given.certificate else True
    key = {"X-API-Key": os.environ.get("NER_API_KEY", "")}
    with httpx.Client(base_url=given.url, headers=key, verify=trust, timeout=30) as client:
        failures = [line for line in (_try(name, check, client) for name, check in CHECKS.items()) if line]
        failures += _predict(client, given.seconds)
    for line in failures:
        print(f"FAIL  {line}")
    sys.exit(1 if failures else 0)


def _is_healthy(client: httpx.Client) -> bool:
    return bool(client.get("/api/v1/ner/health").raise_for_status().json()["status"] == "healthy")


def _finds_entities(client: httpx.Client) -> bool:
    answer = client.post("/api/v1/ner/predict", json={"text": _TEXT}).raise_for_status().json()
    return all(_TEXT[one["start"] : one["end"]] == one["text"] for one in answer["entities"])


def _refuses_strangers(client: httpx.Client) -> bool:
    answer = client.post("/api/v1/ner/predict", json={"text": _TEXT}, headers={"X-API-Key": "ner_nobody"})
    return answer.status_code in {401, 429}


def _shows_screens(client: httpx.Client) -> bool:
    return all(client.get(path).status_code == 200 for path in ("/", "/docs", "/_stcore/health"))


CHECKS: dict[str, Callable[[httpx.Client], bool]] = {
    "the API is healthy": _is_healthy,
    "a text is answered": _finds_entities,
    "a wrong key is refused": _refuses_strangers,
    "the screens and the documentation open": _shows_screens,
}


def _try(name: str, check: Callable[[httpx.Client], bool], client: httpx.Client) -> str:
    try:
        is_so, why = check(client), ""
    except (httpx.HTTPError, ValueError, KeyError) as error:
        is_so, why = False, f" ({error})"
    print(f"{'ok  ' if is_so else 'FAIL'}  {name}{why}")
    return "" if is_so else name + why


def _predict(client: httpx.Client, seconds: float) -> list[str]:
    ends, latencies, failed = time.monotonic() + seconds, [], 0
    while time.monotonic() < ends or len(latencies) < 20:
        began = time.perf_counter()
        try:
            failed += client.post("/api/v1/ner/predict", json={"text": f"{_TEXT}, {began}"}).status_code != 200
        except httpx.HTTPError:
            failed += 1
        latencies.append((time.perf_counter() - began) * 1000)
    p95 = statistics.quantiles(latencies, n=20)[-1]
    print(f"      {len(latencies)} predictions, {failed} failed, p95 {p95:.0f} ms")
    problems = []
    if failed > len(latencies) * _MOST_FAILED:
        problems.append(f"{failed} of {len(latencies)} predictions failed")
    if p95 > _P95_MS:
        problems.append(f"the 95th percentile is {p95:.0f} ms, above {_P95_MS:.0f} ms")
    return problems


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--certificate", help="PEM file to trust beside the system's: a self-signed one's")
    return parser.parse_args()


if __name__ == "__main__":
    main()
