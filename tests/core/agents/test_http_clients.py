"""The same faults of a model's server, with the default HTTP client of models and with aiohttp."""

import asyncio
import gc
import gzip
import json
import os
import socket
import struct
import subprocess
import sys

import httpx2
import pytest

from mastra_core import Agent
from mastra_core.agents.pydantic_ai.http_clients import create_http_client
from mastra_core.errors import AgentFailed, ConfigError
from tests.model_answers import COMPLETION, COMPLETION_CHUNK

BODY = json.dumps(COMPLETION).encode()
# Lets the import system find no aiohttp.
HIDE_AIOHTTP = """
import importlib.machinery as machinery
find_spec = machinery.PathFinder.find_spec
machinery.PathFinder.find_spec = lambda name, *rest: (
    None if name.partition(".")[0] == "aiohttp" else find_spec(name, *rest)
)
"""
BROKEN = "The model 'm' cannot be reached, or the connection to it broke."


def build_response(body, *headers, status="200 OK", version="1.1"):
    lines = [f"HTTP/{version} {status}", "content-type: application/json", *headers]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def build_stream(*events):
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    parts = [b"data: %b\n\n" % json.dumps(event).encode() for event in events]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


RESPONSES = {
    "complete": (build_response(BODY), "hello"),
    "HTTP 1.0": (build_response(BODY, version="1.0"), "hello"),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + build_response(BODY), "hello"),
    "compressed": (build_response(gzip.compress(BODY), "content-encoding: gzip"), "hello"),
    "not compressed": (build_response(BODY, "content-encoding: gzip"), BROKEN),
    "nothing": (b"", BROKEN),
    "reset": (None, BROKEN),
    "no HTTP": (b"hello world\r\n\r\n", BROKEN),
    "giant head": (build_response(BODY, "x-a: " + "a" * 200_000), BROKEN),
    "half a body": (build_response(BODY)[:-9], BROKEN),
    "no chunk": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", BROKEN),
    "redirect": (
        build_response(b"", "location: http://localhost:9/", status="307 Temporary Redirect"),
        "The model 'm' answered with an error.",
    ),
}


async def respond(reader, writer, response, requests):
    """Send the bytes of one response, and close the connection; ``None`` resets it."""
    requests.append(await reader.readuntil(b"\r\n\r\n"))
    if response is None:
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    else:
        writer.write(response)
        await writer.drain()
    writer.close()


@pytest.fixture(params=["httpx2", "aiohttp"])
def serve(request, monkeypatch):
    """Run a coroutine beside a model's server: `serve(response, run)`; gives both results."""
    monkeypatch.setenv("MASTRA_MODEL_CLIENT", request.param)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    is_aiohttp = create_http_client("openai") is not None
    assert is_aiohttp == (request.param == "aiohttp")

    async def run_beside_server(response, run):
        requests = []
        server = await asyncio.start_server(
            lambda reader, writer: respond(reader, writer, response, requests), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
        async with server:
            return await run(port), requests

    return lambda response, run: asyncio.run(run_beside_server(response, run))


def build_agent():
    return Agent(name="a", model="openai-chat:m", settings={"max_retries": 0}, timeout=20)


async def generate(_port):
    try:
        return (await build_agent().generate("hi")).text
    except AgentFailed as error:
        return str(error)


async def stream(_port):
    events = [event async for event in build_agent().stream("hi")]
    return [getattr(event, "text", "") or getattr(event, "message", "") for event in events]


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response(serve, name):
    response, expected = RESPONSES[name]
    result, requests = serve(response, generate)
    assert result == expected
    assert len(requests) == 1
    assert b"Bearer sk-secret" in requests[0]


@pytest.mark.parametrize("end", [b"", b"zz\r\n"])
def test_a_stream_that_breaks(serve, end):
    result, _ = serve(build_stream(COMPLETION_CHUNK, COMPLETION_CHUNK) + end, stream)
    assert result[-1] == BROKEN


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"1"])
def test_a_response_that_cannot_be_read(serve, body):
    """The next model is used, and both failures are told without internals."""

    async def generate_with_fallback(_port):
        models = ["openai-responses:first", "openai-responses:m"]
        agent = Agent(name="a", model=models, settings={"max_retries": 0}, timeout=20)
        with pytest.raises(AgentFailed) as caught:
            await agent.generate("hi")
        return str(caught.value)

    result, requests = serve(build_response(body), generate_with_fallback)
    sentence = "The model '{}' answered with an error."
    assert result == f"{sentence.format('first')} {sentence.format('m')}"
    assert len(requests) == 2


