"""The documentation at `/docs`: OpenAPI, and a page that shows it without asking any other server."""

import importlib.util
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.routing import APIRoute

from api.deprecation import deprecation_of
from api.roles import access_of, guarded_router, public
from ner.errors import NotFound

DESCRIPTION = """
Named-entity models in production: ask them, correct them, and let the better version win.

Send a key as `X-API-Key: ner_...` or `Authorization: Bearer ner_...`. Errors have one shape:
`{"error": {"kind", "message", "request_id", "details"}}`. Offsets count Unicode code points, as Python does.
"""
_MEDIA = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon-32x32.png": "image/png"}
_SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a session token."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "ner_session",
        "description": "Writes need the header `X-Requested-With: workbench`.",
    },
}

router = guarded_router(include_in_schema=False)


@router.get("/openapi.json")
@public
async def openapi(request: Request) -> dict[str, Any]:
    """The OpenAPI document."""
    app = request.app
    if app.openapi_schema is None:
        app.openapi_schema = _document(app)
    document: dict[str, Any] = app.openapi_schema
    return document


@router.get("/docs")
@public
async def docs(request: Request) -> HTMLResponse:
    """The page."""
    root = request.scope.get("root_path", "").rstrip("/")
    return get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title=f"{request.app.title}: API",
        swagger_js_url=f"{root}/docs/swagger-ui-bundle.js",
        swagger_css_url=f"{root}/docs/swagger-ui.css",
        swagger_favicon_url=f"{root}/docs/favicon-32x32.png",
        swagger_ui_parameters={"persistAuthorization": True, "tryItOutEnabled": True},
    )


@router.get("/docs/{name}")
@public
async def asset(name: str) -> Response:
    """A file of the page, from the package that bundles Swagger UI."""
    if name not in _MEDIA:
        raise NotFound(f"There is no file '{name}' here.")
    headers = {"Cache-Control": "public, max-age=86400"}
    return FileResponse(_assets() / name, media_type=_MEDIA[name], headers=headers)


def _assets() -> Path:
    package = importlib.util.find_spec("fastapi_swagger")
    if package is None or not package.submodule_search_locations:
        raise NotFound("The package fastapi-swagger, which holds this page, is not installed.")
    return Path(package.submodule_search_locations[0]) / "resources"


def _document(app: Any) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    document.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                _secure(operation, access_of(route.endpoint))
                if deprecation_of(route.endpoint) is not None:
                    operation["deprecated"] = True
    return document


def _secure(operation: dict[str, Any], access: str | None) -> None:
    if access == "public":
        operation["security"] = []
    else:
        operation["security"] = [{name: []} for name in _SCHEMES]
        operation["x-role"] = access
        operation["description"] = f"{operation.get('description', '')}\n\nNeeds the role `{access}`.".strip()
