"""Webhooks: signed, sent once or again, never twice under two names, and not into the private network."""

import datetime as dt
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ner import tables
from ner.database import Database, utc_now
from ner.errors import InvalidSetting, NotFound
from registry import webhooks
from registry.alerts import close_alert, raise_alert
from registry.deliveries import PAUSES_SECONDS, Delivery, get_delivery, list_deliveries, send, send_due, signature
from tests.receiving import Receiver, receiving

SECRET = b"the installation's"
DOCUMENT = Path(__file__).parents[2] / "docs" / "monitoring.md"


def documented_check() -> Any:
    """`is_genuine` as the document gives it to receivers."""
    (block,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)
    return names["is_genuine"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def made(database: Database, url: str, *severities: str) -> tuple[str, str]:
    """The id and the signing secret of a new webhook."""
    with database.transaction() as connection:
        webhook, signing = webhooks.create_webhook(
            connection, SECRET, name="chat", url=url, severities=severities or ("warning", "critical"), actor="ada"
        )
    return webhook.id, signing


def opened(database: Database, kind: str = "HighLatency", severity: Any = "warning") -> None:
    with database.transaction() as connection:
        raise_alert(connection, kind, severity, "Slow.", subject="1.0.0")


def delivered(database: Database, webhook_id: str) -> list[Delivery]:
    with database.reading() as connection:
        return list_deliveries(connection, webhook_id)


def now_due(database: Database) -> None:
    """Let the pauses be over."""
    waiting = tables.deliveries.c.next_attempt_at.is_not(None)
    with database.transaction() as connection:
        connection.execute(tables.deliveries.update().where(waiting).values(next_attempt_at=utc_now()))


def sent(database: Database) -> int:
    return send_due(database, [SECRET], may_be_private=True)


def test_a_receiver_can_check_who_told_it_as_the_document_says(database: Database, receiver: Receiver) -> None:
    _, signing = made(database, receiver.url)
    opened(database)

    assert sent(database) == 1
    (request,) = receiver.received
    is_genuine = documented_check()
    given = request.headers["x-ner-signature"]
    assert is_genuine(signing, given, request.body)
    assert not is_genuine(signing, given, request.body.replace(b"Slow", b"Fast"))
    assert not is_genuine("whsec_other", given, request.body)
    assert not is_genuine(signing, re.sub(r"t=(\d+)", "t=1700000000", given), request.body)
    assert not is_genuine(signing, signature(signing.encode(), 1_700_000_000, request.body), request.body)
    assert not is_genuine(signing, "", request.body)
    told = json.loads(request.body)
    assert (told["event"], told["sentence"], told["alert"]["subject"]) == ("alert.opened", "Slow.", "1.0.0")
    assert told["id"] == request.headers["x-ner-delivery"]


def test_each_receiver_is_told_of_its_severities_when_an_alert_opens_and_when_it_closes(
    database: Database, receiver: Receiver
) -> None:
    everything, _ = made(database, receiver.url + "/a", "info", "warning", "critical")
    grave, _ = made(database, receiver.url + "/b", "critical")
    opened(database)
    opened(database)
    opened(database, "HighErrorRate", "critical")
    with database.transaction() as connection:
        close_alert(connection, "HighLatency", subject="1.0.0")
    sent(database)

    events = {
        path: [r.headers["x-ner-event"] for r in receiver.received if r.path == path] for path in ("/hook/a", "/hook/b")
    }
    assert sorted(events["/hook/a"]) == ["alert.closed", "alert.opened", "alert.opened"]
    assert events["/hook/b"] == ["alert.opened"]
    assert len(delivered(database, everything)) == 3
    assert len(delivered(database, grave)) == 1


def test_nothing_is_told_of_an_alert_whose_transaction_fails(database: Database, receiver: Receiver) -> None:
    made(database, receiver.url)
    with pytest.raises(RuntimeError), database.transaction() as connection:
        raise_alert(connection, "HighLatency", "warning", "Slow.")
        raise RuntimeError
    assert sent(database) == 0
    assert receiver.received == []


def test_a_delivery_is_tried_again_after_growing_pauses_under_the_same_id(
    database: Database, receiver: Receiver
) -> None:
    webhook_id, _ = made(database, receiver.url)
    receiver.answers = [500, 302, 404]
    receiver.location = receiver.url + "/elsewhere"
    opened(database)
    waits = []
    for _ in range(3):
        assert sent(database) == 0
        (delivery,) = delivered(database, webhook_id)
        assert delivery.next_attempt_at is not None
        waits.append(round((delivery.next_attempt_at - utc_now()).total_seconds()))
        assert sent(database) == 0
        now_due(database)
    assert sent(database) == 1

    (delivery,) = delivered(database, webhook_id)
    assert (delivery.attempts, delivery.status, delivery.problem) == (4, 204, None)
    assert waits == pytest.approx(PAUSES_SECONDS[:3], abs=10)
    assert {request.headers["x-ner-delivery"] for request in receiver.received} == {delivery.id}
    assert [request.path for request in receiver.received] == ["/hook"] * 4
    assert len({request.body for request in receiver.received}) == 1


def test_a_delivery_is_given_up_when_every_attempt_failed(database: Database, receiver: Receiver) -> None:
    webhook_id, _ = made(database, receiver.url)
    receiver.answers = [500] * 20
    opened(database)
    for _ in range(len(PAUSES_SECONDS) + 5):
        sent(database)
        now_due(database)

    (delivery,) = delivered(database, webhook_id)
    assert delivery.attempts == len(receiver.received) == len(PAUSES_SECONDS) + 1
    assert (delivery.next_attempt_at, delivery.delivered_at) == (None, None)
    assert delivery.problem == "The receiver answered 500."


def test_a_delivery_survives_the_death_of_its_sender(database: Database, receiver: Receiver) -> None:
    webhook_id, _ = made(database, receiver.url)
    opened(database)
    (waiting,) = delivered(database, webhook_id)
    # A sender that died after its claim: nothing is sent while it may still be at it, and all of it afterwards.
    soon = utc_now() + dt.timedelta(seconds=50)
    with database.transaction() as connection:
        connection.execute(tables.deliveries.update().values(attempts=1, next_attempt_at=soon))
    assert sent(database) == 0
    now_due(database)
    assert sent(database) == 1
    assert receiver.received[0].headers["x-ner-delivery"] == waiting.id


def test_of_many_senders_one_sends(database: Database, receiver: Receiver) -> None:
    webhook_id, _ = made(database, receiver.url)
    opened(database)
    (delivery,) = delivered(database, webhook_id)
    senders = [
        threading.Thread(target=send, args=(database, [SECRET], delivery.id), kwargs={"may_be_private": True})
        for _ in range(6)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(receiver.received) == 1


def test_nothing_goes_into_the_private_network_unless_it_may(database: Database, receiver: Receiver) -> None:
    webhook_id, _ = made(database, receiver.url)
    opened(database)
    assert send_due(database, [SECRET], may_be_private=False) == 0
    assert receiver.received == []
    (delivery,) = delivered(database, webhook_id)
    assert delivery.problem is not None
    assert "https://" in delivery.problem


def test_a_receiver_that_is_not_there_is_a_problem_in_the_log(database: Database) -> None:
    webhook_id, _ = made(database, "http://127.0.0.1:9/hook")
    opened(database)
    sent(database)
    assert delivered(database, webhook_id)[0].problem == "The receiver could not be reached (ConnectError)."


def test_what_waits_is_given_up_when_its_webhook_is_removed(database: Database, receiver: Receiver) -> None:
    webhook_id, _ = made(database, receiver.url)
    opened(database)
    with database.transaction() as connection:
        webhooks.remove_webhook(connection, webhook_id, actor="ada")
    opened(database, "HighErrorRate")
    assert sent(database) == 0
    assert [delivery.problem for delivery in delivered(database, webhook_id)] == ["The webhook was removed."]
    with database.reading() as connection:
        assert webhooks.list_webhooks(connection) == []
        with pytest.raises(NotFound):
            webhooks.get_webhook(connection, webhook_id)


def test_the_secret_is_sealed_at_rest_and_opens_with_the_right_key_alone(database: Database) -> None:
    webhook_id, signing = made(database, "https://example.org")
    with database.reading() as connection:
        sealed = connection.scalar(sa.select(tables.webhooks.c.sealed_secret))
        assert signing.encode() not in bytes(sealed)
        assert webhooks.signing_secret(connection, [b"a newer one", SECRET], webhook_id) == signing.encode()
        with pytest.raises(InvalidSetting):
            webhooks.signing_secret(connection, [b"another"], webhook_id)


def test_unknown_deliveries_are_not_found(database: Database) -> None:
    with database.reading() as connection, pytest.raises(NotFound):
        get_delivery(connection, "0" * 32)


@given(st.binary(), st.integers(0, 2**40), st.binary(min_size=1))
def test_a_signature_is_the_hmac_of_moment_and_body(secret: bytes, moment: int, body: bytes) -> None:
    import hashlib
    import hmac

    expected = hmac.new(secret, str(moment).encode() + b"." + body, hashlib.sha256).hexdigest()
    assert signature(secret, moment, body) == f"t={moment},v1={expected}"
