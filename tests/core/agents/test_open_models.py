"""When the connections of models are closed: with their event loop, or with their agent."""

import asyncio
import gc
import os
import subprocess
import sys

import pytest
from pydantic_ai.models import infer_model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from mastra_core import Agent
from mastra_core.agents.pydantic_ai import open_models
from tests.model_answers import say_hello
from tests.scripted_server import serve

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


@pytest.fixture(params=["httpx2", "aiohttp"], autouse=True)
def provider(request, monkeypatch):
    with serve(say_hello) as server:
        monkeypatch.setenv("MASTRA_MODEL_CLIENT", request.param)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        yield server


async def wait_until_closed(provider):
    async with asyncio.timeout(20):
        while provider.connections:  # noqa: ASYNC110  # threads of the server change it
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
async def test_the_connections_of_garbage_are_closed_before_the_loop_ends(provider):
    agent = Agent(name="helper", model="openai-chat:m")
    await generate(agent)
    assert provider.connections == 1
    del agent
    gc.collect()
    await wait_until_closed(provider)


def test_an_agent_keeps_nothing_of_loops_that_have_ended(provider):
    agent = Agent(name="helper", model="openai-chat:m")
    for _ in range(5):
        asyncio.run(generate(agent))
        asyncio.run(wait_until_closed(provider))
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


def test_a_cancelled_run_leaves_the_model_to_the_next_one(provider, logs):
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
    asyncio.run(wait_until_closed(provider))
    assert "could not be closed" in logs.text


@pytest.mark.filterwarnings("ignore:asynchronous generator")  # the loop has closed generators
def test_models_are_opened_again_after_their_loop_has_closed_them(provider):
    agent = Agent(name="helper", model="openai-chat:m")

    async def run():
        await generate(agent)
        await asyncio.get_running_loop().shutdown_asyncgens()
        await wait_until_closed(provider)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(run())
    loop.run_until_complete(generate(agent))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
