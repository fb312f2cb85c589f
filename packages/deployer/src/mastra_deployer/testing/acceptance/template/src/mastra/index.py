"""Agents, tools, workflows and routes that need no network."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any, TypedDict

from litestar import Response
from litestar.datastructures import Cookie

from mastra_core import (
    ApiRoute,
    Mastra,
    Secret,
    Server,
    StepContext,
    ToolContext,
    Workflow,
    step,
    tool,
)
from mastra_core.agents import AgentEvent, AgentInput, StepFinish, TextDelta, ToolCall, ToolResult
from mastra_server import ApiKeys, request_context

__all__ = ("mastra",)

_TICKS, _TICK_SECONDS = 8, 0.15
_ticking_runs = {"begun": 0, "ended": 0}  # of this process


class _Decision(TypedDict):
    approved: bool


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def measure(text: str) -> int:
    """Count the characters of a text."""
    return len(text)


@tool
def repeat(text: str, count: int) -> str:
    """Repeat a text."""
    return text * count


@tool
async def describe_caller(context: ToolContext) -> dict[str, Any]:
    """Return the caller's data from the middleware and the authentication."""
    await asyncio.sleep(0.05)  # so that concurrent calls overlap
    known = context.request_context
    return {"caller": known["caller"], "user": known["user"]}


@tool
def fail() -> int:
    """Fail."""
    raise RuntimeError("the tool failed")


async def echo(text: str) -> AsyncIterator[str]:
    """Repeat what the user says."""
    yield "echo: "
    yield text


async def calculate(question: AgentInput) -> AsyncIterator[AgentEvent]:
    """Add the numbers in the question with a tool."""
    a, b = (int(word) for word in question.prompt.split() if word.isdigit())
    arguments = {"a": a, "b": b}
    yield ToolCall(id="call-1", name="add", arguments=arguments)
    total = await add.execute(arguments)
    yield ToolResult(id="call-1", name="add", arguments=arguments, result=total)
    yield StepFinish(reason="tool-calls", continued=True)
    yield TextDelta(text=f"The sum is {total}.")


async def tick(text: str) -> AsyncIterator[str]:
    """Say several words with a pause after each."""
    _ticking_runs["begun"] += 1
    try:
        for number in range(_TICKS):
            yield f"{text}-{number} "
            await asyncio.sleep(_TICK_SECONDS)
    finally:
        _ticking_runs["ended"] += 1


async def broken(_: str) -> str:
    """Fail."""
    raise RuntimeError("the agent failed")


@step
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


@step
def increment(number: int) -> int:
    """Add one."""
    return number + 1


@step(resume=_Decision, suspend=dict)
def ask(topic: str, context: StepContext) -> str:
    """Wait for a decision."""
    if context.resume_data is None:
        context.suspend({"question": f"Approve {topic}?"})
    return f"{topic}: {'yes' if context.resume_data['approved'] else 'no'}"


@step
def break_off(_: int) -> int:
    """Fail."""
    raise RuntimeError("the step failed")


async def describe_request(request: Any) -> dict[str, Any]:
    """Return the request as it arrived at the application."""
    return {
        "method": request.method,
        "path": request.path_params["name"],
        "query": sorted(request.query_params.multi_items()),
        "header": request.headers.get("x-acceptance"),
        "size": len(await request.body()),
    }


def send_bytes(_: Any) -> Response[bytes]:
    """Return all byte values, a status, a header and two cookies."""
    return Response(
        bytes(range(256)),
        status_code=201,
        media_type="application/octet-stream",
        headers={"x-acceptance": "kept"},
        cookies=[Cookie("first", value="1"), Cookie("second", value="2")],
    )


def break_down(_: Any) -> None:
    """Fail with a detail that no caller may see."""
    raise RuntimeError("internal-4711")


def show_state(_: Any) -> dict[str, Any]:
    """Return the greeting from the environment, and the number of active runs of ``tick``."""
    return {"greeting": os.environ["ACCEPTANCE_GREETING"], "ticking": _ticking_runs}


async def tag_request(request: Any, call_next: Any) -> Any:
    """Store the name of the caller for the tools, and add a header to the response."""
    request_context(request)["caller"] = request.headers.get("x-caller", "nobody")
    response = await call_next(request)
    response.headers["x-tagged"] = "yes"
    return response


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

mastra = Mastra(
    agents={"echo": echo, "calculate": calculate, "tick": tick, "broken": broken},
    tools={
        "add": add,
        "measure": measure,
        "repeat": repeat,
        "describe-caller": describe_caller,
        "fail": fail,
    },
    workflows={
        "double-and-increment": Workflow("double-and-increment").then(double).then(increment),
        "approval": Workflow("approval").then(ask),
        "failing": Workflow("failing").then(break_off),
    },
    server=Server(
        auth=ApiKeys({"acceptance": Secret.env("ACCEPTANCE_KEY")}),
        api_routes=[
            ApiRoute(path="/requests/{name}", handler=describe_request, method=_METHODS),
            ApiRoute(path="/bytes", handler=send_bytes, requires_auth=False),
            ApiRoute(path="/broken", handler=break_down),
            ApiRoute(path="/state", handler=show_state, requires_auth=False),
        ],
    ),
    server_middleware=[tag_request],
)
