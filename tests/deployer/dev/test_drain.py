"""Requests that are under way when a file is saved, or when `mastra dev` ends."""

import concurrent.futures
import json
import signal
import time

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.deployer.dev.dev_process import Dev, run_dev
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow
LONG = 2.6  # seconds, which is longer than requests had when nothing waited for them
ROUTES = """\
import asyncio
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

VERSION = "old"

async def wait_for_release():
    print("waiting", flush=True)
    while not Path("release").exists():
        await asyncio.sleep(0.02)

async def answer(request):
    await wait_for_release()
    return PlainTextResponse(VERSION)

async def pieces():
    yield "begun "
    await wait_for_release()
    yield VERSION

async def stream(request):
    return StreamingResponse(pieces())

async def talk(socket):
    await socket.accept()
    while True:
        text = await socket.receive_text()
        if text == "wait":
            await wait_for_release()
        await socket.send_text(f"{VERSION} {text}")

async def version(request):
    return PlainTextResponse(VERSION)

app = Starlette(routes=[
    Route("/answer", answer), Route("/stream", stream), Route("/version", version),
    WebSocketRoute("/talk", talk),
])
"""
INDEX = "src/mastra/index.py"
AGENTS = """\
import asyncio
from pathlib import Path

from mastra_core import Mastra, Memory, tool

VERSION = "old"

async def wait_for_release():
    print("waiting", flush=True)
    while not Path("release").exists():
        await asyncio.sleep(0.02)

@tool
async def look_up(word: str) -> str:
    \"\"\"Look a word up.\"\"\"
    await wait_for_release()
    return f"{VERSION} {word}"

async def echo(text: str):
    if "slow" in text:
        await wait_for_release()
    yield f"{VERSION} {text}"

mastra = Mastra(
    agents={"echo": echo},
    tools={"look_up": look_up},
    storage="sqlite:///threads.db",
    memory=Memory(),
    logger=False,
)
"""


def save_version(dev, name, source, word):
    dev.save(name, source.replace('VERSION = "old"', f'VERSION = "{word}"'))


def generate(dev, text):
    memory = {"thread": "t", "resource": "r"}
    return httpx.post(
        f"{dev.url}/api/agents/echo/generate",
        json={"messages": text, "memory": memory},
        trust_env=False,
        timeout=30,
    )


def test_a_save_ends_no_request(tmp_path):
    """A route, a stream, a WebSocket, a tool and a run with memory, while new versions serve."""
    routes = write_project(tmp_path / "routes", {"main.py": ROUTES}, dependencies=("starlette",))
    agents = write_project(tmp_path / "agents", {INDEX: AGENTS})
    with (
        run_dev(routes, "--app", "main:app") as web,
        run_dev(agents) as api,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        web.wait_until_ready()
        api.wait_until_ready()
        address = web.url.replace("http:", "ws:") + "/talk"
        with connect(address, proxy=None) as busy, connect(address, proxy=None) as idle:
            idle.send("hello")
            assert idle.recv(10) == "old hello"
            busy.send("wait")
            answer = pool.submit(web.get, "/answer")
            stream = pool.submit(web.get, "/stream")
            found = pool.submit(
                httpx.post,
                f"{api.url}/api/tools/look_up/execute",
                json={"data": {"word": "x"}},
                trust_env=False,
                timeout=30,
            )
            run = pool.submit(generate, api, "slow")
            for dev, number in ((web, 3), (api, 2)):
                for _ in range(number):
                    dev.wait_for_line("waiting")
            save_version(web, "main.py", ROUTES, "new")
            save_version(api, INDEX, AGENTS, "new")
            begun = time.monotonic()
            web.wait_for_line("reloaded in")
            web.wait_for_line("The previous version finishes 4 requests")
            api.wait_for_line("reloaded in")
            assert web.get("/version").text == "new"
            assert generate(api, "quick").json()["text"] == "new quick"
            with pytest.raises(ConnectionClosed) as closed:
                idle.recv(10)
            assert closed.value.rcvd.code == 1012
            time.sleep(max(0, LONG - (time.monotonic() - begun)))
            web.save("release", "")
            api.save("release", "")
            assert busy.recv(10) == "old wait"
            with pytest.raises(ConnectionClosed) as closed:
                busy.recv(10)
            assert closed.value.rcvd.code == 1012
        assert answer.result().text == "old"
        assert stream.result().text == "begun old"
        assert found.result().json() == "old x", found.result().text
        assert run.result().json()["text"] == "old slow"
        texts = read_messages(api)
        assert sorted(texts) == ["new quick", "old slow", "quick", "slow"]
        assert "Traceback" not in web.text + api.text


def read_messages(dev):
    path = "/api/memory/threads/t/messages?agentId=echo&resourceId=r"
    messages = dev.get(path).json()["messages"]
    return [
        part["text"]
        for message in messages
        for part in message["content"]["parts"]
        if part["type"] == "text"
    ]


def test_requests_past_the_drain_timeout_end(tmp_path):
    """With a timeout of the app's own, as its server has it where it is deployed."""
    source = AGENTS.replace("    logger", "    server={'drain_timeout': 0.3},\n    logger")
    root = write_project(tmp_path / "app", {INDEX: source})
    with run_dev(root) as dev, concurrent.futures.ThreadPoolExecutor() as pool:
        dev.wait_until_ready()
        run = pool.submit(generate, dev, "slow")
        dev.wait_for_line("waiting")
        with httpx.stream(
            "POST",
            f"{dev.url}/api/agents/echo/stream",
            json={"messages": "slow"},
            trust_env=False,
            timeout=30,
        ) as stream:
            dev.wait_for_line("waiting")
            save_version(dev, INDEX, source, "new")
            with pytest.raises(httpx.RemoteProtocolError):
                stream.read()
        assert run.result().status_code == 503
        assert "Send the request again" in json.loads(run.result().text)["error"]
        dev.wait_for_line("POST .*generate 503")
        assert generate(dev, "quick").json()["text"] == "new quick"
        assert "Traceback" not in dev.text


def test_an_interrupt_ends_the_requests_of_previous_versions(tmp_path):
    root = write_project(tmp_path / "app", {"main.py": ROUTES}, dependencies=("starlette",))
    dev = Dev(root, "--port", "0", "--app", "main:app").wait_until_ready()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(dev.get, "/answer")
        dev.wait_for_line("waiting")
        save_version(dev, "main.py", ROUTES, "new")
        dev.wait_for_line("finishes 1 request")
        assert dev.stop(signal.SIGINT) == 130  # although the request waits for a file without end
        assert answer.result().status_code == 503
    assert "Traceback" not in dev.text
