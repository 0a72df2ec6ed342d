"""Training: recipes on offer, runs asked for, watched and cancelled. The work is done by workers."""

from api.bodies import refusals
from api.roles import Called, Wired, guarded_router, role
from api.schemas import RecipeList, RecipeShape, RunList, RunRequest, RunShape
from api.shapes import run_shape
from ner.disk import check_room
from registry import runs
from registry.recipes import RECIPES

router = guarded_router(prefix="/api/v1", tags=["training"], responses=refusals(401, 403))


@router.get("/recipes", response_model=RecipeList)
@role("viewer")
def recipes() -> RecipeList:
    """What a run may train."""
    return RecipeList(
        recipes=[
            RecipeShape(name=recipe.name, description=recipe.description, parameters=dict(recipe.parameters))
            for recipe in RECIPES.values()
        ]
    )


@router.post("/runs", response_model=RunShape, status_code=202, responses=refusals(404, 422, 507))
@role("engineer")
def request_run(body: RunRequest, wiring: Wired, caller: Called) -> RunShape:
    """Put a training run in the queue."""
    check_room(wiring.settings.home, wiring.settings.disk_reserve_megabytes)
    with wiring.database.transaction() as connection:
        return run_shape(runs.request_run(connection, body.dataset, body.recipe, body.parameters, caller.name))


@router.get("/runs", response_model=RunList)
@role("viewer")
def list_all(wiring: Wired) -> RunList:
    """The latest runs, newest first."""
    with wiring.database.reading() as connection:
        return RunList(runs=[run_shape(run) for run in runs.list_runs(connection)])


@router.get("/runs/{run_id}", response_model=RunShape, responses=refusals(404))
@role("viewer")
def show(run_id: str, wiring: Wired) -> RunShape:
    """One run with its progress."""
    with wiring.database.reading() as connection:
        return run_shape(runs.get_run(connection, run_id))


@router.post("/runs/{run_id}/cancel", response_model=RunShape, responses=refusals(404, 409))
@role("engineer")
def cancel(run_id: str, wiring: Wired, caller: Called) -> RunShape:
    """Stop a run: at once where it waits, within seconds where it runs."""
    with wiring.database.transaction() as connection:
        return run_shape(runs.request_cancel(connection, run_id, caller.name))
