"""Tagging on a Ray cluster. The package travels as bytes and is checked where it lands: the machines share no disk."""

import atexit
import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ner.errors import BrokenPackage
from ner.predictions import Tagger
from registry.cluster import Cluster
from registry.packages import package_digest
from registry.taggers import load_tagger
from workbench.bulk import FoundSpans, found_spans

_taggers: dict[str, Tagger] = {}
"""What a process of the cluster has loaded, by digest."""


class Parcel(NamedTuple):
    """A package's files as one archive, and the digest that names them."""

    digest: str
    archive: bytes


def tagged_on_ray(package: Path, address: str, batches: Iterator[list[str]]) -> Iterator[tuple[list[str], FoundSpans]]:
    """Every batch with what the version in `package` finds, in order."""
    with Cluster(address) as cluster:
        yield from cluster.map_in_order(_tag, pack(package), batches)


def pack(package: Path) -> Parcel:
    """The package as bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(package, arcname=".")
    return Parcel(package_digest(package), buffer.getvalue())


def _tag(parcel: Parcel, batch: Sequence[str]) -> FoundSpans:
    tagger = _taggers.get(parcel.digest)
    if tagger is None:
        tagger = _taggers[parcel.digest] = _unpacked(parcel)
    return found_spans(tagger, batch)


def _unpacked(parcel: Parcel) -> Tagger:
    folder = Path(tempfile.mkdtemp(prefix="ner-package-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(parcel.archive)) as archive:
        archive.extractall(folder, filter="data")
    if package_digest(folder) != parcel.digest:
        raise BrokenPackage("The package was changed on its way to this machine.")
    return load_tagger(folder)
