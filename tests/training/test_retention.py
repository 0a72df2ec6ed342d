"""Five hundred days of backups: what is kept is the last of each of 7 days, 4 weeks and 12 months, and no more."""

import base64
import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.poly1305 import Poly1305

from tests.conftest import missing
from training.upkeep.restic import Repository, is_installed

START = dt.datetime(2024, 1, 1, 3, tzinfo=dt.UTC)
DAYS = 500
PASSWORD = "kept elsewhere"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    if not is_installed():
        missing("restic is not installed.")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "note").write_text("the same every day")
    repository = Repository(str(tmp_path / "repository"), PASSWORD)
    repository.back_up([tmp_path / "home"], at=_said(START))
    return repository


def _said(moment: dt.datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def expected(days: Iterable[dt.datetime]) -> set[dt.datetime]:
    """The rule, written down anew: of each kind of period the newest ones that hold a backup, and of each the last."""
    kept: set[dt.datetime] = set()
    periods = (
        (7, lambda day: day.date()),
        (4, lambda day: day.isocalendar()[:2]),
        (12, lambda day: (day.year, day.month)),
    )
    for count, period in periods:
        last: dict[object, dt.datetime] = {}
        for day in sorted(days):
            last[period(day)] = day
        kept.update(sorted(last.values())[-count:])
    return kept


class ByHand:
    """Writes further snapshots of the first one's files, as restic does, without starting it for each of them."""

    def __init__(self, repository: Repository) -> None:
        self._folder = Path(repository.address)
        master = self._master_key()
        self._encrypt = base64.b64decode(master["encrypt"])
        self._k, self._r = (base64.b64decode(master["mac"][name]) for name in ("k", "r"))
        (first,) = repository.snapshots()
        self._first = json.loads(repository._run("cat", "snapshot", first.id))

    def add(self, moment: dt.datetime) -> None:
        sealed = self._sealed(json.dumps(self._first | {"time": moment.isoformat()}).encode())
        (self._folder / "snapshots" / hashlib.sha256(sealed).hexdigest()).write_bytes(sealed)

    def _master_key(self) -> dict[str, str | dict[str, str]]:
        (path,) = (self._folder / "keys").iterdir()
        key = json.loads(path.read_text())
        derived = Scrypt(base64.b64decode(key["salt"]), 64, key["N"], key["r"], key["p"]).derive(PASSWORD.encode())
        return json.loads(self._opened(derived[:32], derived[32:48], derived[48:], base64.b64decode(key["data"])))

    @staticmethod
    def _opened(encrypt: bytes, k: bytes, r: bytes, sealed: bytes) -> bytes:
        nonce, body, mac = sealed[:16], sealed[16:-16], sealed[-16:]
        Poly1305.verify_tag(_one_time_key(k, r, nonce), body, mac)
        return Cipher(algorithms.AES(encrypt), modes.CTR(nonce)).decryptor().update(body)

    def _sealed(self, plain: bytes) -> bytes:
        nonce = os.urandom(16)
        body = Cipher(algorithms.AES(self._encrypt), modes.CTR(nonce)).encryptor().update(plain)
        return nonce + body + Poly1305.generate_tag(_one_time_key(self._k, self._r, nonce), body)


def _one_time_key(k: bytes, r: bytes, nonce: bytes) -> bytes:
    """Poly1305-AES (Bernstein, 2005)."""
    encryptor = Cipher(algorithms.AES(k), modes.ECB()).encryptor()
    return r + encryptor.update(nonce)


def _kept(repository: Repository) -> set[dt.datetime]:
    return {dt.datetime.fromisoformat(one.at).astimezone(dt.UTC) for one in repository.snapshots()}


def test_what_is_kept_over_500_days_is_7_days_4_weeks_and_12_months(repository: Repository, tmp_path: Path) -> None:
    by_hand = ByHand(repository)
    days = [START]
    for number in range(1, DAYS):
        days.append(START + dt.timedelta(days=number))
        by_hand.add(days[-1])
        # A worker that was away for weeks forgets late, and ends where one does that forgets every day.
        if number % 50 == 0:
            repository.forget()
            assert _kept(repository) == expected(days)
    # One that restic makes itself, at the moment that it is told.
    days.append(START + dt.timedelta(days=DAYS))
    repository.back_up([tmp_path / "home"], at=_said(days[-1]))
    repository.forget()
    kept = _kept(repository)
    assert kept == expected(days)
    # Two of the 4 weeks and one of the 12 months end within the 7 days.
    assert len(kept) == 7 + 2 + 11
    repository.check()
    (tmp_path / "back").mkdir()
    oldest = min(repository.snapshots(), key=lambda one: one.at)
    repository.restore(oldest.id, tmp_path / "back")
    assert next((tmp_path / "back").rglob("note")).read_text() == "the same every day"


def test_forgetting_every_day_keeps_what_forgetting_at_the_end_keeps() -> None:
    days = [START + dt.timedelta(days=number) for number in range(DAYS)]
    kept: set[dt.datetime] = set()
    for day in days:
        kept = expected(kept | {day})
    assert kept == expected(days)
