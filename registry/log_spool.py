"""Log batches on disk while the database is away: sealed, bounded, and picked up by whoever starts next."""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry.log_batches import LogBatch, unpack

_NONCE_BYTES = 12
_SUFFIX = ".batch"
_LOG = logging.getLogger(__name__)


class Spool:
    """A folder of batches, oldest first, `most_bytes` in all. Several processes may share it.

    The first of `keys` (32 bytes each) seals every file with AES-256-GCM: captured texts are among what waits. Any of
    them opens.
    """

    def __init__(self, folder: Path, keys: Sequence[bytes], most_bytes: int) -> None:
        self._folder = folder
        self._ciphers = [AESGCM(key) for key in keys]
        self._most_bytes = most_bytes
        self._bytes = self._size()

    @property
    def files(self) -> int:
        """Batches that wait here."""
        return len(self._paths())

    def add(self, batch: LogBatch) -> bool:
        """Keep a batch on disk; False, and nothing kept, where the spool is full or the disk refuses."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._ciphers[0].encrypt(nonce, batch.pack(), None)
        if self._bytes + len(sealed) > self._most_bytes:
            return False
        name = f"{time.time_ns():020d}-{batch.id}"
        try:
            self._write(self._folder / f".{name}", self._folder / f"{name}{_SUFFIX}", sealed)
        except OSError as error:
            _LOG.error("The spool of the prediction log cannot be written: %s", error)
            return False
        self._bytes += len(sealed)
        return True

    def batches(self) -> Iterator[tuple[Path, LogBatch]]:
        """Every batch with its file, oldest first. A file that cannot be read is set aside."""
        for path in self._paths():
            try:
                sealed = path.read_bytes()
                yield path, unpack(self._opened(sealed))
            except FileNotFoundError:
                continue  # another process was faster
            except (InvalidTag, ValueError, KeyError, TypeError):
                _LOG.error("%s cannot be read; it is set aside, and its rows are missing from the log.", path)
                path.rename(path.with_suffix(".broken"))

    def remove(self, path: Path) -> None:
        """Forget a batch that was written."""
        path.unlink(missing_ok=True)
        self._bytes = self._size()

    def _opened(self, sealed: bytes) -> bytes:
        for cipher in self._ciphers[:-1]:
            with suppress(InvalidTag):
                return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        return self._ciphers[-1].decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)

    def _write(self, draft: Path, target: Path, sealed: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with draft.open("wb") as stream:
            stream.write(sealed)
            stream.flush()
            os.fsync(stream.fileno())
        draft.rename(target)

    def _size(self) -> int:
        """Bytes of all batches; one that another process has written meanwhile counts nothing."""
        total = 0
        for path in self._paths():
            with suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{_SUFFIX}"))
