"""An S3 bucket of any maker, where packages and snapshots are kept when NER_ARTIFACTS_URL is `s3://bucket/prefix`.

Credentials and region come from where every S3 client looks for them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a
profile, or the role of the machine.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ner.errors import InvalidSetting, NerError
from ner.settings import Settings

_URL = re.compile(r"s3://([a-z0-9][a-z0-9.\-]{1,61}[a-z0-9])(?:/(.*))?")
_ATTEMPTS = 4
_SECONDS = 20


class BucketAway(NerError):
    """The bucket does not answer, or refuses; the message says which and why."""

    kind = "bucket_away"


class Bucket:
    """Objects below one prefix. An object appears whole or not at all. Every method raises BucketAway."""

    def __init__(self, url: str, endpoint_url: str = "") -> None:
        found = _URL.fullmatch(url)
        if found is None:
            raise InvalidSetting(f"'{url}' is not a bucket's address such as s3://bucket or s3://bucket/folder.")
        self.name, self._prefix = found[1], (found[2] or "").strip("/")
        self._endpoint = endpoint_url
        self._opened: Any = None

    def put(self, path: Path, key: str) -> None:
        """Store the file as `key`, in place of what was there."""
        with _told(self._place(key)):
            self._client.upload_file(str(path), self.name, self._key(key))

    def fetch(self, key: str, path: Path) -> bool:
        """Write the object to the file; False where there is none."""
        if not self.holds(key):
            return False
        with _told(self._place(key)):
            self._client.download_file(self.name, self._key(key), str(path))
        return True

    def holds(self, key: str) -> bool:
        """Whether there is such an object."""
        return self._key(key) in set(self._keys(key))

    def keys(self, folder: str = "") -> list[str]:
        """The keys below `folder`, sorted, without the bucket's prefix."""
        cut = len(self._prefix) + 1 if self._prefix else 0
        return sorted(key[cut:] for key in self._keys(folder))

    def delete(self, key: str) -> None:
        """Remove the object, where there is one."""
        with _told(self._place(key)):
            self._client.delete_object(Bucket=self.name, Key=self._key(key))

    def _keys(self, start: str) -> Iterator[str]:
        with _told(self._place(start)):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self._key(start))
            for page in pages:
                for item in page.get("Contents", ()):
                    yield str(item["Key"])

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def _place(self, key: str) -> str:
        return f"s3://{self.name}/{self._key(key)}"

    @property
    def _client(self) -> Any:
        if self._opened is None:
            # Half a second to import, which an installation without a bucket need not wait for.
            import boto3
            from botocore.config import Config

            # Not every maker knows the checksums that the library would add to each call.
            options = Config(
                connect_timeout=5,
                read_timeout=_SECONDS,
                retries={"max_attempts": _ATTEMPTS, "mode": "standard"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            )
            # A session of its own: the library's common one keeps the credentials that it met first.
            session = boto3.session.Session()
            self._opened = session.client("s3", endpoint_url=self._endpoint or None, config=options)
        return self._opened


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Turns the library's errors into a sentence."""
    try:
        yield
    except Exception as error:
        if not _is_of_the_library(error):
            raise
        raise BucketAway(
            f"{place} cannot be used: {error}. Check NER_ARTIFACTS_URL, NER_S3_ENDPOINT_URL and the variables of AWS."
        ) from error


def _is_of_the_library(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in {"botocore", "boto3", "s3transfer"}


def open_bucket(settings: Settings) -> Bucket | None:
    """The bucket that the settings name; None where artifacts are kept in a folder."""
    return Bucket(settings.bucket_url, settings.s3_endpoint_url) if settings.bucket_url else None
