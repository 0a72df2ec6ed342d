"""Packages are signed by this installation, and nothing else is loaded."""

import json
import random
from pathlib import Path

import pytest

from ner.errors import BrokenPackage, InvalidInput
from ner.settings import Settings
from registry.packages import PackageStore, open_store, package_digest
from registry.signatures import SIGNATURE, Signatures


def _draft(folder: Path) -> Path:
    (folder / "spacy").mkdir(parents=True)
    (folder / "metadata.json").write_text('{"backend": "onnx"}')
    (folder / "model.onnx").write_bytes(random.Random(1).randbytes(3000))
    (folder / "spacy" / "weights").write_bytes(b"w" * 100)
    return folder


@pytest.fixture
def signatures(tmp_path: Path) -> Signatures:
    return Signatures(tmp_path / "signing.key", tmp_path / "signing.pub")


@pytest.fixture
def package(tmp_path: Path, signatures: Signatures) -> Path:
    store = PackageStore(tmp_path / "versions", signatures)
    return store.folder("1.0.0", store.add("1.0.0", _draft(tmp_path / "draft")))


def test_a_package_is_signed_when_it_is_added_and_checked_when_it_is_loaded(package: Path) -> None:
    bundle = json.loads((package / SIGNATURE).read_text(encoding="utf-8"))
    assert "dsseEnvelope" in bundle


def test_the_private_key_is_readable_by_its_owner_alone(package: Path, tmp_path: Path) -> None:
    assert package.exists()
    assert (tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600


def test_any_flipped_bit_is_refused(package: Path, signatures: Signatures) -> None:
    random_ = random.Random(0)
    for path in sorted(path for path in package.rglob("*") if path.is_file() and path.name != SIGNATURE):
        whole = path.read_bytes()
        for place in random_.sample(range(len(whole)), min(8, len(whole))):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << random_.randrange(8)]) + whole[place + 1 :])
            with pytest.raises(BrokenPackage, match="is not what the holder of"):
                signatures.check(package)
        path.write_bytes(whole)
    signatures.check(package)


@pytest.mark.parametrize("name", ["extra.py", ".gitignore", "spacy/extra"])
def test_an_added_file_is_refused(package: Path, signatures: Signatures, name: str) -> None:
    (package / name).write_text("x")
    with pytest.raises(BrokenPackage):
        signatures.check(package)


@pytest.mark.parametrize("name", ["model.onnx", "spacy/weights", SIGNATURE])
def test_a_removed_file_is_refused(package: Path, signatures: Signatures, name: str) -> None:
    (package / name).unlink()
    with pytest.raises(BrokenPackage):
        signatures.check(package)


def test_a_package_is_refused_when_somebody_else_signed_it(
    package: Path, signatures: Signatures, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Signatures(tmp_path / "other" / "signing.key", tmp_path / "other" / "signing.pub")
    assert other.make_keys()
    other.sign(package)
    with pytest.raises(BrokenPackage):
        signatures.check(package)


def test_a_forged_digest_does_not_help_when_the_signature_is_not_ours(
    package: Path, signatures: Signatures, tmp_path: Path
) -> None:
    (package / "model.onnx").write_bytes(b"another model")
    with pytest.raises(BrokenPackage, match="is not what the holder of"):
        PackageStore(tmp_path / "versions", signatures).folder("1.0.0", package_digest(package))


def test_packages_from_before_there_was_a_key_are_signed_with_the_first_new_one(
    tmp_path: Path, signatures: Signatures
) -> None:
    digest = PackageStore(tmp_path / "versions").add("1.0.0", _draft(tmp_path / "draft"))
    store = PackageStore(tmp_path / "versions", signatures)
    store.folder("1.0.0", digest)
    store.add("1.1.0", tmp_path / "draft")
    assert store.folder("1.0.0", digest).is_dir()
    assert (tmp_path / "versions" / "1.0.0" / SIGNATURE).exists()


def test_signing_is_refused_when_only_the_public_key_is_here(tmp_path: Path, signatures: Signatures) -> None:
    assert signatures.make_keys()
    (tmp_path / "signing.key").unlink()
    with pytest.raises(InvalidInput, match="which is not there"):
        PackageStore(tmp_path / "versions", signatures).add("1.0.0", _draft(tmp_path / "draft"))
    assert not (tmp_path / "versions" / "1.0.0").exists()


def test_packages_are_refused_when_the_public_key_that_was_named_is_missing(tmp_path: Path) -> None:
    unsigned = PackageStore(tmp_path / "artifacts" / "versions")
    digest = unsigned.add("1.0.0", _draft(tmp_path / "draft"))
    named = Settings(home=tmp_path, signing_public_key=str(tmp_path / "elsewhere.pub"))
    with pytest.raises(BrokenPackage, match="not signed"):
        open_store(named).folder("1.0.0", digest)
