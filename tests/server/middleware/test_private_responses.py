"""The header that keeps responses to identified callers out of shared caches."""

from litestar import Response

from mastra_core import ApiRoute, Secret, Server
from mastra_server import ApiKeys
from mastra_server.http.request_context import RESOURCE_KEY, request_context

KEY = {"authorization": "Bearer key-of-ann"}


async def show_picture(request):
    return Response("picture", headers={"Cache-Control": "max-age=60"})


async def greet(request):
    return "hello"


def test_responses_to_authenticated_callers_are_not_stored(serve):
    settings = Server(
        auth=ApiKeys({"ann": Secret("key-of-ann")}, restrict_memory=True),
        api_routes=[
            ApiRoute(path="/greeting", handler=greet),
            ApiRoute(path="/picture", handler=show_picture),
            ApiRoute(path="/public", handler=greet, requires_auth=False),
        ],
    )
    with serve(server=settings) as server:
        paths = ("/api/agents", "/api/memory/threads", "/api/agents/unknown", "/greeting")
        for path in (*paths, "/api/agents?apiKey=key-of-ann"):
            answer = server.http.get(path, headers=KEY)
            assert answer.headers.get_list("cache-control") == ["no-store"], path
        picture = server.http.get("/picture", headers=KEY)
        assert picture.headers.get_list("cache-control") == ["max-age=60"]
        stream = server.http.post(
            "/api/agents/echoAgent/stream", json={"messages": "a"}, headers=KEY
        )
        assert stream.headers.get_list("cache-control") == ["no-cache"]
        for path in ("/public", "/health"):
            assert "cache-control" not in server.http.get(path).headers


class CopyScope:
    """Pass on a copy of the scope, as routers of ASGI applications do."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app({**scope}, receive, send)


def test_a_middleware_that_copies_the_scope(serve):
    settings = Server(auth=ApiKeys({"ann": Secret("key-of-ann")}, restrict_memory=True))
    with serve(server=settings, server_middleware=[CopyScope]) as server:
        answer = server.http.get("/api/agents", headers=KEY)
        assert answer.headers.get_list("cache-control") == ["no-store"]
        assert "cache-control" not in server.http.get("/health").headers


def test_a_middleware_that_names_the_caller(serve):
    async def set_resource(request, next):
        if user := request.headers.get("x-user"):
            request_context(request)[RESOURCE_KEY] = user
        return await next(request)

    with serve(server_middleware=[set_resource]) as server:
        named = server.http.get("/api/agents", headers={"x-user": "ann"})
        assert named.headers["cache-control"] == "no-store"
        assert "cache-control" not in server.http.get("/api/agents").headers
