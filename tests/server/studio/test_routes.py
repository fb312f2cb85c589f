"""Test the first requests of Studio, and the unsupported operations."""

from types import SimpleNamespace
from typing import ClassVar

import httpx
import pytest

from mastra_core import ApiRoute
from mastra_server import ApiKeys, create_app
from mastra_server.http import unsupported_routes
from mastra_server.http.operations import iter_operations
from tests.server.sample_app import create_sample

FIXED = {
    "/api/auth/capabilities": {"enabled": False, "login": None},
    "/api/mcp/v0/servers": {"servers": [], "total_count": 0, "next": None},
    "/api/editor/builder/settings": {"enabled": False, "modelPolicy": {"active": False}},
    "/api/vectors": {"vectors": []},
    "/api/scores/scorers": {},
    "/api/processors": {},
    "/api/workspaces": {"workspaces": []},
    "/api/experiments/review-summary": {"counts": []},
    "/api/observability/feedback?page=0&perPage=1": {
        "feedback": [],
        "pagination": {"total": 0, "page": 0, "perPage": 10, "hasMore": False},
    },
    "/api/datasets": {
        "datasets": [],
        "pagination": {"total": 0, "page": 0, "perPage": 10, "hasMore": False},
    },
    "/api/experiments": {
        "experiments": [],
        "pagination": {"total": 0, "page": 0, "perPage": 10, "hasMore": False},
    },
    "/api/observability/discovery/tags": {"tags": []},
    "/api/observability/discovery/service-names": {"serviceNames": []},
    "/api/channels/platforms": [],
    "/api/editor/builder/models/available": {"providers": []},
    "/api/agents/echoAgent/voice/speakers": [],
}


@pytest.mark.parametrize("path", FIXED)
def test_empty_lists(server, path):
    answer = server.http.get(path)
    assert (answer.status_code, answer.json()) == (200, FIXED[path])


def test_system_without_versions(server):
    told = server.http.get("/api/system/packages").json()
    assert (told["packages"], told["isDev"], told["storageType"]) == ([], False, "MemoryStorage")


