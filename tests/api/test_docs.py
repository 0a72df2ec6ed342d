"""The documentation is served whole, from here, and is true."""

import re

from fastapi.routing import APIRoute

from api.roles import access_of
from tests.api.rooms import Room


def test_the_page_asks_no_other_server(light_room: Room) -> None:
    page = light_room.client.get("/docs").text

    addresses = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert len(addresses) == 3
    for address in addresses:
        assert address.startswith("/docs/")
        answer = light_room.client.get(address)
        assert answer.status_code == 200
        assert len(answer.content) > 500
    assert light_room.client.get("/docs/secret.key").status_code == 404


def test_every_operation_is_described_with_its_role_and_its_refusals(light_room: Room) -> None:
    document = light_room.client.get("/openapi.json").json()

    for route in light_room.app.routes:
        assert isinstance(route, APIRoute)
        for method in route.methods or () if route.include_in_schema else ():
            operation = document["paths"][route.path][method.lower()]
            access = access_of(route.endpoint)
            assert operation["description"]
            assert operation.get("x-role", "public") == access
            assert bool(operation["security"]) == (access != "public")
            if access != "public":
                assert "401" in operation["responses"], route.path


def test_the_bodies_that_routes_parse_themselves_are_described_with_an_example(light_room: Room) -> None:
    document = light_room.client.get("/openapi.json").json()

    for path in ("/api/v1/ner/predict", "/api/v1/ner/batch", "/v2/models/{model}/infer"):
        operation = document["paths"][path]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert "$defs" not in str(schema)
        assert operation["requestBody"]["content"]["application/json"]["example"]
        assert "$ref" in operation["responses"]["200"]["content"]["application/json"]["schema"]


def test_every_reference_of_the_document_leads_somewhere(light_room: Room) -> None:
    text = light_room.client.get("/openapi.json").text
    document = light_room.client.get("/openapi.json").json()

    references = set(re.findall(r'"\$ref":\s*"#/([^"]+)"', text))
    assert references
    for reference in references:
        place = document
        for part in reference.split("/"):
            place = place[part]


def test_the_example_of_predict_is_answered(light_room: Room) -> None:
    document = light_room.client.get("/openapi.json").json()
    example = document["paths"]["/api/v1/ner/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]

    answer = light_room.client.post("/api/v1/ner/predict", json=example, headers=light_room.headers())

    assert answer.status_code == 200


def test_answers_carry_the_security_headers(light_room: Room) -> None:
    for path in ("/api/v1/ner/health", "/docs", "/api/v1/nowhere"):
        headers = light_room.client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
