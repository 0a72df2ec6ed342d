"""`make load PROFILE=normal|peak|stress|spike`: a profile against an API process started for it, judged and drawn.

    python -m tests.load PROFILE [--seconds 3600] [--step 300] [--processes 1] [--home FOLDER] [--output build/load]

With --host and NER_API_KEY it runs against a server that is there. Writes PROFILE.md and PROFILE.svg. Exit code 1
where the verdict is "poor".
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.servers import Server, clean_up_when_stopped, precede, takes_precedence
from tests.load.drawing import draw
from tests.load.profiles import NAMES, Profile
from tests.load.report import failures_of, overall, summary, tables
from tests.load.seconds import Seconds
from tests.load.verdicts import judge
from tests.running import ROOT

_CORES = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Run:
    """What the generator saw, and what the machine did meanwhile."""

    seconds: Seconds
    began: int
    is_broken: bool
    machine: str


def main() -> None:
    """Run, judge, draw."""
    given = _arguments()
    clean_up_when_stopped()
    if takes_precedence():
        precede(os.getpid())
    profile = Profile(given.profile, given.step if given.profile == "stress" else given.seconds)
    with tempfile.TemporaryDirectory(prefix="ner-load-") as folder:
        scratch = Path(folder)
        if given.host:
            run = _fire(profile, given.processes, scratch, given.host, os.environ.get("NER_API_KEY", ""))
        else:
            # Against a server that is there nothing of the product need be loaded.
            from tests.load.own_server import own_server

            with own_server(given.home or scratch / "home", scratch) as (server, key):
                host = f"http://127.0.0.1:{server.port}"
                run = _fire(profile, given.processes, scratch, host, key, server)
    sys.exit(_report(profile, run, given.output))


def _fire(profile: Profile, processes: int, scratch: Path, host: str, key: str, server: Server | None = None) -> Run:
    path = scratch / "seconds.json"
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "tests" / "load" / "locustfile.py"), "--headless"]
    command += ["--host", host, "--load-profile", profile.name, "--length", str(profile.seconds or 0)]
    command += ["--seconds-file", str(path), "--only-summary", "--loglevel", "WARNING", "--stop-timeout", "5"]
    command += ["--processes", str(processes)] if processes > 1 else []
    began, load, used = time.monotonic(), os.getloadavg()[0], _generator_seconds()
    server_used = server.cpu_seconds() if server else 0.0
    environment = {**os.environ, "NER_API_KEY": key, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if not path.exists():
        raise RuntimeError(done.stderr[-2000:])
    elapsed = time.monotonic() - began
    machine = (
        f"{_CORES} processors, load average {load:.1f} before; generator {(_generator_seconds() - used) / elapsed:.0%}"
    )
    if server:
        machine += (
            f", server {(server.cpu_seconds() - server_used) / elapsed:.0%} of a processor, {server.megabytes():.0f} MB"
        )
    found = json.loads(path.read_text())
    seconds = Seconds()
    seconds.merge(found["seconds"])
    return Run(seconds, found["began"], found["broken"], machine)


def _generator_seconds() -> float:
    """Processor time of what this process started and has seen end; a server that still runs is not among it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _report(profile: Profile, run: Run, output: Path) -> int:
    verdicts = judge(profile, run.seconds, run.began)
    if not verdicts:
        print("Nothing was answered.", file=sys.stderr)
        return 1
    sentence = summary(profile, verdicts, run.seconds, run.began, run.is_broken)
    lines = [f"**{profile.name}**: {sentence}", "", *tables(profile, verdicts), ""]
    lines += [f"Failures: {failures_of(verdicts)}. Machine: {run.machine}."]
    output.mkdir(parents=True, exist_ok=True)
    (output / f"{profile.name}.md").write_text("\n".join(lines) + "\n")
    draw(output / f"{profile.name}.svg", profile, run.seconds, run.began)
    print("\n".join(lines))
    print(f"Drawn in {output / profile.name}.svg")
    return 1 if overall(profile, verdicts) == "poor" else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", choices=NAMES)
    parser.add_argument("--seconds", type=float, help="length of the profile; else what its name promises")
    parser.add_argument("--step", type=float, help="length of a step of 'stress'; else 300")
    parser.add_argument("--processes", type=int, default=1, help="generators, where one is not fast enough")
    parser.add_argument("--host", help="a server that is there; else one is started")
    parser.add_argument("--home", type=Path, help="an installation with a stable version; else one is trained")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "load")
    return parser.parse_args()


if __name__ == "__main__":
    main()