def test_providers(server, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", "sk-groq")
    answer = server.http.get("/api/agents/providers")
    assert "sk-groq" not in answer.text
    found = {each["id"]: each for each in answer.json()["providers"]}
    assert (found["groq"]["connected"], found["groq"]["envVar"]) == (True, "GROQ_API_KEY")
    assert found["google"]["envVar"] == ["GOOGLE_API_KEY", "GEMINI_API_KEY"]


def test_capabilities_need_no_auth(serve):
    with serve(server={"auth": ApiKeys({"ada": "k"}), "mcp": True}) as server:
        assert server.http.get("/api/auth/capabilities").json()["enabled"] is True
        assert server.http.get("/api/system/packages").status_code == 401
        key = {"authorization": "Bearer k"}
        listed = server.http.get("/api/mcp/v0/servers", headers=key).json()
        assert [each["id"] for each in listed["servers"]] == ["mastra"]


REFUSED = [
    (each.method, each.path.replace(":str", ""))
    for each in iter_operations(create_app(create_sample()))
    if each.handler.fn.__module__ == unsupported_routes.__name__
]


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_unsupported_operations_say_why(server, method, path):
    answer = server.http.request(method, path, json={} if method == "post" else None)
    assert answer.status_code == 501
    assert answer.json()["error"].endswith(".")
    assert len(answer.json()["error"].split()) > 3


def test_unsupported_operations_exist():
    assert len(REFUSED) == len(list(unsupported_routes.build_documented_handlers())) > 10


def test_unsupported_operations_follow_the_prefix(serve):
    with serve(server={"api_prefix": "/v1"}) as server:
        assert server.http.post("/v1/scores").status_code == 501
        assert server.http.post("/api/scores").status_code == 404
        assert server.http.get("/v1/scores").status_code == 404


def test_welcome_page(server):
    answer = server.http.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "<code>/api</code>" in answer.text
    assert server.http.head("/").status_code == 200
    assert server.http.post("/").status_code == 404


def test_user_start_page(serve):
    own = ApiRoute(path="/", handler=lambda _: "mine")
    with serve(server={"api_routes": [own]}) as server:
        assert server.http.get("/").text == "mine"


class Sessions:
    """Users in the forms in which applications keep them."""

    users: ClassVar = {
        "mapping": {"id": "ann", "name": "Ann", "password_hash": "secret"},
        "claims": {"sub": "cy", "email": "cy@example.com"},
        "text": "bob",
        "object": SimpleNamespace(id="dora", name=None, api_key="secret"),
        "opaque": True,
    }

    async def authenticate(self, token, connection):
        return self.users.get(token)


@pytest.fixture(scope="module")
def protected(serve):
    with serve(server={"auth": Sessions()}) as running_server:
        yield running_server.http


@pytest.mark.parametrize(
    ("token", "user"),
    [
        ("mapping", {"id": "ann", "name": "Ann"}),
        ("claims", {"id": "cy", "email": "cy@example.com"}),
        ("text", {"id": "bob"}),
        ("object", {"id": "dora"}),
        ("opaque", {"id": "user"}),
    ],
)
def test_user_of_the_credentials(protected, token, user):
    headers = {"authorization": f"Bearer {token}"}
    assert protected.get("/api/auth/me", headers=headers).json() == user
    told = protected.get("/api/auth/capabilities", headers=headers).json()
    assert (told["enabled"], told["login"], told["user"]) == (True, None, user)
    assert told["capabilities"]["user"] is True


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer bad"}])
def test_no_user_without_credentials(protected, headers):
    told = protected.get("/api/auth/capabilities", headers=headers).json()
    assert told == {"enabled": True, "login": None}
    assert protected.get("/api/auth/me", headers=headers).status_code == 401


def test_no_user_without_authentication(server):
    assert server.http.get("/api/auth/me").json() is None


class Refusals(Sessions):
    """Users who may do nothing; counts how often a token is checked."""

    checked = 0

    async def authenticate(self, token, connection):
        self.checked += 1
        return await super().authenticate(token, connection)

    def authorize(self, user, connection):
        return connection.headers.get("x-allowed") == "yes"


def test_user_without_permission(serve):
    """The capabilities name only the caller itself, and every other request is checked."""
    auth = Refusals()
    with serve(server={"auth": auth}) as server:
        headers = {"authorization": "Bearer mapping"}
        told = server.http.get("/api/auth/capabilities", headers=headers).json()
        assert told["user"] == {"id": "ann", "name": "Ann"}
        for path in ("/api/auth/me", "/api/agents", "/api/system/packages"):
            assert server.http.get(path, headers=headers).status_code == 403, path
        auth.checked = 0
        allowed = {**headers, "x-allowed": "yes"}
        assert server.http.get("/api/auth/me", headers=allowed).json()["id"] == "ann"
        assert auth.checked == 1


@pytest.mark.parametrize(
    ("dev", "headers", "status"),
    [
        ("true", {"x-mastra-dev-playground": "true"}, 200),
        ("true", {}, 401),
        ("true", {"x-mastra-dev-playground": "true", "host": "evil.example"}, 401),
        ("true", {"x-mastra-dev-playground": "true", "host": "localhost.evil.example"}, 401),
        ("true", {"x-mastra-dev-playground": "true", "x-forwarded-for": "192.0.2.1"}, 401),
        ("true", {"x-mastra-dev-playground": "true", "x-forwarded-for": "127.0.0.1"}, 401),
        ("true", {"x-mastra-dev-playground": "true", "forwarded": "for=127.0.0.1"}, 401),
        ("", {"x-mastra-dev-playground": "true"}, 401),
    ],
)
def test_studio_in_development(protected, monkeypatch, dev, headers, status):
    monkeypatch.setenv("MASTRA_DEV", dev)
    assert protected.get("/api/agents", headers=headers).status_code == status
    told = protected.get("/api/auth/capabilities", headers=headers).json()
    assert told == {"enabled": status == 401, "login": None}
    signed_in = {**headers, "authorization": "Bearer mapping"}
    told = protected.get("/api/auth/capabilities", headers=signed_in).json()
    assert (told["enabled"], told["user"]["id"]) == (True, "ann")


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 200), ("127.0.0.2", 401)])
def test_studio_of_another_machine(protected, monkeypatch, address, status):
    """With `mastra dev --host 0.0.0.0`, another machine can name this machine as the host."""
    monkeypatch.setenv("MASTRA_DEV", "true")
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=protected.base_url, transport=transport, trust_env=False) as http:
        headers = {"x-mastra-dev-playground": "true", "host": "localhost"}
        assert http.get("/api/agents", headers=headers).status_code == status
