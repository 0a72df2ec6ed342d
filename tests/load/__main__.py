"""`make load-test`, `make stress-test`, `make spike-test`: a profile against an API process started for it.

    python -m tests.load PROFILE [--home FOLDER] [--rate 500] [--seconds 120] [--step-seconds 300] [--json FILE]

With --host and NER_API_KEY it runs against a server that is there. Writes the figures beside their limits.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.contestants import ours
from tests.benchmarks.servers import clean_up_when_stopped, precede, running, takes_precedence
from tests.benchmarks.serving import Range
from tests.running import ROOT

_LIMITS_MS = {"50%": 50, "95%": 150, "99%": 300}
_MOST_FAILED = 0.001


def main() -> None:
    """Run one profile. Exit code 1 where the profile "load" misses a limit."""
    given = _arguments()
    clean_up_when_stopped()
    if takes_precedence():
        precede(os.getpid())
    with tempfile.TemporaryDirectory(prefix="ner-load-") as folder:
        scratch = Path(folder)
        if given.host:
            figures = _locust(given, scratch, given.host, os.environ.get("NER_API_KEY", ""))
        else:
            range_ = Range(given.home or scratch / "home", scratch)
            with running(ours(range_.home), scratch) as server:
                figures = _locust(given, scratch, f"http://127.0.0.1:{server.port}", range_.key)
                figures["server_megabytes"] = round(server.megabytes())
    print(json.dumps(figures, indent=1))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))
    sys.exit(0 if given.profile != "load" or figures["within_limits"] else 1)


def _locust(given: argparse.Namespace, scratch: Path, host: str, key: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "tests" / "load" / "locustfile.py"), "--headless"]
    command += ["--host", host, "--load-profile", given.profile, "--rate", str(given.rate), "--only-summary"]
    command += ["--seconds", str(given.seconds), "--step-seconds", str(given.step_seconds)]
    command += ["--csv", str(scratch / "figures")]
    environment = {**os.environ, "NER_API_KEY": key, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if not (scratch / "figures_stats.csv").exists():
        raise RuntimeError(done.stderr[-2000:])
    found = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Breaking point")]
    with (scratch / "figures_stats.csv").open() as stream:
        rows = {row["Name"]: row for row in csv.DictReader(stream)}
    total = rows["Aggregated"]
    requests, failed = int(total["Request Count"]), int(total["Failure Count"])
    latencies = {name: float(total[name]) for name in _LIMITS_MS}
    is_within = failed <= requests * _MOST_FAILED and all(latencies[name] < most for name, most in _LIMITS_MS.items())
    return {
        "profile": given.profile,
        "requests": requests,
        "requests_per_second": round(float(total["Requests/s"]), 1),
        "failed_share": failed / max(requests, 1),
        "latency_ms": latencies,
        "within_limits": is_within,
        "breaking_point": found[0] if found else None,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", choices=("load", "stress", "spike"))
    parser.add_argument("--host", help="a server that is there; else one is started")
    parser.add_argument("--home", type=Path, help="an installation with a stable version; else one is trained")
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--step-seconds", type=int, default=300)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
