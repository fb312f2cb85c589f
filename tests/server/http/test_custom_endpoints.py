"""Custom endpoints that use the application, and endpoints of Litestar with a typed body."""

import dataclasses
from typing import Annotated

import pytest
from litestar import Response, post
from litestar.params import JSONBody
from msgspec import Meta

from mastra_core import ApiRoute, Mastra, Server


@dataclasses.dataclass
class Item:
    name: Annotated[str, Meta(min_length=1)]
    price: float = 0


@post("/items")
async def create_item(data: JSONBody[Item]) -> dict[str, str]:
    return {"name": data.name}


async def echo(text: str) -> str:
    return f"You said {text}."


async def ask(request):
    output = await request.app.state.mastra.get_agent("echo").generate("hello")
    return Response({"text": output.text}, status_code=202)


@pytest.fixture(scope="module")
def server(serve):
    routes = [
        create_item,
        ApiRoute(path="/ask", handler=ask),
        ApiRoute(path="/text", handler=lambda _: "<script>alert(1)</script>"),
    ]
    mastra = Mastra(agents={"echo": echo}, server=Server(api_routes=routes), logger=False)
    with serve(mastra) as server:
        yield server


def test_handler_uses_the_application(server):
    answer = server.http.get("/ask")
    assert (answer.status_code, answer.json()) == (202, {"text": "You said hello."})


def test_browsers_detect_no_script_in_a_text(server):
    """A text may contain what a caller has sent."""
    stream = server.http.post("/api/agents/echo/stream", json={"messages": "hi"})
    for answer in (server.http.get("/text"), server.http.get("/api/unknown"), stream):
        assert answer.headers["x-content-type-options"] == "nosniff", answer.headers


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"name": ""}, "name", "Expected `str` of length >= 1"),
        ({"name": "tea", "price": "x"}, "price", "Expected `float`, got `str`"),
        ({}, "data", "missing required field `name`"),
    ],
)
def test_invalid_body_of_a_litestar_handler(server, body, field, message):
    answer = server.http.post("/items", json=body)
    assert answer.status_code == 400
    (issue,) = answer.json()["issues"]
    assert (issue["field"], message in issue["message"]) == (field, True)


def test_valid_body_of_a_litestar_handler(server):
    answer = server.http.post("/items", json={"name": "tea"})
    assert (answer.status_code, answer.json()) == (201, {"name": "tea"})
