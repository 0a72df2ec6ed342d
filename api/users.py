"""People, and the links that sign them in once."""

import dataclasses
import datetime as dt

from fastapi import Request

from annotation.people import data_of, erase_person, preview_erasure
from api.bodies import refusals
from api.links import address
from api.roles import Called, Wired, guarded_router, role
from api.schemas import SignInLink, UserList, UserRequest, UserShape
from api.schemas.desk import EraseRequest
from api.schemas.people import ErasedPersonShape, ErasurePreviewShape, PersonData
from ner.database import utc_now
from registry import keys

LINK_MINUTES = 15

router = guarded_router(prefix="/api/v1/users", tags=["people"], responses=refusals(401, 403))


@router.get("", response_model=UserList)
@role("admin")
def list_all(wiring: Wired) -> UserList:
    """Everybody who may sign in."""
    with wiring.database.reading() as connection:
        return UserList(users=[_shape(user) for user in keys.list_users(connection)])


@router.post("", response_model=UserShape, status_code=201, responses=refusals(409, 422))
@role("admin")
def create(body: UserRequest, wiring: Wired, caller: Called) -> UserShape:
    """Add a person."""
    with wiring.database.transaction() as connection:
        return _shape(keys.create_user(connection, body.name, body.role, actor=caller.name))


@router.post("/{name}/link", response_model=SignInLink, responses=refusals(404))
@role("admin")
def link(name: str, request: Request, wiring: Wired, caller: Called) -> SignInLink:
    """A link that signs the person in, once, within 15 minutes."""
    with wiring.database.transaction() as connection:
        user = keys.get_user(connection, name)
        token = keys.create_sign_in_link(
            connection, wiring.secret, user.name, user.role, LINK_MINUTES, created_by=caller.name
        )
    expires_at = utc_now() + dt.timedelta(minutes=LINK_MINUTES)
    return SignInLink(url=address(request, "/sign-in", token=token), expires_at=expires_at)


@router.get("/{name}/data", response_model=PersonData, responses=refusals(404))
@role("admin")
def data(name: str, wiring: Wired) -> PersonData:
    """Everything that the person did and wrote here, row by row, for whoever asks what is kept of them."""
    with wiring.database.reading() as connection:
        return PersonData(tables=data_of(connection, name))


@router.get("/{name}/erasure", response_model=ErasurePreviewShape, responses=refusals(404))
@role("admin")
def erasure(name: str, wiring: Wired) -> ErasurePreviewShape:
    """What erasing the person would delete, put a pseudonym under, and leave. Nothing is written."""
    with wiring.database.reading() as connection:
        return ErasurePreviewShape(**dataclasses.asdict(preview_erasure(connection, name)))


@router.post("/{name}/erase", response_model=ErasedPersonShape, responses=refusals(404, 409, 422))
@role("admin")
def erase(name: str, body: EraseRequest, wiring: Wired, caller: Called) -> ErasedPersonShape:
    """Delete the person's account, keys, preferences, comments and times of work, and put a pseudonym under their
    answers. The audit trail keeps the name. It cannot be undone."""
    with wiring.database.transaction() as connection:
        erased = erase_person(connection, name, actor=caller.name, reason=body.reason)
    return ErasedPersonShape(**dataclasses.asdict(erased))


def _shape(user: keys.User) -> UserShape:
    return UserShape(**dataclasses.asdict(user))
