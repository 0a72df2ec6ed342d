"""100,000 fuzzed requests against a real process: no answer of 500 or above, and no memory growth.

python -m tests.benchmarks.fuzz [--home FOLDER] [--count 100000]
"""

import argparse
import asyncio
import collections
import json
import os
import tempfile
from pathlib import Path
from random import Random

import httpx

from tests.benchmarks.contestants import ours
from tests.benchmarks.servers import clean_up_when_stopped, precede, running, takes_precedence
from tests.benchmarks.serving import Range
from tests.fuzzing import shots

_WORKERS = 8


async def fire(port: int, key: str, seed: int, count: int) -> collections.Counter[int]:
    """Send `count` requests and count the statuses; 0 where the connection broke."""
    statuses: collections.Counter[int] = collections.Counter()
    everything = iter(list(shots(Random(seed), count)))

    async def work(client: httpx.AsyncClient) -> None:
        for shot in everything:
            try:
                headers = shot.headers | {"X-API-Key": key}
                answer = await client.request(shot.method, shot.path, content=shot.body, headers=headers)
                statuses[answer.status_code] += 1
            except httpx.TransportError:
                statuses[0] += 1

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        await asyncio.gather(*(work(client) for _ in range(_WORKERS)))
    return statuses


def main() -> None:
    """Print the statuses, and the server's memory after each tenth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--count", type=int, default=100_000)
    given = parser.parse_args()
    clean_up_when_stopped()
    if takes_precedence():
        precede(os.getpid())
    with tempfile.TemporaryDirectory(prefix="ner-fuzz-") as folder:
        scratch = Path(folder)
        range_ = Range(given.home or scratch / "home", scratch)
        statuses: collections.Counter[int] = collections.Counter()
        megabytes = []
        with running(ours(range_.home), scratch) as server:
            for tenth in range(10):
                statuses += asyncio.run(fire(server.port, range_.key, tenth, given.count // 10))
                megabytes.append(round(server.megabytes()))
    counted = {str(status): count for status, count in sorted(statuses.items())}
    print(json.dumps({"requests": sum(statuses.values()), "statuses": counted, "megabytes": megabytes}))


if __name__ == "__main__":
    main()
