"""Work on a real Ray cluster of two nodes, one of which is killed while it works."""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from registry.cluster import Cluster
from registry.recipes import get_recipe
from tests.training.small_corpus import TINY, small_corpus
from training.sweep import Material, local_engine, ray_engine, read_sweep, run_sweep
from workbench.bulk import tag_file
from workbench.bulk_ray import tagged_on_ray

# A node may start slowly on a busy machine.
os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")
ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")

pytestmark = [pytest.mark.heavy, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CORPUS = small_corpus()
LABELS = ["geo", "per", "tim"]
TEXTS = [f"{document.text} {number}" for number in range(40) for document in CORPUS[:150]]


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from ray.cluster_utils import Cluster as Nodes

    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    head = {"num_cpus": 1, "object_store_memory": 200_000_000, "include_dashboard": False}
    nodes = Nodes(initialize_head=True, head_node_args=head)
    nodes.second = nodes.add_node(num_cpus=1, object_store_memory=200_000_000)
    nodes.wait_for_nodes()
    yield nodes
    nodes.shutdown()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from training.fitting import fit

    folder = tmp_path_factory.mktemp("package")
    recipe = get_recipe("bilstm_crf.v1", TINY | {"epochs": 3})
    fit(recipe, CORPUS[:180], CORPUS[180:], LABELS, folder, lambda _: None, lambda: False)
    return folder


def test_bulk_gives_the_same_file_and_loses_and_doubles_nothing_when_a_node_is_killed(
    two_nodes: Any, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench import bulk

    monkeypatch.setattr(bulk, "BATCH", 50)
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf-8")
    tag_file(source, tmp_path / "local.jsonl", package, "1.0.0")
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        was, done = done, done + count
        if was < len(TEXTS) // 4 <= done:
            two_nodes.remove_node(two_nodes.second, allow_graceful=False)

    def tagging(batches: Iterator[list[str]]) -> Any:
        return tagged_on_ray(package, two_nodes.address, batches)

    tally = tag_file(source, tmp_path / "ray.jsonl", package, "1.0.0", tagging=tagging, progress=progress)
    assert tally.documents == len(TEXTS)
    assert (tmp_path / "ray.jsonl").read_bytes() == (tmp_path / "local.jsonl").read_bytes()


def test_a_sweep_finds_the_same_when_a_node_is_killed(two_nodes: Any, tmp_path: Path) -> None:
    (tmp_path / "sweep.yml").write_text("lstm_units: [8, 12]\nseed: [1, 2]\nepochs: [2]\n")
    grid = [TINY | changes for changes in read_sweep(tmp_path / "sweep.yml", "bilstm_crf.v1")]
    material = Material("bilstm_crf.v1", "data", CORPUS[:180], CORPUS[180:], LABELS)
    killer = threading.Timer(5, two_nodes.remove_node, (two_nodes.second,), {"allow_graceful": False})
    killer.start()
    far = run_sweep(material, grid, ray_engine(two_nodes.address), tmp_path / "far")
    killer.join()
    assert far == run_sweep(material, grid, local_engine(1), tmp_path / "near")
    assert len(far) == 4


def test_results_come_in_order_from_processes_of_this_machine() -> None:
    with Cluster() as cluster:
        found = list(cluster.map_in_order(_shout, "!", [str(number) for number in range(50)]))
    assert found == [(str(number), f"{number}!") for number in range(50)]


def _shout(ending: Sequence[str], word: str) -> str:
    return f"{word}{ending}"
