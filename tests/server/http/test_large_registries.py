"""Applications with many tools, agents and workflows: a list does not block other requests."""

import asyncio

import httpx
import pytest

from mastra_core import Mastra, Workflow, step, tool
from mastra_server import create_app

FEW, MANY = 10, 1010
PATHS = ["/api/agents", "/api/tools", "/api/workflows", "/api/mcp/mastra/tools"]


@tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@step
async def double(n: int) -> int:
    return 2 * n


async def echo(text: str) -> str:
    return text


def create_large_application(number):
    names = [f"item{index}" for index in range(number)]
    return Mastra(
        agents=dict.fromkeys(names, echo),
        tools=dict.fromkeys(names, add),
        workflows={name: Workflow(name).then(double) for name in names},
        server={"mcp": True},
        logger=False,
    )


async def request_and_count(mastra, path):
    """Return the JSON of a response, and how often another task ran meanwhile."""
    turns = 0

    async def count_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    transport = httpx.ASGITransport(create_app(mastra))
    async with httpx.AsyncClient(transport=transport, base_url="http://mastra") as client:
        counting = asyncio.create_task(count_turns())
        answer = await client.get(path)
        counting.cancel()
    assert answer.status_code == 200
    return answer.json(), turns


@pytest.mark.parametrize("path", PATHS)
def test_other_requests_run_while_many_entries_are_encoded(path):
    few, turns = asyncio.run(request_and_count(create_large_application(FEW), path))
    many, more_turns = asyncio.run(request_and_count(create_large_application(MANY), path))
    assert more_turns >= turns + (MANY - FEW) // 100
    if "tools" in many:
        few, many = ({each["name"]: each for each in listed["tools"]} for listed in (few, many))
    assert len(many) == len(few) * MANY // FEW
    assert {name: many[name] for name in few} == few


def test_an_agent_with_two_keys_is_listed_once():
    agent = Mastra(agents={"one": echo}).get_agent("one")
    mastra = Mastra(agents={"one": agent, "two": agent}, logger=False)
    listed, _ = asyncio.run(request_and_count(mastra, "/api/agents"))
    assert [*listed] == [agent.id]


def test_exposed_tools_are_built_once():
    reads = []

    class Clerk:
        id = name = "clerk"

        @property
        def description(self):
            reads.append(1)
            return "Answers."

        def info(self): ...

        async def generate(self, run_input): ...

        def stream(self, run_input): ...

    mastra = Mastra(agents={"clerk": Clerk()}, server={"mcp": True}, logger=False)
    app = create_app(mastra)

    async def get_twice():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://mastra") as client:
            counts = []
            for _ in range(2):
                answer = await client.get("/api/mcp/mastra/tools/ask_clerk")
                assert answer.json()["description"] == "Answers."
                counts.append(len(reads))
            return counts

    first, second = asyncio.run(get_twice())
    assert first == second
