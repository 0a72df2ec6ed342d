import json

from dashboards.quality import quality
from ner.database import Database
from registry.rollout import set_canary, set_stable
from registry.versions import register
from tests.builders import a_version


def test_versions_carry_their_scores_and_aliases_when_two_are_registered(database: Database) -> None:
    with database.transaction() as connection:
        register(connection, a_version("1.0.0"))
        register(connection, a_version("1.1.0", performance={"f1": 0.91, "f1_interval": [0.9, 0.92], "per_label": {}}))
        set_stable(connection, "1.0.0", actor="ada")
        set_canary(connection, "1.1.0", 5, actor="ada")
        found = quality(connection)
    assert json.loads(json.dumps(found)) == found
    assert (found["stable"], found["canary"]) == ("1.0.0", "1.1.0")
    assert [(v["version"], v["aliases"], v["f1"]) for v in found["versions"]] == [
        ("1.1.0", ["canary"], 0.91),
        ("1.0.0", ["stable"], 0.9),
    ]
    assert found["versions"][1]["confusion"] is None


def test_there_are_no_versions_when_none_is_registered(database: Database) -> None:
    with database.reading() as connection:
        assert quality(connection) == {"stable": None, "canary": None, "versions": []}
