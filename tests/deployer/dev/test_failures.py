"""What `mastra dev` prints when a tool, a route or a model's provider fails."""

import contextlib
import http.server
import re
import threading

import httpx
import pytest

from tests.deployer.dev.dev_process import run_dev
from tests.sample_projects import write_project

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


class Refusal(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}'
        self.send_response(self.server.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-should-retry", "false")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve_refusals():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def post(dev, path, body):
    return httpx.post(dev.url + path, json=body, trust_env=False, timeout=60)


def list_new_lines(dev, before):
    """Wait for the request's own line, and return the lines before it."""
    dev.wait_for_line(r"POST \S+ \d{3} \d+ ms")
    return [line for line in dev.lines[before : dev.read - 1] if line]


def test_failures_are_one_line_and_the_own_frames(tmp_path):
    root = write_project(tmp_path / "app", {"src/mastra/index.py": AGENTS})
    with serve_refusals() as provider:
        address = f"http://127.0.0.1:{provider.server_port}/v1"
        key = {"OPENAI_API_KEY": "sk-test-4711", "OPENAI_BASE_URL": address}
        with run_dev(root, **key) as dev:
            dev.wait_until_ready().wait_for_line("Relative paths start at")
            for status, words in ((429, "status_code: 429"), (401, "status_code: 401")):
                provider.status, before = status, len(dev.lines)
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
