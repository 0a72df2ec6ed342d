"""A real API process, Prometheus and Alertmanager beside each other on free ports, with the configuration in `deploy`
shortened: seconds in the place of minutes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.conftest import missing
from tests.running import ROOT, free_port, wait_until

FOLDER = ROOT / "deploy" / "monitoring"
_SECONDS = 240


def binary(name: str) -> str:
    """A Debian package's program; the test is skipped where it is not installed."""
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is not installed (Debian packages prometheus and prometheus-alertmanager).")
    return str(found)


@contextmanager
def process(
    words: Sequence[str], log: Path, ready: str, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Start a program, wait until `ready` answers 200, and end it whatever happens."""
    with log.open("wb") as stream:
        child = subprocess.Popen(words, stdout=stream, stderr=stream, env=environment, cwd=ROOT)
    try:
        wait_until(lambda: child.poll() is not None or answers(ready), _SECONDS, ready)
        assert child.poll() is None, log.read_text(errors="replace")[-2000:]
        yield
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def answers(url: str) -> bool:
    """Whether there is a 200 at an address."""
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def api_process(home: Path, scratch: Path) -> Iterator[str]:
    """`python -m api` on its own home; yields its address."""
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NER_")}
    environment = {**clean, "NER_HOME": str(home), "NER_PORT": str(port), "NER_GAUGE_SECONDS": "0.3"}
    url = f"http://127.0.0.1:{port}"
    with process([sys.executable, "-m", "api"], scratch / "api.log", f"{url}/v2/health/live", environment):
        yield url


@contextmanager
def prometheus(scratch: Path, api: str, alertmanager: str) -> Iterator[str]:
    """Prometheus with the project's configuration and rules; yields its address."""
    port = free_port()
    config: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "400ms", "evaluation_interval": "400ms"}
    (target,) = config["alerting"]["alertmanagers"][0]["static_configs"]
    target["targets"] = [alertmanager.removeprefix("http://")]
    job = next(job for job in config["scrape_configs"] if job["job_name"] == "ner-api")
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [api.removeprefix("http://")]}]
    config["scrape_configs"] = [job]
    (scratch / "rules").mkdir()
    rules = re.sub(r"for: \w+", "for: 1s", (FOLDER / "rules" / "ner.yml").read_text())
    (scratch / "rules" / "ner.yml").write_text(re.sub(r"\[\d+m\]", "[4s]", rules))
    (scratch / "prometheus.yml").write_text(yaml.safe_dump(config))
    words = [binary("prometheus"), f"--config.file={scratch / 'prometheus.yml'}", "--log.level=warn"]
    words += [f"--storage.tsdb.path={scratch / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"]
    url = f"http://127.0.0.1:{port}"
    with process(words, scratch / "prometheus.log", f"{url}/-/ready"):
        yield url


@contextmanager
def alertmanager(scratch: Path, api: str, key: str) -> Iterator[str]:
    """Alertmanager with the project's configuration; yields its address."""
    port = free_port()
    (scratch / "ner.key").write_text(key)
    text = (FOLDER / "alertmanager.yml").read_text()
    text = text.replace("http://api:8000", api).replace("/etc/alertmanager/ner.key", str(scratch / "ner.key"))
    text = text.replace("group_wait: 10s", "group_wait: 100ms").replace("group_interval: 1m", "group_interval: 500ms")
    (scratch / "alertmanager.yml").write_text(text)
    words = [binary("prometheus-alertmanager"), f"--config.file={scratch / 'alertmanager.yml'}", "--log.level=warn"]
    words += [f"--storage.path={scratch / 'am'}", f"--web.listen-address=127.0.0.1:{port}"]
    words += ["--cluster.listen-address="]
    url = f"http://127.0.0.1:{port}"
    with process(words, scratch / "alertmanager.log", f"{url}/-/ready"):
        yield url
