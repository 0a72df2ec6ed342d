"""The rollout policy in the words of other controllers."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from api.bodies import refusals
from api.roles import guarded_router, role
from registry.policy import default_policy
from registry.policy_exports import Controller, Trial, export_policy

router = guarded_router(prefix="/api/v1/rollout/policy", tags=["rollout"], responses=refusals(401, 403))
Version = Annotated[str, Query(min_length=1, max_length=100, pattern=r"^[\w.\-+]+$")]


class ManifestList(BaseModel):
    """Objects of Kubernetes, to be written as YAML and applied."""

    manifests: list[dict[str, Any]] = Field(description="In the order in which they are applied.")


@router.get("/manifests", response_model=ManifestList, responses=refusals(422))
@role("viewer")
def show_manifests(
    to: Controller, stable: Version, canary: Version, percent: Annotated[float | None, Query(ge=0, le=100)] = None
) -> ManifestList:
    """The policy that ships with the workbench for Argo Rollouts, Flagger, or a route of the Gateway API."""
    return ManifestList(manifests=export_policy(default_policy(), to, Trial(stable, canary), percent=percent))
