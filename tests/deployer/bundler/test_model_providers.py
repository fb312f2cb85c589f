"""Agents with a model, in a bundle, against a real model server in both wire formats."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mastra_deployer.bundler.verify import request_child
from tests.aimock import serve_model
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

AGENTS = """\
from mastra_core import Agent, Mastra

def forecast(city: str) -> str:
    "The weather in a city."
    return f"sunny in {city}"

mastra = Mastra(logger=False, agents={
    "gpt": Agent(name="gpt", instructions="Help.", model="openai:gpt-4o", tools=[forecast]),
    "claude": Agent(name="claude", model="anthropic:claude-sonnet-4-5", tools=[forecast]),
})
"""
FIXTURES = [
    {
        "match": {"userMessage": "weather in Oslo", "hasToolResult": False},
        "response": {
            "toolCalls": [{"name": "forecast", "arguments": {"city": "Oslo"}}],
        },
    },
    {
        "match": {"userMessage": "weather in Oslo", "hasToolResult": True},
        "response": {"content": "It is sunny in Oslo today, says the tool."},
    },
    {"match": {"userMessage": "hello"}, "response": {"content": "Hello from the model."}},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The model server; gives its address."""
    with serve_model(tmp_path_factory.mktemp("model"), FIXTURES) as url:
        yield url


# Imports what a start and its preload import, and prints the files of modules without bytecode.
LIST_UNCOMPILED = """\
import importlib.util, os, sys
from pathlib import Path
def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
launcher, child = load("launcher", sys.argv[1]), load("child", sys.argv[2])
bundle = launcher.read_manifest(launcher.HERE)
launcher.isolate([os.path.join(launcher.HERE, path) for path in bundle["paths"]])
app = launcher.load(bundle)[0]
launcher.run_preload(app.state.mastra)
print(*child.list_uncompiled(launcher.HERE))
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory, mastra):
    """Build an app that requires both SDKs: `build(source)` returns the bundle."""

    def build_app(source):
        packages = ("mastra-core[agents]", "pydantic-ai-slim[openai,anthropic]")
        root = write_project(
            tmp_path_factory.mktemp("agents"),
            {"src/mastra/index.py": source},
            '[tool.mastra.env]\noptional = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"]\n',
            packages,
        )
        mastra("build", cwd=root).ok()
        return root / ".mastra"

    return build_app


@pytest.fixture(scope="module")
def bundle(build):
    return build(AGENTS)


@pytest.fixture(scope="module")
def client(model, bundle, serve_directory):
    keys = {
        "OPENAI_API_KEY": "k",
        "ANTHROPIC_API_KEY": "k",
        "OPENAI_BASE_URL": f"{model}/v1",
        "ANTHROPIC_BASE_URL": model,
    }
    with serve_directory(bundle, **keys) as served:
        yield served


@pytest.mark.parametrize("agent", ["gpt", "claude"])
def test_an_agent_answers(client, agent):
    answer = client.post(f"/api/agents/{agent}/generate", json={"messages": "hello"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["text"] == "Hello from the model."


@pytest.mark.parametrize("agent", ["gpt", "claude"])
def test_an_agent_streams_a_tool_call(client, agent):
    body = {"messages": [{"role": "user", "content": "weather in Oslo"}]}
    with client.stream("POST", f"/api/agents/{agent}/stream", json=body) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    frames = [line.removeprefix("data: ") for line in lines]
    assert frames.pop() == "[DONE]"
    chunks = [json.loads(frame) for frame in frames]
    kinds = [chunk["type"] for chunk in chunks]
    assert kinds.index("tool-call") < kinds.index("tool-result") < kinds.index("text-delta")
    result = next(chunk for chunk in chunks if chunk["type"] == "tool-result")
    assert result["payload"]["result"] == "sunny in Oslo"
    text = "".join(c["payload"]["text"] for c in chunks if c["type"] == "text-delta")
    assert text == "It is sunny in Oslo today, says the tool."
    assert kinds.count("text-delta") > 1, "the answer came in one piece"


def test_start_and_preload_find_bytecode_which_is_not_that_of_all_modules(bundle):
    keys = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
    command = [sys.executable, "-B", "-c", LIST_UNCOMPILED, bundle / "index.py"]
    command += [Path(request_child.__file__)]
    result = subprocess.run(
        command, env=os.environ | keys, capture_output=True, text=True, check=True
    )
    # pydantic imports two small modules in functions.
    assert {name for name in result.stdout.split() if "/pydantic/" not in name} == set()
    assert len(result.stdout.split()) <= 2
    modules = {path.stem for path in (bundle / "vendor/openai").rglob("*.py")}
    compiled = {path.name.partition(".")[0] for path in (bundle / "vendor/openai").rglob("*.pyc")}
    assert len(compiled) < len(modules) / 2


@pytest.mark.parametrize(("used", "other"), [("openai", "anthropic"), ("anthropic", "openai")])
def test_an_sdk_that_no_agent_uses_has_no_bytecode(build, used, other):
    lines = [line for line in AGENTS.splitlines(keepends=True) if other not in line]
    vendor = build("".join(lines)) / "vendor"
    assert (vendor / other / "types/__init__.py").exists()
    assert not [*vendor.glob(f"{other}/**/*.pyc")]
    assert [*vendor.glob(f"{used}/**/*.pyc")]


def test_tiktoken_does_not_ship(bundle):
    shipped = {path.name for path in (bundle / "vendor").iterdir()}
    assert not shipped & {"tiktoken", "regex", "requests"}
    assert {"openai", "anthropic", "pydantic_ai"} <= shipped


def test_a_model_that_fails_is_a_clear_error_without_internals(client):
    answer = client.post("/api/agents/gpt/generate", json={"messages": "nobody expects this"})
    assert answer.status_code >= 500
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text
