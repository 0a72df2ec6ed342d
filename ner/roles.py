"""Who may do what: each role holds everything that the one before it holds."""

from typing import Literal, get_args

from ner.errors import InvalidInput, NotAllowed

Role = Literal["viewer", "annotator", "reviewer", "engineer", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)


def as_role(name: str) -> Role:
    """The role of that name. Raises InvalidInput listing the roles there are."""
    for role in ROLES:
        if role == name:
            return role
    raise InvalidInput(f"'{name}' is not a role; choose one of {', '.join(ROLES)}.")


def reaches(held: Role, needed: Role) -> bool:
    """Whether `held` holds what `needed` holds."""
    return ROLES.index(held) >= ROLES.index(needed)


def require_role(held: Role, needed: Role) -> None:
    """Raises NotAllowed when `held` does not reach `needed`."""
    if not reaches(held, needed):
        raise NotAllowed(f"This needs the role '{needed}'; this caller is a '{held}'.")
