import random
from pathlib import Path

import pytest

from ner.errors import BrokenPackage
from registry.packages import PackageStore


def _a_package(folder: Path) -> Path:
    (folder / "nested").mkdir(parents=True)
    (folder / "metadata.json").write_text('{"backend": "onnx"}')
    (folder / "model.onnx").write_bytes(bytes(range(256)) * 8)
    (folder / "nested" / "weights").write_bytes(b"w" * 100)
    return folder


def test_a_package_is_found_again_when_nothing_changed(tmp_path: Path) -> None:
    store = PackageStore(tmp_path / "versions")
    digest = store.add("1.0.0", _a_package(tmp_path / "draft"))
    assert (store.folder("1.0.0", digest) / "nested" / "weights").read_bytes() == b"w" * 100
    assert store.add("1.0.0", tmp_path / "draft") == digest


def test_a_package_is_refused_when_any_byte_is_flipped(tmp_path: Path) -> None:
    store = PackageStore(tmp_path / "versions")
    digest = store.add("1.0.0", _a_package(tmp_path / "draft"))
    model = tmp_path / "versions" / "1.0.0" / "model.onnx"
    whole = model.read_bytes()
    for place in random.Random(0).sample(range(len(whole)), 50):
        model.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BrokenPackage, match="not the one that was registered"):
            store.folder("1.0.0", digest)
    model.write_bytes(whole)
    store.folder("1.0.0", digest)


@pytest.mark.parametrize("harm", ["added", "removed", "renamed", "gone"])
def test_a_package_is_refused_when_a_file_is(tmp_path: Path, harm: str) -> None:
    store = PackageStore(tmp_path / "versions")
    digest = store.add("1.0.0", _a_package(tmp_path / "draft"))
    folder = tmp_path / "versions" / "1.0.0"
    if harm == "added":
        (folder / "extra.py").write_text("print('hello')")
    elif harm == "removed":
        (folder / "nested" / "weights").unlink()
    elif harm == "renamed":
        (folder / "model.onnx").rename(folder / "model2.onnx")
    else:
        folder.rename(tmp_path / "elsewhere")
    with pytest.raises(BrokenPackage):
        store.folder("1.0.0", digest)
