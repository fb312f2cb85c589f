"""Test the OpenAPI document: complete, offline, and served only where it is enabled."""

import re

import pytest

from mastra_core import ApiRoute
from mastra_server import ApiKeys, create_app
from mastra_server.http import openapi
from mastra_server.http.openapi import build_document
from mastra_server.http.operations import iter_operations
from tests.server.sample_app import create_sample


async def order(request):
    """One order.

    With its lines.
    """
    return {}


@pytest.fixture(scope="module")
def openapi_document():
    return build_document(create_app(create_sample()))


def test_every_route_is_documented():
    """A handler needs a docstring, and ``response=`` or ``stream=`` in its decorator.

    See ``mastra_server/http/operations.py``.
    """
    bare = [
        f"{each.method} {each.path}"
        for each in iter_operations(create_app(create_sample()))
        if not each.description or not {"response", "stream"} & each.handler.opt.keys()
    ]
    assert not bare


def test_document(openapi_document):
    assert openapi_document["openapi"] == "3.1.0"
    generate = openapi_document["paths"]["/api/agents/{agentId}/generate"]["post"]
    assert generate["operationId"] == "agents_generate"
    assert generate["requestBody"]["required"] is True
    usual = {"200", "400", "404", "413", "415", "500", "504"}
    assert usual | {"402", "403", "422", "429", "502", "503"} == set(generate["responses"])
    start = openapi_document["paths"]["/api/workflows/{workflowId}/start"]["post"]
    (run_id,) = [each for each in start["parameters"] if each["name"] == "runId"]
    assert (run_id["in"], run_id["required"]) == ("query", True)
    stream = openapi_document["paths"]["/api/agents/{agentId}/stream"]["post"]["responses"]["200"][
        "content"
    ]
    assert list(stream) == ["text/event-stream"]


def test_names_are_unique_and_public(openapi_document):
    ids = [
        each["operationId"] for path in openapi_document["paths"].values() for each in path.values()
    ]
    assert len(ids) == len(set(ids))
    names = openapi_document["components"]["schemas"]
    assert not [name for name in names if not re.fullmatch(r"[A-Z][A-Za-z]+", name)]
    used = set(re.findall(r"#/components/schemas/(\w+)", str(openapi_document)))
    assert used == set(names)


def test_user_routes_and_prefix():
    routes = [ApiRoute(path="/orders/{order_id}", handler=order, method=["GET", "PUT"])]
    settings = {"api_prefix": "/v1", "api_routes": routes, "auth": ApiKeys({"a": "k"})}
    openapi_document = build_document(create_app(create_sample(server=settings)))
    own = openapi_document["paths"]["/orders/{orderId}"]
    assert set(own) == {"get", "put"}
    assert own["get"]["summary"] == "One order"
    assert own["get"]["security"] == [{"bearer": []}]
    assert "401" in openapi_document["paths"]["/v1/agents"]["get"]["responses"]
    assert "401" not in openapi_document["paths"]["/health"]["get"]["responses"]
    assert openapi_document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer"}
    }


def test_served_only_where_enabled(serve, api, monkeypatch):
    assert api.get("/api/openapi.json").status_code == 404
    with serve(server={"openapi": True, "auth": ApiKeys({"a": "k"})}) as server:
        page = server.http.get("/api/reference")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert not re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", page.text)
        assert server.http.get("/api/openapi.json").status_code == 401
        answer = server.http.get("/api/openapi.json", headers={"authorization": "Bearer k"})
        assert "/api/agents" in answer.json()["paths"]
    monkeypatch.setenv("MASTRA_DEV", "true")
    with serve() as server:
        assert server.http.get("/api/openapi.json").status_code == 200
    with serve(server={"openapi": False}) as server:
        assert server.http.get("/api/reference").status_code == 404


def test_the_document_is_built_once(serve, monkeypatch):
    """The event loop would otherwise be blocked for a while at each request."""
    built, build = [], openapi.build_document

    def count(app):
        built.append(app)
        return build(app)

    monkeypatch.setattr(openapi, "build_document", count)
    with serve(server={"openapi": True}) as server:
        documents = [server.http.get("/api/openapi.json").json() for _ in range(2)]
    assert documents[0] == documents[1]
    assert len(built) == 1
