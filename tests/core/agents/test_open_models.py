"""When the connections of models are closed: with their event loop, or with their agent."""

import asyncio
import gc
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest
from pydantic_ai.models import infer_model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from mastra_core import Agent
from mastra_core.agents.pydantic_ai import open_models

COMPLETION = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "hello"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip
# The agents become garbage in the last moment before `asyncio.run` cancels all tasks.
LATE_GARBAGE = """
import asyncio, gc, os
from pydantic_ai.models import infer_model
from mastra_core import Agent

async def run(model):
    assert (await Agent(name="helper", model=model).generate("hi")).text == "hello"

async def main():
    shared = infer_model("openai-chat:m")
    for model in (shared, "openai-chat:m", shared, "openai-chat:m", shared):
        await run(model)
    gc.collect()

asyncio.run(main())
"""
UNFINISHED_LOOP = """
import asyncio
from mastra_core import Agent
from mastra_core.agents.pydantic_ai import open_models

agent = Agent(name="helper", model="openai-chat:m")
loop = asyncio.new_event_loop()
loop.run_until_complete(agent.generate("hi"))
loop.close()
asyncio.run(agent.generate("hi"))
print(loop not in open_models._by_loop, loop not in agent._get_runner()._models._loops)
"""


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers each request, and counts the open connections."""

    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self):
        super().setup()
        Provider.connections += 1

    def finish(self):
        super().finish()
        Provider.connections -= 1

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        answer = json.dumps(COMPLETION).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture(params=["httpx2", "aiohttp"], autouse=True)
def provider(request, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MASTRA_MODEL_CLIENT", request.param)
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    yield
    server.shutdown()
    server.server_close()


async def wait_until_closed():
    async with asyncio.timeout(20):
        while Provider.connections:  # noqa: ASYNC110  # threads of the server change it
            await asyncio.sleep(0.01)


async def generate(agent):
    assert (await agent.generate("hi")).text == "hello"


def test_agents_that_become_garbage_at_the_end_of_the_loop():
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", LATE_GARBAGE],
        env=os.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nclosed" not in done.stderr, done.stderr


@pytest.mark.anyio
async def test_the_connections_of_garbage_are_closed_before_the_loop_ends():
    agent = Agent(name="helper", model="openai-chat:m")
    await generate(agent)
    assert Provider.connections == 1
    del agent
    gc.collect()
    await wait_until_closed()


def test_an_agent_keeps_nothing_of_loops_that_have_ended():
    agent = Agent(name="helper", model="openai-chat:m")
    for _ in range(5):
        asyncio.run(generate(agent))
        asyncio.run(wait_until_closed())
    assert not open_models._by_loop
    assert len(agent._get_runner()._models._loops) == 1


def test_a_loop_that_ends_without_closing_generators_is_forgotten():
    done = subprocess.run(
        [sys.executable, "-c", UNFINISHED_LOOP],
        env=os.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "True True\n", done.stderr


class Stubborn(OpenAIChatModel):
    """Opens slowly the first time, and cannot be closed."""

    def __init__(self):
        provider = OpenAIProvider(base_url=os.environ["OPENAI_BASE_URL"], api_key="k")
        super().__init__("m", provider=provider)
        self.entered = 0
        self.is_entered = asyncio.Event()

    async def __aenter__(self):
        self.entered += 1
        self.is_entered.set()
        if self.entered == 1:
            await asyncio.sleep(60)
        return await super().__aenter__()

    async def __aexit__(self, *error):
        await super().__aexit__(*error)
        raise OSError("the connection is already closed")


def test_a_cancelled_run_leaves_the_model_to_the_next_one(caplog):
    first, second = Stubborn(), infer_model("openai-chat:m")
    agents = [Agent(name="first", model=first), Agent(name="second", model=second)]

    async def run():
        task = asyncio.create_task(generate(agents[0]))
        await first.is_entered.wait()
        task.cancel()
        for agent in agents:
            await generate(agent)
        assert first.entered == 2

    asyncio.run(run())
    asyncio.run(wait_until_closed())
    assert "could not be closed" in caplog.text


@pytest.mark.filterwarnings("ignore:asynchronous generator")  # the loop has closed generators
def test_models_are_opened_again_after_their_loop_has_closed_them():
    agent = Agent(name="helper", model="openai-chat:m")

    async def run():
        await generate(agent)
        await asyncio.get_running_loop().shutdown_asyncgens()
        await wait_until_closed()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(run())
    loop.run_until_complete(generate(agent))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
