"""What a process still holds after its reports: the drift report, eight at a time, five times over.

python -m tests.benchmarks.report_memory [--home FOLDER]
"""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

import httpx

from tests.benchmarks.contestants import ours
from tests.benchmarks.servers import clean_up_when_stopped, running
from tests.benchmarks.serving import Range

_AT_ONCE, _TIMES = 8, 5
_REPORT = "/api/v1/drift?hours=24"


async def ask(port: int, key: str) -> None:
    """Eight reports at once; each has to come."""
    headers = {"X-API-Key": key}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=300, headers=headers) as client:
        for answer in await asyncio.gather(*(client.get(_REPORT) for _ in range(_AT_ONCE))):
            answer.raise_for_status()


def main() -> None:
    """Print the process's memory at the start and after each time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    clean_up_when_stopped()
    with tempfile.TemporaryDirectory(prefix="ner-memory-") as folder:
        scratch = Path(folder)
        range_ = Range(given.home or scratch / "home", scratch)
        with running(ours(range_.home), scratch) as server:
            megabytes = [round(server.megabytes())]
            for _ in range(_TIMES):
                asyncio.run(ask(server.port, range_.key))
                megabytes.append(round(server.megabytes()))
    print(json.dumps({"reports": _AT_ONCE * _TIMES, "megabytes": megabytes}))


if __name__ == "__main__":
    main()
