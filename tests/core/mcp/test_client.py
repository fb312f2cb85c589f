"""Tools of real MCP servers: programs, and servers over HTTP."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic_ai.models.test import TestModel

from mastra_core import Agent, Secret
from mastra_core.agents import ToolResult
from mastra_core.errors import AgentFailed, ConfigError, McpFailed
from mastra_core.mcp import McpClient
from mastra_core.mcp.connection import Connection
from mastra_core.request_scope import (
    disable_request_scope,
    enable_request_scope,
    enter_request,
    get_current_request,
)
from tests.ports import wait_for_port
from tests.server.request_guard import RequestGuard

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("files_server.py")
COMMAND = [sys.executable, str(PROGRAM)]
ENDLESS = """
import asyncio, mcp_types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

async def list_tools(_, __):
    return mcp_types.ListToolsResult(tools=[], next_cursor="more")

async def main():
    server = Server("endless", on_list_tools=list_tools)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())

asyncio.run(main())
"""


@contextlib.contextmanager
def start_server(port=0):
    """The server over HTTP; gives its address and its process."""
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    process = subprocess.Popen([*COMMAND, str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}/mcp", process
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def address():
    with start_server() as (url, _):
        yield url


@pytest.fixture(params=["program", "http"])
def config(request):
    if request.param == "program":
        return {"command": COMMAND}
    return {"url": request.getfixturevalue("address")}


def run(coroutine):
    async def run_and_check():
        result = await coroutine
        assert len(asyncio.all_tasks()) == 1, asyncio.all_tasks()
        return result

    return asyncio.run(run_and_check())


def test_either_command_or_url():
    for wrong in ({}, {"command": ["a"], "url": "http://b"}):
        with pytest.raises(ConfigError, match="both or neither"):
            McpClient(**wrong)


@pytest.mark.parametrize("name", ["only", "requires_approval"])
def test_text_in_place_of_a_list(name):
    with pytest.raises(ConfigError, match=f"{name}='a b' is text") as caught:
        McpClient(url="http://b", **{name: "a b"})
    assert caught.value.hint == f"Write {name}=['a', 'b']."


def test_command_that_is_text_is_not_shown():
    with pytest.raises(ConfigError, match="is text, but it must be a list") as caught:
        McpClient(command="server --token hunter22")
    assert "hunter22" not in str(caught.value)


def test_list_of_tools_without_end():
    async def list_tools():
        async with McpClient(command=[sys.executable, "-c", ENDLESS]) as client:
            with pytest.raises(McpFailed, match="more than 100 pages"):
                await client.list_tools()

    run(list_tools())


def test_request_that_the_sdk_cancels():
    @contextlib.asynccontextmanager
    async def connect():
        yield None

    async def send(_):
        raise asyncio.CancelledError

    async def request():
        connection = Connection("files", 5)
        await connection.open(connect)
        with pytest.raises(McpFailed, match="'files' went away"):
            await connection.request(send)
        await connection.close()

    run(request())


def test_each_request_has_its_own_connection(address):
    guard = RequestGuard()
    files = McpClient(url=address, name="files")
    connections = []

    async def use_tools():
        await files.list_tools()
        await asyncio.gather(*(files.call_tool("size", {"path": "a"}) for _ in range(3)))
        connections.append(get_current_request().values[files])

    async def act(name):
        async with guard.enter(name):
            with enter_request():
                await use_tools()

    async def main():
        await asyncio.gather(act("first"), act("second"))
        await act("third")
        await guard.wait_for_ends()

    enable_request_scope(guard.hold)
    try:
        with asyncio.Runner(loop_factory=guard.new_loop) as runner:
            runner.run(main())
    finally:
        disable_request_scope()
    assert len(set(connections)) == 3
    assert all(each.is_lost for each in connections), "a connection is still open"
    assert guard.breaches == []


def test_agent_calls_the_tools(config):
    async def converse():
        async with McpClient(name="files", only=["read", "size"], **config) as files:
            agent = Agent(name="a", model=TestModel(), tools=[files])
            out = await agent.generate("look")
            streamed = [event async for event in agent.stream("look")]
            return out, streamed

    out, streamed = run(converse())
    results = {each.name: each.result for each in out.tool_results}
    assert results == {"files_read": "what is in a", "files_size": {"bytes": 1}}
    assert sum(isinstance(event, ToolResult) for event in streamed) == 2


def test_tool_descriptions(config):
    async def list_by_name():
        async with McpClient(requires_approval=["read"], **config) as files:
            return {tool.id: tool for tool in await files.list_tools()}

    tools = run(list_by_name())
    assert tools["read"].description == "Read a file."
    assert tools["read"].input_schema["required"] == ["path"]
    assert (tools["read"].requires_approval, tools["size"].requires_approval) == (True, False)


def test_names_that_the_server_lacks_are_logged(config, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("mastra"), "propagate", True)
    caplog.set_level("WARNING", logger="mastra")

    async def list_tools():
        async with McpClient(only=["read"], requires_approval=["raed", "size"], **config) as files:
            await files.list_tools()

    run(list_tools())
    (warning,) = {each.getMessage() for each in caplog.records if each.name == "mastra.mcp"}
    assert "has no tool 'raed', which requires_approval names" in warning


def test_tool_error_is_a_result(config):
    async def ask():
        async with McpClient(**config) as files:
            return await files.call_tool("broken", {"path": "x"}), await files.call_tool("read", {})

    broken, wrong = run(ask())
    assert "broken" in broken["error"]
    assert "path" in wrong["error"]


def test_each_event_loop_has_a_connection(tmp_path):
    """And closing in one closes all; a loop that is gone is forgotten."""
    started = tmp_path / "started"
    note = f"import os; open({str(started)!r}, 'a').write(str(os.getpid()) + ' ')"
    begin = f"{note}; import runpy; runpy.run_path({str(PROGRAM)!r}, run_name='__main__')"
    files = McpClient(command=[sys.executable, "-c", begin])
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    for loop in (first, second, first, second):
        read = loop.run_until_complete(files.call_tool("read", {"path": "a"}))
        assert read == "what is in a"
    assert len(started.read_text().split()) == 2
    second.run_until_complete(files.aclose())
    for loop in (first, second):
        loop.run_until_complete(_count_tasks())
        loop.close()
    assert run(_call_once(files)) == "what is in a"
    pids = [int(each) for each in started.read_text().split()]
    assert len(pids) == 3
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def _call_once(files):
    async with files:
        return await files.call_tool("read", {"path": "a"})


async def _count_tasks():
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 20)


def test_concurrent_calls(config):
    async def ask():
        async with McpClient(**config) as files:
            calls = [files.call_tool("read", {"path": str(number)}) for number in range(20)]
            return await asyncio.gather(*calls)

    assert run(ask()) == [f"what is in {number}" for number in range(20)]


def test_program_gets_only_the_given_variables(monkeypatch):
    monkeypatch.setenv("OURS", "sk-ours")

    async def ask():
        env = {"FILES_KEY": Secret("sk-files")}
        async with McpClient(command=COMMAND, env=env) as files:
            assert "sk-files" not in repr(vars(files))
            return await files.call_tool("secret", {})

    assert run(ask()).strip() == "sk-files"


def test_slow_tool_times_out(config):
    async def ask():
        async with McpClient(timeout=6, **config) as files:
            await files.list_tools()
            with pytest.raises(McpFailed, match="did not answer in time"):
                await files.call_tool("slow", {})

    began = time.monotonic()
    run(ask())
    assert time.monotonic() - began < 25


def test_dead_program_is_restarted():
    async def ask():
        async with McpClient(command=COMMAND, name="files") as files:
            with pytest.raises(McpFailed, match="'files'"):
                await files.call_tool("die", {})
            return await files.call_tool("read", {"path": "b"})

    assert run(ask()) == "what is in b"


def test_restarted_server_is_reconnected():
    async def ask():
        with start_server() as (url, process):
            port = int(url.rsplit(":", 1)[1].split("/")[0])
            files = McpClient(url=url, timeout=10)
            assert await files.list_tools()
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            with pytest.raises(McpFailed):
                await files.call_tool("read", {"path": "b"})
            with start_server(port):
                answer = await files.call_tool("read", {"path": "b"})
                await files.aclose()
            return answer

    assert run(ask()) == "what is in b"


def test_password_of_a_url_is_hidden():
    async def ask():
        files = McpClient(url="http://ann:sk-ann@127.0.0.1:9/mcp?key=sk-key", timeout=3)
        with pytest.raises(McpFailed) as caught:
            await files.list_tools()
        return caught.value.message

    message = run(ask())
    assert "'http://127.0.0.1:9/mcp'" in message


GARBAGE = [sys.executable, "-c", "print('this is no JSON', flush=True); input()"]


@pytest.mark.parametrize(
    "config",
    [
        {"command": ["/nowhere/at-all"]},
        {"command": [sys.executable, "-c", "raise SystemExit(1)"]},
        {"command": GARBAGE},
        {"url": "http://127.0.0.1:9/mcp"},
    ],
    ids=["no program", "it ends", "garbage", "nobody there"],
)
def test_invalid_server_fails(config):
    async def ask():
        async with McpClient(timeout=3, **config) as files:
            agent = Agent(name="a", model=TestModel(), tools=[files])
            with pytest.raises(AgentFailed, match="The MCP server") as caught:
                await agent.generate("look")
            assert (caught.value.kind, caught.value.status) == ("McpFailed", 502)
            events = [event async for event in agent.stream("look")]
            assert events[-1].message.startswith("The MCP server")

    run(ask())


def test_no_process_or_task_remains():
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    if not children.exists():
        pytest.skip("this kernel does not list child processes")

    def count_servers():
        running = [Path(f"/proc/{pid}/cmdline").read_text() for pid in children.read_text().split()]
        return sum("files_server" in command for command in running)

    async def ask():
        files = McpClient(command=COMMAND)
        await files.call_tool("read", {"path": "b"})
        assert count_servers() == 1
        await files.aclose()

    run(ask())
    assert count_servers() == 0


def test_new_event_loop_reconnects():
    files = McpClient(command=COMMAND)

    async def ask():
        answer = await files.call_tool("read", {"path": "b"})
        await files.aclose()
        return answer

    assert [asyncio.run(ask()) for _ in range(2)] == ["what is in b"] * 2


def test_a_program_imports_the_modules_of_the_application(monkeypatch, tmp_path):
    (tmp_path / "files_module.py").write_text(PROGRAM.read_text())
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def list_names():
        command = [sys.executable, "-m", "files_module"]
        async with McpClient(command=command, cwd="/", env={"FILES_KEY": "x"}) as files:
            return [tool.id for tool in await files.list_tools()]

    assert run(list_names())
