"""Test the settings of the server: prefix, user routes, error handler."""

import asyncio
from typing import Any

import pytest
from litestar import Controller, Request, Response, get
from litestar.exceptions import NotFoundException

from mastra_core import ApiRoute, RateLimit
from mastra_core.errors import ConfigError, NotFound
from mastra_server import create_app
from tests.server.sample_app import create_sample


@pytest.mark.parametrize("prefix", ["/v1/ai", "v1//ai/", "/"])
def test_prefix(serve, prefix):
    at = "/v1/ai" if "v1" in prefix else ""
    with serve(server={"api_prefix": prefix}) as server:
        assert "echo-agent" in server.http.get(f"{at}/agents").json()
        made = server.http.post(f"{at}/tools/addTool/execute", json={"data": {"a": 1, "b": 2}})
        assert made.json() == {"sum": 3}
        assert server.http.get("/api/agents").status_code == 404
        assert server.http.get("/health").json() == {"success": True}


def test_middleware_follows_the_prefix(serve):
    async def refuse(request, next):
        return Response({"error": "no"}, status_code=401)

    with serve(server={"api_prefix": "/v1"}, server_middleware=[refuse]) as server:
        assert server.http.get("/v1/agents").status_code == 401
        assert server.http.get("/health").status_code == 200


@pytest.mark.parametrize("prefix", ["/a?b", "/../x", "/{name}", "/a#b", "/%61"])
def test_invalid_prefix(prefix):
    with pytest.raises(ConfigError, match="api_prefix"):
        create_sample(server={"api_prefix": prefix})


async def order(request):
    """One order."""
    return {"order": request.path_params["order"], "method": request.method}


def get_plain(request):
    return "plain"


async def raise_not_found(request):
    raise NotFound("No such order")


class Shop(Controller):
    path = "/shop"

    @get("/hours")
    async def hours(self) -> dict[str, int]:
        return {"opens": 9}


@get("/typed/{number:int}")
async def get_typed(request: Request[Any, Any, Any]) -> dict[str, int]:
    return {"twice": request.path_params["number"] * 2}


ROUTES = [
    ApiRoute(path="/orders/{order}", handler=order, method=["GET", "PUT", "PATCH", "DELETE"]),
    {"path": "/plain", "handler": get_plain},
    ApiRoute(path="/lost", handler=raise_not_found),
    ApiRoute(path="/made", handler=lambda _: Response({"a": 1}, status_code=201), method="POST"),
    Shop,
    get_typed,
]


def test_user_routes(serve):
    with serve(server={"api_routes": ROUTES}) as server:
        http = server.http
        assert http.get("/orders/7").json() == {"order": "7", "method": "GET"}
        for method in ("PUT", "PATCH", "DELETE"):
            answer = http.request(method, "/orders/7")
            assert (answer.status_code, answer.json()["method"]) == (200, method)
        assert http.post("/orders/7").status_code == 404
        assert http.get("/plain").text == "plain"
        assert http.get("/lost").json() == {"error": "No such order"}
        assert http.post("/made").status_code == 201
        assert http.get("/shop/hours").json() == {"opens": 9}
        assert http.get("/typed/3").json() == {"twice": 6}
        assert http.get("/typed/x").status_code == 404


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (ApiRoute(path="/api/mine", handler=order), "reserved for the server"),
        (ApiRoute(path="/health", handler=order), "reserved for the server"),
        (object(), "api_routes contains"),
    ],
)
def test_rejected_routes(item, words):
    with pytest.raises(ConfigError, match=words):
        create_app(create_sample(server={"api_routes": [item]}))


@pytest.mark.parametrize(
    ("settings", "paths", "words"),
    [
        ({}, ["/x", "/x"], "path '/x' and http method GET"),
        ({"metrics": True}, ["/metrics"], "path '/metrics'"),
        ({"api_prefix": ""}, ["/agents"], "path '/agents'"),
        ({}, ["/x/{a}/{a}"], "Duplicate parameter 'a'"),
    ],
)
def test_paths_that_cannot_be_served(settings, paths, words):
    routes = [ApiRoute(path=path, handler=order) for path in paths]
    with pytest.raises(ConfigError, match=words) as caught:
        create_app(create_sample(server={"api_routes": routes, **settings}))
    assert "may have the same path and method" in caught.value.hint


