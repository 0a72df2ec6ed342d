"""Where frozen text lies: one file for each snapshot, named by its hash, a copy of it in the bucket where there is one.

A text that has to go is taken out of the file. The file keeps its name, and one beside it says what its content has to
hash to since; a machine that holds the older content fetches the newer one.
"""

import gzip
import hashlib
import json
import uuid
from pathlib import Path

from registry.bucket import Bucket


def file_key(snapshot_hash: str) -> str:
    """The place of a snapshot below the folder of artifacts, and in the bucket."""
    return f"snapshots/{snapshot_hash}.jsonl.gz"


def amended_key(snapshot_hash: str) -> str:
    """The place of what its content has to hash to since a text was erased from it."""
    return f"snapshots/{snapshot_hash}.amended"


def bring_up_to_date(folder: Path, snapshot_hash: str, bucket: Bucket | None) -> None:
    """Fetch what this machine lacks of a snapshot, and its newer content where a text was erased elsewhere."""
    if bucket is None:
        return
    before = amended_hash(folder, snapshot_hash)
    _fetch(bucket, folder, amended_key(snapshot_hash))
    if before != amended_hash(folder, snapshot_hash) or not (folder / file_key(snapshot_hash)).exists():
        _fetch(bucket, folder, file_key(snapshot_hash))


def amended_hash(folder: Path, snapshot_hash: str) -> str | None:
    """What the content of a snapshot has to hash to since a text was erased from it; None where none was."""
    path = folder / amended_key(snapshot_hash)
    return path.read_text().strip() if path.exists() else None


def redact_snapshot(folder: Path, snapshot_hash: str, text: str, bucket: Bucket | None = None) -> str | None:
    """Replace every line with this text by its hash, here and in the bucket; the SHA-256 of what the file holds now,
    None where it does not hold the text. Raises BucketAway.
    """
    bring_up_to_date(folder, snapshot_hash, bucket)
    path = folder / file_key(snapshot_hash)
    if not path.exists():
        return None
    lines = [line for line in gzip.decompress(path.read_bytes()).split(b"\n") if line]
    kept = [_redacted(line, text) for line in lines]
    if kept == lines:
        return None
    content = b"".join(line + b"\n" for line in kept)
    digest = hashlib.sha256(content).hexdigest()
    # First what the content has to be, then the content: the old one is right too for whoever reads in between.
    for key, written in ((amended_key(snapshot_hash), digest.encode()), (file_key(snapshot_hash), _packed(content))):
        _write_whole(folder / key, written)
        if bucket is not None:
            bucket.put(folder / key, key)
    return digest


def _redacted(line: bytes, text: str) -> bytes:
    if json.loads(line).get("text") != text:
        return line
    return json.dumps({"erased": hashlib.sha256(line).hexdigest()}, separators=(",", ":")).encode()


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _write_whole(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{uuid.uuid4().hex}.part")
    draft.write_bytes(content)
    draft.replace(path)


def _fetch(bucket: Bucket, folder: Path, key: str) -> None:
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        if bucket.fetch(key, draft):
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
