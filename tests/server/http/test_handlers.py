"""Test the handlers of this server's routes, and their responses to OPTIONS."""

import inspect

import pytest
from litestar import put
from litestar.routes import HTTPRoute

from mastra_core import Mastra
from mastra_server import create_app
from mastra_server.http.handlers import RequestHandler


@put("/api/memory/threads")
async def _replace_threads() -> dict[str, str]:
    return {}


def list_handlers(app):
    return [
        (route.path, handler)
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path.startswith("/api/")
        for handler in route.route_handlers
    ]


@pytest.fixture(scope="module")
def options_server(serve):
    with serve(Mastra(server={"api_routes": [_replace_threads]}, logger=False)) as server:
        yield server


def test_handlers_share_what_litestar_derives_from_their_signatures():
    handlers = list_handlers(create_app(Mastra(server={"traces": True, "logs": True})))
    others = [(path, str(each)) for path, each in handlers if type(each) is not RequestHandler]
    assert others == [], "declare the route with mastra_server.http.handlers"
    assert len(handlers) > 160
    assert len({id(each.signature_model) for _, each in handlers}) < 10
    assert len({id(each.parsed_fn_signature) for _, each in handlers}) < 10
    assert len({each.fn for _, each in handlers if each.http_methods == {"OPTIONS"}}) == 1


def test_each_handler_is_a_coroutine_function_that_takes_at_most_the_request():
    settings = {"traces": True, "logs": True, "metrics": True, "openapi": True}
    routes = create_app(Mastra(server=settings)).routes
    handlers = [each for route in routes for each in getattr(route, "route_handlers", ())]
    own = [each for each in handlers if isinstance(each, RequestHandler)]
    parameters = {tuple(inspect.signature(each.fn).parameters) for each in own}
    assert len(own) > 160
    assert parameters == {(), ("request",)}
    assert all(inspect.iscoroutinefunction(each.fn) for each in own)


def test_the_order_of_routes_is_stable():
    paths = [[route.path for route in create_app(Mastra()).routes] for _ in range(2)]
    assert paths[0] == paths[1]
    assert paths[0][2:4] == ["/api/agents", "/api/agents/{agent_id:str}"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/agents", "GET, OPTIONS"),
        ("/api/agents/x/generate", "OPTIONS, POST"),
        ("/api/memory/threads", "GET, OPTIONS, POST, PUT"),
        ("/api/memory/threads/x", "DELETE, GET, OPTIONS, PATCH"),
        ("/health", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_lists_the_methods_of_a_path(options_server, path, methods):
    answer = options_server.http.options(path)
    assert (answer.status_code, answer.headers["allow"]) == (204, methods)


def test_other_methods_and_paths_are_refused(options_server):
    assert options_server.http.options("/api/nowhere").status_code == 404
    assert options_server.http.put("/api/agents").status_code == 404
    assert options_server.http.put("/api/memory/threads").json() == {}
