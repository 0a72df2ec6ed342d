"""How people work: the keys that they have bound, what answers take them, and checks against rubber-stamping."""

from annotation.checks import checks_percent, set_checks
from annotation.effort import habits
from annotation.preferences import bind_keys, keys_of
from api.bodies import refusals
from api.roles import Called, Wired, guarded_router, role
from api.schemas.desk import ChecksShape, HabitsList, HabitsShape, KeysShape

router = guarded_router(prefix="/api/v1", tags=["text"], responses=refusals(401, 403))


@router.get("/preferences/keys", response_model=KeysShape)
@role("viewer")
def keys(wiring: Wired, caller: Called) -> KeysShape:
    """The keys that this person has bound in the editor."""
    with wiring.database.reading() as connection:
        return KeysShape(bindings=keys_of(connection, caller.name))


@router.put("/preferences/keys", response_model=KeysShape, responses=refusals(422))
@role("viewer")
def bind(body: KeysShape, wiring: Wired, caller: Called) -> KeysShape:
    """Bind the keys of every action, or with an empty mapping return to those that the editor comes with."""
    with wiring.database.transaction() as connection:
        return KeysShape(bindings=bind_keys(connection, caller.name, body.bindings))


@router.put("/datasets/{name}/checks", response_model=ChecksShape, responses=refusals(404, 422))
@role("engineer")
def plant(name: str, body: ChecksShape, wiring: Wired, caller: Called) -> ChecksShape:
    """How many documents in a hundred come with a suggestion that is wrong on purpose. It never reaches an answer."""
    with wiring.database.transaction() as connection:
        set_checks(connection, name, body.percent, actor=caller.name)
    return body


@router.get("/datasets/{name}/habits", response_model=HabitsList, responses=refusals(404))
@role("reviewer")
def list_all(name: str, wiring: Wired) -> HabitsList:
    """What answers take each person, what they do with checks, and whose answers deserve a second look."""
    with wiring.database.reading() as connection:
        found, percent = habits(connection, name), checks_percent(connection, name)
    people = [HabitsShape.model_validate(one, from_attributes=True) for one in found]
    return HabitsList(percent=percent, people=people)
