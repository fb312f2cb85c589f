"""A check of WebSocket routes, on targets and in bundles that serve no WebSockets."""

import pytest

from tests.sample_projects import write_project

STARLETTE = """
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount, Route, WebSocketRoute

async def talk(socket):
    await socket.accept()

async def show(request):
    raise NotImplementedError

rooms = Starlette(routes=[WebSocketRoute("/{room}", talk)])
routes = [Route("/", show), WebSocketRoute("/chat", talk), Mount("/rooms", app=GZipMiddleware(rooms))]
app = GZipMiddleware(Starlette(routes=routes))
"""
FASTAPI = """
from fastapi import APIRouter, FastAPI, WebSocket
router = APIRouter()

@router.websocket("/{room}")
async def talk(socket: WebSocket, room: str):
    await socket.accept()

app = FastAPI()
app.websocket("/chat")(talk)
app.include_router(router, prefix="/rooms")
"""
LITESTAR = """
from litestar import Litestar, Router, WebSocket, get, websocket, websocket_listener

@get("/")
async def show() -> str:
    return "x"

@websocket_listener("/chat")
async def talk(data: str) -> str:
    return data

@websocket("/{room:str}")
async def join(socket: WebSocket, room: str) -> None:
    await socket.accept()

app = Litestar([show, talk, Router("/rooms", route_handlers=[join])])
"""
QUART = """
from quart import Quart, websocket

rooms = Quart(__name__)

@rooms.websocket("/chat")
async def talk():
    await websocket.send("x")

@rooms.get("/")
async def show():
    return "x"

app = rooms
"""
MOUNTED = f"""{QUART}
from starlette.applications import Starlette
from starlette.routing import Mount

app = Starlette(routes=[Mount("/rooms", app=rooms)])
"""
CHANNELS = """
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__)
urlpatterns = []
http = get_asgi_application()
routes = URLRouter([path("chat", http), re_path(r"^rooms/(?P<room>\\w+)$", http)])
app = ProtocolTypeRouter(
    {"http": http, "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(routes))}
)
"""
FRAMEWORKS = {
    "starlette": (STARLETTE, "/chat, /rooms/{room}"),
    "fastapi": (FASTAPI, "/chat, /rooms/{room}"),
    "litestar": (LITESTAR, "/chat, /rooms/{room:str}"),
    "quart": (QUART, "/chat"),
    "quart starlette": (MOUNTED, "/rooms/chat"),
    "channels": (CHANNELS, r"/chat, /rooms/(?P<room>\w+)$"),
}
# Quart requires Hypercorn, which requires wsproto.
WITH_LIBRARY = ("quart", "quart starlette")


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_websocket_routes_are_reported_for_a_function(tmp_path, mastra, framework):
    source, paths = FRAMEWORKS[framework]
    write_project(tmp_path, {"main.py": source}, dependencies=framework.split())
    for target, settings in {"vercel": [], "netlify": ["-sproject_name=x"]}.items():
        arguments = [target, *settings, "--app", "main:app", "--json"]
        done = mastra("check", *arguments, cwd=tmp_path).ok()
        (problem,) = [each for each in done.json["problems"] if "WebSocket" in each["message"]]
        assert problem["severity"] == "warning"
        assert f"{target!r} serves no WebSockets" in problem["message"]
        assert problem["message"].endswith(f"routes: {paths}.")


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_bundle_without_a_library_for_websockets_is_reported(tmp_path, mastra, framework):
    source, paths = FRAMEWORKS[framework]
    write_project(tmp_path, {"main.py": source}, dependencies=framework.split())
    command = "check", "server", "--app", "main:app", "--json"
    problems = mastra(*command, cwd=tmp_path).ok().json["problems"]
    found = [each for each in problems if "WebSocket" in each["message"]]
    assert len(found) == (framework not in WITH_LIBRARY)
    for problem in found:
        assert problem["severity"] == "warning"
        assert problem["message"].endswith(f"refuses WebSockets: {paths}.")
        assert "'websockets'" in problem["hint"]
    write_project(tmp_path, {}, dependencies=[*framework.split(), "websockets"])
    assert "WebSocket" not in mastra(*command, cwd=tmp_path).ok().out


@pytest.mark.slow
def test_an_app_without_websocket_routes_is_not_reported(tmp_path, mastra):
    source = STARLETTE.replace("WebSocketRoute(", "Route(")
    write_project(tmp_path, {"main.py": source}, dependencies=["starlette"])
    done = mastra("check", "vercel", "--app", "main:app", "--json", cwd=tmp_path).ok()
    assert "WebSocket" not in done.out
