"""What preload imports, in processes of its own: this one has imported everything already."""

import gc
import json
import os
import subprocess
import sys

import pytest

from mastra_core import Mastra, preload
from mastra_core.agents.protocol import AgentInfo
from tests.model_answers import JSON, say_hello
from tests.scripted_server import serve

SOURCE = """
import asyncio, json, os, sys
from mastra_core import Agent, Mastra, preload

used = []
def watch(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.gethostby")):
        used.append(event)
sys.addaudithook(watch)

inner = Agent(name="inner", model="MODEL")
mastra = Mastra(agents={"outer": Agent(name="outer", model="test", agents={"inner": inner})})
assert "pydantic_ai" not in sys.modules
if os.environ.get("PRELOAD"):
    preload(mastra)
    preload(mastra)
network, before = list(used), set(sys.modules)
try:
    asyncio.run(asyncio.wait_for(inner.generate("hello"), 20))
except Exception as error:
    print(error, file=sys.stderr)
new = {name.partition(".")[0] for name in set(sys.modules) - before}
modules = sorted(name for name in before if name.startswith(("openai.resources", "openai.types")))
json.dump({"network": network, "new": sorted(new), "modules": modules}, sys.stdout)
"""
FRAMEWORK = {"pydantic_ai", "openai", "anthropic", "google", "boto3"}


def respond(request):
    found = request.path.endswith("/chat/completions")
    return say_hello(request) if found else (404, JSON, {"error": {"message": "unknown"}})


def run(model, **environment):
    values = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with serve(respond) as server:
        address = {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": f"{server.url}/v1"}
        done = subprocess.run(
            [sys.executable, "-c", SOURCE.replace("MODEL", model)],
            env={**values, **address, **environment},
            capture_output=True,
            check=True,
            timeout=60,
        )
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["test", "openai:gpt-5", pytest.param("openai-chat:gpt-5", marks=pytest.mark.full)]
)
def test_the_first_run_imports_no_framework_after_preload(model):
    assert FRAMEWORK & set(run(model)["new"]), "without preload the first run does"
    found = run(model, PRELOAD="1")
    assert not FRAMEWORK & set(found["new"])
    assert found["network"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "unused"), [("openai:gpt-5", "chat.completions"), ("openai-chat:gpt-5", "responses")]
)
def test_preload_leaves_what_the_protocol_does_not_need_out(model, unused):
    modules = run(model, PRELOAD="1")["modules"]
    assert f"openai.resources.{unused}.{unused.rpartition('.')[2]}" not in modules
    types = [name for name in modules if name.startswith("openai.types.")]
    assert "openai.types.chat.chat_completion_chunk" in types
    assert "openai.types.video" not in types
    assert len(types) < 350, "the SDK has 470 modules of types"


@pytest.mark.slow
@pytest.mark.parametrize("model", ["google-vertex:x", "bedrock:x", "nobody:x"])
def test_credentials_and_missing_providers_are_left_to_the_first_run(model):
    assert run(model, PRELOAD="1")["network"] == []


class Broken:
    id = name = description = "broken"
    calls = 0

    def info(self):
        return AgentInfo()

    async def generate(self, input, /):
        raise NotImplementedError

    def stream(self, input, /):
        raise NotImplementedError

    def preload(self):
        assert not gc.isenabled()
        self.calls += 1
        raise ZeroDivisionError


def test_an_agent_that_cannot_be_preloaded_stops_nothing():
    async def function(text: str):
        return text

    first, second = Broken(), Broken()
    second.id = second.name = "second"
    preload(Mastra(agents={"first": first, "function": function, "second": second}))
    assert (first.calls, second.calls) == (1, 1)
    assert gc.isenabled()
