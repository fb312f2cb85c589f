"""What `mastra dev` prints when a tool, a route or a model's provider fails."""

import re

import httpx
import pytest

from tests.deployer.dev.dev_process import run_dev
from tests.model_answers import JSON
from tests.sample_projects import write_project
from tests.scripted_server import serve

pytestmark = pytest.mark.slow
AGENTS = """\
from mastra_core import Agent, Mastra, tool

def read_price(word):
    return {}[word]

@tool
async def price(word: str) -> str:
    \"\"\"Look a price up.\"\"\"
    return read_price(word)

async def clerk(text: str):
    yield read_price(text)

mastra = Mastra(
    agents={"writer": Agent(name="writer", model="openai:gpt-5"), "clerk": clerk},
    tools={"price": price},
)
"""
ROUTES = """\
from starlette.applications import Starlette
from starlette.routing import Route

def load(name):
    raise OSError("no disk")

async def answer(request):
    load("x")

app = Starlette(routes=[Route("/answer", answer)])
"""


REFUSAL = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}


def post(dev, path, body):
    return httpx.post(dev.url + path, json=body, trust_env=False, timeout=60)


def list_new_lines(dev, before):
    """Wait for the request's own line, and return the lines before it."""
    dev.wait_for_line(r"POST \S+ \d{3} \d+ ms")
    return [line for line in dev.lines[before : dev.read - 1] if line]


def test_failures_are_one_line_and_the_own_frames(tmp_path):
    root = write_project(tmp_path / "app", {"src/mastra/index.py": AGENTS})
    statuses = []
    headers = {**JSON, "x-should-retry": "false"}
    with serve(lambda _: (statuses[-1], headers, REFUSAL)) as provider:
        key = {"OPENAI_API_KEY": "sk-test-4711", "OPENAI_BASE_URL": f"{provider.url}/v1"}
        with run_dev(root, **key) as dev:
            dev.wait_until_ready().wait_for_line("Relative paths start at")
            for status, words in ((429, "status_code: 429"), (401, "status_code: 401")):
                statuses.append(status)
                before = len(dev.lines)
                answer = post(dev, "/api/agents/writer/generate", {"messages": "hi"})
                assert answer.status_code >= 400
                lines = list_new_lines(dev, before)
                assert len(lines) == 1, lines
                line = lines[0]
                assert re.search(r"agent 'writer' failed: \w+Error: ", line) and words in line
                assert "sk-test-4711" not in line and len(line) < 600
            before = len(dev.lines)
            assert post(dev, "/api/tools/price/execute", {"data": {"word": "x"}}).is_error
            first, *others = list_new_lines(dev, before)
            assert (
                "tool 'price' failed: KeyError: 'x' (src/mastra/index.py:4 in read_price)" in first
            )
            assert others == ["    src/mastra/index.py:9 in price"]
            before = len(dev.lines)
            assert post(dev, "/api/agents/clerk/generate", {"messages": "y"}).is_error
            first, *others = list_new_lines(dev, before)
            assert "agent 'clerk' failed: KeyError: 'y' (src/mastra/index.py:4 in" in first
            assert others == ["    src/mastra/index.py:12 in clerk"]
            assert "Traceback" not in dev.text


def test_a_route_of_another_framework_that_fails(tmp_path):
    root = write_project(tmp_path / "app", {"main.py": ROUTES}, dependencies=("starlette",))
    with run_dev(root, "--app", "main:app") as dev:
        dev.wait_until_ready()
        assert dev.get("/answer").status_code == 500
        line = dev.wait_for_line("OSError: no disk")
        assert line.string.startswith("Exception in ASGI application: OSError: no disk (main.py:5")
        dev.wait_for_line(r"^    main\.py:8 in answer$")
        assert dev.get("/answer").status_code == 500
        assert "Traceback" not in dev.text
    with run_dev(root, "--app", "main:app", MASTRA_TRACEBACKS="full") as dev:
        dev.wait_until_ready().get("/answer")
        dev.wait_for_line("Traceback")
        dev.wait_for_line("OSError: no disk")
