"""A version's package is a folder of plain files; its digest names exactly those bytes.

Beside a bucket the folder is what this machine has fetched: the bucket holds each package as one archive.
"""

import hashlib
import json
import lzma
import os
import shutil
import tarfile
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ner.errors import BrokenPackage
from ner.settings import Settings
from registry.bucket import Bucket, open_bucket
from registry.signatures import SIGNATURE, Signatures

FOLDER = "versions"
ARCHIVE = "archive"
SUMS = "SHA256SUMS.json"


def package_digest(folder: Path) -> str:
    """SHA-256 over the sorted relative paths and SHA-256 sums of every file but the sums and the signature."""
    return _digest_of(_sums(folder))


def open_store(settings: Settings) -> "PackageStore":
    """The packages of this installation, signed and checked with its keys."""
    signatures = Signatures(*settings.signing_keys, is_required=bool(settings.signing_public_key))
    return PackageStore(settings.artifacts / FOLDER, signatures, open_bucket(settings))


class PackageStore:
    """Packages by version, below one root folder; without `signatures` they are held by their digests alone."""

    def __init__(self, root: Path, signatures: Signatures | None = None, bucket: Bucket | None = None) -> None:
        self.root = root
        self._signatures = signatures
        self._bucket = bucket

    def add(self, version: str, folder: Path) -> str:
        """Copy `folder` in as the package of `version`, sign it, and return its digest.

        The package appears under its name whole or not at all. Adding the same bytes again changes nothing; other
        bytes under the name of a version that was never registered replace what a crash left behind.
        """
        sums = _sums(folder)
        target = self.root / version
        draft = self.root / f".{version}.{uuid.uuid4().hex}"
        draft.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, draft)
        (draft / SUMS).write_text(json.dumps(sums, indent=1, sort_keys=True))
        self._sign(draft)
        _flush_to_disk(draft)
        if target.exists():
            shutil.rmtree(target)
        draft.rename(target)
        digest = _digest_of(sums)
        if self._bucket is not None:
            self._publish(self._bucket, version, digest)
        return digest

    def folder(self, version: str, digest: str) -> Path:
        """The package's folder, every file checked against `digest`.

        What this machine does not hold as it was registered is fetched from the bucket, where there is one.

        Raises BrokenPackage when it is missing, any file was changed, added or removed, or its signature is not ours.
        """
        folder = self.root / version
        if not folder.is_dir() and self._archive(version).exists():
            self._unpack(version)
        if self._bucket is not None and not self._holds(folder, digest):
            self._fetch(self._bucket, version, digest)
        if not folder.is_dir():
            raise BrokenPackage(f"The package of version {version} is missing: there is no {folder}.")
        found = package_digest(folder)
        if found != digest:
            raise BrokenPackage(
                f"The package of version {version} is not the one that was registered: its digest is "
                f"{found[:12]}, the registered one {digest[:12]}. Restore {folder} from a backup."
            )
        if self._signatures is not None and self._signatures.are_expected:
            self._signatures.check(folder)
        return folder

    def archive(self, version: str, digest: str) -> int:
        """Pack a package that is seldom wanted into one file and return the bytes that this frees; `folder` unpacks it.

        Raises BrokenPackage where it is not what was registered.
        """
        folder, target = self.folder(version, digest), self._archive(version)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}")
        with tarfile.open(draft, "w:xz") as packed:
            packed.add(folder, version)
        with draft.open("rb") as stream:
            os.fsync(stream.fileno())
        before = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        draft.rename(target)
        shutil.rmtree(folder)
        return before - target.stat().st_size

    def lost(self, digests: Mapping[str, str]) -> list[str]:
        """Of these versions with their digests, those whose package the bucket has lost. Raises BucketAway."""
        if self._bucket is None:
            return []
        there = set(self._bucket.keys(FOLDER))
        return [version for version, digest in digests.items() if _key(version, digest) not in there]

    def put_back(self, digests: Mapping[str, str]) -> list[str]:
        """Give the bucket again what it has lost and this machine holds as it was registered and signed: the versions
        that are back. Raises BucketAway.
        """
        back = []
        for version in self.lost(digests):
            assert self._bucket is not None
            if not self.is_unpacked(version) and self.is_kept(version):
                self._unpack(version)
            if self._holds(self.root / version, digests[version]):
                self._publish(self._bucket, version, digests[version])
                back.append(version)
        return back

    def is_unpacked(self, version: str) -> bool:
        """Whether the package is a folder now."""
        return (self.root / version).is_dir()

    def is_kept(self, version: str) -> bool:
        """Whether the package is here, as a folder or archived."""
        return self.is_unpacked(version) or self._archive(version).exists()

    def _archive(self, version: str) -> Path:
        return self.root.parent / ARCHIVE / f"{version}.tar.xz"

    def _unpack(self, version: str) -> None:
        draft = self.root / f".{version}.{uuid.uuid4().hex}"
        try:
            with tarfile.open(self._archive(version)) as packed:
                packed.extractall(draft, filter="data")
            with suppress(OSError):  # another process was faster
                (draft / version).rename(self.root / version)
        except (tarfile.TarError, EOFError, lzma.LZMAError) as error:
            raise BrokenPackage(f"{self._archive(version)} cannot be unpacked: {error}.") from None
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def sign_anew(self, digests: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Sign the packages of these versions with a new pair of keys: (versions signed, a sentence for each refused).

        A package is signed only if it has its digest and the present pair vouches for it. Interrupted, it goes on when
        it is called again; the older pair is deleted at the end.
        """
        assert self._signatures is not None
        older = self._signatures.renew_keys()
        signed, refused = [], []
        for version, digest in digests.items():
            folder = self.root / version
            if self._bucket is not None and not folder.is_dir():
                self._fetch(self._bucket, version, digest)
            if not folder.is_dir():
                refused.append(f"Version {version}: its package is not here.")
            elif self._signatures.vouches_for(folder):
                signed.append(version)
            elif package_digest(folder) != digest or (older.are_expected and not older.vouches_for(folder)):
                refused.append(f"Version {version}: its package is not the one that was registered and signed.")
            else:
                self._signatures.sign(folder)
                if self._bucket is not None:
                    self._publish(self._bucket, version, digest)
                signed.append(version)
        self._signatures.forget_older()
        return signed, refused

    def _holds(self, folder: Path, digest: str) -> bool:
        if not folder.is_dir() or package_digest(folder) != digest:
            return False
        # Signed anew on another machine, a package has another signature in the bucket.
        signatures = self._signatures
        return signatures is None or not signatures.are_expected or signatures.vouches_for(folder)

    def _publish(self, bucket: Bucket, version: str, digest: str) -> None:
        with tempfile.NamedTemporaryFile(dir=self.root, prefix=".", suffix=".tar") as packed:
            with tarfile.open(fileobj=packed, mode="w") as archive:
                archive.add(self.root / version, arcname=".")
            packed.flush()
            bucket.put(Path(packed.name), _key(version, digest))

    def _fetch(self, bucket: Bucket, version: str, digest: str) -> None:
        draft = self.root / f".{version}.{uuid.uuid4().hex}"
        draft.mkdir(parents=True)
        packed = draft.with_suffix(".tar")
        try:
            if not bucket.fetch(_key(version, digest), packed):
                return
            with tarfile.open(packed) as archive:
                archive.extractall(draft, filter="data")
            shutil.rmtree(self.root / version, ignore_errors=True)
            # Another process may have put the same package there in this moment.
            with suppress(OSError):
                draft.rename(self.root / version)
        finally:
            packed.unlink(missing_ok=True)
            shutil.rmtree(draft, ignore_errors=True)

    def _sign(self, draft: Path) -> None:
        if self._signatures is None:
            return
        if self._signatures.make_keys():
            # What was here before there was a key was made by this installation too.
            for path in self.root.iterdir():
                if path.is_dir() and not path.name.startswith("."):
                    self._signatures.sign(path)
        self._signatures.sign(draft)


def _sums(folder: Path) -> dict[str, str]:
    sums = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).as_posix() not in (SUMS, SIGNATURE):
            with path.open("rb") as stream:
                sums[path.relative_to(folder).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return sums


def _key(version: str, digest: str) -> str:
    return f"{FOLDER}/{version}/{digest}.tar"


def _digest_of(sums: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(sums, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _flush_to_disk(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