def test_litestar_names_the_fault_of_a_handler():
    @get("/typed/{number}")
    async def handle(number: int) -> int:
        return number

    with pytest.raises(ConfigError) as caught:
        create_app(create_sample(server={"api_routes": [handle]}))
    assert caught.value.message.endswith("in path: '/typed/{number}'.")
    assert caught.value.hint.startswith("Correct this endpoint.")


@pytest.mark.parametrize("prefix", ["/api", ""])
def test_paths_that_differ_in_the_name_of_a_parameter(prefix):
    own = [ApiRoute(path="/x/{a}", handler=order), ApiRoute(path="/x/{b}", handler=order)]
    routes = own if prefix else [ApiRoute(path="/agents/{name}", handler=order)]
    with pytest.raises(ConfigError, match="match the same GET requests"):
        create_app(create_sample(server={"api_routes": routes, "api_prefix": prefix}))
    other_method = ApiRoute(path="/x/{b}", handler=order, method="POST")
    create_app(create_sample(server={"api_routes": [own[0], other_method]}))


@pytest.mark.parametrize(
    "wrong", [{"path": "x"}, {"method": "FLY"}, {"handler": 1}, {"method": ["GET", "get"]}]
)
def test_invalid_routes(wrong):
    with pytest.raises(ConfigError, match="route"):
        ApiRoute(**{"path": "/x", "handler": order, **wrong})


def test_on_error(serve):
    seen = []

    async def on_error(error, request):
        seen.append((type(error).__name__, request.url.path))
        if request.headers.get("x-own"):
            return Response({"own": str(error)}, status_code=418)
        if request.headers.get("x-data"):
            return {"told": error.message}
        if request.headers.get("x-fail"):
            raise RuntimeError("secret")
        return None

    with serve(server={"on_error": on_error}) as server:

        def request_error(**headers):
            answer = server.http.get("/api/agents/nope", headers=headers)
            return answer.status_code, answer.json()

        ours = (404, {"error": "Agent with id nope not found"})
        assert request_error() == ours
        assert request_error(**{"x-own": "1"})[0] == 418
        assert request_error(**{"x-data": "1"}) == (404, {"told": "Agent with id nope not found"})
        assert request_error(**{"x-fail": "1"}) == ours
        assert server.http.get("/nope").text == "404 Not Found"
        assert server.http.get("/nope/", headers={"x-own": "1"}).status_code == 418
        assert server.http.delete("/health").text == "404 Not Found"
    assert seen[:4] == [("NotFound", "/api/agents/nope")] * 4
    assert seen[4:] == [
        ("NotFoundException", path) for path in ("/nope", "/nope/", "/health")
    ]  # fmt: skip


def test_errors_of_layers_reach_on_error(serve):
    seen = []

    def on_error(error, request):
        seen.append((type(error).__name__, request.url.path))

    async def wait(request):
        await asyncio.sleep(20)

    settings = {
        "on_error": on_error, "timeout": 0.2, "rate_limit": RateLimit(amount="2/minute"), "body_limit": 10,
        "api_routes": [ApiRoute(path="/wait", handler=wait)],
    }  # fmt: skip
    with serve(server=settings) as server:
        assert server.http.get("/wait").status_code == 504
        assert server.http.post("/api/tools/add/execute", content=b"x" * 20).status_code == 413
        refused = server.http.get("/api/agents")
        assert (refused.status_code, refused.json()) == (429, {"error": "Too many requests"})
        assert "retry-after" in refused.headers
    assert [name for name, _ in seen] == ["GatewayTimeout", "BodyTooLarge", "TooManyRequests"]


def test_not_found_of_a_route_keeps_its_detail(serve):
    async def find(request):
        raise NotFoundException("The order 5 does not exist.")

    with serve(server={"api_routes": [ApiRoute(path="/orders", handler=find)]}) as server:
        answer = server.http.get("/orders")
        assert (answer.status_code, answer.json()) == (
            404,
            {"error": "The order 5 does not exist."},
        )
