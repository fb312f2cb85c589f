"""Requests that a browser sends for pages of other origins, without a preflight request."""

import pytest

from mastra_core import ApiRoute, Cors, Server

OWN, OTHER, EVIL = "https://app.example", "https://other.example", "https://evil.example"
PATH = "/api/workflows/pureWorkflow/start-async"


class CookieAuth:
    """Read the token from a cookie."""

    def token(self, request):
        return request.cookies.get("session")

    def authenticate(self, token, request):
        return {"id": token}

    def resource(self, user):
        return user["id"]


async def receive_form(request):
    return {"size": len(await request.body())}


def start(serve, cors):
    form = ApiRoute(path="/form", method="POST", handler=receive_form)
    return serve(server=Server(auth=CookieAuth(), cors=cors, api_routes=[form], mcp=True))


@pytest.fixture(scope="module")
def named(serve):
    with start(serve, Cors(origins=[OWN], credentials=True)) as server:
        yield server


@pytest.fixture(scope="module")
def open_to_all(serve):
    with start(serve, Cors()) as server:
        yield server


def post(server, path=PATH, *, cookie="session=ann", **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.http.post(path, headers=sent | ({"cookie": cookie} if cookie else {}))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": EVIL, "sec_fetch_site": "same-site"},
        {"origin": EVIL, "content_type": "text/plain"},
        {"origin": EVIL, "x_forwarded_host": "app.example"},
        {"sec_fetch_site": "cross-site"},
    ],
)
def test_a_foreign_page_cannot_use_the_cookie(named, open_to_all, headers):
    for server in (named, open_to_all):
        for path in (f"{PATH}?requestContext=%7B%7D", "/api/workflows/pureWorkflow/runs/r/cancel"):
            refused = post(server, path, **headers)
            assert refused.status_code == 403
            assert refused.json()["error"].startswith("A page of ")
            assert "Cors(origins=[...])" in refused.json()["error"]


def test_accepted_requests(named, open_to_all):
    authority = named.http.base_url.netloc.decode()
    for headers in (
        {},  # a program
        {"origin": OWN},
        {"origin": OWN, "sec_fetch_site": "cross-site"},
        {"origin": f"https://{authority}"},  # its own page, behind a proxy that terminates TLS
        {"origin": OTHER, "sec_fetch_site": "same-origin"},  # behind a proxy that changes the host
        # Over plain HTTP, browsers send no sec-fetch-site.
        {"origin": "http://app.example:8080", "x_forwarded_host": "app.example:8080"},
        {"origin": "http://app.example:8080", "x_forwarded_host": "app.example:8080, inner"},
        {"origin": OTHER, "content_type": "application/json"},  # after a preflight request
    ):
        assert post(named, **headers).status_code != 403, headers
    without_cookie = post(open_to_all, cookie="", origin=EVIL)
    assert without_cookie.status_code == 401
    assert without_cookie.headers["access-control-allow-origin"] == "*"
    assert named.http.get("/api/agents", headers={"origin": EVIL}).status_code == 401


def test_a_foreign_page_may_not_send_the_host_of_a_proxy_with_cookies(named, open_to_all):
    """The browser asks first, and sends no cookies unless the origin is named."""
    for server in (named, open_to_all):
        preflight = {
            "origin": EVIL,
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-forwarded-host",
        }
        allowed = server.http.options(PATH, headers=preflight).headers
        assert "access-control-allow-credentials" not in allowed
        assert allowed.get("access-control-allow-origin") in (None, "*")


def test_custom_endpoints_receive_forms(named):
    sent = named.http.post("/form", data={"a": 1}, headers={"origin": EVIL, "cookie": "session=a"})
    assert sent.json() == {"size": 3}


def test_own_middleware_decides_without_cors(serve):
    with start(serve, False) as server:
        assert post(server, origin=EVIL).status_code != 403
