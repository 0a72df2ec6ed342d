"""What Elasticsearch and Kibana are told of the logs is what processes and gateway really write."""

import datetime as dt
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.running import ROOT
from workbench.gateway import TEMPLATE

FOLDER = ROOT / "deploy" / "monitoring" / "logs"
_SCRIPT = """
import logging
from ner.logs import configure_logs
configure_logs("api")
logging.getLogger("api.serving").info("Version %s answers.", "1.0.0")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("api.errors").exception("Request failed.")
raise OSError("ada@example.org cannot be reached")
"""


def _fields(properties: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, described in properties.items():
        if "properties" in described:
            yield from _fields(described["properties"], f"{path}{name}.")
        else:
            yield path + name, described["type"]


MAPPED = dict(_fields(json.loads((FOLDER / "template.json").read_text())["template"]["mappings"]["properties"]))
OBJECTS = [json.loads(line) for line in (FOLDER / "kibana.ndjson").read_text().splitlines()]


def _of_the_processes() -> list[dict[str, str]]:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert "[e-mail] cannot be reached" in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def _of_the_gateway() -> dict[str, str]:
    """The line that nginx is told to write, with values as it writes them."""
    [declared] = re.findall(r"log_format ecs escape=json\s+(.*?);", TEMPLATE.read_text(), re.DOTALL)
    values = {
        "time_iso8601": "2026-01-31T12:00:00+00:00",
        "status": "200",
        "bytes_sent": "512",
        "request_time": "0.012",
    }
    text = "".join(re.findall(r"'(.*?)'", declared, re.DOTALL))
    return dict(json.loads(re.sub(r"\$(\w+)", lambda found: values.get(found[1], "-"), text)))


_FITS = {
    "date": dt.datetime.fromisoformat,
    "short": lambda value: -(2**15) <= int(value) < 2**15 or pytest.fail(value),
    "long": int,
    "float": float,
}


def test_every_field_that_is_written_is_mapped_and_fits() -> None:
    lines = [*_of_the_processes(), _of_the_gateway()]
    assert len(lines) == 4
    for line in lines:
        for name, value in line.items():
            _FITS.get(MAPPED[name], str)(value)
    # And nothing is mapped that nobody writes.
    assert set(MAPPED) == {name for line in lines for name in line}


def test_the_shipper_writes_where_the_template_holds_and_the_retention_is_named_in_it() -> None:
    shipper = yaml.safe_load((FOLDER / "filebeat.yml").read_text())
    template = json.loads((FOLDER / "template.json").read_text())
    [pattern] = template["index_patterns"]
    assert shipper["output.elasticsearch"]["index"].startswith(pattern.rstrip("*"))
    assert shipper["setup.template.pattern"] == pattern
    assert template["template"]["settings"]["index.lifecycle.name"] == shipper["setup.ilm.policy_name"]
    assert (FOLDER / shipper["setup.template.json"]["path"].rpartition("/")[2]).exists()
    [view] = [one for one in OBJECTS if one["type"] == "index-pattern"]
    assert view["attributes"]["title"] == pattern
    assert view["attributes"]["timeFieldName"] in MAPPED


def test_kibanas_objects_refer_to_each_other_and_to_fields_that_there_are() -> None:
    there = {(one["type"], one["id"]) for one in OBJECTS}
    assert {kind for kind, _ in there} == {"index-pattern", "search", "visualization", "dashboard"}
    used = set[str]()
    for one in OBJECTS:
        assert {(to["type"], to["id"]) for to in one["references"]} <= there, one["id"]
        attributes = one["attributes"]
        used |= set(attributes.get("columns", ()))
        state = json.loads(attributes.get("visState", "{}"))
        used |= {part["params"]["field"] for part in state.get("aggs", ()) if "field" in part["params"]}
        if one["type"] != "index-pattern":
            source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
            used |= set(re.findall(r"([\w@.]+) *(?::|>=|>)", source["query"]["query"]))
    assert used <= set(MAPPED)
    [dashboard] = [one for one in OBJECTS if one["type"] == "dashboard"]
    panels = json.loads(dashboard["attributes"]["panelsJSON"])
    referred = {to["name"].partition(":")[2] for to in dashboard["references"]}
    assert {panel["panelRefName"] for panel in panels} == referred
    assert {to["id"] for to in dashboard["references"]} == {one["id"] for one in OBJECTS[1:-1]}