@pytest.mark.parametrize(
    "events", [[[]], [COMPLETION_CHUNK, []], [COMPLETION_CHUNK, {**COMPLETION_CHUNK, "usage": 1}]]
)
def test_a_stream_that_cannot_be_read(serve, events):
    result, _ = serve(build_stream(*events), stream)
    assert result[-1] == "The model 'm' answered with an error."


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK passes `proxy_auth`
def test_a_proxy_of_the_environment_gets_the_request(serve, monkeypatch):
    async def generate_by_proxy(port):
        monkeypatch.setenv("HTTP_PROXY", f"http://user:pass@127.0.0.1:{port}")
        monkeypatch.setenv("OPENAI_BASE_URL", "http://model.example/v1")
        return await generate(port)

    result, requests = serve(build_response(BODY), generate_by_proxy)
    assert result == "hello"
    assert requests[0].startswith(b"POST http://model.example/v1/chat/completions ")
    assert b"roxy-authorization: basic dxnlcjpwyxnz" in requests[0].lower()


def test_a_server_that_cannot_be_reached(serve, monkeypatch):
    async def generate_at_closed_port(_port):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
            monkeypatch.setenv("OPENAI_BASE_URL", address)
            return await generate(0)

    assert serve(b"", generate_at_closed_port) == (BROKEN, [])


@pytest.mark.filterwarnings("error")
def test_connections_are_closed_with_the_event_loop(serve, caplog):
    assert serve(build_response(BODY), generate)[0] == "hello"
    gc.collect()
    assert "Unclosed" not in caplog.text


@pytest.mark.parametrize("provider", ["google", "bedrock", "nobody", "test", ""])
def test_other_providers_have_the_default_client(provider, monkeypatch):
    monkeypatch.setenv("MASTRA_MODEL_CLIENT", "aiohttp")
    assert create_http_client(provider) is None


@pytest.mark.parametrize("provider", ["gateway/openai", "gateway/anthropic"])
def test_a_gateway_has_the_default_client(provider, monkeypatch):
    monkeypatch.setenv("MASTRA_MODEL_CLIENT", "aiohttp")
    assert create_http_client(provider) is None


def test_a_socks_proxy_has_the_default_client(monkeypatch):
    monkeypatch.setenv("MASTRA_MODEL_CLIENT", "aiohttp")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    assert create_http_client("openai") is None


def test_the_default_client_is_used_unless_aiohttp_is_selected(monkeypatch):
    for choice in ("", "httpx2"):
        monkeypatch.setenv("MASTRA_MODEL_CLIENT", choice)
        assert create_http_client("openai") is None


@pytest.mark.parametrize(
    ("timeout", "connect"), [(120, 5), (2, 2), (httpx2.Timeout(60, connect=30), 30)]
)
def test_the_time_to_connect_is_limited(serve, timeout, connect):
    async def send(port):
        client = create_http_client("openai")
        if client is None:
            pytest.skip("pydantic-ai's own client")
        async with client:
            request = client.build_request("GET", f"http://127.0.0.1:{port}/", timeout=timeout)
            await client.send(request)
            return request.extensions["timeout"]["connect"]

    assert serve(build_response(BODY), send)[0] == connect


def test_an_unknown_client_is_refused(monkeypatch):
    monkeypatch.setenv("MASTRA_MODEL_CLIENT", "httpx")
    with pytest.raises(ConfigError, match="'httpx' names no HTTP client") as caught:
        create_http_client("openai")
    assert "httpx2 or aiohttp" in caught.value.hint


def test_aiohttp_that_is_not_installed_is_named(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(HIDE_AIOHTTP)
    script = "from mastra_core.agents.pydantic_ai.http_clients import create_http_client as create"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for choice, words in (("", ""), ("httpx2", ""), ("aiohttp", "aiohttp is not installed")):
        environment["MASTRA_MODEL_CLIENT"] = choice
        command = [sys.executable, "-c", f"{script}; assert create('openai') is None"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == bool(words), done.stderr
        assert words in done.stderr
