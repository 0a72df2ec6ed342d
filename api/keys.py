"""API keys: made, listed, revoked."""

from fastapi import Response

from api.bodies import refusals
from api.roles import Called, Wired, guarded_router, role
from api.schemas import KeyCreated, KeyList, KeyRequest, KeyShape
from registry import keys

router = guarded_router(prefix="/api/v1/keys", tags=["people"], responses=refusals(401, 403))


@router.get("", response_model=KeyList)
@role("admin")
def list_all(wiring: Wired) -> KeyList:
    """Every key without its secret, newest first."""
    with wiring.database.reading() as connection:
        records = keys.list_keys(connection)
    return KeyList(keys=[_shape(record) for record in records])


@router.post("", response_model=KeyCreated, status_code=201, responses=refusals(422))
@role("admin")
def create(body: KeyRequest, wiring: Wired, caller: Called) -> KeyCreated:
    """Make a key. Its secret is in this answer and nowhere else."""
    limit = body.rate_limit_per_hour
    if "rate_limit_per_hour" not in body.model_fields_set:
        limit = wiring.settings.rate_limit_per_hour
    with wiring.database.transaction() as connection:
        key_id, key = keys.create_key(
            connection,
            wiring.secret,
            body.name,
            body.role,
            rate_limit_per_hour=limit,
            days=body.days,
            scopes=body.scopes,
            created_by=caller.name,
        )
    return KeyCreated(id=key_id, key=key)


@router.delete("/{key_id}", status_code=204, responses=refusals(404))
@role("admin")
def revoke(key_id: str, wiring: Wired, caller: Called) -> Response:
    """Refuse a key from now on; every process follows within five seconds."""
    with wiring.database.transaction() as connection:
        keys.revoke_key(connection, key_id, actor=caller.name)
    wiring.callers.forget()
    return Response(status_code=204)


def _shape(record: keys.KeyRecord) -> KeyShape:
    return KeyShape(
        id=record.id,
        name=record.name,
        prefix=record.prefix,
        role=record.role,
        rate_limit_per_hour=record.rate_limit_per_hour,
        created_at=record.created_at,
        created_by=record.created_by,
        expires_at=record.expires_at,
        revoked_at=record.revoked_at,
        scopes=record.scopes,
    )
