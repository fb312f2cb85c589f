"""An application as an MCP server, called by the official client over a pipe."""

import asyncio
import sys
from pathlib import Path

import mcp
import pytest

from mastra_core import Mastra
from mastra_core.errors import ConfigError
from mastra_core.mcp import McpApp

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("weather_app.py")


@pytest.fixture(scope="module")
def answers():
    """Everything asked in one session: the list, and by name what a call answered."""
    asked = {
        "ask_parrot": {"message": "hi"},
        "ask_measured": {"message": "four"},
        "ask_payer": {"message": "pay"},
        "run_loud": {"input": "quiet"},
        "run_failing": {"input": "bread"},
        "double": {"number": 4},
        "broken": {},
        "nobody": {},
    }

    async def converse():
        program = mcp.StdioServerParameters(command=sys.executable, args=[str(PROGRAM)])
        async with mcp.Client(program) as client:
            listed = await client.list_tools()
            called = {name: await client.call_tool(name, given) for name, given in asked.items()}
            called["wrong"] = await client.call_tool("double", {"number": "x"})
            called["silent"] = await client.call_tool("ask_parrot", {})
            called["broke"] = await client.call_tool("ask_parrot", {"message": "break"})
            return {tool.name: tool for tool in listed.tools}, called

    return asyncio.run(converse())


def text(result):
    return result.content[0].text


def test_listed_tools(answers):
    listed, _ = answers
    kinds = {"ask_parrot", "ask_measured", "ask_payer", "run_loud", "run_failing"}
    assert listed.keys() == kinds | {"double", "broken"}, "who could agree to pay?"
    assert listed["ask_parrot"].description == "Says what it is told."
    assert listed["double"].input_schema["properties"]["number"]["type"] == "integer"
    assert all(tool.input_schema["type"] == "object" for tool in listed.values())


def test_results(answers):
    _, called = answers
    assert text(called["ask_parrot"]) == "you said hi"
    assert called["ask_measured"].structured_content == {"letters": 4}
    assert text(called["run_loud"]) == "QUIET"
    assert text(called["double"]) == "8"
    assert not any(called[name].is_error for name in ("ask_parrot", "run_loud", "double"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ask_payer", "waits for a person's decision"),
        ("run_failing", "The workflow failed: no bread"),
        ("broken", "cannot reach postgresql://****@db/shop"),
        ("nobody", "no tool 'nobody'"),
        ("wrong", "number"),
        ("silent", "'message' must be text"),
        ("broke", "it broke"),
    ],
)
def test_error_has_a_safe_message(answers, name, words):
    _, called = answers
    assert called[name].is_error
    assert words in text(called[name])
    assert "hunter2" not in text(called[name])
    assert "Traceback" not in text(called[name])


def test_duplicate_names_are_rejected():
    async def parrot(text: str) -> str:
        return text

    def ask_parrot(text: str) -> str:
        """Ask."""
        return text

    mastra = Mastra(agents={"parrot": parrot}, tools={"ask_parrot": ask_parrot}, logger=False)
    with pytest.raises(ConfigError, match="have the name 'ask_parrot'"):
        McpApp(mastra)
