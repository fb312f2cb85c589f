"""The OpenAPI document: whole, offline, and there only where it is wanted."""

import re

import pytest

from mastra_core import ApiRoute
from mastra_server import ApiKeys, create_app
from mastra_server.http.openapi import build_document
from mastra_server.http.operations import iter_operations
from tests.server.sample_app import sample


async def order(request):
    """One order.

    With its lines.
    """
    return {}


@pytest.fixture(scope="module")
def told():
    return build_document(create_app(sample()))


def test_every_route_says_what_it_answers():
    """A handler without this needs a docstring, and ``answer=`` or ``stream=`` in its decorator;
    see ``mastra_server/operations.py``.
    """
    bare = [
        f"{each.method} {each.path}"
        for each in iter_operations(create_app(sample()))
        if not each.is_documented
    ]
    assert not bare


def test_the_document(told):
    assert told["openapi"] == "3.1.0"
    generate = told["paths"]["/api/agents/{agentId}/generate"]["post"]
    assert generate["operationId"] == "agents_generate"
    assert generate["requestBody"]["required"] is True
    usual = {"200", "400", "404", "413", "500", "504"}
    assert usual | {"402", "403", "422", "429", "502", "503"} == set(generate["responses"])
    start = told["paths"]["/api/workflows/{workflowId}/start"]["post"]
    (run_id,) = [each for each in start["parameters"] if each["name"] == "runId"]
    assert (run_id["in"], run_id["required"]) == ("query", True)
    stream = told["paths"]["/api/agents/{agentId}/stream"]["post"]["responses"]["200"]["content"]
    assert list(stream) == ["text/event-stream"]


def test_its_names_are_for_strangers(told):
    ids = [each["operationId"] for path in told["paths"].values() for each in path.values()]
    assert len(ids) == len(set(ids))
    names = told["components"]["schemas"]
    assert not [name for name in names if not re.fullmatch(r"[A-Z][A-Za-z]+", name)]
    used = set(re.findall(r"#/components/schemas/(\w+)", str(told)))
    assert used == set(names)


def test_routes_of_ones_own_and_a_prefix_are_in_it():
    routes = [ApiRoute(path="/orders/{order_id}", handler=order, method=["GET", "PUT"])]
    settings = {"api_prefix": "/v1", "api_routes": routes, "auth": ApiKeys({"a": "k"})}
    told = build_document(create_app(sample(server=settings)))
    own = told["paths"]["/orders/{orderId}"]
    assert set(own) == {"get", "put"}
    assert own["get"]["summary"] == "One order"
    assert own["get"]["security"] == [{"bearer": []}]
    assert "401" in told["paths"]["/v1/agents"]["get"]["responses"]
    assert "401" not in told["paths"]["/health"]["get"]["responses"]
    assert told["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}


def test_it_is_served_where_it_is_wanted(serve, api, monkeypatch):
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
