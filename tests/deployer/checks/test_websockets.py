"""A check of WebSocket routes, on targets that serve no WebSockets."""

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
FRAMEWORKS = {
    "starlette": (STARLETTE, "/chat, /rooms/{room}"),
    "fastapi": (FASTAPI, "/chat, /rooms/{room}"),
    "litestar": (LITESTAR, "/chat, /rooms/{room:str}"),
}


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_websocket_routes_are_reported_for_a_function(tmp_path, mastra, framework):
    source, paths = FRAMEWORKS[framework]
    write_project(tmp_path, {"main.py": source}, dependencies=[framework])
    for target, settings in {"vercel": [], "netlify": ["-sproject_name=x"]}.items():
        arguments = [target, *settings, "--app", "main:app", "--json"]
        done = mastra("check", *arguments, cwd=tmp_path).ok()
        (problem,) = [each for each in done.json["problems"] if "WebSocket" in each["message"]]
        assert problem["severity"] == "warning"
        assert f"{target!r} serves no WebSockets" in problem["message"]
        assert problem["message"].endswith(f"routes: {paths}.")
    done = mastra("check", "server", "--app", "main:app", "--json", cwd=tmp_path).ok()
    assert "WebSocket" not in done.out


@pytest.mark.slow
def test_an_app_without_websocket_routes_is_not_reported(tmp_path, mastra):
    source = STARLETTE.replace("WebSocketRoute(", "Route(")
    write_project(tmp_path, {"main.py": source}, dependencies=["starlette"])
    done = mastra("check", "vercel", "--app", "main:app", "--json", cwd=tmp_path).ok()
    assert "WebSocket" not in done.out
