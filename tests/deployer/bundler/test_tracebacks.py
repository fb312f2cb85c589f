"""Tracebacks of a bundle show file, line and source text of the user's code."""

import contextlib
import json
import linecache
import marshal
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

FILES = {
    "src/mastra/index.py": """\
import os
from typing import Any

from mastra_core import Mastra, Workflow, step
from mastra_deployer_vercel import VercelDeployer

from .agents import add, broken

if os.environ.get("BREAK") == "entry":
    raise RuntimeError("no")  # the entry, at import


def check(request, next):
    if "boom" in request.url.path:
        raise ValueError("no")  # the entry, at request
    return next(request)


@step
def count(data: dict[str, Any]) -> str:
    return data["count"]  # a step


mastra = Mastra(
    agents={"broken": broken},
    deployer=VercelDeployer(
        project_name="shop",
        token="sk-4711",
    ),
    tools={"add": add},
    workflows={"flow": Workflow("flow").then(count)},
    server_middleware=[{"handler": check, "path": "*"}],
)
""",
    "src/mastra/agents.py": """\
import os

from divider import divide
from mastra_core.tools import tool

if os.environ.get("BREAK") == "agents":
    divide(1, 0)  # a module, at import


async def broken(text: str):
    yield str(divide(1, 0))  # an agent


@tool
def add(a: int) -> int:
    return a + {}["b"]  # a tool
""",
    "libs/divider/pyproject.toml": '[project]\nname = "divider"\nversion = "1"\n[build-system]\n'
    'requires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
    "libs/divider/divider/__init__.py": "def divide(a, b):\n    return a / b  # a dependency\n",
}
CONFIG = """
[tool.uv.sources]
divider = { path = "libs/divider" }
[tool.mastra.env]
optional = ["BREAK"]
"""
FRAME = re.compile(r'File "([^"<]+)", line (\d+), in \S+\n +(\S.*)')
# Where to ask, with what, and the lines that break then.
REQUESTS = (
    ("/api/agents/broken/generate", {"messages": "hi"}, ("an agent", "a dependency")),
    ("/api/tools/add/execute", {"data": {"a": 1}}, ("a tool",)),
    ("/api/workflows/flow/start-async", {"inputData": {}}, ("a step",)),
    ("/api/boom", {}, ("the entry, at request",)),
)
IN_VENDOR = {"libs/divider/divider/__init__.py": "vendor/divider/__init__.py"}


def find_marked_line(words):
    """Return the path in a bundle, the number and the text of a line that ends with a comment."""
    for name, source in FILES.items():
        for number, line in enumerate(source.splitlines(), 1):
            if line.endswith(f"# {words}"):
                return IN_VENDOR.get(name, f"app/{name}"), number, line.strip()
    raise AssertionError(words)


def check_frames(text, directory, *wanted):
    """Check that a traceback contains the wanted lines, and only source lines that exist on disk."""
    found = [(file, int(number), line) for file, number, line in FRAME.findall(text)]
    for file, number, line in found:
        assert linecache.getline(file, number).strip() == line, text
    for words in wanted:
        name, number, line = find_marked_line(words)
        assert (str(directory / name), number, line) in found, text


def parse_tracebacks(lines):
    """Return the tracebacks in a log of JSON lines."""
    return [json.loads(line).get("error", "") for line in lines if line.startswith("{")]


@pytest.fixture(scope="module")
def app(tmp_path_factory, mastra):
    """A project, and its universal bundle in another directory."""
    home = tmp_path_factory.mktemp("tracebacks")
    needs = ("mastra-core", "divider")
    root = write_project(home / "app", FILES, CONFIG, dependencies=needs)
    mastra("build", cwd=root).ok()
    shutil.move(root / ".mastra", home / "moved")
    return root


@pytest.fixture
def moved_bundle(app):
    return app.parent / "moved"


def request_failures(client):
    """Request everything that fails; yield the text that each request has to log."""
    for path, body, words in REQUESTS:
        client.post(path, json=body)
        yield words


def test_bytecode_is_used(moved_bundle):
    """File names in bytecode are relative; tracebacks show the paths that import inserted."""
    tag = sys.implementation.cache_tag
    compiled = moved_bundle / f"app/src/mastra/__pycache__/agents.{tag}.pyc"
    assert marshal.loads(compiled.read_bytes()[16:]).co_filename == "src/mastra/agents.py"


def test_errors_in_requests(moved_bundle, serve_directory):
    with serve_directory(moved_bundle) as client:
        wanted = list(request_failures(client))
    tracebacks = parse_tracebacks(client.log)
    assert len(tracebacks) == len(wanted)
    for text, words in zip(tracebacks, wanted, strict=True):
        check_frames(text, moved_bundle, *words)
    assert "sk-4711" not in "".join(client.log)


@pytest.mark.parametrize(
    ("where", "words", "last"),
    [
        ("entry", ["the entry, at import"], "the entry, at import"),
        ("agents", ["a module, at import", "a dependency"], "a module, at import"),
    ],
)
def test_errors_at_import(moved_bundle, where, words, last):
    environment = {"PATH": os.environ["PATH"], "PORT": "0", "BREAK": where}
    command = [sys.executable, os.path.relpath(moved_bundle / "index.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    check_frames(done.stderr, moved_bundle, *words)
    name, number, _ = find_marked_line(last)
    *_, error, hint = done.stderr.splitlines()
    assert re.search(r"cannot be imported: (RuntimeError: no|ZeroDivisionError: division)", error)
    assert hint == f"  See {name.removeprefix('app/')}:{number}."


def test_errors_in_another_framework(tmp_path, mastra, serve_directory):
    source = (
        "async def app(scope, receive, send):\n    if scope.get('path') == '/':\n"
        "        raise ValueError(scope['type'])\n"
    )
    root = write_project(tmp_path / "app", {"main.py": source}, dependencies=())
    mastra("build", "--app", "main:app", cwd=root).ok()
    with serve_directory(root / ".mastra") as client:
        assert client.get("/").status_code == 500
    text = "".join(client.log)
    check_frames(text, root)
    assert f'{root}/.mastra/app/main.py", line 3, in app\n    raise ValueError' in text


@contextlib.contextmanager
def run_preview(root, directory, **environment):
    """Run `mastra preview vercel`; give its log lines, and its address once it serves."""
    command = [str(Path(sys.executable).with_name("mastra")), "preview", "vercel", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--prebuilt", str(directory)],
        cwd=root,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    log, url = [], None
    for line in process.stderr:
        log.append(line)
        if url := re.search(r"on (http://\S+)", line):
            break
    yield log, url and url[1]
    process.send_signal(signal.SIGINT)
    log += process.communicate(timeout=30)[1].splitlines(keepends=True)


def test_errors_in_a_serverless_function(app, mastra, find_python):
    find_python("3.12")
    out = app.parent / "function"
    mastra("bundle", "vercel", "--python", "3.12", "-o", out, cwd=app).ok()
    function = out / ".vercel/output/functions/index.func"
    with (
        run_preview(app, out) as (log, url),
        httpx.Client(base_url=url, timeout=30, trust_env=False) as client,
    ):
        wanted = list(request_failures(client))
    for text, words in zip(parse_tracebacks(log), wanted, strict=True):
        check_frames(text, function, *words)
    with run_preview(app, out, BREAK="agents") as (log, url):
        assert httpx.get(f"{url}/health", trust_env=False, timeout=30).status_code == 500
    check_frames("".join(log), function, "a module, at import", "a dependency")
