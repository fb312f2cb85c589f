"""Test the application as an MCP server over HTTP with the official client and this project's."""

import asyncio

import mcp
import pytest

from mastra_core import Secret
from mastra_core.errors import McpFailed
from mastra_core.mcp import McpClient
from mastra_server import ApiKeys
from tests.server.sample_app import create_sample

PATH = "/api/mcp/mastra/mcp"
ACCEPT = "application/json, text/event-stream"


def test_official_client(serve):
    async def talk(url):
        async with mcp.Client(url) as client:
            listed = await client.list_tools()
            agent = next(tool.name for tool in listed.tools if tool.name.startswith("ask_"))
            return agent, await client.call_tool(agent, {"message": "hi"})

    with serve(server={"mcp": True}) as server:
        agent, answer = asyncio.run(talk(server.url + PATH))
    assert agent
    assert not answer.is_error, answer


def test_disabled_by_default(server):
    assert server.http.post(PATH, json={}).status_code == 404


def test_requires_auth(serve):
    settings = {"mcp": True, "auth": ApiKeys({"ada": "key-of-ada"}), "api_prefix": "/v1"}

    async def tools(url, **headers):
        async with McpClient(url=url, headers=headers, timeout=10) as client:
            return await client.list_tools()

    with serve(server=settings) as server:
        url = f"{server.url}/v1/mcp/mastra/mcp"
        assert server.http.post(url, json={}).status_code == 401
        with pytest.raises(McpFailed):
            asyncio.run(tools(url))
        assert asyncio.run(tools(url, Authorization=Secret("Bearer key-of-ada")))


def test_serve_an_application_twice(serve):
    mastra = create_sample(server={"mcp": True})
    for _ in range(2):
        with serve(mastra) as server:
            request = {"jsonrpc": "2.0", "method": "tools/list", "id": 1}
            answer = server.http.post(PATH, json=request, headers={"accept": ACCEPT})
            assert "ask_echoAgent" in [tool["name"] for tool in answer.json()["result"]["tools"]]
