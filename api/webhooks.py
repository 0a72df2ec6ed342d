"""Webhooks: who outside is told of alerts, and what became of each telling."""

import dataclasses
from typing import Annotated

from fastapi import Query, Response

from api.bodies import refusals
from api.roles import Called, Wired, guarded_router, role
from api.schemas import DeliveryList, DeliveryShape, WebhookCreated, WebhookList, WebhookRequest, WebhookShape
from registry import deliveries, webhooks
from registry.addresses import resolve

router = guarded_router(prefix="/api/v1/webhooks", tags=["alerts"], responses=refusals(401, 403))


@router.get("", response_model=WebhookList)
@role("engineer")
def list_all(wiring: Wired) -> WebhookList:
    """Everybody who is told, without their secrets."""
    with wiring.database.reading() as connection:
        found = webhooks.list_webhooks(connection)
    return WebhookList(webhooks=[WebhookShape(**dataclasses.asdict(webhook)) for webhook in found])


@router.post("", response_model=WebhookCreated, status_code=201, responses=refusals(422))
@role("admin")
def create(body: WebhookRequest, wiring: Wired, caller: Called) -> WebhookCreated:
    """Tell a receiver of alerts from now on. Its secret is shown this one time."""
    may_be_private = wiring.settings.webhook_private_addresses
    resolve(body.url, may_be_private=may_be_private, allowed_by=webhooks.PRIVATE_SETTING)
    with wiring.database.transaction() as connection:
        made, signing = webhooks.create_webhook(
            connection, wiring.secret, name=body.name, url=body.url, severities=body.severities, actor=caller.name
        )
    return WebhookCreated(id=made.id, secret=signing)


@router.delete("/{webhook_id}", status_code=204, responses=refusals(404))
@role("admin")
def remove(webhook_id: str, wiring: Wired, caller: Called) -> Response:
    """Tell it nothing more."""
    with wiring.database.transaction() as connection:
        webhooks.remove_webhook(connection, webhook_id, actor=caller.name)
    return Response(status_code=204)


@router.post("/{webhook_id}/test", response_model=DeliveryShape, responses=refusals(404))
@role("admin")
def test(webhook_id: str, wiring: Wired, caller: Called) -> DeliveryShape:
    """Send it a delivery of the kind `test` now, once, and say what became of it."""
    with wiring.database.transaction() as connection:
        webhooks.get_webhook(connection, webhook_id)
        facts = {"sentence": f"{caller.name} tries out this webhook."}
        delivery_id = webhooks.write_delivery(connection, webhook_id, "test", facts)
    may_be_private = wiring.settings.webhook_private_addresses
    deliveries.send(wiring.database, wiring.seals.secrets, delivery_id, may_be_private=may_be_private)
    with wiring.database.reading() as connection:
        return _shape(deliveries.get_delivery(connection, delivery_id))


@router.get("/{webhook_id}/deliveries", response_model=DeliveryList, responses=refusals(404, 422))
@role("engineer")
def show_deliveries(webhook_id: str, wiring: Wired, limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> DeliveryList:
    """What it was told lately, newest first, and what it answered."""
    with wiring.database.reading() as connection:
        webhooks.get_webhook(connection, webhook_id)
        found = deliveries.list_deliveries(connection, webhook_id, limit=limit)
    return DeliveryList(deliveries=[_shape(delivery) for delivery in found])


def _shape(delivery: deliveries.Delivery) -> DeliveryShape:
    return DeliveryShape(**dataclasses.asdict(delivery))
