"""The document of the API, its reference and its routes say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from apphub.access.scopes import SCOPES
from apphub.api.openapi import operations
from apphub.api.schema.types import OPEN
from apphub.app import ROUTES, App, described, reference
from apphub.web.request import HubRequest
from apphub.web.says import said

KEPT = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
APP = App(ROUTES, request_class=HubRequest, openapi_config=None)
DOCUMENT = described()
OPERATIONS = [
    pytest.param(told, id=f"{method} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, told in methods.items()
]


def _routes() -> dict[tuple[str, str], Any]:
    """What a program can ask below /hub/api, whichever door answers, with its handler."""
    return {
        (method, route.path_format): handler
        for route in APP.routes
        for method, (handler, _) in getattr(route, "route_handler_map", {}).items()
        if method != "OPTIONS" and (route.path_format + "/").startswith("/hub/api/")
    }


def test_the_document_holds_every_route_of_the_api_and_no_other() -> None:
    held = {
        (method.upper(), f"/hub{path}") for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    elsewhere = {("GET", "/hub/health"), ("HEAD", "/hub/health"), ("GET", "/hub/metrics")}
    assert elsewhere <= held
    assert held - elsewhere == _routes().keys()
    assert len(held) > 60


def test_every_route_of_the_api_says_what_it_answers() -> None:
    assert [place for place, handler in _routes().items() if said(handler) is None] == []


def test_operations_have_names_of_their_own() -> None:
    names = [one.name for one in operations(APP)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("told", OPERATIONS)
def test_an_operation_is_explained_and_refers_only_to_what_there_is(told: dict[str, Any]) -> None:
    assert told["summary"].endswith(".")
    assert {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]} >= set(told["tags"])
    for way in told["security"]:
        assert way.keys() <= DOCUMENT["components"]["securitySchemes"].keys()
        assert {scope for scopes in way.values() for scope in scopes} <= SCOPES.keys()
    for name in re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(told)):
        assert name in DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_a_shape_is_valid_explained_and_closed_unless_it_is_named_as_open(name: str) -> None:
    shape = DOCUMENT["components"]["schemas"][name]
    Draft202012Validator.check_schema(shape)
    assert shape.get("description") or name == "Component"
    if "properties" in shape:
        assert shape["additionalProperties"] is (name in {kind.__name__ for kind in OPEN})


def test_the_reference_of_the_api_is_up_to_date() -> None:
    assert KEPT.read_text() == reference(), "run: apphub reference api > docs/reference/api.md"
