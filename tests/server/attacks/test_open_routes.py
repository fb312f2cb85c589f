"""Test that custom routes outside of every middleware are reported, and that `auth` covers them."""

import pytest
from litestar import Controller, get

from mastra_core import ApiRoute, Middleware, Secret
from mastra_core.logger import get_logger
from mastra_server import ApiKeys, create_app
from tests.server.sample_app import create_sample


def list_orders(request):
    return {"orders": ["secret"]}


@get("/reports/daily")
async def get_report() -> dict[str, str]:
    return {}


class Invoices(Controller):
    path = "/invoices"

    @get("/{number:int}")
    async def get_invoice(self) -> dict[str, int]:
        return {}


async def check_token(request, next):
    return await next(request)


ROUTES = [
    ApiRoute(path="/orders/{order}", handler=list_orders, method=["GET", "POST"]),
    ApiRoute(path="/free", handler=list_orders, requires_auth=False),
    get_report,
    Invoices,
]
CUSTOM = ["/invoices/{number:int}", "/orders/{order:str}", "/reports/daily"]


@pytest.fixture
def find_reported(monkeypatch):
    def find(**settings):
        paths = []
        monkeypatch.setattr(
            get_logger("mastra.server"), "warning", lambda text, *paths_: paths.extend(paths_)
        )
        server = {"api_routes": ROUTES, "metrics": True, **settings.pop("server", {})}
        create_app(create_sample(server=server, **settings))
        return sorted(paths)

    return find


def test_routes_outside_of_every_middleware(find_reported):
    assert find_reported(server_middleware=[check_token]) == CUSTOM
    api = Middleware(handler=check_token, path="/api/*")
    assert find_reported(server_middleware=[api]) == CUSTOM
    orders = Middleware(handler=check_token, path="/orders/*")
    assert find_reported(server_middleware=[check_token, orders]) == [CUSTOM[0], CUSTOM[2]]
    other = {"api_prefix": "/v1"}
    assert find_reported(server_middleware=[check_token], server=other) == CUSTOM


def test_covered_routes(find_reported):
    assert find_reported() == []  # a server without any credentials is open
    everywhere = Middleware(handler=check_token, path="*")
    assert find_reported(server_middleware=[everywhere]) == []
    auth = {"auth": ApiKeys({"shop": "key"})}
    assert find_reported(server_middleware=[check_token], server=auth) == []
    assert find_reported(server_middleware=[check_token], server={"api_prefix": "/"}) == []
    assert find_reported(server_middleware=[check_token], server={"api_routes": ROUTES[1:2]}) == []


def test_auth_covers_custom_routes(serve):
    auth = ApiKeys({"shop": Secret("key-of-the-shop")})
    with serve(server={"auth": auth, "api_routes": ROUTES}) as server:
        for path in ("/orders/1", "/reports/daily", "/invoices/1"):
            assert server.http.get(path).status_code == 401, path
            headers = {"authorization": "Bearer key-of-the-shop"}
            assert server.http.get(path, headers=headers).status_code == 200, path
        assert server.http.get("/free").status_code == 200
